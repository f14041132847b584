//! `count`: how often each key has come.

use foldhash::{HashMap, HashMapExt};
use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Error, Field, FieldType, Output, Result, Schema, StreamDecl, Tuple, ValueRef, key,
};

use crate::support::schemas;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    fields: Vec<String>,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "counts by key; emits the key and its count at every tuple (use with a fields grouping)";
    const KEYS: &'static [(&'static str, &'static str)] = &[("fields", "the fields that make the key")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.fields.is_empty() {
            check.fault("fields", "a key needs at least one field");
        }
        let key = schemas::passed(check, "fields", &self.fields);
        let schema = Schema::default().with(key).with([Field::new("count", FieldType::Int)]);
        if let Some(name) = schema.duplicate() {
            check.fault("fields", format!("`{name}` is there twice (`count` is the count itself)"));
        }
        Ok(vec![StreamDecl::default_stream(schema)])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Count { fields: self.fields, counts: HashMap::new(), positions: Vec::new(), scratch: Vec::new() }))
    }
}

struct Count {
    fields: Vec<String>,
    /// By the key's canonical bytes, so that equal keys of different types (1 and 1.0) are one.
    counts: HashMap<Box<[u8]>, i64>,
    positions: Vec<usize>,
    scratch: Vec<u8>,
}

impl Count {
    fn add<'a>(&mut self, tuple: &Tuple<'a>, row: &mut Vec<ValueRef<'a>>) {
        row.clear();
        row.extend(self.positions.iter().map(|i| tuple.at(*i).unwrap_or(ValueRef::Nil)));
        key::canonical(&mut self.scratch, row.iter().copied());
        let count = match self.counts.get_mut(&self.scratch[..]) {
            Some(count) => count,
            None => self.counts.entry(self.scratch.as_slice().into()).or_default(),
        };
        *count += 1;
        row.push(ValueRef::Int(*count));
    }
}

impl Bolt for Count {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(tuple.batch(), &self.fields, &mut self.positions)?;
        let mut row = Vec::new();
        self.add(tuple, &mut row);
        out.emit(row)
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(batch, &self.fields, &mut self.positions)?;
        let mut row = Vec::with_capacity(self.fields.len() + 1);
        for tuple in batch.tuples() {
            self.add(&tuple, &mut row);
            out.emit_for(&tuple, &row[..])?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Option<Vec<u8>>> {
        let pairs: Vec<(&[u8], i64)> = self.counts.iter().map(|(key, count)| (&**key, *count)).collect();
        rmp_serde::to_vec(&pairs).map(Some).map_err(|e| Error::internal("cannot write the counts").because(e))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let pairs: Vec<(Vec<u8>, i64)> =
            rmp_serde::from_slice(state).map_err(|e| Error::user("the counts of the checkpoint are damaged").because(e))?;
        self.counts = pairs.into_iter().map(|(key, count)| (key.into(), count)).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Value;
    use squall_core::harness::{BoltHarness, Harness};

    use super::*;

    fn bolt(fields: &[&str]) -> Result<BoltHarness> {
        let input = Schema::new([("word", FieldType::Str), ("n", FieldType::Float)]);
        Harness::default().input(input).bolt_config::<Config>(serde_json::json!({"fields": fields}))
    }

    #[test]
    fn counts_run_and_survive_a_restart() {
        let mut first = bolt(&["word"]).unwrap();
        first.feed([("a", 0.5), ("b", 0.5), ("a", 1.5)]).unwrap();
        let row = |word: &str, count: i64| vec![Value::from(word), Value::Int(count)];
        assert_eq!(first.rows("default"), [row("a", 1), row("b", 1), row("a", 2)]);
        assert_eq!(first.emitted()[2].anchors, [2]);
        assert_eq!(first.acked(), [0, 1, 2]);
        let state = first.snapshot().unwrap().unwrap();
        let mut second = bolt(&["word"]).unwrap();
        second.restore(&state).unwrap();
        second.feed([("a", 0.0)]).unwrap();
        assert_eq!(second.rows("default"), [row("a", 3)]);
        assert!(second.restore(b"\xc1").is_err());
    }

    #[test]
    fn a_key_can_have_several_fields() {
        let mut bolt = bolt(&["n", "word"]).unwrap();
        assert_eq!(bolt.context().outputs[0].fields.to_string(), "n: float, word: str, count: int");
        bolt.feed([("a", 1.0), ("a", 2.0), ("a", 1.0)]).unwrap();
        let counts: Vec<String> = bolt.rows("default").iter().map(|r| r[2].to_string()).collect();
        assert_eq!(counts, ["1", "1", "2"]);
    }

    #[test]
    fn wrong_keys_are_refused() {
        assert!(bolt(&[]).err().unwrap().to_string().contains("at least one field"));
        assert!(bolt(&["wrod"]).err().unwrap().to_string().contains("config.fields[0]: "));
        assert!(bolt(&["word", "word"]).err().unwrap().to_string().contains("`word` is there twice"));
    }
}
