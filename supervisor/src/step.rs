//! What is to be done next about a worker, by what runs of it and what is wanted. Keepers follow it, and so does the simulation.

use std::sync::Arc;

use squall_core::control::WantedWorker;

use crate::roster::{Want, fits};

/// What is to be done about a worker; with the process it is to be done with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<P> {
    /// Nothing is wanted of it any more, and nothing runs.
    LetGo,
    /// It is to be started for this.
    Start(Arc<WantedWorker>),
    /// It runs as this is wanted, and is to go on.
    Watch(P, Arc<WantedWorker>),
    /// Something else is wanted of it than it was started for, or nothing.
    Stop(P),
}

impl<P> Step<P> {
    /// The next step; `running` is a worker's process, and what it was started for.
    pub(crate) fn next(running: Option<P>, started_for: impl Fn(&P) -> &WantedWorker, want: Want) -> Self {
        match (running, want) {
            (None, None) => Step::LetGo,
            (None, Some(wanted)) => Step::Start(wanted),
            (Some(process), Some(wanted)) if fits(started_for(&process), &wanted) => Step::Watch(process, wanted),
            (Some(process), _) => Step::Stop(process),
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_core::control::{Orders, RunState};

    use super::*;

    fn wanted(tasks: &[u32]) -> Arc<WantedWorker> {
        let orders =
            Orders { revision: 0, epoch: 1, state: RunState::Active, workers: Vec::new(), instructions: Default::default() };
        Arc::new(WantedWorker {
            topology: "t".into(),
            worker: 0,
            slot: 0,
            plan: "p".into(),
            binary: None,
            models: Default::default(),
            tasks: tasks.to_vec(),
            orders,
        })
    }

    #[test]
    fn a_process_goes_on_as_long_as_what_it_was_started_for_is_wanted() {
        let (one, other) = (wanted(&[1]), wanted(&[1, 2]));
        let mut paused = WantedWorker::clone(&one);
        paused.orders.state = RunState::Inactive;
        let paused = Arc::new(paused);
        let step = |running: Option<&Arc<WantedWorker>>, want: Option<&Arc<WantedWorker>>| {
            Step::next(running.cloned(), |r| r, want.cloned())
        };
        assert_eq!(step(None, None), Step::LetGo);
        assert_eq!(step(None, Some(&one)), Step::Start(one.clone()));
        assert_eq!(step(Some(&one), Some(&paused)), Step::Watch(one.clone(), paused.clone()), "its orders say so");
        assert_eq!(step(Some(&one), Some(&other)), Step::Stop(one.clone()));
        assert_eq!(step(Some(&one), None), Step::Stop(one.clone()));
    }
}
