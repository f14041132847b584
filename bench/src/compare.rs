//! What got slower between two reports.
//!
//! A figure is worse if its median is worse by more than the threshold *and* no run of the one report is as good or bad as any
//! run of the other: the noise of both counts. Where both reports have a bare twin the ratio is judged, because it leaves a
//! slower machine, or a busier one, out of account; the plain figure only where there is none.

use serde::Serialize;

use crate::report::{Entry, Report};
use crate::statistics::Spread;
use crate::table::{count, time};

/// How a figure has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The scenario with workers, acking and load.
    pub what: String,
    /// What of it.
    pub figure: &'static str,
    /// The medians, for people.
    pub before: String,
    /// As above.
    pub after: String,
    /// By how much it is better (above 0) or worse, in percent of what it was.
    pub percent: f64,
    /// What that means.
    pub verdict: Verdict,
}

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Better beyond threshold and noise.
    Faster,
    /// Neither.
    Same,
    /// Worse beyond threshold and noise.
    Slower,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Faster => "faster",
            Verdict::Same => "same",
            Verdict::Slower => "SLOWER",
        })
    }
}

/// Two reports compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Comparison {
    /// What both have.
    pub changes: Vec<Change>,
    /// What only one of them has.
    pub unmatched: Vec<String>,
}

impl Comparison {
    /// Whether anything got slower.
    pub fn is_slower(&self) -> bool {
        self.changes.iter().any(|c| c.verdict == Verdict::Slower)
    }
}

/// Compares; `threshold` is a share, such as 0.1.
pub fn compare(before: &Report, after: &Report, threshold: f64) -> Comparison {
    let mut comparison = Comparison::default();
    for a in &before.entries {
        match after.entries.iter().find(|b| a.is_like(b)) {
            Some(b) => figures(a, b, threshold, &mut comparison.changes),
            None => comparison.unmatched.push(format!("{} (only before)", a.title())),
        }
    }
    let new = after.entries.iter().filter(|b| !before.entries.iter().any(|a| a.is_like(b)));
    comparison.unmatched.extend(new.map(|b| format!("{} (only after)", b.title())));
    comparison
}

fn figures(a: &Entry, b: &Entry, threshold: f64, changes: &mut Vec<Change>) {
    let mut judge = |figure, pair: Option<(Spread, Spread)>, better: Better, show: &dyn Fn(f64) -> String| {
        let Some((before, after)) = pair else { return };
        let percent = better.percent(before.median, after.median);
        let beyond = percent.abs() > threshold * 100.0 && before.is_apart_from(&after);
        let verdict = match percent {
            _ if !beyond => Verdict::Same,
            p if p < 0.0 => Verdict::Slower,
            _ => Verdict::Faster,
        };
        let (before, after) = (show(before.median), show(after.median));
        changes.push(Change { what: a.title(), figure, before, after, percent, verdict });
    };
    if let (Some(before), Some(after)) = (&a.latency, &b.latency) {
        judge("p50", Some((before.p50, after.p50)), Better::Less, &time);
        judge("p99", Some((before.p99, after.p99)), Better::Less, &time);
    } else if a.ratio.is_some() && b.ratio.is_some() {
        judge("ratio to bare", a.ratio.zip(b.ratio), Better::More, &|r| format!("{r:.3}"));
    } else {
        judge("tuples/s", a.per_second.zip(b.per_second), Better::More, &count);
    }
}

#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

impl Better {
    /// A figure twice as good is 100 % better, one half as good 50 % worse, whichever way it counts.
    fn percent(self, before: f64, after: f64) -> f64 {
        let (from, to) = match self {
            Better::More => (before, after),
            Better::Less => (after, before),
        };
        if from > 0.0 { (to / from - 1.0) * 100.0 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Latency;

    fn entry(rate: [f64; 3], bare: Option<f64>) -> Entry {
        Entry {
            scenario: "s".into(),
            workers: 1,
            per_second: Spread::of(rate),
            ratio: bare.and_then(|bare| Spread::of(rate.map(|r| r / bare))),
            ..Entry::default()
        }
    }

    fn verdicts(a: Entry, b: Entry) -> Vec<(&'static str, Verdict)> {
        let report = |e: Entry| Report { entries: vec![e], ..Report::default() };
        compare(&report(a), &report(b), 0.1).changes.into_iter().map(|c| (c.figure, c.verdict)).collect()
    }

    #[test]
    fn slower_means_beyond_threshold_and_noise() {
        let before = entry([99.0, 100.0, 101.0], None);
        assert_eq!(verdicts(before.clone(), entry([79.0, 80.0, 81.0], None)), [("tuples/s", Verdict::Slower)]);
        assert_eq!(verdicts(before.clone(), entry([70.0, 80.0, 99.5], None)), [("tuples/s", Verdict::Same)], "noise");
        assert_eq!(verdicts(before.clone(), entry([94.0, 95.0, 96.0], None)), [("tuples/s", Verdict::Same)], "threshold");
        assert_eq!(verdicts(before, entry([119.0, 120.0, 121.0], None)), [("tuples/s", Verdict::Faster)]);
    }

    #[test]
    fn a_slower_machine_is_no_slower_program() {
        let before = entry([99.0, 100.0, 101.0], Some(200.0));
        assert_eq!(verdicts(before.clone(), entry([49.0, 50.0, 51.0], Some(100.0))), [("ratio to bare", Verdict::Same)]);
        assert_eq!(verdicts(before, entry([99.0, 100.0, 101.0], Some(300.0))), [("ratio to bare", Verdict::Slower)]);
    }

    #[test]
    fn of_latencies_less_is_better() {
        let with = |p50: f64| {
            let spread = |m: f64| Spread { median: m, min: m * 0.95, max: m * 1.05 };
            let latency = Latency { p50: spread(p50), p99: spread(9.0), p999: spread(9.0), max: spread(9.0) };
            Entry { latency: Some(latency), ..entry([1.0; 3], None) }
        };
        assert_eq!(verdicts(with(10.0), with(20.0)), [("p50", Verdict::Slower), ("p99", Verdict::Same)]);
        assert_eq!(verdicts(with(20.0), with(10.0))[0], ("p50", Verdict::Faster));
    }

    #[test]
    fn what_only_one_has_is_told() {
        let a = Report { entries: vec![entry([1.0; 3], None)], ..Report::default() };
        let b = Report { entries: vec![Entry { acking: true, ..entry([1.0; 3], None) }], ..Report::default() };
        let comparison = compare(&a, &b, 0.1);
        assert_eq!(comparison.unmatched, ["s, 1 worker (only before)", "s, 1 worker, acked (only after)"]);
        assert!(!comparison.is_slower() && comparison.changes.is_empty());
    }
}
