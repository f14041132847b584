//! `sorted`: the last value of each key, as a sorted file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Counter, Error, FieldType, Output, Result, StreamDecl, Tuple};

use crate::support::files;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    path: PathBuf,
    key: String,
    value: String,
    #[serde(default)]
    by: By,
    #[serde(default)]
    show: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Key,
    Value,
}

impl BoltConfig for Config {
    const ABOUT: &'static str =
        "keeps the last value of each key and writes them as a sorted file, at every tick and at the end";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file, replaced whole; relative to the topology's state directory"),
        ("key", "the field that is the key; text"),
        ("value", "the integer field to keep the last value of"),
        ("by", "key (ascending) or value (largest first); key unless given"),
        ("show", "how many of the first lines to show in the log at the end; none unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        check.at("key", check.field(&self.key, FieldType::Str));
        check.at("value", check.field(&self.value, FieldType::Int));
        if self.path.file_name().is_none() {
            check.fault("path", format!("`{}` names no file", self.path.display()));
        }
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let path = files::output(ctx, &self.path);
        files::make_parent(&path)?;
        let keys = ctx.metrics.counter("keys");
        Ok(Box::new(Sorted { config: self, path, last: BTreeMap::new(), dirty: true, keys }))
    }

    fn blocking(&self) -> bool {
        true
    }
}

struct Sorted {
    config: Config,
    path: PathBuf,
    last: BTreeMap<String, i64>,
    /// Whether anything came since the file was written.
    dirty: bool,
    keys: Counter,
}

impl Sorted {
    fn lines(&self) -> Vec<(&String, &i64)> {
        let mut lines: Vec<(&String, &i64)> = self.last.iter().collect();
        if self.config.by == By::Value {
            // Stable: equal values stay in the order of their keys.
            lines.sort_by_key(|(_, value)| std::cmp::Reverse(**value));
        }
        lines
    }

    /// A line for each key: key, tab, value.
    fn write(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let lines = self.lines();
        let written = files::replace(&self.path, |w| lines.iter().try_for_each(|(key, value)| writeln!(w, "{key}\t{value}")));
        self.dirty = written.is_err();
        written
    }
}

impl Bolt for Sorted {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Output<'_>) -> Result<()> {
        let (key, value) = (tuple.str(&self.config.key)?, tuple.int(&self.config.value)?);
        match self.last.get_mut(key) {
            Some(last) => *last = value,
            None => {
                self.last.insert(key.to_owned(), value);
                self.keys.add(1);
            }
        }
        self.dirty = true;
        Ok(())
    }

    fn tick(&mut self, _: &mut Output<'_>) -> Result<()> {
        self.write()
    }

    fn cleanup(&mut self) -> Result<()> {
        self.write()?;
        for (key, value) in self.lines().into_iter().take(self.config.show) {
            log::info!(target: "squall::sorted", "{key} {value}");
        }
        log::info!(target: "squall::sorted", "{} keys in {}", self.last.len(), self.path.display());
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Option<Vec<u8>>> {
        rmp_serde::to_vec(&self.last).map(Some).map_err(|e| Error::internal("cannot write the values").because(e))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.last =
            rmp_serde::from_slice(state).map_err(|e| Error::user("the values of the checkpoint are damaged").because(e))?;
        self.dirty = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Schema;
    use squall_core::harness::{BoltHarness, Harness};

    use super::*;

    fn bolt(dir: &std::path::Path, by: &str) -> BoltHarness {
        let input = Schema::new([("word", FieldType::Str), ("count", FieldType::Int)]);
        let config = serde_json::json!({"path": "out/counts.txt", "key": "word", "value": "count", "by": by});
        Harness::default().input(input).state_dir(dir).bolt_config::<Config>(config).unwrap()
    }

    #[test]
    fn the_last_values_are_written_at_ticks_and_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let text = || std::fs::read_to_string(dir.path().join("out/counts.txt")).unwrap();
        let mut bolt = bolt(dir.path(), "key");
        bolt.feed([("storm", 1), ("gale", 1), ("storm", 2)]).unwrap();
        assert_eq!(bolt.acked(), [0, 1, 2]);
        bolt.tick().unwrap();
        assert_eq!(text(), "gale\t1\nstorm\t2\n");
        bolt.feed([("storm", 3)]).unwrap();
        bolt.cleanup().unwrap();
        assert_eq!(text(), "gale\t1\nstorm\t3\n");
        assert_eq!(bolt.metrics().counter("keys").get(), 2);
        let state = bolt.snapshot().unwrap().unwrap();
        let mut by_value = super::tests::bolt(dir.path(), "value");
        by_value.restore(&state).unwrap();
        by_value.cleanup().unwrap();
        assert_eq!(text(), "storm\t3\ngale\t1\n");
    }
}
