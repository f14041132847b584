//! `project`: some of the fields, perhaps under other names.

use std::collections::BTreeMap;

use serde::Deserialize;
use squall_core::{Batch, Bolt, BoltConfig, Check, Context, Output, Result, StreamDecl, Tuple, ValueRef};

use crate::support::{answers::Answers, schemas};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    fields: Vec<String>,
    #[serde(default)]
    rename: BTreeMap<String, String>,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "passes some fields on, in a given order, perhaps under other names";
    const KEYS: &'static [(&'static str, &'static str)] =
        &[("fields", "the fields, in order"), ("rename", "new names: old = \"new\"")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let mut fields = schemas::passed(check, "fields", &self.fields);
        for (old, new) in &self.rename {
            match fields.iter_mut().zip(&self.fields).find(|(_, name)| *name == old) {
                Some((field, _)) => field.name.clone_from(new),
                None => check.fault(&format!("rename.{old}"), format!("`{old}` is not among `fields`")),
            }
        }
        Ok(vec![StreamDecl::default_stream(schemas::distinct(check, fields, "name each field once, or `rename` it"))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Project { fields: self.fields, positions: Vec::new(), answers: Answers::new(ctx) }))
    }
}

struct Project {
    fields: Vec<String>,
    positions: Vec<usize>,
    answers: Answers,
}

impl Bolt for Project {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(tuple.batch(), &self.fields, &mut self.positions)?;
        out.emit(self.positions.iter().map(|i| tuple.at(*i).unwrap_or(ValueRef::Nil)).collect::<Vec<_>>())
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(batch, &self.fields, &mut self.positions)?;
        let mut row = Vec::with_capacity(self.fields.len());
        self.answers.begin();
        for tuple in batch.tuples() {
            row.clear();
            row.extend(self.positions.iter().map(|i| tuple.at(*i).unwrap_or(ValueRef::Nil)));
            self.answers.push(batch, tuple.row(), &row, out)?;
        }
        self.answers.emit(batch, out)
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::{BoltHarness, Harness};
    use squall_core::{FieldType, Schema, Value};

    use super::*;

    fn bolt(config: serde_json::Value) -> Result<BoltHarness> {
        let input = Schema::new([("a", FieldType::Int), ("b", FieldType::Str), ("c", FieldType::Bool)]);
        Harness::default().input(input).bolt_config::<Config>(config)
    }

    #[test]
    fn fields_come_in_the_order_asked_for() {
        let mut bolt = bolt(serde_json::json!({"fields": ["c", "a"], "rename": {"a": "n"}})).unwrap();
        assert_eq!(bolt.context().outputs[0].fields.to_string(), "c: bool, n: int");
        bolt.feed([(1, "x", true)]).unwrap();
        assert_eq!(bolt.rows("default"), [[Value::Bool(true), Value::Int(1)]]);
        assert_eq!(bolt.emitted()[0].anchors, [0]);
    }

    #[test]
    fn names_are_checked() {
        let error = |config| bolt(config).err().unwrap().to_string();
        assert!(error(serde_json::json!({"fields": ["d"]})).starts_with("config.fields[0]: "));
        assert!(error(serde_json::json!({"fields": ["a"], "rename": {"b": "x"}})).starts_with("config.rename.b: "));
        assert!(error(serde_json::json!({"fields": ["a", "b"], "rename": {"a": "b"}})).contains("are called `b`"));
    }
}
