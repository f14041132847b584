//! One run of a topology: started, warmed up, measured from exact counters, stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use squall_core::control::{ComponentStatus, Phase, TopologyStatus};
use squall_core::{Error, Histogram};

use crate::ground::Ground;
use crate::machine::{self, Memory, Processors};
use crate::scenario::{Counted, Scenario};

/// How long a topology may take until its first tuple is counted.
const START: Duration = Duration::from_secs(30);
/// How long the next report may take, which comes once a second.
const REPORT: Duration = Duration::from_secs(10);

/// What is run.
pub(crate) struct Setup<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) file: &'a Path,
    pub(crate) set: &'a [(String, String)],
    pub(crate) workers: u32,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Tuples a second.
    pub(crate) rate: f64,
    /// From the intended time of sending to the bolt `lag`, in nanoseconds.
    pub(crate) lags: Histogram,
    /// Processor time of all workers for a million tuples.
    pub(crate) cpu_per_million: f64,
    /// Processors that the workers used.
    pub(crate) cores: f64,
    pub(crate) peak_rss: u64,
    /// By how much the memory in use grew from the first moment to the last, in bytes.
    pub(crate) rss_growth: i64,
    /// Percent of all time.
    pub(crate) steal: f64,
    pub(crate) failed: u64,
    /// The most tuples that waited for one component when looked at.
    pub(crate) queued: u64,
}

/// A moment of a run.
struct Moment {
    at: Instant,
    status: TopologyStatus,
    count: u64,
    cpu: f64,
    memory: Memory,
    processors: Processors,
}

impl Setup<'_> {
    /// Runs it once. The topology is stopped whatever happens.
    pub(crate) fn run<G: Ground>(&self, ground: &mut G) -> Result<Measured, G::Error> {
        let name = ground.submit(self.file, self.set, self.workers)?;
        let measured = self.measure(ground, &name);
        let killed = ground.kill(&name);
        measured.and_then(|m| killed.map(|()| m))
    }

    fn measure<G: Ground>(&self, ground: &mut G, name: &str) -> Result<Measured, G::Error> {
        let mut seen = None;
        self.counted(ground, name, &mut seen, 0, START)?;
        // The workers run; from now on reports come once a second, and the clock is looked at when one has come.
        let first = self.after(ground, name, &mut seen, self.warm_up)?;
        let last = self.after(ground, name, &mut seen, self.time)?;
        Ok(difference(&first, &last, self.scenario.counted.component()))
    }

    /// The first moment after this time at which the count has just changed.
    fn after<G: Ground>(
        &self,
        ground: &mut G,
        name: &str,
        seen: &mut Option<TopologyStatus>,
        time: Duration,
    ) -> Result<Moment, G::Error> {
        let until = Instant::now() + time;
        loop {
            let before = seen.as_ref().map_or(0, |s| count(s, self.scenario.counted));
            let moment = self.counted(ground, name, seen, before, REPORT)?;
            if Instant::now() >= until {
                return Ok(moment);
            }
        }
    }

    /// Waits until the count is above `before`.
    fn counted<G: Ground>(
        &self,
        ground: &mut G,
        name: &str,
        seen: &mut Option<TopologyStatus>,
        before: u64,
        patience: Duration,
    ) -> Result<Moment, G::Error> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = format!("`{}` counted nothing new for {} s", self.scenario.name, patience.as_secs());
                return Err(Error::internal(what).into());
            }
            let after = seen.as_ref().map_or(0, |s| s.revision);
            let Some(status) = ground.status(name, after, left)? else { continue };
            let (at, processors) = (Instant::now(), Processors::now());
            let (cpu, memory) = (machine::cpu_seconds(&pids(&status)), Memory::of(&pids(&status)));
            if let Some(problem) = problem(&status) {
                return Err(Error::external(format!("`{}` cannot run: {problem}", self.scenario.name)).into());
            }
            let running = status.workers.iter().all(|w| w.phase == Some(Phase::Running));
            let count = count(&status, self.scenario.counted);
            *seen = Some(status.clone());
            if running && count > before {
                return Ok(Moment { at, status, count, cpu, memory, processors });
            }
        }
    }
}

fn pids(status: &TopologyStatus) -> Vec<u32> {
    status.workers.iter().filter_map(|w| w.pid).collect()
}

fn problem(status: &TopologyStatus) -> Option<String> {
    let broken = status.workers.iter().find(|w| w.problem.is_some() || w.phase == Some(Phase::Failed) || w.restarts > 0)?;
    let said = status.errors.first().map(|e| e.message.clone());
    let output = broken.last_exit.as_ref().map(|e| format!("{} {}", e.how, e.output.trim()));
    said.or_else(|| broken.problem.clone()).or(output).or_else(|| Some(format!("worker {} failed", broken.worker)))
}

fn component<'s>(status: &'s TopologyStatus, id: &str) -> Option<&'s ComponentStatus> {
    status.components.iter().find(|c| c.id == id)
}

fn count(status: &TopologyStatus, counted: Counted) -> u64 {
    match (component(status, counted.component()), counted) {
        (Some(c), Counted::Emitted(_)) => c.emitted,
        (Some(c), Counted::Executed(_)) => c.executed,
        (None, _) => 0,
    }
}

fn difference(first: &Moment, last: &Moment, id: &str) -> Measured {
    let seconds = (last.at - first.at).as_secs_f64();
    let tuples = last.count.saturating_sub(first.count) as f64;
    let failed = |s: &TopologyStatus| s.components.iter().map(|c| c.failed).sum::<u64>();
    let queued = |s: &TopologyStatus| s.components.iter().map(|c| c.queued).max().unwrap_or(0);
    let cpu = last.cpu - first.cpu;
    Measured {
        rate: tuples / seconds,
        lags: lags(component(&first.status, id), component(&last.status, id)),
        cpu_per_million: if tuples > 0.0 { cpu / tuples * 1e6 } else { 0.0 },
        cores: cpu / seconds,
        peak_rss: last.memory.peak,
        rss_growth: last.memory.rss as i64 - first.memory.rss as i64,
        steal: last.processors.steal_since(first.processors),
        failed: failed(&last.status).saturating_sub(failed(&first.status)),
        queued: queued(&first.status).max(queued(&last.status)),
    }
}

/// What the counters `lag_N` have grown by.
fn lags(first: Option<&ComponentStatus>, last: Option<&ComponentStatus>) -> Histogram {
    let before = |name: &str| first.and_then(|c| c.counters.get(name)).copied().unwrap_or(0);
    let grown = last.iter().flat_map(|c| &c.counters).filter_map(|(name, n)| {
        let bucket = name.strip_prefix("lag_")?.parse::<u32>().ok()?;
        Some((bucket, n.saturating_sub(before(name)))).filter(|(_, n)| *n > 0)
    });
    Histogram::from(grown.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(executed: u64, counters: serde_json::Value) -> TopologyStatus {
        let component = json!({
            "id": "lag", "kind": "bolt", "type": "lag", "tasks": 1, "emitted": 7, "transferred": 0, "executed": executed,
            "acked": 0, "failed": 2, "pending": 0, "queued": 5, "ended_tasks": 0, "emitted_per_s": 0.0, "executed_per_s": 0.0,
            "capacity": 0.0, "blocked": 0.0, "execute": {}, "complete": {}, "errors": 0, "counters": counters,
        });
        serde_json::from_value(json!({
            "id": "a-1-1", "name": "a", "state": "ACTIVE", "uptime_ms": 1, "revision": 1, "epoch": 1, "finished": false,
            "workers": [{"worker": 0, "pid": std::process::id(), "phase": "running"}], "components": [component],
            "errors": [], "models": [], "ignored_frames": 0, "link_bytes_in": 0, "link_bytes_out": 0,
        }))
        .unwrap()
    }

    #[test]
    fn figures_are_differences_of_two_moments() {
        let at = Instant::now();
        let moment = |at, status: TopologyStatus, cpu| Moment {
            at,
            count: count(&status, Counted::Executed("lag")),
            status,
            cpu,
            memory: Memory { rss: (cpu * 1000.0) as u64, peak: 7000 },
            processors: Processors::default(),
        };
        let bucket = Histogram::bucket_of(1000);
        let name = format!("lag_{bucket}");
        let first = moment(at, status(100, json!({ &name: 10 })), 1.0);
        let last = moment(at + Duration::from_secs(2), status(300, json!({ &name: 13, "lag_3": 1, "swallowed": 9 })), 2.0);
        let m = difference(&first, &last, "lag");
        assert_eq!((m.rate, m.failed, m.queued), (100.0, 0, 5));
        assert!((m.cpu_per_million - 5000.0).abs() < 1e-6 && (m.cores - 0.5).abs() < 1e-9, "{m:?}");
        assert_eq!(m.lags, Histogram::from(vec![(3, 1), (bucket, 3)]));
        assert_eq!((m.peak_rss, m.rss_growth), (7000, 1000));
    }

    #[test]
    fn a_worker_that_was_started_again_spoils_the_figure() {
        let mut status = status(1, json!({}));
        assert_eq!(problem(&status), None);
        status.workers[0].restarts = 1;
        assert!(problem(&status).unwrap().contains("worker 0"));
    }
}
