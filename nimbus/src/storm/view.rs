//! All that Storm's pages show of one topology.

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, OnceLock};

use axum::http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use squall_core::control::{ErrorEntry, Instructions, TopologyStatus, WorkerSummary};
use squall_core::{ComponentKind, Grouping, Plan, PlannedComponent};

use super::Failed;
use super::pretty::{WINDOWS, mean, millis, window};
use crate::cluster::{Debug, Whole, emitted};
use crate::denied::Denied;
use crate::history::{Numbers, Point, Sums, TaskSums};
use crate::nimbus::Nimbus;

/// What stands after the `?`; Storm ignores what it does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    pub(super) window: Option<String>,
    pub(super) id: Option<String>,
    pub(super) host: Option<String>,
}

impl Ask {
    pub(super) fn of(uri: &Uri) -> Result<Ask, Denied> {
        crate::http::query(uri)
    }
}

/// A topology and what it did in each window.
pub(super) struct View {
    pub(super) status: TopologyStatus,
    pub(super) plan: Arc<Plan>,
    debug: Debug,
    /// In the order of [`WINDOWS`].
    pub(super) windows: Vec<Point>,
    /// The place in it of the window that was asked for.
    asked: usize,
    pub(super) unix_ms: u64,
}

impl View {
    pub(super) async fn of(nimbus: &Arc<Nimbus>, id: &str, uri: &Uri) -> Result<View, Failed> {
        let asked = window(Ask::of(uri)?.window.as_deref());
        let (whole, debug) = nimbus.look(|w| w.find(id).and_then(|id| Ok((w.whole(&id)?, w.debug(&id)?))))?;
        let Whole { status, plan, past, all_time, unix_ms } = whole;
        let read = move || {
            let sums = WINDOWS.iter().filter_map(|(seconds, ..)| *seconds).map(|seconds| past.sum(seconds));
            sums.collect::<squall_core::Result<Vec<Point>>>()
        };
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.map_err(|e| squall_core::Error::internal(format!("the past cannot be read: {e}")));
        let mut windows = read.and_then(|r| r).map_err(Denied::from)?;
        windows.push(all_time);
        let asked = WINDOWS.iter().position(|w| w.1 == asked.1).unwrap_or(WINDOWS.len() - 1);
        Ok(View { status, plan, debug, windows, asked, unix_ms })
    }

    pub(super) fn window(&self) -> (&'static str, &'static str) {
        (WINDOWS[self.asked].1, WINDOWS[self.asked].2)
    }

    pub(super) fn point(&self) -> &Point {
        &self.windows[self.asked]
    }

    pub(super) fn sums(&self, id: &str) -> Sums {
        self.point().components.get(id).cloned().unwrap_or_default()
    }

    /// The newest error of a component in Storm's fields; its neutral values where there is none.
    pub(super) fn last_error(&self, id: &str) -> Value {
        match self.status.errors.iter().find(|e| e.component == id) {
            Some(e) => {
                let mut error = object(self.error(e));
                let text = error.remove("error").unwrap_or_default();
                error.insert("lastError".to_owned(), text);
                Value::Object(error)
            }
            None => json!({"lastError": "", "errorTime": null, "errorHost": "", "errorPort": null, "errorLapsedSecs": null,
                "errorWorkerLogLink": ""}),
        }
    }

    pub(super) fn error(&self, e: &ErrorEntry) -> Value {
        json!({
            "error": whole(e),
            "errorTime": e.unix_ms / 1000,
            "errorHost": e.host,
            "errorPort": self.status.workers.get(e.worker as usize).map_or(0, port),
            "errorLapsedSecs": self.unix_ms.saturating_sub(e.unix_ms) / 1000,
            "errorWorkerLogLink": self.log_link(e.worker),
        })
    }

    /// Whether tuples of a component, or of all under the empty name, are written to logs, and how many in percent.
    pub(super) fn debug(&self, component: &str) -> (bool, u8) {
        let share = Instructions::share(&self.debug, component);
        // Storm's value while it is off.
        (share.is_some(), share.unwrap_or(10))
    }

    pub(super) fn log_link(&self, worker: u32) -> String {
        format!("/v1/topologies/{}/logs/{worker}/download", self.status.id)
    }

    /// A spout's or a bolt's line, with its counts in the window.
    pub(super) fn component(&self, c: &PlannedComponent) -> Value {
        let sums = self.sums(&c.id);
        let (key, encoded) = match c.kind {
            ComponentKind::Spout => ("spoutId", "encodedSpoutId"),
            ComponentKind::Bolt => ("boltId", "encodedBoltId"),
        };
        let mut line = object(json!({key: c.id, encoded: c.id, "executors": c.parallelism, "tasks": c.parallelism,
            "requestedMemOnHeap": 0.0, "requestedMemOffHeap": 0.0, "requestedCpu": 0.0, "requestedGenericResourcesComp": ""}));
        line.append(&mut object(numbers(&sums, c.kind)));
        line.append(&mut object(self.last_error(&c.id)));
        Value::Object(line)
    }
}

/// The text of an error; Storm's is the whole stack.
fn whole(e: &ErrorEntry) -> String {
    if e.stack.is_empty() { e.message.clone() } else { format!("{}\n{}", e.message, e.stack) }
}

/// Everything belongs to the user that nimbus runs as: the name of that user, or its number where it has none.
pub(super) fn owner() -> &'static str {
    static OWNER: OnceLock<String> = OnceLock::new();
    OWNER.get_or_init(|| {
        let Ok(uid) = std::fs::metadata("/proc/self").map(|m| m.uid()) else { return String::new() };
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        user(&users, uid).map_or_else(|| uid.to_string(), str::to_owned)
    })
}

/// A user's name in the form of `/etc/passwd`.
fn user(users: &str, uid: u32) -> Option<&str> {
    let mut named = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    named.next()
}

/// A component's counts in a window. A bolt's process latency is its execute latency: it acks when it has executed.
pub(super) fn numbers(s: &Sums, kind: ComponentKind) -> Value {
    let n = &s.numbers;
    let mut found = object(json!({"emitted": n.emitted, "transferred": n.transferred, "acked": n.acked, "failed": n.failed}));
    found.append(&mut object(match kind {
        ComponentKind::Spout => json!({"completeLatency": mean(&n.complete)}),
        ComponentKind::Bolt => {
            json!({"executed": n.executed, "executeLatency": mean(&n.execute), "processLatency": mean(&n.execute),
            "capacity": millis(f64::from(s.capacity))})
        }
    }));
    Value::Object(found)
}

/// How much of a stream was sent on to tasks. Workers tell that of a component as a whole; of a stream among several it follows from
/// who takes it.
pub(super) fn transferred(plan: &Plan, n: &Numbers, c: &PlannedComponent, stream: &str) -> u64 {
    if c.outputs.len() == 1 {
        return n.transferred;
    }
    let copies =
        |to: &PlannedComponent, grouping: &Grouping| if *grouping == Grouping::All { u64::from(to.parallelism) } else { 1 };
    let takers = plan.components.iter().flat_map(|to| to.inputs.iter().map(move |i| (to, i)));
    let takers = takers.filter(|(_, i)| i.from == c.id && i.stream == stream);
    takers.map(|(to, i)| copies(to, &i.grouping)).sum::<u64>().saturating_mul(emitted(n, c, stream))
}

/// A task's counts in a window that was so long.
pub(super) fn task_numbers(t: &TaskSums, ms: u64, kind: ComponentKind) -> Value {
    let execute = if t.executed == 0 { 0.0 } else { t.busy_ns as f64 / 1e6 / t.executed as f64 };
    let complete = if t.acked == 0 { 0.0 } else { t.complete_ns as f64 / 1e6 / t.acked as f64 };
    let capacity = (t.busy_ns as f64 / 1e6 / ms.max(1) as f64).min(1.0);
    let mut found = object(json!({"emitted": t.emitted, "transferred": t.transferred, "acked": t.acked, "failed": t.failed}));
    found.append(&mut object(match kind {
        ComponentKind::Spout => json!({"completeLatency": millis(complete)}),
        ComponentKind::Bolt => {
            json!({"executed": t.executed, "executeLatency": millis(execute), "processLatency": millis(execute),
            "capacity": millis(capacity)})
        }
    }));
    Value::Object(found)
}

/// The port of a worker's endpoint, by which Storm tells workers of a host apart; 0 while it is not up.
pub(super) fn port(w: &WorkerSummary) -> u64 {
    w.endpoint.as_deref().and_then(|e| e.rsplit(':').next()?.parse().ok()).unwrap_or(0)
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!([user(users, 0), user(users, 1000), user(users, 7)], [Some("root"), Some("ann"), None]);
    }
}
