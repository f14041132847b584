//! Sums of what tasks report, by component.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_core::control::{Latency, Report, Settled, Taken, TaskReport};
use squall_core::{Histogram, ModelNumbers, Plan};

/// Totals of a component.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Numbers {
    pub(crate) emitted: u64,
    pub(crate) transferred: u64,
    pub(crate) executed: u64,
    pub(crate) acked: u64,
    pub(crate) failed: u64,
    pub(crate) streams: BTreeMap<String, u64>,
    pub(crate) inputs: Vec<Taken>,
    pub(crate) execute: Histogram,
    pub(crate) complete: Histogram,
    pub(crate) counters: BTreeMap<String, u64>,
    /// By model and version.
    pub(crate) models: Vec<ModelNumbers>,
    /// Last, for points are stored as lists, and those of older versions have it not.
    pub(crate) settled: Vec<Settled>,
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

impl Numbers {
    /// Adds what a task reports.
    pub(super) fn add_task(&mut self, t: &TaskReport) {
        add(&mut self.emitted, t.emitted);
        add(&mut self.transferred, t.transferred);
        add(&mut self.executed, t.executed);
        add(&mut self.acked, t.acked);
        add(&mut self.failed, t.failed);
        t.streams.iter().for_each(|(s, n)| add(self.streams.entry(s.clone()).or_default(), *n));
        t.counters.iter().for_each(|(c, n)| add(self.counters.entry(c.clone()).or_default(), *n));
        t.inputs.iter().for_each(|i| self.add_input(i));
        t.settled.iter().for_each(|s| self.add_settled(s));
        t.models.iter().for_each(|m| self.add_model(m));
        self.execute.merge(&t.execute);
        self.complete.merge(&t.complete);
    }

    /// Adds other totals.
    pub(super) fn add(&mut self, o: &Numbers) {
        add(&mut self.emitted, o.emitted);
        add(&mut self.transferred, o.transferred);
        add(&mut self.executed, o.executed);
        add(&mut self.acked, o.acked);
        add(&mut self.failed, o.failed);
        o.streams.iter().for_each(|(s, n)| add(self.streams.entry(s.clone()).or_default(), *n));
        o.counters.iter().for_each(|(c, n)| add(self.counters.entry(c.clone()).or_default(), *n));
        o.inputs.iter().for_each(|i| self.add_input(i));
        o.settled.iter().for_each(|s| self.add_settled(s));
        o.models.iter().for_each(|m| self.add_model(m));
        self.execute.merge(&o.execute);
        self.complete.merge(&o.complete);
    }

    fn add_model(&mut self, more: &ModelNumbers) {
        match self.models.iter_mut().find(|m| m.model == more.model && m.version == more.version) {
            Some(sum) => sum.merge(more),
            None => self.models.push(more.clone()),
        }
    }

    fn add_settled(&mut self, more: &Settled) {
        match self.settled.iter_mut().find(|s| s.stream == more.stream) {
            Some(sum) => sum.add(more),
            None => self.settled.push(more.clone()),
        }
    }

    fn add_input(&mut self, more: &Taken) {
        match self.inputs.iter_mut().find(|i| i.is_of(&more.from, &more.stream)) {
            Some(sum) => *sum = sum.with(more, u64::saturating_add),
            None => self.inputs.push(more.clone()),
        }
    }
}

/// Adds a report's tasks to the totals of their components.
pub(crate) fn sum_up(sums: &mut BTreeMap<String, Numbers>, plan: &Plan, report: &Report) {
    for task in &report.tasks {
        if let Some(component) = plan.component_of(task.task).and_then(|c| plan.components.get(c)) {
            match sums.get_mut(&component.id) {
                Some(sum) => sum.add_task(task),
                None => sums.entry(component.id.clone()).or_default().add_task(task),
            }
        }
    }
}

/// What people want to know of a histogram of nanoseconds.
pub(crate) fn latency(h: &Histogram) -> Latency {
    let ms = |ns: Option<u64>| ns.map_or(0.0, |ns| ns as f64 / 1e6);
    Latency {
        count: h.count(),
        mean_ms: h.mean().unwrap_or(0.0) / 1e6,
        p50_ms: ms(h.quantile(0.5)),
        p99_ms: ms(h.quantile(0.99)),
        p999_ms: ms(h.quantile(0.999)),
    }
}
