//! From what the scheduler decides to what is in the store.

use std::sync::Arc;

use squall_core::control::{Rebalance, TimelineKind};
use squall_core::{Plan, Result};

use super::commands::changed;
use super::record::{Placed, Record};
use super::{Member, Topology, World};
use crate::schedule::{Decision, Demand, Host, deal, schedule};
use crate::states::Stage;

impl World {
    /// Gives every worker that needs one a slot; nothing that runs moves.
    pub(super) fn assign(&mut self) -> Result<()> {
        let decisions = schedule(&self.hosts(), &self.demands(None));
        let mut records = Vec::new();
        for Decision { topology, seats, waiting } in decisions {
            let Some(t) = self.topologies.get_mut(&topology) else { continue };
            let next = seats.map(|seats| seated(&t.record, &t.plan, &t.record.plan, seats));
            if t.waiting != waiting {
                t.waiting = waiting;
                self.touch(&topology);
            }
            records.extend(next.filter(|n| self.topologies.get(&topology).is_some_and(|t| t.record != *n)));
        }
        self.take_over(records)?;
        self.refresh();
        Ok(())
    }

    /// Makes the change of a rebalance whose wait is over, and spreads the topology anew; without enough slots all stays as it was.
    pub(super) fn move_tasks(&mut self, id: &str, back: Stage, change: &Rebalance) -> Result<()> {
        let Some(t) = self.topologies.get(id) else { return Ok(()) };
        let plan = Arc::new(changed(&t.plan, change));
        let record = Record { stage: back, ..t.record.clone() };
        let hash = self.blobs.keep(&serde_json::to_vec(&*plan)?)?;
        let was_waiting = t.record.workers.is_empty();
        let mut decisions = schedule(&self.hosts(), &self.demands(Some((id, &plan)))).into_iter();
        let decision = decisions.find(|d| d.topology == id);
        let Some(seats) = decision.as_ref().and_then(|d| d.seats.clone()).or(was_waiting.then(Vec::new)) else {
            let why = decision.and_then(|d| d.waiting).unwrap_or_default();
            log::warn!(topology = id, reason = why.as_str(); "rebalance given up");
            let unix_ms = self.clock.unix_ms();
            if let Some(t) = self.topologies.get_mut(id) {
                t.statistics.say(unix_ms, format!("the rebalance was given up: {why}"));
            }
            return self.save(vec![record]);
        };
        let next = Record { plan: hash.clone(), ..seated(&record, &plan, &hash, seats) };
        // Its workers were drained, or had the time to.
        let even = self.is_drained(id);
        self.take_over_as(vec![next], even)?;
        if let Some(t) = self.topologies.get_mut(id) {
            let text = format!("rebalanced: {} workers, {} tasks", t.record.workers.len(), plan.task_count());
            t.statistics.happened(self.clock.unix_ms(), TimelineKind::Rebalanced, text);
            t.plans.insert(hash, plan.clone());
            t.plan = plan;
        }
        log::info!(topology = id; "topology rebalanced");
        Ok(())
    }

    /// Slots that a new worker could have.
    pub(super) fn free_slots(&self) -> usize {
        let slots: u32 = self.hosts().iter().filter(|h| h.takes_more).map(|h| h.slots).sum();
        let takes_more = |s: &str| self.members.get(s).is_some_and(|m| m.alive && m.heard && !m.said.leaving);
        let used = self.topologies.values().flat_map(|t| &t.record.workers).filter(|w| takes_more(&w.seat.supervisor)).count();
        (slots as usize).saturating_sub(used)
    }

    /// Whether a supervisor has not been heard for longer than it should.
    pub(super) fn is_quiet(&self, member: &Member) -> bool {
        self.clock.now().saturating_sub(member.heard_at) >= self.lease / 2
    }

    fn hosts(&self) -> Vec<Host> {
        let alive = self.members.iter().filter(|(_, m)| m.alive);
        alive
            .map(|(id, m)| Host {
                supervisor: id.clone(),
                machine: m.said.machine.clone(),
                slots: m.said.slots,
                // One that has not been heard since nimbus started may be dead. One that was not heard for half a lease may be
                // cut off with those whose lease has just ended: they would all be given to whoever was heard last.
                takes_more: m.heard && !m.said.leaving && !self.is_quiet(m),
            })
            .collect()
    }

    fn demands(&self, anew: Option<(&str, &Plan)>) -> Vec<Demand> {
        let wants_workers = |t: &&Topology| t.record.stage != Stage::Stopping;
        let demand = |t: &Topology| {
            let plan = anew.filter(|(id, _)| *id == t.record.id).map(|(_, plan)| plan);
            Demand {
                topology: t.record.id.clone(),
                tasks: deal(plan.unwrap_or(&t.plan)),
                current: t.record.seats(),
                spread_anew: plan.is_some(),
            }
        };
        self.in_order().into_iter().filter(wants_workers).map(demand).collect()
    }

    fn take_over(&mut self, records: Vec<Record>) -> Result<()> {
        self.take_over_as(records, false)
    }

    /// Saves new assignments; what moved workers counted is carried over, since nobody listens to them any more.
    fn take_over_as(&mut self, records: Vec<Record>, even: bool) -> Result<()> {
        let mut gone: Vec<(String, u32, Option<u64>, bool)> = Vec::new();
        for record in &records {
            let Some(t) = self.topologies.get(&record.id) else { continue };
            let same_plan = t.record.plan == record.plan;
            let stays = |(index, before): (usize, &Placed)| {
                same_plan && record.workers.get(index).is_some_and(|w| w.seat == before.seat && w.tasks == before.tasks)
            };
            // Who has nothing to do for a moment says so, and what comes to it then, from others that drain, is in no report that is
            // still listened to. Who stays may report later what others counted of that.
            let even = even && t.statistics.is_even() && !t.record.workers.iter().enumerate().any(stays);
            for (index, before) in t.record.workers.iter().enumerate() {
                let newest = t.statistics.newest(index as u32).max(before.up.as_ref().map(|up| up.incarnation));
                if !stays((index, before)) {
                    // One that is silent counts as drained when it comes to go on; what it had is not in the counts.
                    let even = even && self.has_drained(t, index as u32, before);
                    gone.push((record.id.clone(), index as u32, newest, even));
                }
            }
            let seats =
                record.workers.iter().map(|w| format!("{}/{}", w.seat.supervisor, w.seat.slot)).collect::<Vec<_>>().join(" ");
            log::info!(topology = record.id.as_str(), epoch = record.epoch, seats = seats.as_str(); "topology assigned");
        }
        self.save(records)?;
        self.ended(gone);
        Ok(())
    }
}

/// The record with its workers in these seats; a new epoch if that changes anything.
fn seated(record: &Record, plan: &Plan, hash: &str, seats: Vec<crate::schedule::Seat>) -> Record {
    let tasks = deal(plan);
    let same_plan = record.plan == hash;
    let place = |(index, (seat, tasks)): (usize, (crate::schedule::Seat, Vec<u32>))| {
        let before = record.workers.get(index).filter(|w| same_plan && w.seat == seat && w.tasks == tasks);
        before.cloned().unwrap_or(Placed { up: None, since: record.epoch + 1, seat, tasks })
    };
    let workers: Vec<Placed> = seats.into_iter().zip(tasks).enumerate().map(place).collect();
    let moved = !same_plan || workers != record.workers;
    Record { epoch: record.epoch + u64::from(moved), workers, ..record.clone() }
}
