//! The engine's numbers, as reports have them.

use std::sync::atomic::Ordering::Relaxed;

use squall_core::control::{ErrorReport, TaskReport};

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
        TaskReport {
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
        }
    }
}
