//! What a topology's workers have reported, so kept that totals never fall: what an incarnation counted is carried over when
//! it is no more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_core::control::{ErrorEntry, ErrorReport, Report, TaskReport};
use squall_core::{ComponentKind, Plan};

use super::errors::Errors;
use super::rates::{Rates, Samples};
use crate::history::{Counted, Happening, Kind, Numbers, Point, Series, Timeline, sum_up};

/// By so many millionths a worker's clock may go slower than nimbus's: crystals differ by less. So many milliseconds a report is never
/// late.
const DRIFT_PPM: u64 = 200;
const CLOCK_WAS_SET: u64 = 5000;
/// The time that the first report of an incarnation tells of.
const FIRST: Duration = Duration::from_millis(200);

/// What incarnations that have gone had counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Carried {
    components: BTreeMap<String, Numbers>,
    /// The newest incarnation of each worker whose counts are in here.
    folded: BTreeMap<u32, u64>,
    /// Whether an incarnation died with tuples on the way to it, so that delivered and taken in need not agree.
    uneven: bool,
    ignored_frames: u64,
    link_bytes: (u64, u64),
    first_tuple_ms: Option<u64>,
}

/// A topology's statistics.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    carried: Carried,
    live: BTreeMap<(u32, u64), Live>,
    pub(crate) errors: Errors,
    pub(crate) series: Series,
    pub(crate) timeline: Timeline,
    /// What every worker had reported when everything looked finished first; whoever reports the same again confirms it.
    candidate: Option<BTreeMap<(u32, u64), u64>>,
    pub(crate) finished: bool,
}

#[derive(Debug)]
struct Live {
    plan: Arc<Plan>,
    /// The plan's hash, by which it is found again.
    plan_hash: String,
    reports: u64,
    report: Report,
    /// When the report was made (or, where it does not say, heard), unix time in milliseconds.
    heard_ms: u64,
    /// When the worker began by nimbus's clock, in microseconds of unix time, as the report that came quickest tells; none before there
    /// was one.
    began_us: Option<u64>,
    samples: Samples,
    /// Nothing was heard of it since it was read from the store.
    restored: bool,
}

/// All of a topology's statistics, as written to the store: with the points that are written in the same transaction, nothing
/// is counted twice and nothing is left out when nimbus starts again.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    carried: Carried,
    live: Vec<KeptLive>,
    errors: VecDeque<ErrorEntry>,
    error_counts: BTreeMap<String, u64>,
    series: Series,
    timeline: Timeline,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptLive {
    worker: u32,
    incarnation: u64,
    plan: String,
    reports: u64,
    report: Report,
    heard_ms: u64,
    #[serde(default)]
    began_us: Option<u64>,
}

/// Who reports, when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From<'a> {
    pub(crate) worker: u32,
    pub(crate) incarnation: u64,
    /// Its plan's hash.
    pub(crate) plan: &'a str,
    /// Grows with every report it makes.
    pub(crate) reports: u64,
    pub(crate) host: &'a str,
    pub(crate) now: Duration,
    pub(crate) unix_ms: u64,
    /// Since the topology was submitted.
    pub(crate) age_ms: u64,
}

/// What a component has now and what it did lately.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Gauges {
    pub(crate) pending: u64,
    pub(crate) queued: u64,
    pub(crate) ended: u32,
    pub(crate) rates: Rates,
    /// The busiest task's share of time.
    pub(crate) capacity: f64,
    /// The most held-up task's share of time.
    pub(crate) blocked: f64,
}

impl Statistics {
    /// The statistics as they were kept; `plan` finds a plan by its hash.
    pub(crate) fn restored(kept: Kept, mut plan: impl FnMut(&str) -> Option<Arc<Plan>>) -> Self {
        let Kept { carried, live, errors, error_counts, series, timeline } = kept;
        let live = live.into_iter().filter_map(|l| {
            let plan_hash = l.plan;
            let plan = plan(&plan_hash)?;
            let live = Live {
                plan,
                plan_hash,
                reports: l.reports,
                report: l.report,
                heard_ms: l.heard_ms,
                began_us: l.began_us,
                samples: Samples::default(),
                restored: true,
            };
            Some(((l.worker, l.incarnation), live))
        });
        let errors = Errors { newest: errors, counts: error_counts };
        Statistics { carried, live: live.collect(), errors, series, timeline, ..Statistics::default() }
    }

    /// All that must outlive nimbus.
    pub(crate) fn kept(&self) -> Kept {
        let live = self.live.iter().map(|((worker, incarnation), l)| KeptLive {
            worker: *worker,
            incarnation: *incarnation,
            plan: l.plan_hash.clone(),
            reports: l.reports,
            report: l.report.clone(),
            heard_ms: l.heard_ms,
            began_us: l.began_us,
        });
        Kept {
            carried: self.carried.clone(),
            live: live.collect(),
            errors: self.errors.newest.clone(),
            error_counts: self.errors.counts.clone(),
            series: self.series.clone(),
            timeline: self.timeline.clone(),
        }
    }

    /// Whether a report that was restored has not been followed by another.
    pub(crate) fn is_behind(&self) -> bool {
        self.live.values().any(|l| l.restored)
    }

    pub(crate) fn first_tuple_ms(&self) -> Option<u64> {
        self.carried.first_tuple_ms
    }

    /// Takes in a report; whether it is new. Reports of incarnations that were carried over come too late.
    pub(crate) fn take(&mut self, from: From<'_>, plan: &Arc<Plan>, report: &Report) -> bool {
        let key = (from.worker, from.incarnation);
        let known = self.live.get_mut(&key).map(|l| {
            l.restored &= from.reports < l.reports;
            l.reports
        });
        if self.carried.folded.get(&from.worker).is_some_and(|f| *f >= from.incarnation) || known >= Some(from.reports) {
            return false;
        }
        // Reports get lost, and the texts in them; the tasks' numbers do not. A worker that could not be built has no tasks yet.
        let are_counted = report.tasks.iter().any(|t| t.errors > 0);
        report.errors.iter().for_each(|e| self.note(from, e, !are_counted));
        // One before it may have lived and died unheard of: then it sent and took what is in the counts of others only.
        let start = |incarnation: u64| incarnation & u64::from(u32::MAX);
        let before = self.carried.folded.get(&from.worker).map_or(0, |before| start(*before));
        if known.is_none() && start(from.incarnation) > 1 && start(from.incarnation) != before + 1 {
            self.throws_away();
        }
        let live = self.live.entry(key).or_insert_with(|| Live {
            plan: plan.clone(),
            plan_hash: from.plan.to_owned(),
            reports: 0,
            report: Report::default(),
            // The first report comes as soon as it is up.
            heard_ms: from.unix_ms.saturating_sub(FIRST.as_millis() as u64),
            began_us: None,
            samples: Samples::default(),
            restored: false,
        });
        for task in report.tasks.iter().filter(|t| t.errors > 0) {
            let before = live.report.tasks.iter().find(|t| t.task == task.task).map_or(0, |t| t.errors);
            let component = plan.component_of(task.task).and_then(|c| plan.components.get(c));
            if let Some(component) = component.filter(|_| task.errors > before) {
                self.errors.count(&component.id, task.errors - before);
            }
        }
        let unchanged = live.reports > 0 && same_counts(&live.report, report);
        let to_ms = live.made_ms(report.at_ms, from.unix_ms);
        let from_ms = std::mem::replace(&mut live.heard_ms, to_ms);
        self.series.add(Counted { plan: &live.plan, before: &live.report, now: report, from_ms, to_ms });
        live.reports = from.reports;
        live.report = Report { errors: Vec::new(), ..report.clone() };
        live.samples.take(report, from.now, from.unix_ms);
        if self.carried.first_tuple_ms.is_none() && report.tasks.iter().any(|t| t.emitted > 0) {
            self.carried.first_tuple_ms = Some(from.age_ms);
        }
        if !unchanged {
            self.candidate = None;
        }
        true
    }

    fn note(&mut self, from: From<'_>, e: &ErrorReport, count: bool) {
        if count {
            self.errors.count(&e.component, e.count);
            self.series.err(&e.component, e.count, from.unix_ms);
        }
        if let Some(new) = self.errors.note(e, from.worker, from.host, from.unix_ms) {
            self.timeline.erred(Happening {
                unix_ms: from.unix_ms,
                kind: Kind::Error,
                text: new.message.clone(),
                component: new.component.clone(),
                worker: Some(from.worker),
                host: from.host.to_owned(),
                ..Happening::default()
            });
        }
    }

    /// Adds an error that is nimbus's own to tell.
    pub(crate) fn say(&mut self, unix_ms: u64, message: String) {
        self.happened(unix_ms, Kind::Note, message.clone());
        self.errors.say(unix_ms, message);
    }

    /// Something happened to the topology as a whole.
    pub(crate) fn happened(&mut self, unix_ms: u64, kind: Kind, text: String) {
        self.timeline.add(Happening { unix_ms, kind, text, ..Happening::default() });
    }

    /// Time goes on: finishes points that are old enough.
    pub(crate) fn tick(&mut self, plan: &Plan, now: Duration, unix_ms: u64) {
        for (component, g) in self.gauges(now) {
            self.series.gauge(&component, g.queued, g.pending, unix_ms);
        }
        self.series.tick(unix_ms / 1000, |p| throughput(plan, p));
    }

    /// What each task has reported last, by task id; of the newest incarnations only.
    pub(crate) fn tasks(&self) -> BTreeMap<u32, (u32, &TaskReport)> {
        let newest = self.live.iter().filter(|((w, i), _)| self.newest(*w) == Some(*i));
        newest.flat_map(|((w, _), l)| l.report.tasks.iter().map(|t| (t.task, (*w, t)))).collect()
    }

    /// A task's rates lately; none where it did not report.
    pub(crate) fn task_rates(&self, worker: u32, task: u32, now: Duration) -> Rates {
        let newest = self.newest(worker).and_then(|i| self.live.get(&(worker, i)));
        newest.map_or_else(Rates::default, |l| l.samples.rates(task, now))
    }

    /// Carries over what incarnations of a worker up to this one have counted; whether there was something. `even`: nothing was
    /// on the way to them.
    pub(crate) fn fold(&mut self, worker: u32, up_to: u64, even: bool) -> bool {
        let gone: Vec<(u32, u64)> = self.live.range((worker, 0)..=(worker, up_to)).map(|(k, _)| *k).collect();
        for key in &gone {
            if let Some(live) = self.live.remove(key) {
                sum_up(&mut self.carried.components, &live.plan, &live.report);
                let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
                sum(&mut self.carried.ignored_frames, live.report.ignored_frames);
                sum(&mut self.carried.link_bytes.0, live.report.link_bytes.0);
                sum(&mut self.carried.link_bytes.1, live.report.link_bytes.1);
                let folded = self.carried.folded.entry(key.0).or_default();
                *folded = (*folded).max(key.1);
                self.carried.uneven |= !even;
            }
        }
        if !gone.is_empty() {
            (self.candidate, self.finished) = (None, false);
        }
        !gone.is_empty()
    }

    /// An incarnation is no more, which may be of no known number; whether that is news. `even`: nothing was on the way to it. One of which
    /// this nimbus knows no report may have sent and taken what is in the counts of others only.
    pub(crate) fn ended(&mut self, worker: u32, incarnation: Option<u64>, even: bool) -> bool {
        let up_to = incarnation.unwrap_or(0);
        let had_counted = self.fold(worker, up_to, even);
        let folded = self.carried.folded.entry(worker).or_default();
        let unknown = incarnation.is_none() || *folded < up_to;
        if unknown {
            *folded = up_to.max(*folded);
            self.carried.uneven |= !even;
        }
        had_counted || unknown
    }

    /// Tuples on the way are thrown away: what was sent and what was taken in need not agree any more.
    pub(crate) fn throws_away(&mut self) {
        self.carried.uneven = true;
        (self.candidate, self.finished) = (None, false);
    }

    /// What an incarnation that is not carried over reported last.
    pub(crate) fn report(&self, worker: u32, incarnation: u64) -> Option<&Report> {
        self.live.get(&(worker, incarnation)).map(|l| &l.report)
    }

    /// The newest incarnation of a worker that has reported and is not carried over.
    pub(crate) fn newest(&self, worker: u32) -> Option<u64> {
        self.live.range((worker, 0)..=(worker, u64::MAX)).next_back().map(|((_, i), _)| *i)
    }

    /// Decides whether the topology has finished. `running` are the incarnations that make it up now; without all of them it has not.
    ///
    /// Everything must look finished at one moment, and then every worker must report once more with the same counts: a tuple that
    /// was on its way at that moment would change one of them.
    pub(crate) fn judge(&mut self, plan: &Plan, running: Option<&[(u32, u64)]>) {
        let looks_so = running.is_some_and(|running| self.looks_finished(plan, running));
        let Some(running) = running.filter(|_| looks_so) else {
            (self.candidate, self.finished) = (None, false);
            return;
        };
        let now: BTreeMap<(u32, u64), u64> = running.iter().map(|k| (*k, self.live.get(k).map_or(0, |l| l.reports))).collect();
        match &self.candidate {
            Some(before) if before.keys().eq(now.keys()) => {
                self.finished = self.finished || now.iter().all(|(k, reports)| before.get(k).is_some_and(|b| reports > b));
            }
            _ => (self.candidate, self.finished) = (Some(now), false),
        }
    }

    fn looks_finished(&self, plan: &Plan, running: &[(u32, u64)]) -> bool {
        let spout_tasks: u32 = plan.components.iter().filter(|c| c.kind == ComponentKind::Spout).map(|c| c.parallelism).sum();
        let (mut ended, mut under_way) = (0, 0u64);
        for key in running {
            let Some(live) = self.live.get(key) else { return false };
            for t in &live.report.tasks {
                ended += u32::from(t.ended);
                under_way = under_way.saturating_add(t.pending).saturating_add(t.queued);
            }
        }
        if ended < spout_tasks || under_way > 0 || running.is_empty() {
            return false;
        }
        self.carried.uneven || self.is_even()
    }

    /// Whether as much was taken in as was delivered, by what was reported so far.
    pub(crate) fn is_even(&self) -> bool {
        let totals = self.totals();
        let sum = |of: fn(&Numbers) -> u64| totals.values().map(of).fold(0u64, u64::saturating_add);
        sum(|n| n.transferred) == sum(|n| n.executed)
    }

    /// Totals by component since the topology was submitted.
    pub(crate) fn totals(&self) -> BTreeMap<String, Numbers> {
        let mut sums = self.carried.components.clone();
        self.live.values().for_each(|l| sum_up(&mut sums, &l.plan, &l.report));
        sums
    }

    /// Ignored frames, bytes in and bytes out.
    pub(crate) fn links(&self) -> (u64, u64, u64) {
        let (i, o) = self.carried.link_bytes;
        self.live.values().fold((self.carried.ignored_frames, i, o), |(f, i, o), l| {
            let r = &l.report;
            (f.saturating_add(r.ignored_frames), i.saturating_add(r.link_bytes.0), o.saturating_add(r.link_bytes.1))
        })
    }

    /// What components have now, by id; of the newest incarnations only.
    pub(crate) fn gauges(&self, now: Duration) -> BTreeMap<String, Gauges> {
        let mut found: BTreeMap<String, Gauges> = BTreeMap::new();
        for ((worker, incarnation), live) in &self.live {
            if self.newest(*worker) != Some(*incarnation) {
                continue;
            }
            for t in &live.report.tasks {
                let Some(component) = live.plan.component_of(t.task).and_then(|c| live.plan.components.get(c)) else {
                    continue;
                };
                let g = found.entry(component.id.clone()).or_default();
                g.pending = g.pending.saturating_add(t.pending);
                g.queued = g.queued.saturating_add(t.queued);
                g.ended += u32::from(t.ended);
                let rates = live.samples.rates(t.task, now);
                g.rates.emitted += rates.emitted;
                g.rates.executed += rates.executed;
                g.capacity = g.capacity.max(rates.busy.min(1.0));
                g.blocked = g.blocked.max(rates.blocked.min(1.0));
            }
        }
        found
    }
}

impl Live {
    /// When a report was made by nimbus's clock: reports are made evenly and heard unevenly, and what was counted belongs to the
    /// time in which it was.
    fn made_ms(&mut self, at_ms: u64, heard_ms: u64) -> u64 {
        if at_ms == 0 {
            return heard_ms;
        }
        let now = heard_ms.saturating_sub(at_ms).saturating_mul(1000);
        // The two clocks may drift apart, or nimbus's be set.
        let drift = at_ms.saturating_sub(self.report.at_ms).saturating_mul(DRIFT_PPM) / 1000;
        let began = self.began_us.map_or(now, |before| match now > before.saturating_add(CLOCK_WAS_SET * 1000) {
            true => now,
            false => now.min(before.saturating_add(drift)),
        });
        self.began_us = Some(began);
        (began / 1000).saturating_add(at_ms).min(heard_ms).max(self.heard_ms)
    }
}

/// What spouts emitted a second.
pub(crate) fn throughput(plan: &Plan, p: &Point) -> f64 {
    let spouts = plan.components.iter().filter(|c| c.kind == ComponentKind::Spout);
    let emitted: u64 = spouts.filter_map(|c| p.components.get(&c.id)).map(|s| s.numbers.emitted).sum();
    emitted as f64 * 1000.0 / p.ms.max(1) as f64
}

fn same_counts(a: &Report, b: &Report) -> bool {
    let key = |r: &Report| -> Vec<(u32, [u64; 5], bool)> {
        r.tasks.iter().map(|t| (t.task, [t.emitted, t.transferred, t.executed, t.pending, t.queued], t.ended)).collect()
    };
    key(a) == key(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Arc<Plan> {
        let component = |id, kind| serde_json::json!({"id": id, "kind": kind, "type": "t", "config": {}, "parallelism": 1});
        Arc::new(
            serde_json::from_value(
                serde_json::json!({"name": "p", "components": [component("s", "spout"), component("b", "bolt")]}),
            )
            .unwrap(),
        )
    }

    fn from(worker: u32, incarnation: u64, reports: u64) -> From<'static> {
        let (now, unix_ms) = (Duration::from_secs(reports), 1000 * reports);
        From { worker, incarnation, plan: "p", reports, host: "h", now, unix_ms, age_ms: 7 }
    }

    fn report(task: u32, out: u64, taken: u64) -> Report {
        let busy_ns = 500_000_000 * (out + taken) / 10;
        let task = TaskReport {
            task,
            emitted: out,
            transferred: out,
            executed: taken,
            ended: task == 1,
            busy_ns,
            ..Default::default()
        };
        Report { tasks: vec![task], ..Report::default() }
    }

    #[test]
    fn totals_do_not_fall_when_a_worker_starts_again() {
        let (plan, mut s) = (plan(), Statistics::default());
        assert!(s.take(from(0, 1, 1), &plan, &report(1, 10, 0)));
        assert!(!s.take(from(0, 1, 1), &plan, &report(1, 99, 0)), "the same report again is ignored");
        assert_eq!(s.first_tuple_ms(), Some(7));
        assert!(s.fold(0, 1, false));
        assert!(!s.fold(0, 1, false));
        assert!(!s.take(from(0, 1, 2), &plan, &report(1, 20, 0)), "too late");
        assert!(s.take(from(0, 2, 1), &plan, &report(1, 5, 0)));
        assert_eq!(s.totals()["s"].emitted, 15);
        let bytes = rmp_serde::to_vec_named(&s.kept()).unwrap();
        let mut again = Statistics::restored(rmp_serde::from_slice(&bytes).unwrap(), |_| Some(plan.clone()));
        assert_eq!(again.totals()["s"].emitted, 15, "and outlive nimbus, with what is not carried over yet");
        assert!(again.is_behind(), "more may have been counted since");
        assert!(!again.take(from(0, 2, 1), &plan, &report(1, 5, 0)), "a report that is known");
        assert!(!again.is_behind());
        assert!(again.take(from(0, 2, 2), &plan, &report(1, 6, 0)));
        again.series.tick(100, |_| 0.0);
        let counted: u64 =
            again.series.finished().iter().filter(|f| f.0 == 0).map(|f| f.2.components["s"].numbers.emitted).sum();
        assert_eq!(counted, 16, "points add up to the totals");
    }

    #[test]
    fn finished_needs_a_second_equal_report_of_every_worker() {
        let (plan, mut s) = (plan(), Statistics::default());
        let running = [(0, 1), (1, 1)];
        let step = |s: &mut Statistics, w, n, out, taken| {
            s.take(from(w, 1, n), &plan, &report(w + 1, out, taken));
            s.judge(&plan, Some(&running));
            s.finished
        };
        assert!(!step(&mut s, 0, 1, 10, 0));
        assert!(!step(&mut s, 1, 1, 0, 9), "one tuple is on its way");
        assert!(!step(&mut s, 1, 2, 0, 10), "looks finished now");
        assert!(!step(&mut s, 1, 3, 0, 10), "worker 1 confirms, worker 0 has not");
        assert!(step(&mut s, 0, 2, 10, 0));
        assert!(!step(&mut s, 0, 3, 11, 0), "it was not the end after all");
        s.judge(&plan, None);
        assert!(!s.finished);
    }

    #[test]
    fn what_nobody_remembers_is_not_waited_for() {
        let (plan, mut s) = (plan(), Statistics::default());
        // Worker 1 died while nimbus was away, before anything that it counted was written down.
        assert!(s.ended(1, Some(1), false));
        assert!(!s.ended(1, Some(1), false));
        let running = [(0, 1), (1, 2)];
        for n in 1..=2 {
            for (w, i, out) in [(0, 1, 10), (1, 2, 0)] {
                s.take(from(w, i, n), &plan, &report(w + 1, out, 0));
                s.judge(&plan, Some(&running));
            }
        }
        assert!(s.finished, "ten tuples went to who is no more");
    }

    #[test]
    fn reports_that_are_heard_late_count_for_the_time_in_which_they_were_made() {
        let (plan, mut s) = (plan(), Statistics::default());
        // A hundred a second, reported once a second, heard with the next of two heartbeats a second.
        for n in 1..=20u64 {
            let made = n * 1013;
            let unix_ms = 100_000 + made.next_multiple_of(500);
            let r = Report { at_ms: made, ..report(1, made / 10, 0) };
            assert!(s.take(From { unix_ms, ..from(0, 1, n) }, &plan, &r));
            s.series.tick(unix_ms / 1000, |_| 0.0);
        }
        let fine: Vec<u64> = s
            .series
            .finished()
            .iter()
            .filter(|f| f.0 == 0)
            .map(|f| f.2.components.get("s").map_or(0, |c| c.numbers.emitted))
            .collect();
        assert!(fine[3..].iter().all(|n| (98..=103).contains(n)), "{fine:?}");
    }

    #[test]
    fn an_even_flow_is_an_even_line_however_seldom_a_report_comes_quickly() {
        let (plan, mut s) = (plan(), Statistics::default());
        for made in (1..=120u64).map(|n| n * 1000) {
            // One of fifty comes at once.
            let late = if made % 50_000 == 0 { 0 } else { 60 + made / 1000 % 7 };
            let r = Report { at_ms: made, ..report(1, made / 2, 0) };
            assert!(s.take(From { unix_ms: 100_000 + made + late, ..from(0, 1, made) }, &plan, &r));
            s.series.tick((100_000 + made + late) / 1000, |_| 0.0);
        }
        let done = s.series.finished().iter().filter(|f| f.0 == 0);
        let fine: Vec<u64> = done.map(|f| f.2.components.get("s").map_or(0, |c| c.numbers.emitted)).collect();
        // Until the first that comes quickly nobody can know better.
        assert!(fine.len() > 110 && fine[55..].iter().all(|n| (492..=508).contains(n)), "{fine:?}");
    }

    #[test]
    fn a_report_that_is_heard_late_after_nimbus_was_away_makes_no_false_peak() {
        let (plan, mut s) = (plan(), Statistics::default());
        let mut fine: Vec<u64> = Vec::new();
        for n in 1..=40u64 {
            // Nimbus is away from 10 to 20, and hears the first report after that 450 ms after it was made.
            if (10..20).contains(&n) {
                continue;
            }
            if n == 20 {
                let bytes = rmp_serde::to_vec_named(&s.kept()).unwrap();
                s = Statistics::restored(rmp_serde::from_slice(&bytes).unwrap(), |_| Some(plan.clone()));
            }
            let (made, late) = (n * 1000 + 100, if n == 20 { 450 } else { 20 });
            let r = Report { at_ms: made, ..report(1, made / 2, 0) };
            assert!(s.take(From { unix_ms: 100_000 + made + late, ..from(0, 1, n) }, &plan, &r));
            s.series.tick((100_000 + made + late) / 1000, |_| 0.0);
            let done = s.series.finished().iter().filter(|f| f.0 == 0);
            fine.extend(done.map(|f| f.2.components.get("s").map_or(0, |c| c.numbers.emitted)));
            s.series.written();
        }
        assert!(fine.len() > 30 && fine[3..].iter().all(|n| (490..=510).contains(n)), "{fine:?}");
    }

    #[test]
    fn gauges_are_of_the_newest_incarnation() {
        let (plan, mut s) = (plan(), Statistics::default());
        for (incarnation, each) in [(1, 30), (2, 10)] {
            (1..=5).for_each(|n| assert!(s.take(from(0, incarnation, n), &plan, &report(1, n * each, 0))));
        }
        let g = s.gauges(Duration::from_secs(5))["s"];
        assert!((g.rates.emitted - 10.0).abs() < 1e-9 && (g.capacity - 0.5).abs() < 1e-9, "{g:?}");
        assert_eq!((g.ended, g.rates.executed), (1, 0.0));
    }

    /// What a supervisor could not tell for long is told in its newest report: all of the numbers, and some of the texts.
    #[test]
    fn errors_are_counted_by_the_numbers_of_tasks_whatever_becomes_of_their_texts() {
        let (plan, mut s) = (plan(), Statistics::default());
        let error = |task, count| {
            let (component, message, stack) = ("b".to_owned(), "m".to_owned(), String::new());
            ErrorReport { component, task, message, count, panic: false, stack }
        };
        let report = |in_all: u64, told: u64| {
            let mut r = report(2, 0, 10);
            r.tasks[0].errors = in_all;
            r.errors = vec![error(2, told)];
            r
        };
        assert!(s.take(from(0, 1, 1), &plan, &report(3, 3)));
        // Its answer got lost: the texts that it had come again.
        assert!(s.take(from(0, 1, 2), &plan, &report(4, 4)));
        assert_eq!((s.errors.of("b"), s.errors.newest[0].count), (4, 7));
        let mut s = Statistics::restored(s.kept(), |_| Some(plan.clone()));
        assert!(s.take(from(0, 1, 90), &plan, &report(5000, 100)));
        assert!(s.fold(0, 1, false));
        assert!(s.take(from(0, 2, 91), &plan, &report(1, 1)), "its successor begins anew");
        assert_eq!((s.errors.of("b"), s.errors.in_all()), (5001, 5001));
        let failed = Report { errors: vec![ErrorReport { component: String::new(), ..error(0, 1) }], ..Report::default() };
        assert!(s.take(from(1, 1, 1), &plan, &failed), "one that cannot be built has no tasks");
        assert_eq!(s.errors.in_all(), 5002);
        s.series.tick(2000, |_| 0.0);
        let charted = s.series.finished().iter().filter(|f| f.0 == 0).filter_map(|f| f.2.components.get("b")).map(|c| c.errors);
        assert_eq!(charted.sum::<u64>(), 5001);
    }

    #[test]
    fn errors_are_stored_side_by_side_with_their_counts() {
        let error = serde_json::json!({"unix_ms": 1, "component": "b", "task": 2, "worker": 0, "host": "h", "message": "m", "count": 3, "panic": true});
        let stored = serde_json::json!({"errors": [error], "error_counts": {"b": 5}});
        let restored = |bytes: &[u8]| Statistics::restored(rmp_serde::from_slice(bytes).unwrap(), |_| None);
        let mut s = restored(&rmp_serde::to_vec_named(&stored).unwrap());
        s.say(2, "n".to_owned());
        let s = restored(&rmp_serde::to_vec_named(&s.kept()).unwrap());
        let messages: Vec<&str> = s.errors.newest.iter().map(|e| e.message.as_str()).collect();
        assert_eq!((messages, s.errors.newest[1].count, s.errors.of("b")), (vec!["n", "m"], 3, 5));
    }
}
