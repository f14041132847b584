//! `last`: the last values of each key.

use std::collections::VecDeque;

use foldhash::{HashMap, HashMapExt};
use serde::Deserialize;
use squall_core::{
    Bolt, BoltConfig, Check, Context, Error, Field, FieldType, Output, Result, StreamDecl, Tuple, Value, ValueRef, key,
};

use crate::support::schemas;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "key_name")]
    key: String,
    #[serde(default = "value_name")]
    value: String,
    #[serde(default = "four")]
    size: u32,
}

fn key_name() -> String {
    "key".to_owned()
}

fn value_name() -> String {
    "n".to_owned()
}

fn four() -> u32 {
    4
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "the last integers of each key: key, last (a list, oldest first); use with a fields grouping";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("key", "the field that is the key; `key` unless given"),
        ("value", "the integer field to keep; `n` unless given"),
        ("size", "how many to keep; 4 unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let key = check.at("key", check.field(&self.key, FieldType::Any)).unwrap_or(FieldType::Any);
        check.at("value", check.field(&self.value, FieldType::Int));
        if !(1..=65536).contains(&self.size) {
            check.fault("size", "`size` must be from 1 to 65536");
        }
        let fields = vec![Field::new(&self.key, key), Field::new("last", FieldType::Any)];
        Ok(vec![StreamDecl::default_stream(schemas::distinct(check, fields, "call the key differently"))])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Last { config: self, windows: HashMap::new(), scratch: Vec::new(), list: Vec::new() }))
    }
}

struct Last {
    config: Config,
    windows: HashMap<Box<[u8]>, VecDeque<i64>>,
    scratch: Vec<u8>,
    list: Vec<Value>,
}

impl Bolt for Last {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        let value = tuple.int(&self.config.value)?;
        let found = tuple.get(&self.config.key).unwrap_or(ValueRef::Nil);
        key::canonical(&mut self.scratch, [found]);
        let window = match self.windows.get_mut(&self.scratch[..]) {
            Some(window) => window,
            None => self.windows.entry(self.scratch.as_slice().into()).or_default(),
        };
        if window.len() >= self.config.size as usize {
            window.pop_front();
        }
        window.push_back(value);
        self.list.clear();
        self.list.extend(window.iter().map(|n| Value::Int(*n)));
        out.emit([found, ValueRef::List(&self.list)])
    }

    fn snapshot(&mut self) -> Result<Option<Vec<u8>>> {
        let pairs: Vec<(&[u8], &VecDeque<i64>)> = self.windows.iter().map(|(key, window)| (&**key, window)).collect();
        rmp_serde::to_vec(&pairs).map(Some).map_err(|e| Error::internal("cannot write the windows").because(e))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let pairs: Vec<(Vec<u8>, VecDeque<i64>)> =
            rmp_serde::from_slice(state).map_err(|e| Error::user("the windows of the checkpoint are damaged").because(e))?;
        self.windows = pairs.into_iter().map(|(key, window)| (key.into(), window)).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Schema;
    use squall_core::harness::{BoltHarness, Harness};

    use super::*;

    fn bolt() -> BoltHarness {
        let input = Schema::new([("key", FieldType::Int), ("n", FieldType::Int)]);
        Harness::default().input(input).bolt_config::<Config>(serde_json::json!({})).unwrap()
    }

    #[test]
    fn the_last_four_of_each_key_come_oldest_first() {
        let mut first = bolt();
        first.feed((1..=12).map(|n| (n % 2, n))).unwrap();
        let window = |key: i64, n: [i64; 4]| vec![Value::Int(key), Value::List(n.map(Value::Int).into())];
        assert_eq!(first.rows("default")[0][1], Value::List(vec![Value::Int(1)]));
        assert_eq!(first.rows("default")[10..], [window(1, [5, 7, 9, 11]), window(0, [6, 8, 10, 12])]);
        let mut second = bolt();
        second.restore(&first.snapshot().unwrap().unwrap()).unwrap();
        second.feed([(0, 14)]).unwrap();
        assert_eq!(second.rows("default"), [window(0, [8, 10, 12, 14])]);
    }
}
