//! What is shown: a table of topologies, of components, or of tasks.

use squall_core::ComponentKind;
use squall_core::control::{ClusterStatus, ComponentDetail, TopologyStatus};

use crate::client::Client;
use crate::exit::{Failure, Outcome};
use crate::show::{self, age, count, nanos, size};
use crate::verbs::status::times;

/// Where one looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    Cluster,
    /// By id.
    Topology(String),
    Component(String, String),
}

/// A table, and what stands above it.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub(super) head: String,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What it is, across fetches.
    pub(super) key: String,
    pub(super) cells: Vec<Cell>,
    /// Where Enter leads.
    pub(super) into: Option<View>,
    /// Something is wrong with it.
    pub(super) alarming: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What it is sorted by; none: its text.
    pub(super) number: Option<f64>,
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), number: None }
}

fn whole(n: u64) -> Cell {
    Cell { text: count(n), number: Some(n as f64) }
}

fn rate(per_s: f64) -> Cell {
    Cell { text: show::rate(per_s), number: Some(per_s) }
}

fn share(x: f64) -> Cell {
    Cell { text: format!("{:.0} %", x * 100.0), number: Some(x) }
}

fn time(ms: f64) -> Cell {
    Cell { text: if ms > 0.0 { nanos((ms * 1e6) as u64) } else { String::new() }, number: Some(ms) }
}

/// Asks nimbus.
pub(super) fn fetch(client: &Client, view: &View) -> Outcome<Page> {
    Ok(match view {
        View::Cluster => {
            let cluster = client.cluster()?;
            let mut all = Vec::new();
            for t in &cluster.topologies {
                match client.topology(&t.id) {
                    Ok(status) => all.push(status),
                    // One that has just gone is not missed.
                    Err(Failure::NotFound(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
            topologies(&cluster, &all)
        }
        View::Topology(id) => components(&client.topology(id)?),
        View::Component(id, component) => tasks(&client.topology(id)?.name, &client.component(id, component)?),
    })
}

fn topologies(cluster: &ClusterStatus, all: &[TopologyStatus]) -> Page {
    let alive = cluster.supervisors.iter().filter(|s| s.alive).count();
    let memory: u64 = cluster.supervisors.iter().filter(|s| s.alive).map(|s| s.memory_bytes).sum();
    let head = format!(
        "{} of {} slots used, {alive} supervisors with {} of memory, nimbus up {}",
        cluster.slots_used,
        cluster.slots_total,
        size(memory),
        age(cluster.uptime_ms / 1000)
    );
    let row = |t: &TopologyStatus| {
        let spouts = || t.components.iter().filter(|c| c.kind == ComponentKind::Spout);
        let slowest = spouts().map(|c| c.complete.p99_ms).fold(0.0, f64::max);
        let busiest = t.components.iter().map(|c| c.capacity).fold(0.0, f64::max);
        let (failed, errors) = (spouts().map(|c| c.failed).sum(), t.components.iter().map(|c| c.errors).sum());
        let up = t.workers.iter().filter(|w| w.pid.is_some()).count();
        Row {
            key: t.id.clone(),
            cells: vec![
                text(&t.name),
                text(t.state.to_string()),
                Cell { text: format!("{up}/{}", t.workers.len()), number: Some(up as f64) },
                rate(spouts().map(|c| c.emitted_per_s).sum()),
                whole(spouts().map(|c| c.acked).sum()),
                whole(failed),
                whole(spouts().map(|c| c.pending).sum()),
                time(slowest),
                share(busiest),
                whole(errors),
                whole(t.workers.iter().map(|w| w.restarts).sum()),
            ],
            into: Some(View::Topology(t.id.clone())),
            alarming: up < t.workers.len() || t.waiting.is_some(),
        }
    };
    Page {
        head,
        columns: vec![
            "topology",
            "state",
            "workers",
            "emitted/s",
            "acked",
            "failed",
            "pending",
            "p99",
            "busiest",
            "errors",
            "restarts",
        ],
        rows: all.iter().map(row).collect(),
    }
}

fn components(t: &TopologyStatus) -> Page {
    let mut head = format!("{} {}, up {}, {} workers", t.id, t.state, age(t.uptime_ms / 1000), t.workers.len());
    if let Some(waiting) = &t.waiting {
        head.push_str(&format!("; {waiting}"));
    } else if let Some(e) = t.errors.first() {
        head.push_str(&format!("; {} (task {}): {}", e.component, e.task, e.message));
    }
    let row = |c: &squall_core::control::ComponentStatus| {
        let times = times(c.kind, &c.execute, &c.complete);
        Row {
            key: c.id.clone(),
            cells: vec![
                text(&c.id),
                text(&c.type_name),
                whole(c.tasks.into()),
                rate(c.emitted_per_s),
                rate(c.executed_per_s),
                whole(c.acked),
                whole(c.failed),
                whole(c.queued.saturating_add(c.pending)),
                share(c.capacity),
                share(c.blocked),
                time(times.p50_ms),
                time(times.p99_ms),
                whole(c.errors),
            ],
            into: Some(View::Component(t.id.clone(), c.id.clone())),
            alarming: c.capacity > 0.9,
        }
    };
    Page {
        head,
        columns: vec![
            "component",
            "type",
            "tasks",
            "emitted/s",
            "executed/s",
            "acked",
            "failed",
            "waiting",
            "capacity",
            "blocked",
            "p50",
            "p99",
            "errors",
        ],
        rows: t.components.iter().map(row).collect(),
    }
}

fn tasks(topology: &str, detail: &ComponentDetail) -> Page {
    let row = |t: &squall_core::control::TaskStatus| {
        let times = times(detail.status.kind, &t.execute, &t.complete);
        Row {
            key: t.task.to_string(),
            cells: vec![
                whole(t.task.into()),
                t.worker.map_or_else(|| text(""), |w| whole(w.into())),
                text(&t.host),
                rate(t.emitted_per_s),
                rate(t.executed_per_s),
                whole(t.acked),
                whole(t.failed),
                whole(t.queued.saturating_add(t.pending)),
                share(t.capacity),
                share(t.blocked),
                time(times.p50_ms),
                time(times.p99_ms),
            ],
            into: None,
            alarming: t.worker.is_none() || t.capacity > 0.9,
        }
    };
    Page {
        head: format!("{topology} / {} ({} {})", detail.status.id, detail.status.kind, detail.status.type_name),
        columns: vec![
            "task",
            "worker",
            "host",
            "emitted/s",
            "executed/s",
            "acked",
            "failed",
            "waiting",
            "capacity",
            "blocked",
            "p50",
            "p99",
        ],
        rows: detail.tasks.iter().map(row).collect(),
    }
}
