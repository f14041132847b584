//! A topology's points as they grow: the newest seconds stay open for reports that are late, finished ones go to the store. What is
//! later still (nobody heard a machine, or nimbus was away) is added to them there.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use squall_core::Plan;
use squall_core::control::Report;

use super::share::Share;
use super::{Point, TIERS, difference};

/// A second is finished when it is so many seconds old: reports come once a second, and with the next heartbeat.
const OPEN_S: u64 = 4;
/// Reports are spread over no more seconds than that: there are no finer points of what was before.
const REACH_S: u64 = TIERS[0].kept.as_secs();
/// The newest finished seconds, for what is shown as "now".
const RECENT: usize = 10;
/// The newest finished seconds of which only the throughput is remembered, for small trend lines.
const TREND: usize = 60;

/// The points of a topology that are not in the store yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Series {
    /// Seconds that reports may still add to, by unix second.
    open: BTreeMap<u64, Open>,
    /// The newest finished second; 0 before there is any.
    done: u64,
    /// What is to be added to finished seconds.
    late: BTreeMap<u64, Open>,
    /// The point of each coarser tier that is growing, and when it began.
    growing: Vec<Option<(u64, Open)>>,
    #[serde(skip)]
    recent: VecDeque<(u64, Point)>,
    #[serde(skip)]
    trend: VecDeque<f32>,
    #[serde(skip)]
    finished: Vec<(u8, u64, Point)>,
}

/// A point with its tasks, as both are stored in one piece while it grows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Open {
    point: Point,
    tasks: super::point::Tasks,
}

impl Open {
    fn whole(self) -> Point {
        Point { tasks: self.tasks, ..self.point }
    }

    fn of(mut point: Point) -> Open {
        let tasks = std::mem::take(&mut point.tasks);
        Open { point, tasks }
    }
}

/// What a report adds to an earlier one of the same incarnation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) before: &'a Report,
    pub(crate) now: &'a Report,
    /// When they were heard, unix time in milliseconds.
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

impl Series {
    /// Spreads what was counted between two reports over the seconds between them. What reaches back too far goes to the oldest of
    /// them, which then covers that time.
    pub(crate) fn add(&mut self, c: Counted<'_>) {
        let to = c.to_ms.max(1);
        let from = c.from_ms.min(to - 1);
        let of = to - from;
        let last = (to - 1) / 1000;
        let first = (from / 1000).max((last + 1).saturating_sub(REACH_S));
        self.mind(last);
        let mut differences = Vec::new();
        for t in &c.now.tasks {
            let Some(at) = c.plan.component_of(t.task) else { continue };
            let Some(component) = c.plan.components.get(at) else { continue };
            let place = t.task - c.plan.tasks(at).start;
            let before = c.before.tasks.iter().find(|b| b.task == t.task);
            differences.push((component.id.as_str(), place, difference(before, t)));
        }
        for second in first..=last {
            let begin = if second == first { 0 } else { (second * 1000).saturating_sub(from) };
            let end = if second == last { of } else { ((second + 1) * 1000).saturating_sub(from) };
            let share = Share { from: begin, to: end, of };
            let covers = if second == first { ((second + 1) * 1000).saturating_sub(from) } else { 1000 };
            let open = if second > self.done {
                let open = self.open.entry(second).or_default();
                open.point.ms = open.point.ms.max(1000).max(covers);
                open
            } else {
                let late = self.late.entry(second).or_default();
                late.point.ms = late.point.ms.max(covers.saturating_sub(1000));
                late
            };
            open.point.tasks = std::mem::take(&mut open.tasks);
            differences.iter().for_each(|(id, place, d)| open.point.count(id, *place, &share.of(d)));
            open.tasks = std::mem::take(&mut open.point.tasks);
        }
    }

    /// Counts errors of a component, heard now.
    pub(crate) fn err(&mut self, component: &str, count: u64, unix_ms: u64) {
        let sums = self.open_at(unix_ms).point.components.entry(component.to_owned()).or_default();
        sums.errors = sums.errors.saturating_add(count);
    }

    /// What waits for a component now, and how many trees are under way.
    pub(crate) fn gauge(&mut self, component: &str, queued: u64, pending: u64, unix_ms: u64) {
        let sums = self.open_at(unix_ms).point.components.entry(component.to_owned()).or_default();
        (sums.queued, sums.pending) = (sums.queued.max(queued), sums.pending.max(pending));
    }

    /// The open second of this moment.
    fn open_at(&mut self, unix_ms: u64) -> &mut Open {
        let second = (unix_ms.max(1) - 1) / 1000;
        self.mind(second);
        self.open.entry(second.max(self.done + 1)).or_default()
    }

    /// It is this second. A clock that was set back must not make everything late until it has caught up.
    fn mind(&mut self, second: u64) {
        if second + OPEN_S < self.done {
            self.done = 0;
        }
    }

    /// Time has come to this unix second: finishes what is old enough. `throughput` of a point is what its trend line shows.
    pub(crate) fn tick(&mut self, second: u64, throughput: impl Fn(&Point) -> f64) {
        let newest = self.open.keys().next_back().copied().unwrap_or(second);
        // A clock that was set back must not hold up everything until it has caught up.
        let now = if newest > second + OPEN_S { newest } else { second };
        self.mind(now);
        // Nimbus may have been away. What is finished is not begun again.
        let first = if self.done > 0 { (self.done + 1).max(now.saturating_sub(REACH_S)) } else { now.saturating_sub(1) };
        for second in first..now {
            self.open.entry(second).or_default();
        }
        while let Some(entry) = self.open.first_entry().filter(|e| e.key() + OPEN_S <= now) {
            let (at, open) = entry.remove_entry();
            let mut point = open.whole();
            point.ms = point.ms.max(1000);
            point.judge();
            self.finish(at, point, &throughput);
        }
        self.add_late(&throughput);
    }

    /// Adds what was late to finished points, wherever they are.
    fn add_late(&mut self, throughput: &impl Fn(&Point) -> f64) {
        let mut stored: BTreeMap<(u8, u64), Point> = BTreeMap::new();
        for (at, late) in std::mem::take(&mut self.late) {
            let late = late.whole();
            for tier in TIERS {
                let begin = at - at % tier.step_s;
                match self.growing.get_mut(usize::from(tier.number)) {
                    Some(Some((growing, open))) if *growing == begin => {
                        let mut sum = std::mem::take(open).whole();
                        sum.merge(&late);
                        *open = Open::of(sum);
                    }
                    _ => stored.entry((tier.number, begin)).or_default().merge(&late),
                }
            }
            if let Some((_, point)) = self.recent.iter_mut().find(|(second, _)| *second == at) {
                point.merge(&late);
            }
            let ago = self.done.checked_sub(at).and_then(|ago| self.trend.len().checked_sub(ago as usize + 1));
            if let Some(shown) = ago.and_then(|place| self.trend.get_mut(place)) {
                *shown += throughput(&Point { ms: 1000, ..late }) as f32;
            }
        }
        self.finished.extend(stored.into_iter().map(|((tier, begin), late)| (tier, begin, late)));
    }

    fn finish(&mut self, at: u64, point: Point, throughput: &impl Fn(&Point) -> f64) {
        self.done = at;
        self.growing.resize(TIERS.len(), None);
        for tier in &TIERS[1..] {
            let begin = at - at % tier.step_s;
            let slot = &mut self.growing[usize::from(tier.number)];
            if slot.as_ref().is_some_and(|(b, _)| *b != begin)
                && let Some((b, done)) = slot.take()
            {
                self.finished.push((tier.number, b, done.whole()));
            }
            let (_, open) = slot.get_or_insert_with(|| (begin, Open::default()));
            let mut sum = std::mem::take(open).whole();
            sum.merge(&point);
            *open = Open::of(sum);
        }
        self.trend.push_back(throughput(&point) as f32);
        while self.trend.len() > TREND {
            self.trend.pop_front();
        }
        self.recent.push_back((at, point.clone()));
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.finished.push((0, at, point));
        // While nothing can be written, no more is kept here than would be there.
        self.finished.retain(|(tier, begin, _)| begin + TIERS[usize::from(*tier)].kept.as_secs() > at);
    }

    /// The newest finished seconds, oldest first.
    pub(crate) fn recent(&self) -> impl DoubleEndedIterator<Item = &(u64, Point)> {
        self.recent.iter()
    }

    /// The newest finished seconds as one point; of a topology that has only begun, from its first tuples on.
    pub(crate) fn lately(&self) -> Point {
        let mut sum = Point::default();
        let is_young = self.recent.len() < RECENT;
        let flows = |p: &Point| p.components.values().any(|c| c.numbers.emitted > 0 || c.numbers.executed > 0);
        let begun = self.recent.iter().position(|(_, p)| !is_young || flows(p)).unwrap_or(0);
        self.recent.iter().skip(begun).for_each(|(_, p)| sum.merge(p));
        sum
    }

    /// The throughput of the newest finished seconds.
    pub(crate) fn trend(&self) -> Vec<f32> {
        self.trend.iter().copied().collect()
    }

    /// What is finished and not in the store yet, and what is to be added to what is there.
    pub(crate) fn finished(&self) -> &[(u8, u64, Point)] {
        &self.finished
    }

    /// The point of a tier that is still growing, and when it began.
    pub(crate) fn growing(&self, tier: u8) -> Option<(u64, Point)> {
        let (at, open) = self.growing.get(usize::from(tier))?.as_ref()?;
        Some((*at, open.clone().whole()))
    }

    /// Everything that was finished is in the store.
    pub(crate) fn written(&mut self) {
        self.finished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::control::TaskReport;

    fn plan() -> Plan {
        let spout = serde_json::json!({"id": "s", "kind": "spout", "type": "t", "config": {}, "parallelism": 1});
        serde_json::from_value(serde_json::json!({"name": "p", "components": [spout]})).unwrap()
    }

    fn report(n: u64) -> Report {
        let mut task = TaskReport { task: 1, emitted: n, busy_ns: n * 1_000_000, ..TaskReport::default() };
        task.complete.record(100, n);
        Report { tasks: vec![task], ..Report::default() }
    }

    fn emitted(p: &Point) -> u64 {
        p.components.get("s").map_or(0, |s| s.numbers.emitted)
    }

    #[test]
    fn what_cannot_be_written_is_kept_no_longer_than_it_would_be_in_the_store() {
        let mut s = Series::default();
        let seconds = 2 * TIERS[0].kept.as_secs();
        for second in 0..seconds {
            s.tick(1000 + second, |_| 0.0);
        }
        let fine = s.finished().iter().filter(|f| f.0 == 0).count() as u64;
        assert_eq!(fine, TIERS[0].kept.as_secs());
        let tens = s.finished().iter().filter(|f| f.0 == 1).count() as u64;
        assert!(tens >= seconds / TIERS[1].step_s - 1, "{tens}");
    }

    #[test]
    fn reports_that_come_unevenly_make_an_even_line_and_nothing_is_lost() {
        let (plan, mut s) = (plan(), Series::default());
        let (mut before, mut at) = (Report::default(), 100_000);
        // A hundred a second, heard after 0.7, 1.5, 0.8, … seconds.
        for step in [700, 1500, 800, 1000, 1300, 700, 1000, 1000] {
            let (from_ms, to_ms) = (at, at + step);
            let now = report((to_ms - 100_000) / 10);
            s.add(Counted { plan: &plan, before: &before, now: &now, from_ms, to_ms });
            (before, at) = (now, to_ms);
            s.tick(to_ms / 1000, |p| emitted(p) as f64);
        }
        s.tick(at / 1000 + OPEN_S, |p| emitted(p) as f64);
        let fine: Vec<u64> = s.finished().iter().filter(|f| f.0 == 0).map(|f| emitted(&f.2)).collect();
        assert_eq!(
            fine,
            [0, 100, 100, 100, 100, 100, 100, 100, 100, 0],
            "the second before the first report, the eight after it, and one of which nothing was heard"
        );
        let tens: u64 = s.growing(1).map(|(_, p)| emitted(&p)).unwrap();
        assert_eq!(tens, 800);
        let times = &s.lately().components["s"].numbers.complete;
        assert_eq!(times.count(), 800, "latencies too");
        let capacity = s.lately().components["s"].capacity;
        assert!((0.08..=0.1).contains(&capacity), "a millisecond of each ten: {capacity}");
    }

    #[test]
    fn what_goes_on_lately_counts_from_the_first_tuples_on() {
        let (plan, mut s) = (plan(), Series::default());
        s.tick(100, |_| 0.0);
        s.tick(103, |_| 0.0);
        assert_eq!(s.lately().ms, 1000 * s.recent().count() as u64, "nothing has begun");
        let mut before = Report::default();
        for second in 103..109 {
            let now = report((second - 102) * 100);
            s.add(Counted { plan: &plan, before: &before, now: &now, from_ms: second * 1000, to_ms: second * 1000 + 1000 });
            s.tick(second + 1, |_| 0.0);
            let lately = s.lately();
            assert!([0, lately.ms / 10].contains(&emitted(&lately)), "{second}: {lately:?}");
            before = now;
        }
        assert!(emitted(&s.lately()) >= 200);
    }

    #[test]
    fn what_was_counted_while_nobody_listened_covers_the_time() {
        let (plan, mut s) = (plan(), Series::default());
        let now = report(6000);
        s.add(Counted { plan: &plan, before: &Report::default(), now: &now, from_ms: 40_000, to_ms: 100_000 });
        s.tick(110, |_| 0.0);
        let total: u64 = s.finished().iter().filter(|f| f.0 == 0).map(|f| emitted(&f.2)).sum();
        assert_eq!(total, 6000);
        let rates = s.finished().iter().filter(|f| f.0 == 0).map(|f| emitted(&f.2) as f64 * 1000.0 / f.2.ms as f64);
        assert!(rates.filter(|r| *r > 0.0).all(|r| (99.0..101.0).contains(&r)), "no false peak");
    }

    fn rate(book: &crate::history::Book, tier: usize) -> Vec<(u64, u64)> {
        book.points("p", TIERS[tier], 0, true).unwrap().into_iter().map(|(at, p)| (at, emitted(&p) * 1000 / p.ms)).collect()
    }

    /// One task is heard each second, the other's machine is cut off from 120 to 140; nimbus is away from 150 to 165.
    #[test]
    fn what_is_heard_late_is_spread_over_seconds_that_were_finished_or_that_nimbus_missed() {
        let spout = serde_json::json!({"id": "s", "kind": "spout", "type": "t", "config": {}, "parallelism": 2});
        let plan: Plan = serde_json::from_value(serde_json::json!({"name": "p", "components": [spout]})).unwrap();
        let (book, mut s) = (crate::history::Book::in_memory(), Series::default());
        let report = |task: u32, n: u64| Report {
            tasks: vec![TaskReport { task, emitted: n, ..TaskReport::default() }],
            ..Report::default()
        };
        let mut heard = [(); 2].map(|()| (Report::default(), 100_000));
        for second in 101..=180u64 {
            if (151..165).contains(&second) {
                continue;
            }
            if second == 165 {
                let kept = rmp_serde::to_vec_named(&s).unwrap();
                s = rmp_serde::from_slice(&kept).unwrap();
                s.tick(second, |_| 0.0);
            }
            for task in [1, 2] {
                if task == 2 && (121..=140).contains(&second) {
                    continue;
                }
                let (before, from_ms) = heard[task as usize - 1].clone();
                let (now, to_ms) = (report(task, (second - 100) * 50), second * 1000);
                s.add(Counted { plan: &plan, before: &before, now: &now, from_ms, to_ms });
                heard[task as usize - 1] = (now, to_ms);
            }
            s.tick(second, |p| emitted(p) as f64);
            let written = crate::history::Written { topology: "p", points: s.finished(), kept: Vec::new() };
            book.write(&[written], second).unwrap();
            s.written();
            if second == 141 {
                let shown: Vec<u64> = s.recent().map(|(_, p)| emitted(p)).collect();
                assert_eq!(shown, [100; 10], "what is shown as now, too");
                assert!(s.trend().iter().skip(2).all(|t| *t == 100.0), "{:?}", s.trend());
            }
        }
        let fine = rate(&book, 0);
        assert_eq!(fine.iter().map(|p| p.0).collect::<Vec<_>>(), (100..=176).collect::<Vec<_>>(), "each second once");
        assert!(fine.iter().all(|p| p.1 == 100), "{fine:?}");
        assert!(rate(&book, 1).iter().all(|p| p.1 == 100) && rate(&book, 1).len() == 7);
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_begins_no_second_again() {
        let mut s = Series::default();
        (100..=110).chain(105..=120).for_each(|second| s.tick(second, |_| 0.0));
        let fine: Vec<u64> = s.finished().iter().filter(|f| f.0 == 0).map(|f| f.1).collect();
        assert_eq!(fine, (99..=116).collect::<Vec<_>>());
    }

    #[test]
    fn coarser_points_end_with_their_bucket() {
        let (plan, mut s) = (plan(), Series::default());
        let mut before = Report::default();
        for second in 95..=115 {
            let now = report(before.tasks.first().map_or(0, |t| t.emitted) + 5);
            s.add(Counted { plan: &plan, before: &before, now: &now, from_ms: second * 1000, to_ms: (second + 1) * 1000 });
            s.tick(second + 1, |_| 0.0);
            before = now;
        }
        let tens: Vec<(u64, u64)> = s.finished().iter().filter(|f| f.0 == 1).map(|f| (f.1, emitted(&f.2))).collect();
        assert_eq!(tens, [(90, 25), (100, 50)]);
        let text = rmp_serde::to_vec_named(&s).unwrap();
        let again: Series = rmp_serde::from_slice(&text).unwrap();
        assert_eq!(again.growing(1), s.growing(1), "and outlives nimbus");
    }
}
