//! What of a topology is in the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_core::Result;
use squall_core::control::{Deployment, Heartbeat, LogLevel};

use crate::schedule::Seat;
use crate::states::Stage;
use crate::store::Change;

/// A topology, as it must survive nimbus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The how-manyeth topology of this cluster it is.
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) submitted_unix_ms: u64,
    /// The plan's blob.
    pub(crate) plan: String,
    pub(crate) stage: Stage,
    pub(crate) epoch: u64,
    /// Its workers by index; none while it waits for slots.
    pub(crate) workers: Vec<Placed>,
    /// Levels of loggers, each for a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<LogLevel>,
    /// What of its tuples workers write to their logs, in percent by component; of all under the empty name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) debug: BTreeMap<String, u8>,
    /// The deployments of each model, oldest first.
    #[serde(default)]
    pub(crate) models: BTreeMap<String, Vec<Deployment>>,
}

/// A worker of a topology and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) seat: Seat,
    pub(crate) tasks: Vec<u32>,
    /// The epoch that gave it this seat.
    #[serde(default)]
    pub(crate) since: u64,
    /// Kept too, so that a nimbus that starts again tells running workers nothing else about each other than before.
    pub(crate) up: Option<Up>,
}

/// A worker that said hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Up {
    pub(crate) incarnation: u64,
    pub(crate) endpoint: String,
}

impl Record {
    pub(crate) fn change(&self) -> Result<Change> {
        Ok(Change::put(topology_key(&self.id), serde_json::to_vec(self)?))
    }

    pub(crate) fn seats(&self) -> Vec<Seat> {
        self.workers.iter().map(|w| w.seat.clone()).collect()
    }
}

pub(crate) const TOPOLOGIES: &str = "topology/";
pub(crate) const SUPERVISORS: &str = "supervisor/";
pub(crate) const COUNTER: &str = "counter";

pub(crate) fn topology_key(id: &str) -> String {
    format!("{TOPOLOGIES}{id}")
}

pub(crate) fn supervisor_key(id: &str) -> String {
    format!("{SUPERVISORS}{id}")
}

/// What of a supervisor is in the store: what it is, not what its workers do.
pub(crate) fn lasting(heartbeat: &Heartbeat) -> Heartbeat {
    let (workers, models, positions) = (Vec::new(), Vec::new(), Vec::new());
    Heartbeat { number: 0, workers, models, positions, usage: Default::default(), ..heartbeat.clone() }
}
