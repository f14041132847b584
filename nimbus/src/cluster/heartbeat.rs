//! What supervisors say about themselves and their workers.

use std::sync::Arc;

use squall_core::control::{Desired, Heartbeat, HeartbeatAnswer, WorkerStatus};
use squall_core::{Plan, Result};

use super::record::{Up, lasting, statistics_key, supervisor_key};
use super::statistics::From;
use super::{Member, World};
use crate::store::Change;

impl World {
    /// Takes in a heartbeat. The lease runs anew.
    pub(crate) fn heartbeat(&mut self, id: &str, mut heartbeat: Heartbeat) -> Result<HeartbeatAnswer> {
        let now = self.clock.now();
        self.give_others_time(id);
        let before = self.members.get(id);
        let send_all = before.is_none_or(|m| !m.heard);
        let lasts = lasting(&heartbeat);
        let other = before.is_none_or(|m| lasting(&m.said) != lasts);
        let came = before.is_none_or(|m| !m.alive || !m.heard);
        let was_quiet = before.is_some_and(|m| self.is_quiet(m));
        if other {
            self.commit(&[Change::put(supervisor_key(id), serde_json::to_vec(&lasts)?)])?;
        }
        if came {
            log::info!(supervisor = id, url = heartbeat.url.as_str(), slots = heartbeat.slots; "supervisor is here");
        }
        for worker in &mut heartbeat.workers {
            self.listen(id, &heartbeat.host, worker);
        }
        let quiet = !other && !came && self.members.get(id).is_some_and(|m| m.said == heartbeat);
        let desired = self.members.remove(id).map_or_else(Desired::default, |m| m.desired);
        self.members.insert(id.to_owned(), Member { said: heartbeat, heard_at: now, heard: true, alive: true, desired });
        self.see_who_is_up(id)?;
        if !quiet {
            self.touch_all();
        }
        self.go_on();
        if other || came || was_quiet {
            self.assign()?;
        }
        self.refresh();
        Ok(HeartbeatAnswer { send_all })
    }

    /// Takes the reports out of a worker's status.
    fn listen(&mut self, supervisor: &str, host: &str, worker: &mut WorkerStatus) {
        let (now, unix_ms) = (self.clock.now(), self.clock.unix_ms());
        let (died, report) = (std::mem::take(&mut worker.died), worker.report.take());
        if died.is_empty() && report.is_none() {
            return;
        }
        let Some(t) = self.topologies.get(&worker.topology) else { return };
        // Whoever was moved away is not listened to: its successor counts now.
        if t.record.workers.get(worker.worker as usize).is_none_or(|w| w.seat.supervisor != supervisor) {
            return;
        }
        let id = worker.topology.clone();
        let mut from = From {
            worker: worker.worker,
            incarnation: worker.incarnation,
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
                t.statistics.take(From { reports: u64::MAX, ..from }, &plan, &last.report);
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
    pub(super) fn fold(&mut self, id: &str, worker: u32, up_to: u64, even: bool) {
        let Some(t) = self.topologies.get_mut(id) else { return };
        if t.statistics.fold(worker, up_to, even) {
            // Statistics are no state: what cannot be written is still in memory.
            let written = serde_json::to_vec(t.statistics.carried())
                .map_err(squall_core::Error::from)
                .and_then(|value| self.commit(&[Change::put(statistics_key(id), value)]));
            if let Err(e) = written {
                log::warn!(error:display = e; "cannot write statistics");
            }
        }
    }

    fn plan_of(&mut self, id: &str, hash: &str) -> Option<Arc<Plan>> {
        let t = self.topologies.get_mut(id)?;
        if let Some(plan) = t.plans.get(hash) {
            return Some(plan.clone());
        }
        // One from before this nimbus started, if its blob is still here.
        let plan: Plan = serde_json::from_slice(&self.blobs.read(hash).ok()?).ok()?;
        if plan.name != t.record.name {
            return None;
        }
        Some(t.plans.entry(hash.to_owned()).or_insert(Arc::new(plan)).clone())
    }

    /// Which of the workers that this supervisor is to run are up, and where.
    fn see_who_is_up(&mut self, supervisor: &str) -> Result<()> {
        let Some(member) = self.members.get(supervisor) else { return Ok(()) };
        let mut changed = Vec::new();
        for t in self.topologies.values() {
            let mut record = t.record.clone();
            for (index, placed) in record.workers.iter_mut().enumerate().filter(|(_, w)| w.seat.supervisor == supervisor) {
                let is_it = |w: &&WorkerStatus| {
                    w.topology == t.record.id
                        && w.worker == index as u32
                        && !w.stopping
                        && w.plan == t.record.plan
                        && w.tasks == placed.tasks
                };
                let status = member.said.workers.iter().find(is_it);
                placed.up = status.and_then(|w| Some(Up { incarnation: w.incarnation, endpoint: w.endpoint.clone()? }));
            }
            if record != t.record {
                changed.push(record);
            }
        }
        self.save(changed)
    }
}
