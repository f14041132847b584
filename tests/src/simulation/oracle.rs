//! What must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_core::control::{Orders, TopologyState, incarnation};
use squall_nimbus::simulated::Assignment;

use super::machine::SLOTS;
use super::{LEASE, Simulation};

/// What the simulation saw nimbus do, and why it may.
#[derive(Default)]
pub(super) struct Oracle {
    assignment: Assignment,
    /// By worker: the epoch that gave it its place.
    since: Vec<u64>,
    /// When nimbus heard each supervisor last, or began to wait for it, and which of its calls that was.
    heard: BTreeMap<String, (Duration, u64)>,
    /// A rebalance was asked for, and has not been seen.
    pub(super) may_change: bool,
}

impl Oracle {
    /// One call overtaken by another is no news.
    pub(super) fn heard(&mut self, supervisor: &str, call: u64, now: Duration) {
        let heard = self.heard.entry(supervisor.to_owned()).or_default();
        if call > heard.1 {
            *heard = (now, call);
        }
    }

    /// Nimbus is another: it knows of no silence before now.
    pub(super) fn heard_all(&mut self, now: Duration) {
        self.heard.values_mut().for_each(|heard| heard.0 = now);
    }

    /// Nimbus stood still since then: who was not given up before has a lease from now.
    pub(super) fn held_up(&mut self, since: Duration, now: Duration) {
        let waited_for = |heard: &&mut (Duration, u64)| since.saturating_sub(heard.0) < LEASE;
        self.heard.values_mut().filter(waited_for).for_each(|heard| heard.0 = now);
    }

    /// A worker was asked to start anew: it has its place from another epoch, and nothing else changes.
    pub(super) fn started_anew(&mut self, worker: u32) {
        self.assignment.epoch += 1;
        self.since[worker as usize] = self.assignment.epoch;
    }

    fn silent_for(&self, supervisor: &str, now: Duration) -> Duration {
        now - self.heard.get(supervisor).map_or(Duration::ZERO, |heard| heard.0)
    }

    /// What is wrong with a new assignment.
    fn compare(&mut self, new: &Assignment, now: Duration) -> Result<(), String> {
        let old = &self.assignment;
        if old.workers == new.workers && old.plan == new.plan {
            return if old.epoch == new.epoch { Ok(()) } else { Err("a new epoch, and nothing moved".to_owned()) };
        }
        if new.epoch <= old.epoch {
            return Err(format!("something moved, and the epoch is still {}", old.epoch));
        }
        if old.plan != new.plan && !old.plan.is_empty() && !self.may_change {
            return Err("nobody has asked for another plan".to_owned());
        }
        let same_plan = self.assignment.plan == new.plan;
        let mut since = Vec::new();
        for (index, place) in new.workers.iter().enumerate() {
            let before = self.assignment.workers.get(index).filter(|_| same_plan);
            since.push(before.filter(|b| *b == place).map_or(new.epoch, |_| self.since[index]));
            let moved = before.is_none_or(|b| b != place);
            if let Some(before) = before.filter(|_| moved && !self.may_change) {
                let silent = self.silent_for(&before.supervisor, now);
                if silent < LEASE {
                    return Err(format!("worker {index} moved from {}, which was silent for {silent:?}", before.supervisor));
                }
            }
            let kept = self.assignment.workers.iter().any(|b| b.supervisor == place.supervisor && b.slot == place.slot);
            let silent = self.silent_for(&place.supervisor, now);
            if moved && !kept && silent >= LEASE {
                return Err(format!("worker {index} is given to {}, which was silent for {silent:?}", place.supervisor));
            }
        }
        (self.assignment, self.since) = (new.clone(), since);
        Ok(())
    }
}

/// Whether the orders say that this incarnation of a worker does not count any more.
pub(super) fn is_given_up((worker, started): (u32, u64), orders: Option<&Orders>) -> bool {
    let peer = orders.and_then(|o| o.workers.iter().find(|w| w.index == worker));
    peer.is_some_and(|p| started < incarnation(p.since, 0))
}

/// A worker of which orders say that it runs as an incarnation that they say does not count.
pub(super) fn names_given_up(orders: &Orders) -> Option<u32> {
    let old = orders.workers.iter().find(|w| w.endpoint.is_some() && is_given_up((w.index, w.incarnation), Some(orders)))?;
    Some(old.index)
}

impl Simulation {
    /// Nimbus may have assigned anew.
    pub(super) fn check_assignment(&mut self) {
        let Some(new) = self.nimbus.assignment(&self.topology) else { return };
        if new.workers.is_empty() {
            return;
        }
        let (now, epoch) = (self.now(), self.oracle.assignment.epoch);
        let plan = self.plans.entry(new.plan.clone()).or_insert_with_key(|hash| self.nimbus.plan(hash).into());
        let mut slots = BTreeSet::new();
        let free = new.workers.iter().all(|w| w.slot < SLOTS && slots.insert((w.supervisor.clone(), w.slot)));
        let mut tasks: Vec<u32> = new.workers.iter().flat_map(|w| w.tasks.iter().copied()).collect();
        tasks.sort_unstable();
        let whole = tasks.iter().copied().eq(1..=plan.task_count());
        let fine = match (free, whole) {
            (false, _) => Err("a slot is used twice, or is none".to_owned()),
            (_, false) => Err("a task is nowhere, or twice".to_owned()),
            _ => self.oracle.compare(&new, now),
        };
        if let Err(why) = fine {
            self.fail(&format!("{why}: {new:?}"));
        }
        if self.oracle.may_change {
            let state = self.nimbus.state(&self.topology).map(|(state, ..)| state);
            self.oracle.may_change = state == Some(TopologyState::Rebalancing);
        }
        if self.oracle.assignment.epoch != epoch {
            let places = self.oracle.assignment.workers.iter().map(|w| w.supervisor.as_str()).collect::<Vec<_>>().join(" ");
            self.note(format!("epoch {}: {places}", self.oracle.assignment.epoch));
        }
    }

    /// No worker, so no task, runs twice under the newest assignment, or elsewhere than that says.
    pub(super) fn check_running(&self) {
        let newest = &self.oracle.assignment;
        let mut seen = BTreeSet::new();
        for machine in &self.machines {
            for p in machine.processes.iter().filter(|p| p.wanted.plan == newest.plan) {
                let Some(since) = self.oracle.since.get(p.key.1 as usize) else { continue };
                if p.incarnation < incarnation(*since, 0) {
                    continue;
                }
                let place = &newest.workers[p.key.1 as usize];
                if place.supervisor != machine.name || place.tasks != p.wanted.tasks {
                    self.fail(&format!("worker {} runs on {} as {:x}, where it is not", p.key.1, machine.name, p.incarnation));
                }
                if !seen.insert(p.key.1) {
                    self.fail(&format!("worker {} runs twice at once", p.key.1));
                }
            }
        }
    }
}
