//! How far the spouts of topologies have come, as their supervisors tell: kept for whoever runs them next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_core::Result;
use squall_core::control::{LONGEST_POSITION, Position, WorkerStatus, incarnation, position_of};

use super::heartbeat::started;
use super::{Topology, World};
use crate::store::{Change, StateStore};

/// Positions are written to the store this often at most. What is lost with nimbus is told again by the supervisors.
const WRITE: Duration = Duration::from_secs(2);
/// More files than any topology has tasks.
const MOST: usize = 100_000;

/// The positions of one topology, by file.
#[derive(Debug, Default)]
pub(super) struct Positions {
    held: BTreeMap<String, Held>,
    /// Files that are others in the store.
    unwritten: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    /// The supervisor that told it.
    from: String,
    content: String,
}

impl Positions {
    /// Those in the store.
    pub(super) fn read(store: &dyn StateStore, topology: &str) -> Result<Self> {
        let mut held = BTreeMap::new();
        let prefix = prefix(topology);
        for (key, value) in store.list(&prefix)? {
            // One that cannot be read is as good as none: its spout begins again.
            if let Ok(position) = serde_json::from_slice(&value.value) {
                held.insert(key.strip_prefix(&prefix).unwrap_or(&key).to_owned(), position);
            }
        }
        Ok(Positions { held, unwritten: BTreeSet::new() })
    }

    /// What removes them from the store.
    pub(super) fn removal(&self, topology: &str) -> Vec<Change> {
        self.held.keys().map(|file| Change::remove(format!("{}{file}", prefix(topology)))).collect()
    }
}

fn prefix(topology: &str) -> String {
    format!("position/{topology}/")
}

impl World {
    /// Takes in what a supervisor tells, as far as processes of their present assignment had those tasks: a copy that was moved away is not
    /// listened to, and what lies there from an earlier time is not news.
    pub(super) fn take_positions(&mut self, supervisor: &str, positions: Vec<Position>, running: &[WorkerStatus]) {
        for Position { topology, file, content } in positions {
            let Some(t) = self.topologies.get_mut(&topology) else { continue };
            if content.len() > LONGEST_POSITION || !runs_task(t, supervisor, &file, running) || t.positions.held.len() >= MOST {
                continue;
            }
            t.positions.held.insert(file.clone(), Held { from: supervisor.to_owned(), content });
            t.positions.unwritten.insert(file);
        }
    }

    /// What a supervisor needs to run any task of a topology: all that was told by others.
    pub(crate) fn positions(&self, supervisor: &str, topology: &str) -> Vec<Position> {
        let held = self.topologies.get(topology).into_iter().flat_map(|t| &t.positions.held);
        let others = held.filter(|(_, h)| h.from != supervisor);
        others
            .map(|(file, h)| Position { topology: topology.to_owned(), file: file.clone(), content: h.content.clone() })
            .collect()
    }

    /// Writes down what is new, once in a while.
    pub(super) fn keep_positions(&mut self) -> Result<()> {
        let now = self.clock.now();
        if now < self.next_positions || self.topologies.values().all(|t| t.positions.unwritten.is_empty()) {
            return Ok(());
        }
        self.next_positions = now + WRITE;
        let mut changes = Vec::new();
        for (id, t) in &self.topologies {
            for file in &t.positions.unwritten {
                if let Some(held) = t.positions.held.get(file) {
                    changes.push(Change::put(format!("{}{file}", prefix(id)), serde_json::to_vec(held)?));
                }
            }
        }
        self.commit(&changes)?;
        self.topologies.values_mut().for_each(|t| t.positions.unwritten.clear());
        Ok(())
    }
}

/// Whether a process of this supervisor, started since it was given the task that a position is of, runs that task or was the last
/// to.
fn runs_task(t: &Topology, supervisor: &str, file: &str, running: &[WorkerStatus]) -> bool {
    let Some((component, index, tasks)) = position_of(file) else { return false };
    let Some(c) = t.plan.position(component).filter(|c| t.plan.components[*c].parallelism == tasks) else { return false };
    let task = t.plan.tasks(c).start + index;
    t.record.workers.iter().enumerate().any(|(worker, w)| {
        let is_its = |s: &WorkerStatus| s.topology == t.record.id && s.worker as usize == worker;
        let has = w.seat.supervisor == supervisor && w.tasks.contains(&task);
        // What one that died since has left is news too.
        has && running.iter().any(|s| is_its(s) && started(s) >= incarnation(w.since, 0))
    })
}
