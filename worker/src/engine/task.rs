//! A task: its mailbox, its place in the scheduler's life cycle, and the body that only the thread running it may touch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use squall_core::Lineage;
use squall_core::control::{Settled, Taken};
use squall_core::wire::Delta;
use squall_core::{Batch, Histogram, Metrics, Root};

use super::body::Body;
use super::gate::Gate;
use super::scheduler::{Parker, Scheduler};
use crate::sync::lock;

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
/// Running, and woken meanwhile.
const AGAIN: u8 = 3;

/// A batch in a mailbox.
pub(crate) struct Mail {
    pub(crate) batch: Batch,
    /// The worker that sent it, and which start of that, which wants credit for it; none for this one.
    pub(crate) from: Option<(u32, u64)>,
    /// Since when it waits, in the engine's nanoseconds.
    pub(crate) since_ns: u64,
}

/// News about another worker, for ledgers.
#[derive(Clone, Copy)]
pub(crate) enum News {
    /// With the bits of its edges, and of those that waited for it.
    Died {
        worker: u32,
        bit: u64,
        waiting: u64,
    },
    CameUp {
        worker: u32,
        bit: u64,
        older: u64,
    },
}

pub(crate) struct Task {
    pub(crate) id: u32,
    pub(crate) component: usize,
    state: AtomicU8,
    /// Waits for a gate: tuples that come in meanwhile do not wake it.
    blocked: AtomicBool,
    pub(crate) mailbox: Mutex<VecDeque<Mail>>,
    /// What waits in the mailbox, from this worker.
    pub(crate) gate: Gate,
    /// What waits in the mailbox, from all workers.
    pub(crate) queued: AtomicU64,
    /// For a spout's ledger.
    pub(crate) ledger_mail: Mutex<LedgerMail>,
    pub(crate) news: Mutex<Vec<News>>,
    /// Why trees of its are about to fail.
    pub(crate) reasons: Mutex<Vec<(Root, String)>>,
    pub(crate) tick_due: AtomicBool,
    /// A spout was woken from outside, through its waker.
    pub(crate) poked: AtomicBool,
    pub(crate) body: Mutex<Body>,
    pub(crate) stats: Stats,
    pub(crate) cost: Cost,
    /// A task that may block has a thread of its own.
    pub(crate) own_thread: Option<Parker>,
}

/// A task's numbers; written at the end of its turns, read by the reporter.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) emitted: AtomicU64,
    pub(crate) transferred: AtomicU64,
    pub(crate) executed: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) busy_ns: AtomicU64,
    pub(crate) blocked_ns: AtomicU64,
    /// Since when the batch in hand is executed; 0 while there is none.
    pub(crate) batch_since_ns: AtomicU64,
    /// Tuples settled, written as it happens; and what it was when last looked at.
    pub(crate) progress: AtomicU64,
    pub(crate) progress_seen: AtomicU64,
    pub(crate) pending: AtomicU64,
    pub(crate) ended: AtomicBool,
    pub(crate) execute: Mutex<Histogram>,
    pub(crate) complete: Mutex<Histogram>,
    /// Emitted by stream, taken in by input.
    pub(crate) streams: Mutex<Vec<u64>>,
    pub(crate) inputs: Mutex<Vec<Taken>>,
    /// Of a spout with several streams, what became of the tuples of each but the first; then `acked`, `failed` and `complete` are that
    /// one's alone, so that a spout with one stream counts once, and the streams add up at any moment.
    pub(crate) others: Mutex<Vec<Settled>>,
    pub(crate) metrics: Metrics,
}

/// What a turn takes, in nanoseconds, by those before; the scheduler weighs with it whether another thread is worth waking.
#[derive(Default)]
pub(crate) struct Cost {
    turn_ns: AtomicU32,
    /// As it was when the task was queued.
    queued_ns: AtomicU32,
}

impl Cost {
    /// What the next turn will take. Remembered until the task is taken from its queue, whatever turns take meanwhile.
    pub(crate) fn expect(&self) -> u64 {
        let ns = self.turn_ns.load(Ordering::Relaxed);
        self.queued_ns.store(ns, Ordering::Relaxed);
        ns.into()
    }

    /// What was expected when the task was queued.
    pub(crate) fn expected(&self) -> u64 {
        self.queued_ns.load(Ordering::Relaxed).into()
    }

    /// Takes a turn into account: the mean of some eight, the newest weighing most.
    pub(crate) fn note(&self, ns: u64) {
        let mean = u64::from(self.turn_ns.load(Ordering::Relaxed));
        self.turn_ns.store(u32::try_from((mean * 7 + ns) / 8).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// What a spout's ledger is told. The deltas come first: one may tell of children whose parent is among what is done.
#[derive(Default)]
pub(crate) struct LedgerMail {
    pub(crate) deltas: Vec<Delta>,
    /// The edges of batches that are done as a whole, as they came with the batch: nothing is copied.
    pub(crate) done: Vec<Lineage>,
}

impl Task {
    pub(crate) fn new(id: u32, component: usize, gate: Gate, body: Body, metrics: Metrics, own_thread: Option<Parker>) -> Self {
        Task {
            id,
            component,
            state: AtomicU8::new(IDLE),
            blocked: AtomicBool::new(false),
            mailbox: Mutex::default(),
            gate,
            queued: AtomicU64::new(0),
            ledger_mail: Mutex::default(),
            news: Mutex::default(),
            reasons: Mutex::default(),
            tick_due: AtomicBool::new(false),
            poked: AtomicBool::new(false),
            body: Mutex::new(body),
            stats: Stats { metrics, ..Stats::default() },
            cost: Cost::default(),
            own_thread,
        }
    }

    /// Puts a batch into the mailbox; true if enough waits there for now.
    pub(crate) fn deliver(self: &Arc<Self>, mail: Mail, scheduler: &Scheduler) -> bool {
        let (tuples, bytes) = (mail.batch.len() as u64, mail.batch.columns().bytes() as u64);
        let full = mail.from.is_none() && self.gate.enter(tuples, bytes);
        self.queued.fetch_add(tuples, Ordering::Relaxed);
        lock(&self.mailbox).push_back(mail);
        if !self.blocked.load(Ordering::SeqCst) {
            self.wake(scheduler);
        }
        full
    }

    /// Sees to it that the task gets a turn.
    pub(crate) fn wake(self: &Arc<Self>, scheduler: &Scheduler) {
        let mut state = self.state.load(Ordering::SeqCst);
        loop {
            let next = match state {
                IDLE => QUEUED,
                RUNNING => AGAIN,
                _ => return,
            };
            match self.state.compare_exchange_weak(state, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(IDLE) => return scheduler.push(self),
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::SeqCst)
    }

    /// Waits for a gate; false if the gate is low already.
    pub(crate) fn block_on(&self, gate: &Gate) -> bool {
        self.blocked.store(true, Ordering::SeqCst);
        let waits = gate.wait(self.id);
        if !waits {
            self.blocked.store(false, Ordering::SeqCst);
        }
        waits
    }

    pub(crate) fn unblock(self: &Arc<Self>, scheduler: &Scheduler) {
        self.blocked.store(false, Ordering::SeqCst);
        self.wake(scheduler);
    }

    /// Gives the task its turn; true if it wants another.
    pub(crate) fn run(self: &Arc<Self>, turn: impl FnOnce(&Arc<Task>) -> bool) -> bool {
        self.state.store(RUNNING, Ordering::SeqCst);
        if turn(self) || self.state.compare_exchange(RUNNING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.state.store(QUEUED, Ordering::SeqCst);
            return true;
        }
        false
    }

    /// Nothing waits for it and it is not running.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.load(Ordering::SeqCst) == IDLE && lock(&self.mailbox).is_empty()
    }
}
