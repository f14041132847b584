//! What was counted between two reports, and its share of one second of that time.

use std::collections::BTreeMap;

use squall_core::control::{Settled, Taken, TaskReport};

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
        // Every number is rounded, and streams add up to their component: where there are several, theirs are divided and added up.
        let streams: BTreeMap<String, u64> = t.streams.iter().map(|(s, n)| (s.clone(), self.take(*n))).collect();
        let settled: Vec<Settled> = t.settled.iter().map(|s| s.map(|n| self.take(n))).collect();
        let all = settled.iter().cloned().reduce(|mut all, s| {
            all.add(&s);
            all
        });
        let alone = || Settled { stream: String::new(), acked: t.acked, failed: t.failed, complete: t.complete.clone() };
        let Settled { acked, failed, complete, .. } = all.unwrap_or_else(|| alone().map(|n| self.take(n)));
        TaskReport {
            task: t.task,
            emitted: streams.values().copied().reduce(u64::saturating_add).unwrap_or_else(|| self.take(t.emitted)),
            transferred: self.take(t.transferred),
            executed: self.take(t.executed),
            acked,
            failed,
            errors: self.take(t.errors),
            streams,
            inputs: t.inputs.iter().map(|i| i.with(i, |n, _| self.take(n))).collect(),
            busy_ns: self.take(t.busy_ns),
            blocked_ns: self.take(t.blocked_ns),
            queued: t.queued,
            pending: t.pending,
            ended: t.ended,
            execute: t.execute.map(|n| self.take(n)),
            complete,
            settled,
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
    let settled = |now: &Settled| match before.settled.iter().find(|s| s.stream == now.stream) {
        Some(before) => now.since(before),
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
        settled: now.settled.iter().map(settled).collect(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use squall_core::Histogram;

    use super::*;
    use crate::history::Numbers;

    fn settled(stream: &str, acked: u64, failed: u64) -> Settled {
        let mut complete = Histogram::default();
        if acked > 0 {
            complete.record(1000 * (failed + 1), acked);
        }
        Settled { stream: stream.to_owned(), acked, failed, complete }
    }

    proptest! {
        /// However the time is divided: in each part streams add up to their spout, and the parts to the whole.
        #[test]
        fn parts_and_streams_add_up(counts in proptest::array::uniform6(0u64..500), cuts in proptest::collection::vec(0u64..1000, 0..8)) {
            let [a, b, c, d, e, f] = counts;
            let both = [settled("default", a, b), settled("late", c, d)];
            let mut complete = both[0].complete.clone();
            complete.merge(&both[1].complete);
            let streams = [("default".to_owned(), e), ("late".to_owned(), f)].into();
            let settled = both.to_vec();
            let now = TaskReport { emitted: e + f, acked: a + c, failed: b + d, streams, settled, complete, ..TaskReport::default() };
            let mut cuts: Vec<u64> = [0, 1000].into_iter().chain(cuts).collect();
            cuts.sort_unstable();
            let mut sum = Numbers::default();
            for part in cuts.windows(2) {
                let part = Share { from: part[0], to: part[1], of: 1000 }.of(&difference(Some(&TaskReport::default()), &now));
                prop_assert_eq!(part.emitted, part.streams.values().sum::<u64>());
                prop_assert_eq!(part.acked, part.settled.iter().map(|s| s.acked).sum::<u64>());
                prop_assert_eq!(part.failed, part.settled.iter().map(|s| s.failed).sum::<u64>());
                prop_assert_eq!(part.complete.count(), part.acked, "each stream has its times in one bucket");
                sum.add_task(&part);
            }
            prop_assert_eq!((sum.emitted, sum.acked, sum.failed), (now.emitted, now.acked, now.failed));
            prop_assert_eq!((sum.settled, sum.complete), (now.settled, now.complete));
        }
    }
}
