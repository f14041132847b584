//! Points are finished once a second, written down every ten, and read for those who ask what was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_core::control::{History, HistoryPoint};
use squall_core::{ComponentKind, Histogram, Plan, Result};
use tokio::sync::watch;

use super::World;
use crate::denied::Denied;
use crate::history::{Book, Point, Sums, TIERS, TaskSums, Tier, Written, tier_for};

const TICK: Duration = Duration::from_secs(1);
const WRITE: Duration = Duration::from_secs(10);

/// Where a topology's points are, to be read without holding up nimbus.
pub(crate) struct Past {
    id: String,
    plan: Arc<Plan>,
    book: Arc<Book>,
    /// Points that are not in the store yet, as (tier, unix second, point).
    newest: Vec<(u8, u64, Point)>,
    unix_s: u64,
    events: Vec<squall_core::control::TimelineEvent>,
}

/// Whose history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// The whole topology's.
    Topology,
    /// A component's.
    Component(&'a str),
    /// That of a task, by its place in its component.
    Task(&'a str, u32),
}

impl World {
    /// A notice of every second.
    pub(crate) fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    /// Finishes points, and writes them down from time to time.
    pub(super) fn tick(&mut self, now: Duration) {
        if now < self.next_tick {
            return;
        }
        let unix_ms = self.clock.unix_ms();
        // At the full second of the wall clock, by which points are counted.
        self.next_tick = now + TICK.min(Duration::from_millis(1010 - unix_ms % 1000));
        for t in self.topologies.values_mut() {
            let plan = t.plan.clone();
            t.statistics.tick(&plan, now, unix_ms);
        }
        if now >= self.next_write {
            self.next_write = now + WRITE;
            self.write_all_down();
        }
        self.ticks.send_modify(|n| *n += 1);
    }

    /// Writes everything down that is not in the store yet.
    pub(crate) fn write_all_down(&mut self) {
        let ids: Vec<String> = self.topologies.keys().cloned().collect();
        self.write_down(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Writes the statistics of these topologies down. What cannot be written is still in memory, and tried again.
    pub(super) fn write_down(&mut self, ids: &[&str]) {
        if ids.is_empty() {
            return;
        }
        let written = self.try_write(ids);
        match written {
            Ok(()) => {
                for id in ids {
                    if let Some(t) = self.topologies.get_mut(*id) {
                        t.statistics.series.written();
                    }
                }
            }
            Err(e) => log::warn!(error:display = e; "cannot write statistics"),
        }
    }

    fn try_write(&self, ids: &[&str]) -> Result<()> {
        let mut all = Vec::new();
        for id in ids {
            let Some((id, t)) = self.topologies.get_key_value(*id) else { continue };
            let kept = rmp_serde::to_vec_named(&t.statistics.kept())
                .map_err(|e| squall_core::Error::internal("statistics cannot be encoded").because(e))?;
            all.push(Written { topology: id, points: t.statistics.series.finished(), kept });
        }
        self.book.write(&all, self.clock.unix_ms() / 1000)
    }

    /// Forgets a topology's statistics.
    pub(super) fn forget(&self, id: &str) {
        if let Err(e) = self.book.forget(id, self.clock.unix_ms() / 1000) {
            log::warn!(topology = id, error:display = e; "cannot remove the statistics of a topology that is gone");
        }
    }

    /// The topologies that are gone, as far as they are remembered, the newest first.
    pub(crate) fn gone(&self) -> Result<Vec<String>> {
        self.book.gone()
    }

    /// Where a topology's points are.
    pub(crate) fn past(&self, id: &str) -> Result<Past, Denied> {
        let t = self.topology(id)?;
        let series = &t.statistics.series;
        let mut newest = series.finished().to_vec();
        newest.extend(TIERS.iter().skip(1).filter_map(|tier| series.growing(tier.number).map(|(at, p)| (tier.number, at, p))));
        Ok(Past {
            id: id.to_owned(),
            plan: t.plan.clone(),
            book: self.book.clone(),
            newest,
            unix_s: self.clock.unix_ms() / 1000,
            events: t.statistics.timeline.events().cloned().collect(),
        })
    }
}

impl Past {
    /// The points of a tier since so many seconds ago.
    fn points(&self, tier: Tier, seconds: u64, with_tasks: bool) -> Result<BTreeMap<u64, Point>> {
        let from = self.unix_s.saturating_sub(seconds);
        let from = from - from % tier.step_s;
        let mut points = self.book.points(&self.id, tier, from, with_tasks)?;
        for (_, at, point) in self.newest.iter().filter(|(t, at, _)| *t == tier.number && *at >= from) {
            // Without the tasks of the rest, it cannot be told from these how busy they were.
            let tasks = if with_tasks { point.tasks.clone() } else { Default::default() };
            points.entry(*at).or_default().merge(&Point { tasks, ..point.clone() });
        }
        Ok(points)
    }

    /// What happened in the last so many seconds.
    pub(crate) fn history(&self, seconds: u64, whose: Whose<'_>) -> Result<History> {
        let tier = tier_for(seconds);
        let points = self.points(tier, seconds, matches!(whose, Whose::Task(..)))?;
        let from_ms = self.unix_s.saturating_sub(seconds) * 1000;
        let mut events = self.events.clone();
        events.retain(|e| e.unix_ms >= from_ms);
        Ok(History {
            step_s: tier.step_s,
            points: points.into_iter().map(|(at, p)| self.shown(at, &p, whose)).collect(),
            events,
        })
    }

    /// The sum of the last so many seconds, of the tier that is fine enough for that.
    pub(crate) fn sum(&self, seconds: u64) -> Result<Point> {
        // Edges a minute coarse do for hours, edges of ten minutes for a day.
        let tier = if seconds <= 600 {
            TIERS[0]
        } else if seconds <= 3 * 3600 {
            TIERS[2]
        } else {
            TIERS[3]
        };
        let mut sum = Point::default();
        self.points(tier, seconds, true)?.values().for_each(|p| sum.merge(p));
        Ok(sum)
    }

    fn shown(&self, at: u64, p: &Point, whose: Whose<'_>) -> HistoryPoint {
        let base = HistoryPoint { unix_ms: at * 1000, ms: p.ms, ..HistoryPoint::default() };
        match whose {
            Whose::Topology => of_topology(base, &self.plan, p),
            Whose::Component(id) => p.components.get(id).map_or(base.clone(), |s| of_component(base, s)),
            Whose::Task(id, place) => {
                let spout = self.plan.components.iter().any(|c| c.id == id && c.kind == ComponentKind::Spout);
                let task = p.tasks.get(id).and_then(|tasks| tasks.get(&place));
                task.map_or(base.clone(), |t| of_task(base, t, spout))
            }
        }
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn times(h: &Histogram) -> Option<[f64; 3]> {
    (!h.is_empty()).then(|| [0.5, 0.99, 0.999].map(|q| ms(h.quantile(q).unwrap_or(0))))
}

/// A topology's: what its spouts emitted and what became of it.
pub(super) fn of_topology(mut shown: HistoryPoint, plan: &Plan, p: &Point) -> HistoryPoint {
    let (mut complete, mut execute) = (Histogram::default(), Histogram::default());
    for c in &plan.components {
        let Some(s) = p.components.get(&c.id) else { continue };
        if c.kind == ComponentKind::Spout {
            shown.emitted += s.numbers.emitted;
            shown.acked += s.numbers.acked;
            shown.failed += s.numbers.failed;
            shown.pending += s.pending;
            complete.merge(&s.numbers.complete);
        } else {
            shown.executed += s.numbers.executed;
            shown.queued += s.queued;
            execute.merge(&s.numbers.execute);
        }
        shown.transferred += s.numbers.transferred;
        shown.capacity = shown.capacity.max(f64::from(s.capacity));
        shown.blocked = shown.blocked.max(f64::from(s.blocked));
    }
    // Errors that are nobody's own count too.
    shown.errors = p.components.values().map(|s| s.errors).sum();
    (shown.complete_ms, shown.execute_ms) = (times(&complete), times(&execute));
    shown
}

/// A component's.
pub(super) fn of_component(shown: HistoryPoint, s: &Sums) -> HistoryPoint {
    HistoryPoint {
        emitted: s.numbers.emitted,
        transferred: s.numbers.transferred,
        executed: s.numbers.executed,
        acked: s.numbers.acked,
        failed: s.numbers.failed,
        errors: s.errors,
        queued: s.queued,
        pending: s.pending,
        capacity: f64::from(s.capacity),
        blocked: f64::from(s.blocked),
        execute_ms: times(&s.numbers.execute),
        complete_ms: times(&s.numbers.complete),
        ..shown
    }
}

fn of_task(shown: HistoryPoint, t: &TaskSums, spout: bool) -> HistoryPoint {
    let ns = shown.ms.max(1) as f64 * 1e6;
    let latency = (t.latency != [0; 3]).then(|| t.latency.map(ms));
    HistoryPoint {
        emitted: t.emitted,
        transferred: t.transferred,
        executed: t.executed,
        acked: t.acked,
        failed: t.failed,
        queued: t.queued,
        capacity: (t.busy_ns as f64 / ns).min(1.0),
        blocked: (t.blocked_ns as f64 / ns).min(1.0),
        execute_ms: latency.filter(|_| !spout),
        complete_ms: latency.filter(|_| spout),
        ..shown
    }
}
