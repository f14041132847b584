//! Storm's states of a topology and every transition between them: the one place that knows which command is legal when.

use serde::{Deserialize, Serialize};
use squall_core::control::{Rebalance, RunState, TopologyState};

/// The state of a topology with what must survive nimbus for it to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum Stage {
    Active,
    Inactive,
    /// Draining; at the deadline (unix milliseconds) the change is made and the state before comes back.
    Rebalancing {
        was_active: bool,
        deadline: u64,
        change: Rebalance,
    },
    /// Draining; at the deadline the workers stop.
    Killed {
        deadline: u64,
    },
    /// The workers are being stopped; when the last has ended the topology goes.
    Stopping,
}

/// What somebody, or the clock, wants of a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Activate,
    Deactivate,
    Rebalance {
        deadline: u64,
        change: Rebalance,
    },
    Kill {
        deadline: u64,
    },
    /// The wait is over, by the clock or because nothing is under way any more.
    WaitOver,
}

/// The stage after a command, and what is to be done besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing else.
    To(Stage),
    /// Move the tasks.
    Move(Stage, Rebalance),
}

/// Why a command is not legal now.
pub(crate) type Refused = &'static str;

impl Stage {
    /// What comes of a command.
    pub(crate) fn on(&self, command: Command) -> Result<Next, Refused> {
        use Command as C;
        use Stage as S;
        Ok(match (self, command) {
            (S::Active | S::Inactive, C::Activate) => Next::To(S::Active),
            (S::Active | S::Inactive, C::Deactivate) => Next::To(S::Inactive),
            (S::Active | S::Inactive, C::Rebalance { deadline, change }) => {
                Next::To(S::Rebalancing { was_active: *self == S::Active, deadline, change })
            }
            (S::Active | S::Inactive | S::Rebalancing { .. } | S::Killed { .. }, C::Kill { deadline }) => {
                Next::To(S::Killed { deadline })
            }
            (S::Stopping, C::Kill { .. }) => Next::To(S::Stopping),
            (S::Rebalancing { was_active, change, .. }, C::WaitOver) => {
                Next::Move(if *was_active { S::Active } else { S::Inactive }, change.clone())
            }
            (S::Killed { .. }, C::WaitOver) => Next::To(S::Stopping),
            (S::Rebalancing { .. }, C::Activate | C::Deactivate | C::Rebalance { .. }) => {
                return Err("it is being rebalanced; wait until it is ACTIVE or INACTIVE again");
            }
            (S::Killed { .. } | S::Stopping, C::Activate | C::Deactivate | C::Rebalance { .. }) => {
                return Err("it was killed; submit it again when it is gone");
            }
            (S::Active | S::Inactive | S::Stopping, C::WaitOver) => return Err("it waits for nothing"),
        })
    }

    /// As clients see it.
    pub(crate) fn shown(&self) -> TopologyState {
        match self {
            Stage::Active => TopologyState::Active,
            Stage::Inactive => TopologyState::Inactive,
            Stage::Rebalancing { .. } => TopologyState::Rebalancing,
            Stage::Killed { .. } | Stage::Stopping => TopologyState::Killed,
        }
    }

    /// What workers are told.
    pub(crate) fn run_state(&self) -> RunState {
        match self {
            Stage::Active => RunState::Active,
            Stage::Inactive | Stage::Rebalancing { .. } | Stage::Killed { .. } => RunState::Inactive,
            Stage::Stopping => RunState::Stopping,
        }
    }

    /// When its wait ends, if it waits.
    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Stage::Rebalancing { deadline, .. } | Stage::Killed { deadline } => Some(*deadline),
            Stage::Active | Stage::Inactive | Stage::Stopping => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebalancing(was_active: bool) -> Stage {
        Stage::Rebalancing { was_active, deadline: 1, change: Rebalance::default() }
    }

    #[test]
    fn the_table_of_the_book_holds() {
        let rebalance = || Command::Rebalance { deadline: 1, change: Rebalance::default() };
        let kill = || Command::Kill { deadline: 2 };
        let killed = Stage::Killed { deadline: 2 };
        assert_eq!(Stage::Active.on(Command::Deactivate), Ok(Next::To(Stage::Inactive)));
        assert_eq!(Stage::Active.on(Command::Activate), Ok(Next::To(Stage::Active)));
        assert_eq!(Stage::Inactive.on(rebalance()), Ok(Next::To(rebalancing(false))));
        for stage in [Stage::Active, Stage::Inactive, rebalancing(true), Stage::Killed { deadline: 9 }] {
            assert_eq!(stage.on(kill()), Ok(Next::To(killed.clone())), "kill is legal in {stage:?}");
        }
        for stage in [rebalancing(true), killed.clone(), Stage::Stopping] {
            for command in [Command::Activate, Command::Deactivate, rebalance()] {
                assert!(stage.on(command.clone()).is_err(), "{command:?} in {stage:?}");
            }
        }
    }

    #[test]
    fn a_rebalance_returns_to_the_state_before() {
        let change = Rebalance { workers: Some(3), ..Rebalance::default() };
        for (was_active, back) in [(true, Stage::Active), (false, Stage::Inactive)] {
            let stage = Stage::Rebalancing { was_active, deadline: 1, change: change.clone() };
            assert_eq!(stage.on(Command::WaitOver), Ok(Next::Move(back, change.clone())));
        }
        assert_eq!(Stage::Killed { deadline: 1 }.on(Command::WaitOver), Ok(Next::To(Stage::Stopping)));
        assert!(Stage::Active.on(Command::WaitOver).is_err());
    }
}
