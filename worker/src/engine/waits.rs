//! How long tuples wait in queues. The message time-out is there for stuck bolts; waiting behind back-pressure does not
//! count, or a full queue would be answered with replays that fill it further.
//!
//! A tree may be as old as the time-out and, on top, the longest waits of all components together. A wait is measured when
//! a batch is taken out of its queue, and while one is being executed as long as it gets on; behind a bolt that is stuck
//! nothing is taken out, so nothing is added, and the time-out does its work.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Shared;
use crate::sync::lock;

pub(crate) struct Waits {
    /// By component: the longest wait in nanoseconds in this period and in the one before.
    here: Vec<(AtomicU64, AtomicU64)>,
    /// By worker: what others say of theirs.
    elsewhere: Mutex<BTreeMap<u32, u64>>,
    /// When this period began.
    began_ns: AtomicU64,
}

impl Waits {
    pub(super) fn new(components: usize) -> Self {
        let here = (0..components).map(|_| Default::default()).collect();
        Waits { here, elsewhere: Mutex::default(), began_ns: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn note(&self, component: usize, ns: u64) {
        let longest = &self.here[component].0;
        if ns > longest.load(Relaxed) {
            longest.fetch_max(ns, Relaxed);
        }
    }

    /// A worker says how long tuples wait there; `None` when it is gone.
    pub(crate) fn elsewhere(&self, worker: u32, ns: Option<u64>) {
        let mut elsewhere = lock(&self.elsewhere);
        match ns {
            Some(ns) => drop(elsewhere.insert(worker, ns)),
            None => drop(elsewhere.remove(&worker)),
        }
    }

    fn here(&self) -> u64 {
        let longest = |(now, before): &(AtomicU64, AtomicU64)| now.load(Relaxed).max(before.load(Relaxed));
        self.here.iter().map(longest).fold(0, u64::saturating_add)
    }

    fn turn_over(&self) {
        self.here.iter().for_each(|(now, before)| before.store(now.swap(0, Relaxed), Relaxed));
    }
}

impl Shared {
    /// How long tuples wait in this worker, in nanoseconds. To be asked several times within a message time-out.
    pub(crate) fn waits_here(&self) -> u64 {
        let now_ns = self.now_ns();
        for task in self.all() {
            let stats = &task.stats;
            let since = stats.batch_since_ns.load(Relaxed);
            let progress = stats.progress.load(Relaxed);
            if stats.progress_seen.swap(progress, Relaxed) != progress && since != 0 {
                self.waits.note(task.component, now_ns.saturating_sub(since));
            }
        }
        let period = self.message_timeout.as_nanos() as u64;
        let began = self.waits.began_ns.load(Relaxed);
        if now_ns.saturating_sub(began) > period
            && self.waits.began_ns.compare_exchange(began, now_ns, Relaxed, Relaxed).is_ok()
        {
            self.waits.turn_over();
        }
        self.waits.here()
    }

    /// How long tuples wait in all workers.
    pub(crate) fn waits_everywhere(&self) -> u64 {
        lock(&self.waits.elsewhere).values().fold(self.waits_here(), |sum, ns| sum.saturating_add(*ns))
    }
}
