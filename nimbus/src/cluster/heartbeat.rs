//! What supervisors say about themselves and their workers.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_core::control::{Desired, Heartbeat, HeartbeatAnswer, WorkerStatus, incarnation};
use squall_core::{Plan, Result};

use super::record::{Up, lasting, supervisor_key};
use super::statistics::From;
use super::{Member, World};
use crate::history::{Happening, Kind};
use crate::store::Change;

impl World {
    /// Takes in a heartbeat. The lease runs anew.
    pub(crate) fn heartbeat(&mut self, id: &str, mut heartbeat: Heartbeat) -> Result<HeartbeatAnswer> {
        let now = self.clock.now();
        // Nobody waits for the answer to one that its successor has overtaken, as when nimbus stood still. What it says must not be told
        // to workers: they would give up what lives.
        if let Some(Member { said: last, .. }) = self.members.get(id).filter(|m| is_late(&heartbeat, &m.said)) {
            log::info!(supervisor = id; "a heartbeat came too late");
            // But a start that does not count as a later one waits for it, and would never be heard.
            let is_other = (heartbeat.life, heartbeat.started_unix_ms) != (last.life, last.started_unix_ms);
            return Ok(HeartbeatAnswer { later: is_other.then_some(last.life), ..HeartbeatAnswer::default() });
        }
        self.give_others_time(id);
        let before = self.members.get(id);
        let send_all = before.is_none_or(|m| !m.heard);
        let lasts = lasting(&heartbeat);
        let other = before.is_none_or(|m| lasting(&m.said) != lasts);
        let came = before.is_none_or(|m| !m.alive || !m.heard);
        let is_back = before.is_some_and(|m| !m.alive);
        let was_quiet = before.is_some_and(|m| self.is_quiet(m));
        if other {
            self.commit(&[Change::put(supervisor_key(id), serde_json::to_vec(&lasts)?)])?;
        }
        if is_back {
            self.tell_those_on(id, "is back");
        }
        if came {
            log::info!(supervisor = id, url = heartbeat.url.as_str(), slots = heartbeat.slots; "supervisor is here");
        }
        for worker in &mut heartbeat.workers {
            self.listen(id, &heartbeat.host, worker);
        }
        let positions = std::mem::take(&mut heartbeat.positions);
        self.take_positions(id, positions, &heartbeat.workers);
        let quiet = !other && !came && self.members.get(id).is_some_and(|m| still(&m.said) == still(&heartbeat));
        let desired = self.members.remove(id).map_or_else(Desired::default, |m| m.desired);
        self.members.insert(id.to_owned(), Member { said: heartbeat, heard_at: now, heard: true, alive: true, desired });
        self.see_who_ended(id);
        self.see_who_is_up(id, send_all)?;
        self.settle_models()?;
        if !quiet {
            self.touch_all();
        }
        self.go_on();
        if other || came || was_quiet {
            self.assign()?;
        }
        self.refresh();
        Ok(HeartbeatAnswer { send_all, later: None })
    }

    /// Takes the reports out of a worker's status.
    fn listen(&mut self, supervisor: &str, host: &str, worker: &mut WorkerStatus) {
        let (now, unix_ms) = (self.clock.now(), self.clock.unix_ms());
        let (died, report) = (std::mem::take(&mut worker.died), worker.report.take());
        if died.is_empty() && report.is_none() {
            return;
        }
        let report = report.map(|mut r| {
            self.caught(&worker.topology, std::mem::take(&mut r.samples));
            r
        });
        let Some(t) = self.topologies.get(&worker.topology) else { return };
        // Whoever was moved away is not listened to: its successor counts now.
        if t.record.workers.get(worker.worker as usize).is_none_or(|w| w.seat.supervisor != supervisor) {
            return;
        }
        let id = worker.topology.clone();
        let mut from = From {
            worker: worker.worker,
            incarnation: worker.incarnation,
            plan: &worker.plan,
            reports: worker.reports,
            host,
            now,
            unix_ms,
            age_ms: unix_ms.saturating_sub(t.record.submitted_unix_ms),
        };
        for last in died {
            from.incarnation = last.report.incarnation;
            if let (Some(plan), Some(t)) = (self.plan_of(&id, &last.plan), self.topologies.get_mut(&id)) {
                // The last report of the dead counts whatever number it had.
                t.statistics.take(From { reports: u64::MAX, plan: &last.plan, ..from }, &plan, &last.report);
            }
            self.fold(&id, from.worker, from.incarnation, false);
        }
        from.incarnation = worker.incarnation;
        if worker.incarnation > 0 {
            self.fold(&id, from.worker, worker.incarnation - 1, false);
        }
        if let (Some(report), Some(plan), Some(t)) = (report, self.plan_of(&id, &worker.plan), self.topologies.get_mut(&id))
            && t.statistics.take(from, &plan, &report)
        {
            t.stale.retain(|w| *w != worker.worker);
            let epoch_seen: Vec<(u32, u64)> = t
                .record
                .workers
                .iter()
                .enumerate()
                .filter_map(|(index, w)| Some((index as u32, w.up.as_ref()?.incarnation)))
                .collect();
            let all_up = epoch_seen.len() == t.record.workers.len();
            let plan = t.plan.clone();
            t.statistics.judge(&plan, all_up.then_some(epoch_seen.as_slice()));
            self.touch(&id);
        }
    }

    /// Carries over what incarnations of a worker counted, and writes it down.
    fn fold(&mut self, id: &str, worker: u32, up_to: u64, even: bool) {
        let Some(t) = self.topologies.get_mut(id) else { return };
        if t.statistics.fold(worker, up_to, even) {
            self.write_down(&[id]);
        }
    }

    /// Incarnations of workers are no more: each with its topology, its number if that is known, and whether nothing was on the way to it.
    pub(super) fn ended(&mut self, gone: Vec<(String, u32, Option<u64>, bool)>) {
        let mut news = BTreeSet::new();
        for (id, worker, incarnation, even) in gone {
            if self.topologies.get_mut(&id).is_some_and(|t| t.statistics.ended(worker, incarnation, even)) {
                news.insert(id);
            }
        }
        self.write_down(&news.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Tuples of these topologies that are on the way may be thrown away.
    pub(super) fn throws_away(&mut self, ids: &[&str]) {
        for id in ids {
            if let Some(t) = self.topologies.get_mut(*id) {
                t.statistics.throws_away();
            }
        }
        self.write_down(ids);
    }

    fn plan_of(&mut self, id: &str, hash: &str) -> Option<Arc<Plan>> {
        self.topologies.get_mut(id)?.plan_of(hash, &self.blobs)
    }

    /// Which of the workers that this supervisor is to run are up, and where. Whoever was named and then is not is given up by all others,
    /// for good: so a worker stays up that the `first` heartbeat of a supervisor does not know yet, for that may be from before one that a nimbus
    /// before heard, and one whose supervisor is another and does not know yet where it listens.
    fn see_who_is_up(&mut self, supervisor: &str, first: bool) -> Result<()> {
        let Some(member) = self.members.get(supervisor) else { return Ok(()) };
        let (mut changed, mut came_up, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for t in self.topologies.values() {
            let mut record = t.record.clone();
            for (index, placed) in record.workers.iter_mut().enumerate().filter(|(_, w)| w.seat.supervisor == supervisor) {
                let is_it = |w: &&WorkerStatus| {
                    w.topology == t.record.id
                        && w.worker == index as u32
                        && !w.stopping
                        && w.plan == t.record.plan
                        && w.tasks == placed.tasks
                        // Its supervisor may not know yet that it had lost the worker meanwhile.
                        && w.incarnation >= incarnation(placed.since, 0)
                };
                let status = member.said.workers.iter().find(is_it);
                let before = placed.up.take();
                let forgotten = |w: &WorkerStatus| before.clone().filter(|up| up.incarnation == w.incarnation);
                let is_up = |w: &WorkerStatus| match w.endpoint.clone() {
                    Some(endpoint) => Some(Up { incarnation: w.incarnation, endpoint }),
                    None => forgotten(w),
                };
                let of_it = |w: &&WorkerStatus| w.topology == t.record.id && w.worker == index as u32;
                let knows = |up: &Up| member.said.workers.iter().filter(of_it).any(|w| started(w) >= up.incarnation);
                let is_early = || before.clone().filter(|up| first && !knows(up));
                placed.up = status.and_then(is_up).or_else(is_early);
                let is_now = placed.up.as_ref().map(|up| up.incarnation);
                if let Some(before) = before.as_ref().map(|b| b.incarnation).filter(|b| is_now != Some(*b)) {
                    gone.push((record.id.clone(), index as u32, Some(before), false));
                }
                if let Some(up) = placed.up.as_ref().filter(|up| before.is_none_or(|b| b.incarnation != up.incarnation)) {
                    came_up.push((record.id.clone(), index as u32, member.said.host.clone(), up.endpoint.clone()));
                }
            }
            if record != t.record {
                changed.push(record);
            }
        }
        self.save(changed)?;
        self.ended(gone);
        let unix_ms = self.clock.unix_ms();
        for (id, worker, host, endpoint) in came_up {
            if let Some(t) = self.topologies.get_mut(&id) {
                let text = format!("worker {worker} is up on {host} ({endpoint})");
                let (kind, worker) = (Kind::WorkerUp, Some(worker));
                t.statistics.timeline.add(Happening { unix_ms, kind, text, worker, host, ..Happening::default() });
            }
        }
        Ok(())
    }

    /// Puts the ends of workers' processes on the time lines of their topologies.
    fn see_who_ended(&mut self, supervisor: &str) {
        let unix_ms = self.clock.unix_ms();
        let Some(member) = self.members.get(supervisor) else { return };
        for w in &member.said.workers {
            let Some(exit) = &w.last_exit else { continue };
            let Some(t) = self.topologies.get_mut(&w.topology) else { continue };
            t.statistics.timeline.ended(w.worker, exit.incarnation, || Happening {
                unix_ms: exit.unix_ms.min(unix_ms),
                kind: Kind::WorkerEnded,
                text: format!("worker {} ended: {}", w.worker, exit.how),
                worker: Some(w.worker),
                host: member.said.host.clone(),
                ..Happening::default()
            });
        }
    }
}

/// The newest start of a worker that its supervisor knows of.
pub(super) fn started(s: &WorkerStatus) -> u64 {
    s.incarnation.max(s.last_exit.as_ref().map_or(0, |e| e.incarnation))
}

/// Whether a heartbeat is older than the last one.
fn is_late(heartbeat: &Heartbeat, last: &Heartbeat) -> bool {
    heartbeat.life > 0 && (heartbeat.life, heartbeat.number) <= (last.life, last.number)
}

/// What is said without what changes all the time.
fn still(said: &Heartbeat) -> Heartbeat {
    let mut still = Heartbeat { number: 0, usage: Default::default(), ..said.clone() };
    still.workers.iter_mut().for_each(|w| w.usage = Default::default());
    still
}
