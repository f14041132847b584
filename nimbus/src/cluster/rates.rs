//! How fast a worker's tasks went lately.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use squall_core::control::{Report, TaskReport};

/// How far back rates look.
const WINDOW: Duration = Duration::from_secs(10);

/// What is counted a second of a task or, summed, of a component.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Rates {
    pub(crate) emitted: f64,
    pub(crate) executed: f64,
    pub(crate) busy: f64,
    pub(crate) blocked: f64,
}

/// What a worker's reports had counted, over the window.
#[derive(Debug, Default)]
pub(super) struct Samples {
    samples: VecDeque<Sample>,
}

#[derive(Debug)]
struct Sample {
    /// When it was heard.
    at: Duration,
    /// When it was made, in milliseconds by its worker's clock; where that does not say, when it was heard.
    made_ms: u64,
    tasks: BTreeMap<u32, Rates>,
}

impl Samples {
    /// Takes in a report that was heard at this time, of two clocks.
    pub(super) fn take(&mut self, report: &Report, at: Duration, unix_ms: u64) {
        let made_ms = if report.at_ms > 0 { report.at_ms } else { unix_ms };
        let tasks = report.tasks.iter().map(|t| (t.task, counts(t))).collect();
        self.samples.push_back(Sample { at, made_ms, tasks });
        while self.samples.get(1).is_some_and(|second| at.saturating_sub(second.at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// A task's rates over the window; nothing where it has been silent for that long.
    pub(super) fn rates(&self, task: u32, now: Duration) -> Rates {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return Rates::default() };
        // What was counted between two reports was so between their making, however late they were heard.
        let elapsed = last.made_ms.saturating_sub(first.made_ms) as f64 / 1000.0;
        if elapsed <= 0.0 || now.saturating_sub(last.at) > WINDOW {
            return Rates::default();
        }
        let (Some(a), Some(b)) = (first.tasks.get(&task), last.tasks.get(&task)) else { return Rates::default() };
        let rate = |from: f64, to: f64| ((to - from) / elapsed).max(0.0);
        Rates {
            emitted: rate(a.emitted, b.emitted),
            executed: rate(a.executed, b.executed),
            busy: rate(a.busy, b.busy),
            blocked: rate(a.blocked, b.blocked),
        }
    }
}

fn counts(t: &TaskReport) -> Rates {
    Rates {
        emitted: t.emitted as f64,
        executed: t.executed as f64,
        busy: t.busy_ns as f64 / 1e9,
        blocked: t.blocked_ns as f64 / 1e9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(emitted: u64, at_ms: u64) -> Report {
        let task = TaskReport { task: 1, emitted, busy_ns: emitted * 50_000_000, ..TaskReport::default() };
        Report { at_ms, tasks: vec![task], ..Report::default() }
    }

    #[test]
    fn rates_look_back_over_the_window() {
        let mut samples = Samples::default();
        for n in 1..=30 {
            samples.take(&report(n * 10, 0), Duration::from_secs(n), n * 1000);
        }
        let rates = samples.rates(1, Duration::from_secs(30));
        assert!((rates.emitted - 10.0).abs() < 1e-9 && (rates.busy - 0.5).abs() < 1e-9, "{rates:?}");
        assert_eq!(samples.rates(2, Duration::from_secs(30)), Rates::default(), "there is no such task");
        assert_eq!(samples.rates(1, Duration::from_secs(60)), Rates::default());
        assert!(samples.samples.len() <= 12);
    }

    #[test]
    fn reports_that_are_heard_late_make_no_other_rates() {
        let mut samples = Samples::default();
        for n in 1..=8 {
            let (made, late) = (n * 1000, if [1, 5].contains(&n) { 600 } else { 20 });
            let now = Duration::from_millis(made + late);
            samples.take(&report(n * 10, made), now, 50_000 + made + late);
            let rate = samples.rates(1, now).emitted;
            assert!(n == 1 || (9.9..=10.1).contains(&rate), "{n}: {rate}");
        }
    }
}
