//! What a classifier can emit, and what of it a model has.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde::Deserialize;
use squall_core::suggest::did_you_mean;
use squall_core::{Check, FieldType, Result};
use squall_model::{Classes, Column, Kind, Model, Rows, Table, Texts};

use crate::support::at;

/// One output of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The class, as the model was trained with it.
    Label,
    /// A probability for each class, in the model's order.
    Proba,
    /// The decision function: a number for each class, or a single one where there are two.
    Decision,
    /// Probabilities where the model has them, else the decision function.
    Scores,
    /// The highest probability.
    Confidence,
    /// The class's place in the model's order.
    Index,
    /// What a regressor, an outlier detection or a clustering predicts.
    Value,
    /// Whether the row is an outlier: its decision value is below the threshold.
    Anomaly,
    /// The most probable classes with their probabilities, the most probable first.
    Top,
    /// The model's name in the topology.
    Model,
    /// The number of the model's version.
    Version,
    /// SHA-256 of the model's artefact.
    Checksum,
}

/// `emit`: names, or names with the fields they go to.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a list such as [\"label\", \"proba\"] or a table such as { label = \"prediction\" }")]
pub(super) enum Emit {
    Names(Vec<String>),
    Named(BTreeMap<String, String>),
}

impl What {
    const ALL: [What; 12] = [
        What::Label,
        What::Proba,
        What::Decision,
        What::Scores,
        What::Confidence,
        What::Index,
        What::Value,
        What::Anomaly,
        What::Top,
        What::Model,
        What::Version,
        What::Checksum,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            What::Label => "label",
            What::Proba => "proba",
            What::Decision => "decision",
            What::Scores => "scores",
            What::Confidence => "confidence",
            What::Index => "index",
            What::Value => "value",
            What::Anomaly => "anomaly",
            What::Top => "top",
            What::Model => "model",
            What::Version => "version",
            What::Checksum => "checksum",
        }
    }

    fn parse(key: &str, name: &str) -> Result<What> {
        What::ALL.into_iter().find(|w| w.name() == name).ok_or_else(|| {
            let names = What::ALL.map(What::name);
            let hint = did_you_mean(name, names);
            at(key, format!("`{name}` cannot be emitted{hint}; there are {}", names.join(", ")))
        })
    }

    /// The type of its field; `Err` tells what the model has instead.
    pub(super) fn kind(self, model: &Model, name: &str, width: Option<usize>) -> Result<FieldType, String> {
        let lacks = |what: &str| Err(format!("model `{name}` is a {} without {what}", model.kind()));
        match self {
            What::Label if model.targets().is_some() => Ok(FieldType::Any),
            What::Index if model.targets().is_some() => lacks("one label a row: emit `label`"),
            What::Label | What::Index => match (model.classes(), self) {
                (None, _) => lacks("classes: emit `value`"),
                (Some(_), What::Index) => Ok(FieldType::Int),
                (Some(Classes::Int(_)), _) => Ok(FieldType::Int),
                (Some(Classes::Float(_)), _) => Ok(FieldType::Float),
                (Some(Classes::Str(_)), _) => Ok(FieldType::Str),
                (Some(Classes::Bool(_)), _) => Ok(FieldType::Bool),
            },
            What::Value if !model.has_predict() || model.classes().is_some() || texts(model) => lacks("values: emit `label`"),
            What::Value if model.n_outputs() > 1 => Ok(FieldType::F64s(u32::try_from(model.n_outputs()).ok())),
            What::Value => Ok(FieldType::Float),
            What::Anomaly if model.kind() != Kind::Outlier || !model.has_decision() => {
                lacks("outliers: it detects none, and has no threshold")
            }
            What::Anomaly => Ok(FieldType::Bool),
            What::Model | What::Checksum => Ok(FieldType::Str),
            What::Version => Ok(FieldType::Int),
            What::Top if model.classes().is_none() => lacks("classes: emit `value`"),
            What::Proba | What::Confidence | What::Top if !model.has_proba() => {
                lacks("probabilities (was it trained with them?)")
            }
            What::Confidence if model.classes().is_none() => lacks("one target: emit `proba`, of all targets side by side"),
            What::Confidence => Ok(FieldType::Float),
            What::Top => Ok(FieldType::Any),
            What::Proba => Ok(FieldType::F64s(model.classes().and_then(|c| u32::try_from(c.len()).ok()))),
            What::Scores if model.has_proba() => What::Proba.kind(model, name, width),
            What::Decision | What::Scores if !model.has_decision() => lacks("a decision function"),
            What::Decision | What::Scores => Ok(FieldType::F64s(decision_width(model, width))),
        }
    }
}

/// Whether it gives several labels a row, and some are texts.
fn texts(model: &Model) -> bool {
    model.targets().is_some_and(|targets| targets.iter().any(|classes| matches!(classes, Classes::Str(_))))
}

/// How many numbers the decision function has. One for two classes, one for each class or one for each pair of them
/// otherwise: a row of zeros or an empty text tells.
fn decision_width(model: &Model, features: Option<usize>) -> Option<u32> {
    let scores = match (model.takes_texts(), model.takes_tables()) {
        (true, _) => model.decision_function(Rows::Texts(Texts::new("", &[0])?)).ok()?,
        (_, true) => model.decision_function(Rows::Table(&blank(model))).ok()?,
        _ => model.decision_function(Rows::F64(Array2::zeros((1, features?)).view())).ok()?,
    };
    u32::try_from(scores.ncols()).ok()
}

/// A row of zeros and empty texts.
pub(super) fn blank(model: &Model) -> Table {
    let columns = model.columns().unwrap_or_default();
    let mut table = Table::new(columns.len());
    for column in columns {
        match column {
            Column::Text => table.text(""),
            Column::Number | Column::Unused => table.number(0.0),
        }
    }
    table
}

/// What `emit` lists: the place of each in the configuration, its name, and the field it goes to.
fn entries(emit: &Emit) -> Vec<(String, &String, &String)> {
    match emit {
        Emit::Names(names) => names.iter().enumerate().map(|(i, name)| (format!("emit[{i}]"), name, name)).collect(),
        Emit::Named(names) => names.iter().map(|(name, field)| (format!("emit.{name}"), name, field)).collect(),
    }
}

/// Whether all names of what is to be emitted are names of something; those that are not are shown.
pub(super) fn are_names(emit: Option<&Emit>, check: &Check<'_>) -> bool {
    let entries = emit.map(entries).unwrap_or_default();
    // Every one is looked at, also behind a wrong one.
    entries.iter().fold(true, |all, (key, name, _)| check.noted(What::parse(key, name)).is_some() && all)
}

/// What is emitted: its place in the configuration, what it is, and the field it goes to.
pub(super) fn resolve(emit: Option<&Emit>, model: &Model) -> Result<Vec<(String, What, String)>> {
    let Some(emit) = emit else {
        let default = if model.classes().is_some() || texts(model) { What::Label } else { What::Value };
        return Ok(vec![("emit".to_owned(), default, default.name().to_owned())]);
    };
    let one = |(key, name, field): (String, &String, &String)| What::parse(&key, name).map(|what| (key, what, field.clone()));
    let mut resolved = entries(emit).into_iter().map(one).collect::<Result<Vec<_>>>()?;
    if matches!(emit, Emit::Named(_)) {
        // A table has no order of its own: the label first.
        resolved.sort_by_key(|(_, what, _)| *what);
    }
    if resolved.is_empty() {
        return Err(at("emit", "nothing would be emitted"));
    }
    Ok(resolved)
}
