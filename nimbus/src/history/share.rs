//! What was counted between two reports, and its share of one second of that time.

use squall_core::control::{Taken, TaskReport};

/// A part of a stretch of time: from `from` to `to` of `of` milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) of: u64,
}

impl Share {
    /// So much of a number falls into it; the parts of a whole add up to the number.
    pub(crate) fn take(self, n: u64) -> u64 {
        let until = |at: u64| (u128::from(n) * u128::from(at.min(self.of)) / u128::from(self.of.max(1))) as u64;
        until(self.to) - until(self.from)
    }

    /// So much of what a task counted falls into it; what it has now (queued, pending) is not divided.
    pub(crate) fn of(self, t: &TaskReport) -> TaskReport {
        if self.from == 0 && self.to >= self.of {
            return TaskReport { models: Vec::new(), ..t.clone() };
        }
        TaskReport {
            task: t.task,
            emitted: self.take(t.emitted),
            transferred: self.take(t.transferred),
            executed: self.take(t.executed),
            acked: self.take(t.acked),
            failed: self.take(t.failed),
            errors: self.take(t.errors),
            streams: t.streams.iter().map(|(s, n)| (s.clone(), self.take(*n))).collect(),
            inputs: t.inputs.iter().map(|i| i.with(i, |n, _| self.take(n))).collect(),
            busy_ns: self.take(t.busy_ns),
            blocked_ns: self.take(t.blocked_ns),
            queued: t.queued,
            pending: t.pending,
            ended: t.ended,
            execute: t.execute.map(|n| self.take(n)),
            complete: t.complete.map(|n| self.take(n)),
            counters: t.counters.iter().map(|(c, n)| (c.clone(), self.take(*n))).collect(),
            // Models have totals, and no past of their own.
            models: Vec::new(),
        }
    }
}

/// What a task counted since an earlier report of the same incarnation; what it has now stays as it is.
pub(crate) fn difference(before: Option<&TaskReport>, now: &TaskReport) -> TaskReport {
    let Some(before) = before else { return TaskReport { models: Vec::new(), ..now.clone() } };
    let counter = |name: &String| before.counters.iter().find(|(n, _)| n == name).map_or(0, |(_, n)| *n);
    let input = |now: &Taken| match before.inputs.iter().find(|i| i.is_of(&now.from, &now.stream)) {
        Some(before) => now.with(before, u64::saturating_sub),
        None => now.clone(),
    };
    TaskReport {
        task: now.task,
        emitted: now.emitted.saturating_sub(before.emitted),
        transferred: now.transferred.saturating_sub(before.transferred),
        executed: now.executed.saturating_sub(before.executed),
        acked: now.acked.saturating_sub(before.acked),
        failed: now.failed.saturating_sub(before.failed),
        errors: now.errors.saturating_sub(before.errors),
        streams: now
            .streams
            .iter()
            .map(|(s, n)| (s.clone(), n.saturating_sub(before.streams.get(s).copied().unwrap_or(0))))
            .collect(),
        inputs: now.inputs.iter().map(input).collect(),
        busy_ns: now.busy_ns.saturating_sub(before.busy_ns),
        blocked_ns: now.blocked_ns.saturating_sub(before.blocked_ns),
        queued: now.queued,
        pending: now.pending,
        ended: now.ended,
        execute: now.execute.since(&before.execute),
        complete: now.complete.since(&before.complete),
        counters: now.counters.iter().map(|(c, n)| (c.clone(), n.saturating_sub(counter(c)))).collect(),
        models: Vec::new(),
    }
}
