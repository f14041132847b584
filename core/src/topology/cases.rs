//! `[tests]`: what a topology is to make of given rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::config::to_json;
use super::read::Reader;
use super::spec::ComponentSpec;
use super::tree::{Entry, Val};
use crate::suggest::did_you_mean;

/// A test of a topology: rows in, expected rows and numbers out. [`run_case`](crate::harness::run_case) runs it.
///
/// ```
/// use squall_core::topology::{Sources, parse};
/// let text = "[spouts.lines]\ntype = \"file\"\n[tests.\"two lines\"]\nrows.lines = [{ line = \"a b\" }]\n";
/// let read = &mut |_: &std::path::Path| Ok(text.to_owned());
/// let spec = parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None });
/// assert_eq!(spec.tests()[0].rows["lines"].len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// What spouts emit, by spout or `spout/stream`; a spout that is not here runs itself.
    #[serde(default)]
    pub rows: BTreeMap<String, Vec<Map<String, Json>>>,
    /// Tuples of each spout that runs itself.
    #[serde(default = "limit")]
    pub limit: usize,
    /// What each component, or `component/stream`, is to do.
    #[serde(default)]
    pub expect: BTreeMap<String, Expect>,
    /// How far numbers may be off, of a number's size and at least of 1.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
}

fn limit() -> usize {
    100_000
}

fn tolerance() -> f64 {
    1e-9
}

/// What a component is to do in a [`Case`]; what is not said is not looked at, but failed tuples, of which there are to be none.
///
/// ```
/// assert!(squall_core::topology::Expect::default().rows.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The rows it emits on the stream; fields that are not named may be anything. All of them, or with `count` the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Map<String, Json>>>,
    /// The rows may come in any order.
    pub any_order: bool,
    /// How many rows it emits on the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many tuples it takes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<u64>,
    /// How many tuples fail in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Its own counters.
    pub counters: BTreeMap<String, u64>,
}

/// The tests of a topology; what is wrong with one is reported, and it is left out.
pub(super) fn cases(read: &mut Reader<'_>, entries: &[Entry], components: &[ComponentSpec]) -> Vec<Case> {
    entries.iter().filter_map(|entry| case(read, entry, components)).collect()
}

fn case(read: &mut Reader<'_>, entry: &Entry, components: &[ComponentSpec]) -> Option<Case> {
    let Val::Table(table) = &entry.node.value else {
        read.wrong(&entry.key, &entry.node, &format!("a table [tests.{}]", entry.key));
        return None;
    };
    let json = to_json(table, read.faults)?.json;
    let mut case: Case = match serde_path_to_error::deserialize(&json) {
        Ok(case) => case,
        Err(e) => {
            let message = format!("test `{}`: {}: {}", entry.key, e.path(), e.inner());
            read.faults.add(entry.key_span, message).help("keys: rows, limit, expect, tolerance");
            return None;
        }
    };
    case.name.clone_from(&entry.key);
    let known = || components.iter().map(|c| c.id.as_str());
    let mut fine = true;
    for key in case.rows.keys().chain(case.expect.keys()) {
        let id = key.split_once('/').map_or(key.as_str(), |(id, _)| id);
        if !known().any(|c| c == id) {
            let message = format!("test `{}` names `{id}`, which is no spout or bolt", entry.key);
            read.faults.add(entry.key_span, message).help(did_you_mean(id, known()));
            fine = false;
        }
    }
    fine.then_some(case)
}
