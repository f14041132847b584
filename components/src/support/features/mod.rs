//! Features: from the fields of a batch to the rows that a model scores.

mod gather;
mod matrix;
mod order;

use serde::Deserialize;
use squall_core::{Check, FieldType, Result};
use squall_model::{Column, Model};

pub(crate) use gather::{Gathered, Reader};

use super::at;

/// Which fields hold the features: one vector field, or several fields put together, or one text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected the name of a vector or text field or a list of names of fields")]
pub(crate) enum Features {
    One(String),
    Several(Vec<String>),
}

impl Features {
    /// Checks the fields against the model; the number of features if it is known.
    pub(crate) fn check(&self, check: &Check<'_>, name: &str, model: &Model) -> Result<Option<usize>> {
        let fits = |from: &str, field: &str, width: usize| match model.n_features() {
            Some(n) if n != width => {
                let (s, number) = (if n == 1 { "" } else { "s" }, if width == 1 { "number" } else { "numbers" });
                Err(at("features", format!("model `{name}` takes {n} feature{s}, but {field}{from} has {width} {number}")))
            }
            _ => Ok(Some(width)),
        };
        if model.takes_texts() {
            return self.check_text(check, name).map(|()| None);
        }
        let mut found = model.n_features();
        match self {
            Features::Several(names) => {
                let order = order::of(names, name, model).map_err(|e| at("features", e))?;
                for (i, field) in names.iter().enumerate() {
                    let key = format!("features[{i}]");
                    let Some(kind) = check.at(&key, check.field(field, FieldType::Any)) else { continue };
                    let column = order.iter().position(|from| *from == Some(i));
                    let takes = match (model.columns(), column) {
                        (Some(columns), Some(column)) => columns.get(column).copied().unwrap_or(Column::Unused),
                        _ => Column::Number,
                    };
                    match (takes, kind) {
                        (_, FieldType::Any) | (Column::Unused, _) | (Column::Text, FieldType::Str) => {}
                        (Column::Number, FieldType::Float | FieldType::Int | FieldType::Bool) => {}
                        (Column::Text, _) => check.fault(&key, format!("field `{field}` is {kind}, not a text")),
                        (Column::Number, _) => check.fault(&key, format!("field `{field}` is {kind}, not a number")),
                    }
                }
                found = Some(order.len());
            }
            Features::One(field) if model.takes_tables() => {
                let list = order::wanted(model).join(", ");
                return Err(at(
                    "features",
                    format!(
                        "model `{name}` takes texts and numbers: name a list of fields, and not `{field}`; it takes {list}"
                    ),
                ));
            }
            Features::One(field) => {
                check.field(field, FieldType::Any).map_err(|e| at("features", e))?;
                for input in check.inputs {
                    let kind = input.fields.field(field).map_or(FieldType::Any, |f| f.kind);
                    let from = format!(" of `{}`", input.from);
                    match kind {
                        FieldType::F32s(Some(n)) | FieldType::F64s(Some(n)) => {
                            found = fits(&from, &format!("`{field}`"), n as usize)?;
                        }
                        FieldType::Float | FieldType::Int => found = fits(&from, &format!("`{field}`"), 1)?,
                        FieldType::F32s(None) | FieldType::F64s(None) | FieldType::Any => {}
                        other => {
                            return Err(at("features", format!("field `{field}`{from} is {other}, not a vector of numbers")));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// A model of texts takes one field of them.
    fn check_text(&self, check: &Check<'_>, name: &str) -> Result<()> {
        let Features::One(field) = self else {
            return Err(at("features", format!("model `{name}` takes a text: name one field, and not a list")));
        };
        match check.field(field, FieldType::Any).map_err(|e| at("features", e))? {
            FieldType::Str | FieldType::Any => Ok(()),
            other => Err(at("features", format!("model `{name}` takes a text, but field `{field}` is {other}"))),
        }
    }

    /// Reads what this model takes.
    pub(crate) fn reader(&self, name: &str, model: &Model) -> Result<Reader> {
        Reader::new(self, name, model)
    }
}
