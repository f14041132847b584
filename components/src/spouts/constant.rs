//! `const`: the same row again and again.

use std::sync::Arc;

use serde::Deserialize;
use squall_core::{
    Check, Columns, Context, Error, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl, Value,
};

use crate::support::{at, schemas::number};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    value: serde_json::Value,
    #[serde(default)]
    tracked: bool,
    #[serde(default)]
    limit: Option<u64>,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "one row again and again, as fast as it is taken";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("value", "a value for the field `value`, or a table of fields; a list of numbers is a vector"),
        ("tracked", "emit with ids and replay what fails; false unless given"),
        ("limit", "end after this many rows from each task; endless unless given"),
    ];

    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let (schema, _) = row(&self.value)?;
        Ok(vec![StreamDecl::default_stream(schema)])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Spout>> {
        let (schema, row) = row(&self.value)?;
        let left = self.limit.unwrap_or(u64::MAX);
        let mut rows = Columns::new(Arc::new(schema));
        let row: Vec<_> = row.iter().map(Value::as_ref).collect();
        while rows.len() < MOST && rows.bytes() < LARGEST {
            rows.push(&row).map_err(Error::internal)?;
        }
        Ok(Box::new(Constant { rows, next: 0, left, again: self.tracked.then(Vec::new), ids: Vec::new() }))
    }
}

/// The fields that a JSON value describes, and their values.
fn row(value: &serde_json::Value) -> Result<(Schema, Vec<Value>)> {
    let single = serde_json::Map::from_iter([("value".to_owned(), value.clone())]);
    let mut row = Vec::new();
    let mut fields = Vec::new();
    for (name, value) in value.as_object().unwrap_or(&single) {
        let value = Value::from(value.clone());
        let (kind, value) = match value {
            Value::Bool(_) => (FieldType::Bool, value),
            Value::Int(_) => (FieldType::Int, value),
            Value::Float(_) => (FieldType::Float, value),
            Value::Str(_) => (FieldType::Str, value),
            Value::List(ref list) => match list.iter().map(|v| number(v.as_ref())).collect::<Option<Vec<f64>>>() {
                Some(vector) => (FieldType::F64s(Some(vector.len() as u32)), Value::F64s(vector)),
                None => (FieldType::Any, value),
            },
            _ => (FieldType::Any, value),
        };
        fields.push((name.as_str(), kind));
        row.push(value);
    }
    if row.is_empty() {
        return Err(at("value", "a table of fields needs at least one"));
    }
    Ok((Schema::new(fields), row))
}

/// Rows that are kept ready, to be emitted at once: so many, or as many as make so many bytes.
const MOST: usize = 1024;
const LARGEST: usize = 1 << 20;

struct Constant {
    /// The row, again and again.
    rows: Columns,
    next: u64,
    left: u64,
    /// Ids of failed rows; none where rows are not tracked. All rows are alike, so an id is all there is to keep.
    again: Option<Vec<u64>>,
    /// Those of the rows in hand.
    ids: Vec<u64>,
}

impl Spout for Constant {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let Constant { rows, next, left, again, ids } = self;
        let room = out.room().min(rows.len());
        ids.clear();
        if let Some(again) = again {
            ids.extend(again.drain(again.len().saturating_sub(room)..));
        }
        let new = (room - ids.len()).min(usize::try_from(*left).unwrap_or(usize::MAX));
        let emitted =
            rows.slice(0..ids.len() + new).ok_or_else(|| Error::internal("fewer rows are ready than were counted"))?;
        match again {
            Some(_) => {
                ids.extend(*next..*next + new as u64);
                out.emit_rows_with_ids(emitted, ids)?;
            }
            None => out.emit_rows(emitted)?,
        }
        *next += new as u64;
        *left -= new as u64;
        let to_repeat = again.as_ref().is_some_and(|again| !again.is_empty());
        Ok(if *left == 0 && !to_repeat { Next::End } else { Next::More })
    }

    fn fail(&mut self, id: u64) {
        self.again.iter_mut().for_each(|again| again.push(id));
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn a_table_gives_fields_and_failed_rows_come_again() {
        let config = serde_json::json!({"value": {"n": 1, "x": [1, 2.5], "w": "a"}, "tracked": true, "limit": 3});
        let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
        assert_eq!(spout.context().outputs[0].fields.to_string(), "n: int, x: f64[2], w: str");
        assert_eq!(spout.run().unwrap(), Next::End);
        spout.fail(1);
        assert_eq!(spout.run().unwrap(), Next::End);
        let row = vec![Value::Int(1), Value::F64s(vec![1.0, 2.5]), "a".into()];
        assert_eq!(spout.rows("default"), [row.clone(), row.clone(), row.clone(), row]);
        assert_eq!(spout.sent()[3].id, Some(1));
    }

    #[test]
    fn it_does_not_end_before_all_that_failed_came_again() {
        let config = serde_json::json!({"value": 1, "tracked": true, "limit": 200});
        let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
        assert_eq!(spout.run().unwrap(), Next::End);
        (0..200).for_each(|id| spout.fail(id));
        assert_eq!(spout.run().unwrap(), Next::End);
        let mut again: Vec<u64> = spout.sent()[200..].iter().filter_map(|s| s.id).collect();
        again.sort_unstable();
        assert_eq!(again, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_single_value_is_called_value() {
        let mut spout = Harness::default().spout_config::<Config>(serde_json::json!({"value": true})).unwrap();
        assert_eq!(spout.next().unwrap(), Next::More);
        assert_eq!(spout.context().outputs[0].fields.to_string(), "value: bool");
        assert_eq!((spout.sent().len(), spout.sent()[0].id), (64, None));
    }
}
