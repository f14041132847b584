//! The engine's numbers, as reports have them.

use std::sync::atomic::Ordering::Relaxed;

use squall_core::control::{ErrorReport, Settled, TaskReport};

use super::task::Task;
use super::{Engine, Shared};
use crate::sync::lock;

impl Engine {
    pub(crate) fn errors(&self) -> Vec<ErrorReport> {
        self.shared.faults.take()
    }

    pub(crate) fn task_reports(&self) -> Vec<TaskReport> {
        self.shared.task_reports()
    }
}

impl Shared {
    pub(super) fn task_reports(&self) -> Vec<TaskReport> {
        self.all().map(|task| self.task_report(task)).collect()
    }

    fn task_report(&self, task: &Task) -> TaskReport {
        let component = &self.plan.components[task.component];
        let stats = &task.stats;
        let names = component.outputs.iter().map(|o| o.name.clone());
        let mut report = TaskReport {
            task: task.id,
            emitted: stats.emitted.load(Relaxed),
            transferred: stats.transferred.load(Relaxed),
            executed: stats.executed.load(Relaxed),
            acked: stats.acked.load(Relaxed),
            failed: stats.failed.load(Relaxed),
            errors: stats.errors.load(Relaxed),
            streams: names.zip(lock(&stats.streams).iter().copied()).collect(),
            inputs: lock(&stats.inputs).clone(),
            busy_ns: stats.busy_ns.load(Relaxed),
            blocked_ns: stats.blocked_ns.load(Relaxed),
            queued: task.queued.load(Relaxed),
            pending: stats.pending.load(Relaxed),
            ended: stats.ended.load(Relaxed),
            execute: lock(&stats.execute).clone(),
            complete: lock(&stats.complete).clone(),
            counters: stats.metrics.read(),
            models: stats.metrics.models(),
            settled: Vec::new(),
        };
        let others = lock(&stats.others);
        if let (Some(first), false) = (component.outputs.first(), others.is_empty()) {
            add_streams(&mut report, &first.name, &others);
        }
        report
    }
}

/// To a report that tells of a spout's first stream what its other streams have.
fn add_streams(report: &mut TaskReport, first: &str, others: &[Settled]) {
    let (acked, failed, complete) = (report.acked, report.failed, report.complete.clone());
    report.settled.push(Settled { stream: first.to_owned(), acked, failed, complete });
    for other in others {
        report.acked += other.acked;
        report.failed += other.failed;
        report.complete.merge(&other.complete);
    }
    report.settled.extend_from_slice(others);
}
