//! Tuples that failed too often: one line of JSON each, with why they failed, and they are let go.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use squall_core::control::cut;
use squall_core::{Batch, Columns, Context, Counter, Error, Lineage, Plan, Result, Root, ValueRef};

use super::emission::OutStream;
use super::outcomes::Why;

/// Longer errors are cut, in bytes.
pub(crate) const LONGEST_REASON: usize = 4096;

/// What a spout's task knows of the tuples that have failed.
pub(crate) struct DeadLetters {
    max_failures: u32,
    file: Option<PathBuf>,
    spout: (String, String, u32),
    failing: BTreeMap<u64, Failing>,
    reasons: BTreeMap<Root, String>,
    /// More tuples than this cannot be under way; a spout that does not replay would leave them behind.
    most: usize,
    count: Counter,
}

#[derive(Default)]
struct Failing {
    failures: u32,
    /// The tuple, once its next failure is the last.
    tuple: Option<(String, serde_json::Value)>,
}

impl DeadLetters {
    /// None if the topology replays whatever fails.
    pub(super) fn new(plan: &Plan, ctx: &Context) -> Option<Self> {
        let settings = &plan.settings;
        Some(DeadLetters {
            max_failures: settings.max_failures.filter(|_| settings.acking)?,
            file: settings.dead_letters.as_ref().map(|file| ctx.state_dir.join(file)),
            spout: (plan.name.clone(), ctx.component.clone(), ctx.task),
            failing: BTreeMap::new(),
            reasons: BTreeMap::new(),
            most: 2 * settings.max_spout_pending as usize + 1,
            count: ctx.metrics.counter("dead_letters"),
        })
    }

    /// A tuple is on its way (again).
    pub(super) fn emitted(&mut self, id: u64, stream: &OutStream, row: &[ValueRef<'_>]) {
        let failures = self.failing.get(&id).map_or(0, |f| f.failures);
        if failures + 1 < self.max_failures {
            return;
        }
        while self.failing.len() >= self.most {
            self.failing.pop_first();
        }
        let tuple = Some((stream.name.clone(), as_json(stream, row)));
        self.failing.insert(id, Failing { failures, tuple });
    }

    /// A bolt says why a tree is about to fail; with nothing to say, it is not the tuple's fault, and does not count.
    pub(super) fn reason(&mut self, root: Root, text: String) {
        while self.reasons.len() >= self.most {
            self.reasons.pop_first();
        }
        self.reasons.insert(root, text);
    }

    pub(super) fn done(&mut self, id: u64) {
        self.failing.remove(&id);
    }

    /// A tuple failed; whether that was once too often. One that cannot be written down is not let go.
    pub(super) fn failed(&mut self, id: u64, root: Root, why: Why) -> Result<bool> {
        let said = self.reasons.remove(&root);
        if said.as_deref() == Some("") {
            return Ok(false);
        }
        while self.failing.len() >= self.most {
            self.failing.pop_first();
        }
        let failing = self.failing.entry(id).or_default();
        failing.failures = failing.failures.saturating_add(1);
        if failing.failures < self.max_failures {
            return Ok(false);
        }
        let error = said.unwrap_or_else(|| {
            match why {
                Why::Bolt => "a bolt failed it",
                Why::Death => "a worker that had it died",
                Why::TimeOut => "it was not done within the message time-out",
            }
            .to_owned()
        });
        let (topology, component, task) = &self.spout;
        let (stream, tuple) = failing.tuple.clone().unzip();
        let failures = failing.failures;
        let unix_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let letter = serde_json::json!({
            "unix_ms": unix_ms, "topology": topology, "component": component, "task": task, "stream": stream, "id": id,
            "failures": failures, "error": error, "tuple": tuple,
        });
        match &self.file {
            Some(file) => append(file, &letter)?,
            None => log::warn!("a tuple of {component} failed {failures} times and is let go: {letter}"),
        }
        self.failing.remove(&id);
        self.count.add(1);
        Ok(true)
    }
}

fn as_json(stream: &OutStream, row: &[ValueRef<'_>]) -> serde_json::Value {
    let mut columns = Columns::new(stream.schema.clone());
    if columns.push(row).is_err() {
        return serde_json::Value::Null;
    }
    let batch = Batch::new(stream.source.clone(), columns.into(), Lineage::default());
    batch.tuple(0).map_or(serde_json::Value::Null, |t| t.to_json())
}

/// One line in one write: several tasks and workers of a machine may share the file.
fn append(file: &Path, letter: &serde_json::Value) -> Result<()> {
    let mut line = serde_json::to_vec(letter)?;
    line.push(b'\n');
    let write = || {
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new().create(true).append(true).open(file)?.write_all(&line)
    };
    write().map_err(|e| Error::external(format!("cannot write the dead letter to {}", file.display())).because(e))
}

/// An error as a reason: with its component, and not too long.
pub(super) fn reason(component: &str, error: &Error) -> String {
    let mut text = format!("{component}: {error}");
    cut(&mut text, LONGEST_REASON);
    text
}
