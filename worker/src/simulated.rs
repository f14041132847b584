//! A worker without sockets, threads and a clock, for simulations and fuzzers, and for nobody else: engine, ledgers and what is said on
//! links are the real ones; whoever has it carries its frames, gives its tasks their turns, and says what time it is.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use squall_core::control::{Orders, Phase, Report, RunState};
use squall_core::{Plan, Registry, Result};

use crate::engine::{Engine, Surroundings, build};
use crate::link::parts::{Around, Counts, Outboxes, Protocol, pair};
use crate::link::{Command, Settings};
use crate::process::phase_of;
use crate::sync::lock;

pub use crate::link::parts::{Line, Lines};

/// What a worker is started as.
#[derive(Debug, Clone)]
pub struct Start {
    pub topology: String,
    /// The plan's hash.
    pub hash: String,
    pub worker: u32,
    pub incarnation: u64,
    /// Where others reach it.
    pub endpoint: String,
    pub seed: u64,
    /// When it was; a moment that is to come stops the clock by which trees time out.
    pub began: Instant,
}

/// A worker.
pub struct Node<N: Lines> {
    pub(crate) engine: Engine,
    pub(crate) protocol: Protocol<N>,
    counts: Arc<Counts>,
    began: Instant,
    incarnation: u64,
    epoch: u64,
    pub(crate) state: RunState,
    connected: bool,
    finished: bool,
}

impl<N: Lines> Node<N> {
    /// Builds it with these tasks.
    ///
    /// # Errors
    /// A component cannot be built.
    pub fn new(registry: &Registry, plan: &Arc<Plan>, tasks: &[u32], start: Start, lines: N, now: Instant) -> Result<Self> {
        let Start { topology, hash, worker, incarnation, endpoint, seed, began } = start;
        let settings = Settings {
            token: "secret".into(),
            topology,
            plan: hash,
            worker,
            incarnation,
            bind: String::new(),
            seed: seed.rotate_left(32),
        };
        let (waker, _) = pair()?;
        let outboxes = Arc::new(Outboxes::new(waker));
        let around = Surroundings {
            worker,
            incarnation,
            began,
            tasks: tasks.iter().copied().collect(),
            threads: 0,
            pin: Vec::new(),
            models: BTreeMap::new(),
            state_dir: std::env::temp_dir(),
            links: outboxes.clone(),
            runtime: None,
            live: Default::default(),
            seed,
        };
        let engine = build(plan.clone(), registry, around)?;
        let counts = Arc::new(Counts::default());
        let around = Around { engine: engine.shared.clone(), outboxes, counts: counts.clone(), news: Box::new(|_| {}) };
        let protocol = Protocol::new(settings, endpoint, lines, around, now);
        let state = RunState::Inactive;
        Ok(Node { engine, protocol, counts, began: now, incarnation, epoch: 0, state, connected: false, finished: false })
    }

    /// Follows orders.
    pub fn follow(&mut self, orders: Orders, now: Instant) {
        (self.epoch, self.state) = (orders.epoch, orders.state);
        self.protocol.now = now;
        self.protocol.obey(Command::Peers { epoch: orders.epoch, workers: orders.workers });
        if self.state != RunState::Active {
            self.engine.set_active(false);
        }
    }

    /// Whether it takes frames in: not before its first orders.
    pub fn has_orders(&self) -> bool {
        self.protocol.has_orders()
    }

    /// A frame came in.
    pub fn take(&mut self, frame: &[u8], now: Instant) {
        self.protocol.now = now;
        self.protocol.take(frame);
    }

    /// Looks after its links, and at what its spouts may do.
    pub fn tend(&mut self, now: Instant) {
        self.protocol.now = now;
        self.protocol.watch();
        self.protocol.acknowledge();
        self.protocol.pump();
        let phase = self.phase();
        self.engine.set_active(self.state == RunState::Active && phase != Phase::Connecting);
        if phase == Phase::Finished && !std::mem::replace(&mut self.finished, true) {
            self.protocol.obey(Command::Finished);
        }
    }

    /// Gives one of its tasks a turn, the one that `pick` picks of so many; false if none has anything to do.
    pub fn turn(&mut self, pick: impl FnOnce(usize) -> usize) -> bool {
        self.engine.shared.scheduler.turn_of_one(pick, &self.engine.shared)
    }

    /// Where it stands.
    pub fn phase(&mut self) -> Phase {
        self.connected |= self.counts.connected.load(Ordering::SeqCst);
        phase_of(&self.engine, self.connected, self.state)
    }

    /// What it reports.
    pub fn report(&mut self, now: Instant) -> Report {
        let errors = self.engine.errors();
        Report {
            incarnation: self.incarnation,
            epoch: self.epoch,
            at_ms: now.saturating_duration_since(self.began).as_millis() as u64,
            phase: self.phase(),
            tasks: self.engine.task_reports(),
            errors,
            ignored_frames: self.ignored(),
            ..Report::default()
        }
    }

    /// Frames that were not for it, or not any more.
    pub fn ignored(&self) -> u64 {
        self.counts.ignored.load(Ordering::Relaxed)
    }

    /// Tuples that it believes to wait for a task, here or elsewhere.
    pub fn waiting_for(&self, task: u32) -> u64 {
        self.engine.shared.gate(task).map_or(0, |g| g.tuples())
    }

    /// Tuples that wait for a task here and came from this start of a worker.
    pub fn waiting_from(&self, task: u32, from: (u32, u64)) -> u64 {
        let Some(task) = self.engine.shared.local(task) else { return 0 };
        lock(&task.mailbox).iter().filter(|m| m.from == Some(from)).map(|m| m.batch.len() as u64).sum()
    }

    /// The start of a worker that it has an open link to.
    pub fn linked_to(&self, worker: u32) -> Option<u64> {
        self.protocol.linked_to(worker)
    }

    /// How it is, for whoever wants to know why a simulation failed.
    pub fn describe(&self) -> String {
        let mut text = format!("connected {:?}\n{}", self.counts.connected, self.protocol.describe());
        for (task, id, xor, workers) in self.engine.trees() {
            let _ = writeln!(text, "  task {task} waits for {id}: xor {xor:x}, workers {workers:x}");
        }
        for r in self.engine.task_reports() {
            let _ = writeln!(
                text,
                "  task {} emitted {} executed {} acked {} failed {} queued {} pending {} gate {}",
                r.task,
                r.emitted,
                r.executed,
                r.acked,
                r.failed,
                r.queued,
                r.pending,
                self.waiting_for(r.task)
            );
        }
        text
    }
}

impl<N: Lines> Drop for Node<N> {
    fn drop(&mut self) {
        self.engine.dissolve();
    }
}
