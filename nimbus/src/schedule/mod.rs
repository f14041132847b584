//! Scheduling: a pure function from machines, topologies and where everything is now to where everything is to be. Even
//! across supervisors, a share of every component in each worker, and moving as little as it can.

mod deal;
mod place;
#[cfg(test)]
mod properties;

use serde::{Deserialize, Serialize};

pub(crate) use deal::deal;
pub(crate) use place::schedule;

/// A supervisor, as far as scheduling cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its id.
    pub(crate) supervisor: String,
    /// The machine it is on.
    pub(crate) machine: String,
    /// Its slots, 0 up to this number.
    pub(crate) slots: u32,
    /// Whether it takes workers it does not have; one that is leaving, or not heard yet, only keeps those it has.
    pub(crate) takes_more: bool,
}

/// A topology that is to have workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Its id.
    pub(crate) topology: String,
    /// Its workers' tasks, by index: see [`deal`].
    pub(crate) tasks: Vec<Vec<u32>>,
    /// Where its workers are now, by index; may be of another number than is wanted.
    pub(crate) current: Vec<Seat>,
    /// Whether healthy workers may move to even out; else they stay.
    pub(crate) spread_anew: bool,
}

/// A slot of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The supervisor.
    pub(crate) supervisor: String,
    /// The slot.
    pub(crate) slot: u32,
}

/// Where a topology's workers are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The topology.
    pub(crate) topology: String,
    /// Its workers' seats, by index; `None`: there is no room for it, and what it has now is to stay as it is.
    pub(crate) seats: Option<Vec<Seat>>,
    /// Why it is not wholly running.
    pub(crate) waiting: Option<String>,
}
