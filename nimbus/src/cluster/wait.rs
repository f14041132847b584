//! What happens by itself: leases end, waits end, the last worker of a killed topology ends, blobs are collected.

use std::time::Duration;

use squall_core::Result;
use squall_core::control::{Phase, TimelineKind};

use super::record::topology_key;
use super::{World, commands::blobs_of};
use crate::states::{Command, Stage};
use crate::store::Change;

/// How often blobs are looked through.
const SWEEP: Duration = Duration::from_secs(30);

impl World {
    /// Does what is due, and says when to come again.
    pub(crate) fn due(&mut self) -> Result<Duration> {
        let now = self.clock.now();
        let mut lost = Vec::new();
        for (id, member) in &mut self.members {
            if member.alive && now.saturating_sub(member.heard_at) >= self.lease {
                member.alive = false;
                log::warn!(supervisor = member.said.url.as_str(); "supervisor is silent; its lease has ended");
                lost.push(id.clone());
            }
        }
        lost.iter().for_each(|id| self.tell_those_on(id, "is silent"));
        if !lost.is_empty() {
            self.touch_all();
            self.assign()?;
        }
        self.go_on();
        self.expire_instructions()?;
        self.settle_models()?;
        if now >= self.next_sweep {
            self.sweep();
            self.next_sweep = now + SWEEP;
        }
        self.tick(now);
        if let Err(e) = self.keep_positions() {
            log::warn!(error:display = e; "cannot write down how far spouts have come");
        }
        let leases = self.members.values().filter(|m| m.alive).map(|m| m.heard_at + self.lease);
        let unix = self.clock.unix_ms();
        let waits = self.topologies.values().filter_map(|t| t.record.stage.deadline());
        let waits = waits.map(|d| now + Duration::from_millis(d.saturating_sub(unix)));
        let (logs, taps) = self.instruct_deadlines();
        let others = logs.into_iter().chain(self.models_deadline());
        let others = others.map(|d| now + Duration::from_millis(d.saturating_sub(unix))).chain(taps);
        let next = leases.chain(waits).chain(others).chain([self.next_sweep, self.next_tick]).min().unwrap_or(self.next_sweep);
        // Not at once again, should the store refuse what is due.
        Ok(next.max(now + Duration::from_millis(5)))
    }

    /// Puts what became of a supervisor on the time lines of the topologies that it has workers of.
    pub(super) fn tell_those_on(&mut self, supervisor: &str, what: &str) {
        let unix_ms = self.clock.unix_ms();
        let host = self.members.get(supervisor).map_or_else(String::new, |m| m.said.host.clone());
        let text = format!("supervisor {} on {host} {what}", supervisor.get(..12).unwrap_or(supervisor));
        for t in self.topologies.values_mut() {
            if t.record.workers.iter().any(|w| w.seat.supervisor == supervisor) {
                t.statistics.happened(unix_ms, TimelineKind::Note, text.clone());
            }
        }
    }

    /// Nimbus itself did not run for a while: that it heard nobody says nothing about them.
    pub(crate) fn held_up(&mut self) {
        let now = self.clock.now();
        self.members.values_mut().filter(|m| m.alive).for_each(|m| m.heard_at = now);
    }

    /// All supervisors had fallen silent, and this one is back: it was the way to nimbus that failed, and the others, silent
    /// since then too, have a lease from now before their workers are given to the first one that is back.
    pub(super) fn give_others_time(&mut self, back: &str) {
        let Some(since) = self.members.get(back).filter(|m| m.heard && !m.alive).map(|m| m.heard_at) else { return };
        if self.members.values().any(|m| m.alive) {
            return;
        }
        let now = self.clock.now();
        let others = self.members.iter_mut().filter(|(id, _)| *id != back).map(|(_, m)| m);
        for member in others.filter(|m| m.heard_at + self.lease >= since) {
            // As after a restart of nimbus: it keeps what it has, and is given nothing more until it is heard.
            (member.heard_at, member.heard, member.alive) = (now, false, true);
        }
    }

    /// Ends the waits that are over, and lets go of topologies whose last worker has ended.
    pub(super) fn go_on(&mut self) {
        let unix = self.clock.unix_ms();
        let ids: Vec<String> = self.topologies.keys().cloned().collect();
        for id in ids {
            let deadline = self.topologies.get(&id).and_then(|t| t.record.stage.deadline());
            if deadline.is_some_and(|d| d <= unix || self.is_drained(&id))
                && let Err(e) = self.command(&id, Command::WaitOver)
            {
                log::error!(topology = id.as_str(), error = e.problem.error.as_str(); "cannot go on after the wait");
            }
            let stopping = self.topologies.get(&id).is_some_and(|t| t.record.stage == Stage::Stopping);
            if stopping && !self.has_workers(&id) {
                let mut removal = self.topologies.get(&id).map_or_else(Vec::new, |t| t.positions.removal(&id));
                removal.push(Change::remove(topology_key(&id)));
                match self.commit(&removal) {
                    Ok(_) => {
                        self.forget(&id);
                        log::info!(topology = id.as_str(); "topology is gone");
                        self.topologies.remove(&id);
                        self.touch_all();
                        self.sweep();
                        self.refresh();
                    }
                    Err(e) => {
                        log::error!(topology = id.as_str(), error:display = e; "cannot remove the topology from the store")
                    }
                }
            }
        }
    }

    /// Whether nothing is under way any more in any of a topology's workers that can be heard.
    pub(super) fn is_drained(&self, id: &str) -> bool {
        let Some(t) = self.topologies.get(id) else { return true };
        t.record.workers.iter().enumerate().all(|(index, placed)| {
            let index = index as u32;
            let member = self.members.get(&placed.seat.supervisor).filter(|m| m.alive);
            let Some(member) = member else { return true };
            if !member.heard {
                return false;
            }
            let status = member.said.workers.iter().find(|w| w.topology == id && w.worker == index && !w.stopping);
            match status.and_then(|w| w.phase) {
                // Without a process there is nothing under way; and before it ran, nothing has come in.
                None | Some(Phase::Starting | Phase::Connecting | Phase::Failed | Phase::Finished) => true,
                Some(Phase::Drained) => !t.stale.contains(&index),
                Some(Phase::Running) => false,
            }
        })
    }

    fn has_workers(&self, id: &str) -> bool {
        let may = |m: &super::Member| m.alive && (!m.heard || m.said.workers.iter().any(|w| w.topology == id));
        self.members.values().any(may)
    }

    fn sweep(&self) {
        let named = |hash: &str| {
            let names =
                |t: &super::Topology| t.record.plan == hash || blobs_of(&t.plan).chain(World::artefacts(t)).any(|b| b == hash);
            self.topologies.values().any(names)
        };
        match self.blobs.collect(&named, self.blob_grace) {
            Ok(0) => {}
            Ok(n) => log::info!(blobs = n; "blobs collected that nobody needs"),
            Err(e) => log::warn!(error:display = e; "cannot collect blobs"),
        }
    }
}
