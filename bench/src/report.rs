//! Figures as JSON: what `squall bench --json` writes and `squall bench compare` reads. The programs for other systems in
//! `bench/` write the same shape.

use std::path::Path;

use serde::{Deserialize, Serialize};
use squall_core::{Error, Histogram, Result};

use crate::machine::Conditions;
use crate::statistics::Spread;

/// All figures of one invocation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Under what conditions they were taken.
    pub conditions: Conditions,
    /// One for each scenario, number of workers, acking, and step of load.
    pub entries: Vec<Entry>,
}

/// A figure with its bare twin's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The scenario.
    pub scenario: String,
    /// Worker processes.
    pub workers: u32,
    /// Whether tuples were tracked.
    pub acking: bool,
    /// The load, for scenarios that set it, such as `50 %`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub load: String,
    /// What the bare twin is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub twin: String,
    /// Tuples a second.
    pub per_second: Option<Spread>,
    /// Those of the bare twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_per_second: Option<Spread>,
    /// The first through the second, of runs one behind the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Spread>,
    /// Latency from the intended time of sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// That of the bare twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_latency: Option<Latency>,
    /// Seconds of processor time of all workers for a million tuples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_per_million: Option<Spread>,
    /// Processors that the workers used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<Spread>,
    /// The most memory of one worker, in bytes.
    pub peak_rss: u64,
    /// By how much that of a worker grew while it was measured, at worst, in bytes.
    pub rss_growth: i64,
    /// The share of all processor time that the host took, at worst, in percent.
    pub steal: f64,
    /// Tuples that failed.
    pub failed: u64,
    /// The most tuples that waited for one component when looked at.
    pub queued: u64,
    /// The single runs: tuples a second, and those of the bare twin before it.
    pub rounds: Vec<(f64, Option<f64>)>,
}

/// Latencies in nanoseconds; each quantile of single runs, never of quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of all tuples took no longer.
    pub p50: Spread,
    /// 99 of 100.
    pub p99: Spread,
    /// 999 of 1,000.
    pub p999: Spread,
    /// All.
    pub max: Spread,
}

impl Latency {
    /// Of the histograms of several runs; `None` if one is empty.
    pub(crate) fn of<'h>(runs: impl Iterator<Item = &'h Histogram> + Clone) -> Option<Latency> {
        let at = |share: f64| Spread::of(runs.clone().map(|h| h.quantile(share).map_or(f64::NAN, |ns| ns as f64)));
        Some(Latency { p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)?, max: at(1.0)? })
    }
}

impl Entry {
    /// Whether it is of the same scenario under the same load.
    pub(crate) fn is_like(&self, other: &Entry) -> bool {
        (&self.scenario, self.workers, self.acking, &self.load) == (&other.scenario, other.workers, other.acking, &other.load)
    }

    /// `const-null, 2 workers, acked`
    pub(crate) fn title(&self) -> String {
        let workers = if self.workers == 1 { "1 worker".to_owned() } else { format!("{} workers", self.workers) };
        let load = if self.load.is_empty() { String::new() } else { format!(", {}", self.load) };
        format!("{}, {workers}{}{load}", self.scenario, if self.acking { ", acked" } else { "" })
    }
}

impl Report {
    /// Reads what [`Report`] was written as.
    ///
    /// # Errors
    /// A file that cannot be read or is no report.
    pub fn read(path: &Path) -> Result<Report> {
        let text = std::fs::read(path).map_err(|e| Error::user(format!("cannot read `{}`", path.display())).because(e))?;
        serde_json::from_slice(&text).map_err(|e| {
            let remedy = "expected what `squall bench --json` writes";
            Error::user(format!("`{}` is no report of the bench: {remedy}", path.display())).because(e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_and_may_say_little() {
        let entry = Entry {
            scenario: "const-null".into(),
            workers: 2,
            acking: true,
            per_second: Spread::of([1.0, 2.0]),
            rounds: vec![(1.0, None), (2.0, Some(4.0))],
            ..Entry::default()
        };
        assert_eq!(entry.title(), "const-null, 2 workers, acked");
        let report = Report { entries: vec![entry], ..Report::default() };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(Report::read(&path).unwrap(), report);
        std::fs::write(&path, r#"{"conditions": {}, "entries": [{"scenario": "x", "workers": 1, "per_second": null}]}"#)
            .unwrap();
        assert_eq!(Report::read(&path).unwrap().entries[0].title(), "x, 1 worker");
        std::fs::write(&path, "[]").unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("no report"));
    }

    #[test]
    fn latencies_are_quantiles_of_each_run() {
        let mut runs = [Histogram::default(), Histogram::default()];
        runs[0].record(10, 99);
        runs[0].record(15, 1);
        runs[1].record(12, 100);
        let latency = Latency::of(runs.iter()).unwrap();
        assert_eq!((latency.p50.min, latency.p50.max, latency.max.max), (10.0, 12.0, 15.0));
        assert!(Latency::of([Histogram::default()].iter()).is_none());
    }
}
