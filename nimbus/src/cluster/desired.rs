//! What each supervisor is to run.

use std::collections::BTreeMap;

use squall_core::control::{Desired, Orders, Peer, WantedWorker};

use super::{Topology, World};
use crate::denied::{Denied, Kind};
use crate::states::Stage;

impl World {
    /// What a supervisor is to run.
    pub(crate) fn desired(&self, supervisor: &str) -> Result<&Desired, Denied> {
        let known = self.members.get(supervisor).filter(|m| m.heard);
        known
            .map(|m| &m.desired)
            .ok_or_else(|| Denied::new(Kind::Unknown, "nimbus does not know this supervisor yet", "send a heartbeat first"))
    }

    /// Works out anew what all supervisors are to run; who gets something else gets a new revision.
    pub(super) fn refresh(&mut self) {
        let topologies: Vec<String> = self.topologies.keys().cloned().collect();
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let slots = self.members.get(&id).map_or(0, |m| m.said.slots);
            let running = self.in_order().into_iter().filter(|t| t.record.stage != Stage::Stopping);
            let workers: Vec<WantedWorker> = running.flat_map(|t| self.wanted(t, &id, slots)).collect();
            let Some(member) = self.members.get_mut(&id) else { continue };
            if member.desired.revision == 0 || member.desired.workers != workers || member.desired.topologies != topologies {
                self.revision += 1;
                member.desired = Desired { revision: self.revision, workers, topologies: topologies.clone() };
            }
        }
    }

    /// A topology's workers on one supervisor.
    fn wanted(&self, t: &Topology, supervisor: &str, slots: u32) -> Vec<WantedWorker> {
        // Two supervisors never have the same worker, and one that has fewer slots now than before runs what fits.
        let here = |(_, w): &(usize, &super::record::Placed)| w.seat.supervisor == supervisor && w.seat.slot < slots;
        let mut here = t.record.workers.iter().enumerate().filter(here).peekable();
        if here.peek().is_none() {
            return Vec::new();
        }
        let peers = t.record.workers.iter().enumerate().map(|(index, w)| Peer {
            index: index as u32,
            tasks: w.tasks.clone(),
            since: w.since,
            endpoint: w.up.as_ref().map(|up| up.endpoint.clone()),
            incarnation: w.up.as_ref().map_or(0, |up| up.incarnation),
        });
        let instructions = self.instructions(t);
        let models: BTreeMap<String, String> =
            instructions.models.iter().map(|(name, m)| (name.clone(), m.current.artefact.clone())).collect();
        let orders = Orders {
            revision: 0,
            epoch: t.record.epoch,
            state: t.record.stage.run_state(),
            workers: peers.collect(),
            instructions,
        };
        here.map(|(index, w)| WantedWorker {
            topology: t.record.id.clone(),
            worker: index as u32,
            slot: w.seat.slot,
            plan: t.record.plan.clone(),
            binary: t.plan.worker.clone(),
            models: models.clone(),
            tasks: w.tasks.clone(),
            orders: orders.clone(),
        })
        .collect()
    }
}
