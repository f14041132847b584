//! From the columns of a CSV file to the fields of a tuple.

use squall_core::suggest::did_you_mean;
use squall_core::{Check, Error, Field, FieldType, Result, Schema, Value};

use super::{Columns, Config, Element};
use crate::support::schemas::distinct;

/// Where each field of the tuple comes from.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Row,
    Text,
    Vector(Element, Vec<usize>),
    Scalar(FieldType, usize),
    /// The same; an empty cell is a missing value.
    Gap(FieldType, usize),
}

/// How a row of the file becomes a tuple. A vector stands where the first of its columns stood.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) schema: Schema,
    header: Vec<String>,
    parts: Vec<Part>,
    delimiter: char,
}

impl Layout {
    /// As far as the columns are there; what is wrong is said to `check`.
    pub(super) fn new(config: &Config, header: &[String], check: &Check<'_>) -> Self {
        let path = config.path.display();
        if let Some(name) = Schema::new(header.iter().map(|n| (n.as_str(), FieldType::Any))).duplicate() {
            check.fault("path", format!("two columns of {path} are called `{name}`"));
        }
        let find = |key: &str, name: &str| {
            let found = header.iter().position(|h| h == name).ok_or_else(|| {
                let hint = did_you_mean(name, header.iter().map(String::as_str));
                Error::user(format!("{path} has no column `{name}`{hint}"))
            });
            check.at(key, found)
        };
        let mut parts: Vec<Option<(Field, Part)>> = vec![None; header.len()];
        let mut taken = vec![false; header.len()];
        for (name, vector) in &config.vectors {
            let key = format!("vectors.{name}.columns");
            let columns: Vec<usize> = match &vector.columns {
                Columns::List(names) => {
                    let place = |i: usize| format!("{key}[{i}]");
                    names.iter().enumerate().filter_map(|(i, n)| find(&place(i), n)).collect()
                }
                Columns::Range(range) => {
                    let (first, last) = range.split_once("..").unwrap_or((range, range));
                    match (find(&key, first.trim()), find(&key, last.trim())) {
                        (Some(first), Some(last)) if first > last => {
                            check.fault(&key, format!("`{range}` ends before it begins"));
                            (last..=first).collect()
                        }
                        (Some(first), Some(last)) => (first..=last).collect(),
                        (one, other) => one.or(other).into_iter().collect(),
                    }
                }
            };
            let Some(first) = columns.iter().min().copied() else {
                if matches!(&vector.columns, Columns::List(names) if names.is_empty()) {
                    check.fault(&key, "a vector needs at least one column");
                }
                continue;
            };
            for column in &columns {
                if std::mem::replace(&mut taken[*column], true) {
                    check.fault(&key, format!("column `{}` is in a vector already", header[*column]));
                }
            }
            let width = Some(columns.len() as u32);
            let kind = if vector.kind == Element::F32 { FieldType::F32s(width) } else { FieldType::F64s(width) };
            parts[first] = Some((Field::new(name, kind), Part::Vector(vector.kind, columns)));
        }
        for (i, name) in config.skip.iter().enumerate() {
            if let Some(column) = find(&format!("skip[{i}]"), name) {
                taken[column] = true;
            }
        }
        for (name, kind) in &config.fields {
            let key = format!("fields.{name}");
            let Some(column) = find(&key, name) else { continue };
            if std::mem::replace(&mut taken[column], true) {
                check.fault(&key, format!("column `{name}` is in a vector or skipped"));
                continue;
            }
            if !matches!(kind, FieldType::Int | FieldType::Float | FieldType::Bool | FieldType::Str) {
                check.fault(&key, format!("a column can be int, float, bool or str, not {kind}"));
            }
            parts[column] = Some((Field::new(name, *kind), Part::Scalar(*kind, column)));
        }
        for (column, name) in header.iter().enumerate().filter(|(column, _)| !taken[*column]) {
            parts[column] = Some((Field::new(name, FieldType::Str), Part::Scalar(FieldType::Str, column)));
        }
        for (i, name) in config.missing.iter().enumerate() {
            let key = format!("missing[{i}]");
            let Some(column) = find(&key, name) else { continue };
            match &mut parts[column] {
                Some((field, part @ Part::Scalar(..))) => {
                    let Part::Scalar(kind, column) = *part else { continue };
                    *part = Part::Gap(kind, column);
                    if kind != FieldType::Float {
                        field.kind = FieldType::Any;
                    }
                }
                _ => check.fault(&key, format!("column `{name}` is in a vector, skipped or listed twice")),
            }
        }
        let row = config.row.iter().map(|name| (Field::new(name, FieldType::Int), Part::Row));
        let text = config.text.iter().map(|name| (Field::new(name, FieldType::Str), Part::Text));
        let (fields, parts) = row.chain(text).chain(parts.into_iter().flatten()).unzip();
        let schema = distinct(check, fields, "give the vector, `row` or `text` another name");
        Layout { schema, header: header.to_vec(), parts, delimiter: config.delimiter }
    }

    /// The tuple that a row of the file makes; `Err` names the column and what stands there.
    pub(super) fn tuple(&self, row: u64, record: &csv::ByteRecord) -> Result<Vec<Value>, String> {
        if record.len() != self.header.len() {
            return Err(format!("{} columns, not {} as the first line", record.len(), self.header.len()));
        }
        let text = |column: usize| {
            let bytes = record.get(column).unwrap_or_default();
            std::str::from_utf8(bytes).map_err(|_| format!("column `{}` is not UTF-8", self.header[column]))
        };
        let wrong = |column: usize, text: &str, kind: &str| format!("column `{}`: `{text}` is not {kind}", self.header[column]);
        let value = |part: &Part| {
            Ok(match part {
                Part::Row => Value::from(row),
                Part::Text => {
                    let fields = record.iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
                    Value::Str(fields.join(self.delimiter.encode_utf8(&mut [0; 4])))
                }
                Part::Vector(element, columns) => {
                    let number = |column: &usize| {
                        let text = text(*column)?;
                        text.trim().parse::<f64>().map_err(|_| wrong(*column, text, "a number"))
                    };
                    match element {
                        Element::F64 => Value::F64s(columns.iter().map(number).collect::<Result<_, String>>()?),
                        Element::F32 => {
                            Value::F32s(columns.iter().map(|c| Ok(number(c)? as f32)).collect::<Result<_, String>>()?)
                        }
                    }
                }
                Part::Scalar(kind, column) | Part::Gap(kind, column) => {
                    let text = text(*column)?;
                    match kind {
                        FieldType::Float if matches!(part, Part::Gap(..)) && text.trim().is_empty() => Value::Float(f64::NAN),
                        _ if matches!(part, Part::Gap(..)) && text.trim().is_empty() => Value::Nil,
                        FieldType::Int => Value::Int(text.trim().parse().map_err(|_| wrong(*column, text, "an integer"))?),
                        FieldType::Float => Value::Float(text.trim().parse().map_err(|_| wrong(*column, text, "a number"))?),
                        FieldType::Bool => match text.trim() {
                            "true" | "True" | "1" => Value::Bool(true),
                            "false" | "False" | "0" => Value::Bool(false),
                            _ => return Err(wrong(*column, text, "true or false")),
                        },
                        _ => Value::from(text),
                    }
                }
            })
        };
        self.parts.iter().map(value).collect()
    }
}
