//! One point of a topology's history: what was counted in one stretch of time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_core::control::TaskReport;

use super::Numbers;

/// What was counted in one stretch of time, by component.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Point {
    /// The time it covers, in milliseconds.
    pub(crate) ms: u64,
    pub(crate) components: BTreeMap<String, Sums>,
    /// By component and place among its tasks, for task ids change their meaning with a rebalance. Stored apart.
    #[serde(skip)]
    pub(crate) tasks: Tasks,
}

/// What tasks counted, by component and place among its tasks.
pub(crate) type Tasks = BTreeMap<String, BTreeMap<u32, TaskSums>>;

/// What a component counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) numbers: Numbers,
    pub(crate) errors: u64,
    /// In its own code, all tasks together.
    pub(crate) busy_ns: u64,
    /// The share of the time that its busiest task was in its own code, and its most held-up task could not go on.
    pub(crate) capacity: f32,
    pub(crate) blocked: f32,
    /// The most that waited for it, and the most trees under way.
    pub(crate) queued: u64,
    pub(crate) pending: u64,
}

/// What a task counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct TaskSums {
    pub(crate) emitted: u64,
    pub(crate) transferred: u64,
    pub(crate) executed: u64,
    pub(crate) acked: u64,
    pub(crate) failed: u64,
    pub(crate) busy_ns: u64,
    pub(crate) blocked_ns: u64,
    pub(crate) queued: u64,
    /// Time in `execute` (of a spout: of whole trees) in nanoseconds, p50, p99 and p99.9; in a coarser point that of its worst second.
    pub(crate) latency: [u64; 3],
    /// Of a spout: what the trees that are done took, together. Points of older versions have it not.
    #[serde(default)]
    pub(crate) complete_ns: u64,
}

impl TaskSums {
    fn add(&mut self, o: &TaskSums) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.emitted, o.emitted);
        sum(&mut self.transferred, o.transferred);
        sum(&mut self.executed, o.executed);
        sum(&mut self.acked, o.acked);
        sum(&mut self.failed, o.failed);
        sum(&mut self.busy_ns, o.busy_ns);
        sum(&mut self.blocked_ns, o.blocked_ns);
        sum(&mut self.complete_ns, o.complete_ns);
        self.queued = self.queued.max(o.queued);
        self.latency.iter_mut().zip(o.latency).for_each(|(a, b)| *a = b.max(*a));
    }

    fn is_idle(&self) -> bool {
        *self == TaskSums::default()
    }
}

impl From<&TaskReport> for TaskSums {
    fn from(t: &TaskReport) -> Self {
        let times = if t.complete.is_empty() { &t.execute } else { &t.complete };
        TaskSums {
            emitted: t.emitted,
            transferred: t.transferred,
            executed: t.executed,
            acked: t.acked,
            failed: t.failed,
            busy_ns: t.busy_ns,
            blocked_ns: t.blocked_ns,
            queued: t.queued,
            latency: [0.5, 0.99, 0.999].map(|q| times.quantile(q).unwrap_or(0)),
            complete_ns: (t.complete.mean().unwrap_or(0.0) * t.complete.count() as f64) as u64,
        }
    }
}

impl Point {
    /// Adds what one task counted.
    pub(crate) fn count(&mut self, component: &str, place: u32, counted: &TaskReport) {
        let sums = match self.components.get_mut(component) {
            Some(sums) => sums,
            None => self.components.entry(component.to_owned()).or_default(),
        };
        sums.numbers.add_task(counted);
        sums.errors = sums.errors.saturating_add(counted.errors);
        sums.busy_ns = sums.busy_ns.saturating_add(counted.busy_ns);
        let task = TaskSums::from(counted);
        if !task.is_idle() {
            self.tasks.entry(component.to_owned()).or_default().entry(place).or_default().add(&task);
        }
    }

    /// Adds a later (or earlier) point.
    pub(crate) fn merge(&mut self, other: &Point) {
        self.ms = self.ms.saturating_add(other.ms);
        for (id, o) in &other.components {
            let sums = self.components.entry(id.clone()).or_default();
            sums.numbers.add(&o.numbers);
            sums.errors = sums.errors.saturating_add(o.errors);
            sums.busy_ns = sums.busy_ns.saturating_add(o.busy_ns);
            sums.queued = sums.queued.max(o.queued);
            sums.pending = sums.pending.max(o.pending);
            (sums.capacity, sums.blocked) = (sums.capacity.max(o.capacity), sums.blocked.max(o.blocked));
        }
        self.add_tasks(&other.tasks);
        if !self.tasks.is_empty() {
            self.judge();
        }
    }

    /// Adds what tasks counted in another point.
    pub(crate) fn add_tasks(&mut self, other: &Tasks) {
        for (id, others) in other {
            let tasks = self.tasks.entry(id.clone()).or_default();
            others.iter().for_each(|(place, t)| tasks.entry(*place).or_default().add(t));
        }
    }

    /// Works out anew how busy the busiest task of each component was, and how held up the most held-up.
    pub(crate) fn judge(&mut self) {
        let ns = (self.ms.max(1) as f32) * 1e6;
        for (id, sums) in &mut self.components {
            let tasks = || self.tasks.get(id).into_iter().flat_map(BTreeMap::values);
            let most = |of: fn(&TaskSums) -> u64| (tasks().map(of).max().unwrap_or(0) as f32 / ns).min(1.0);
            (sums.capacity, sums.blocked) = (most(|t| t.busy_ns), most(|t| t.blocked_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_core::control::{Settled, Taken};

    use super::*;

    #[test]
    fn what_older_versions_stored_is_still_read() {
        let old = rmp_serde::to_vec(&(1, 2, 3, 4, 5, 6, 7, 8, [9, 10, 11])).unwrap();
        let read: TaskSums = rmp_serde::from_slice(&old).unwrap();
        assert_eq!((read.emitted, read.latency, read.complete_ns), (1, [9, 10, 11], 0));
        let old = rmp_serde::to_vec(&("split", "default", 7)).unwrap();
        let read: Taken = rmp_serde::from_slice(&old).unwrap();
        assert_eq!(read, Taken { executed: 7, ..Taken::of("split", "default") });
        assert_eq!(rmp_serde::from_slice::<Taken>(&rmp_serde::to_vec(&read).unwrap()).unwrap(), read);
        let none: [u8; 0] = [];
        let names = BTreeMap::<String, u64>::new();
        let old = rmp_serde::to_vec(&(1, 2, 3, 4, 5, &names, none, none, none, &names, none)).unwrap();
        let read: Numbers = rmp_serde::from_slice(&old).unwrap();
        assert_eq!((read.failed, &read.settled[..]), (5, &[][..]));
        let new = Numbers { settled: vec![Settled { acked: 7, ..Settled::of("late") }], ..read };
        assert_eq!(rmp_serde::from_slice::<Numbers>(&rmp_serde::to_vec(&new).unwrap()).unwrap(), new);
    }
}
