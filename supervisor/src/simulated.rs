//! A supervisor without processes, a network and a disk, for simulations, and for nobody else: what is wanted of its workers, what they
//! are told and what nimbus hears is the real thing; whoever has it starts and ends processes as it says.

use squall_core::control::{Desired, Exit, Heartbeat, Hello, Orders, Report, WantedWorker, WorkerStatus, incarnation};

use crate::roster::{Entry, Kept, Roster};
use crate::step::Step;

pub use crate::layout::Key;
pub use crate::roster::Gone;

/// A supervisor.
#[derive(Debug, Default)]
pub struct Supervisor {
    roster: Roster,
}

/// What is to be done about a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// It is to be started.
    Start,
    /// This process runs, and is to go on.
    Watch(u32),
    /// This process is to be stopped.
    Stop(u32),
    /// Nothing is wanted of it any more, and nothing runs.
    LetGo,
}

impl Supervisor {
    /// Takes over processes that run, by what an earlier one [kept](Supervisor::kept) of them.
    pub fn adopt(&mut self, key: Key, kept: &[u8]) {
        self.roster.adopt(key, serde_json::from_slice(kept).expect("what was kept can be read"));
    }

    /// What the next supervisor must know of a worker's process; none if there is none.
    pub fn kept(&self, key: &Key) -> Option<Vec<u8>> {
        let kept = &self.roster.entries.get(key)?.run.as_ref()?.kept;
        Some(serde_json::to_vec(kept).expect("it is JSON"))
    }

    /// Nimbus says what it wants.
    pub fn want(&mut self, desired: Desired) {
        self.roster.want(desired);
    }

    /// What is to be done about all workers.
    pub fn tasks(&self) -> Vec<(Key, Task)> {
        let task = |(key, entry): (&Key, &Entry)| {
            let want = entry.want.borrow().clone();
            let task = match Step::next(entry.run.as_ref(), |run| &run.kept.wanted, want) {
                Step::LetGo => Task::LetGo,
                Step::Start(_) => Task::Start,
                Step::Watch(run, _) => Task::Watch(run.kept.pid),
                Step::Stop(run) => Task::Stop(run.kept.pid),
            };
            (key.clone(), task)
        };
        self.roster.entries.iter().map(task).collect()
    }

    /// Starts a worker as a process of this number; it was started so often here, this time included. Its incarnation, and what it is
    /// started for.
    pub fn start(&mut self, key: &Key, pid: u32, starts: u32) -> Option<(u64, WantedWorker)> {
        let wanted = self.roster.entries.get(key)?.want.borrow().clone()?;
        let incarnation = incarnation(wanted.orders.epoch, starts);
        let kept = Kept::new(wanted.clone(), incarnation);
        self.roster.starts(key, kept);
        self.roster.started(key, pid, 0);
        Some((incarnation, WantedWorker::clone(&wanted)))
    }

    /// A worker's process has ended.
    pub fn ended(&mut self, key: &Key) {
        let run = self.roster.entries.get(key).and_then(|e| e.run.as_ref());
        let incarnation = run.map_or(0, |r| r.kept.incarnation);
        let exit = Exit { unix_ms: 0, incarnation, how: "signal: 9".to_owned(), output: String::new() };
        self.roster.ended(key, Some(exit));
    }

    /// Forgets a worker of which nothing is wanted.
    pub fn let_go(&mut self, key: &Key) {
        self.roster.let_go(key);
    }

    /// A worker says hello; false if it is not the one that is wanted.
    pub fn hello(&mut self, key: &Key, hello: Hello) -> bool {
        self.roster.hello(key, hello).is_ok()
    }

    /// A worker reports; whether nimbus must hear of it at once, none if it is not the one that is wanted.
    pub fn report(&mut self, key: &Key, report: Report) -> Option<bool> {
        self.roster.report(key, report).ok()
    }

    /// A worker asks for orders other than those of this revision; an error if it is not the one that is wanted.
    pub fn orders(&self, key: &Key, incarnation: u64, after: u64) -> Result<Option<Orders>, Gone> {
        let orders = self.roster.orders(key, incarnation)?;
        Ok(orders.filter(|o| o.revision != after).cloned())
    }

    /// What nimbus is told of the workers.
    pub fn heartbeat(&self, portrait: Heartbeat) -> Heartbeat {
        Heartbeat { workers: self.roster.statuses(), ..portrait }
    }

    /// Nimbus has got this, and wants everything again or not.
    pub fn sent(&mut self, workers: &[WorkerStatus], again: bool) {
        self.roster.sent(workers);
        if again {
            self.roster.send_all();
        }
    }
}
