//! Back-pressure. A gate counts what waits for a task; while too much waits, those who feed the task do not run.
//!
//! Local tasks have one gate for all that feed them from this worker; a remote task has one at every worker that sends to
//! it, and the credits that the receiver gives back lower it. A batch that is emitted is always let through (a bolt
//! cannot stop in the middle of `execute`); its emitter is not run again until the gate has drained to one half.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use crate::sync::lock;

/// Through the gate to a fast task in another worker as many tuples may go as it takes in within this many nanoseconds: with
/// fewer under way it would wait for the way there and back.
const UNDER_WAY_NS: u64 = 5_000_000;
/// But no more than this many times the limit.
const MOST: u64 = 16;
/// How long its pace is measured.
const PACE_NS: u64 = 1_000_000;

pub(crate) struct Gate {
    tuples: AtomicU64,
    bytes: AtomicU64,
    least_tuples: u64,
    limit_tuples: AtomicU64,
    limit_bytes: u64,
    /// A remote task whose worker is down: nothing may be sent.
    closed: AtomicBool,
    /// Tasks that wait for the gate to drain.
    waiters: Mutex<Vec<u32>>,
    waited_for: AtomicBool,
    /// Since when, in the engine's nanoseconds, so many tuples were credited. Touched by the link thread only.
    pace: (AtomicU64, AtomicU64),
}

impl Gate {
    pub(crate) fn new(limit_tuples: u32, limit_bytes: u64) -> Self {
        Gate {
            tuples: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            least_tuples: u64::from(limit_tuples).max(1),
            limit_tuples: AtomicU64::new(u64::from(limit_tuples).max(1)),
            limit_bytes: limit_bytes.max(1),
            closed: AtomicBool::new(false),
            waiters: Mutex::new(Vec::new()),
            waited_for: AtomicBool::new(false),
            pace: Default::default(),
        }
    }

    /// Counts what goes through; true if it is enough for now.
    pub(crate) fn enter(&self, tuples: u64, bytes: u64) -> bool {
        let tuples = self.tuples.fetch_add(tuples, SeqCst) + tuples;
        let bytes = self.bytes.fetch_add(bytes, SeqCst) + bytes;
        tuples >= self.limit_tuples.load(Relaxed) || bytes >= self.limit_bytes || self.closed.load(SeqCst)
    }

    /// Counts what has been taken in; the tasks returned may run again.
    pub(crate) fn leave(&self, tuples: u64, bytes: u64) -> Vec<u32> {
        let less = |counter: &AtomicU64, n: u64| {
            // A credit too many (from a peer that counts differently) must not wrap around.
            let _ = counter.fetch_update(SeqCst, SeqCst, |v| Some(v.saturating_sub(n)));
        };
        less(&self.tuples, tuples);
        less(&self.bytes, bytes);
        self.drained()
    }

    /// The same as another worker told it; the limit follows the pace.
    pub(crate) fn credited(&self, tuples: u64, bytes: u64, now_ns: u64) -> Vec<u32> {
        let (since_ns, taken) = (self.pace.0.load(Relaxed), self.pace.1.load(Relaxed).saturating_add(tuples));
        let took_ns = now_ns.saturating_sub(since_ns);
        if took_ns < PACE_NS {
            self.pace.1.store(taken, Relaxed);
        } else {
            let limit = u128::from(taken) * u128::from(UNDER_WAY_NS) / u128::from(took_ns);
            let most = self.least_tuples.saturating_mul(MOST);
            self.limit_tuples.store(u64::try_from(limit).unwrap_or(most).clamp(self.least_tuples, most), Relaxed);
            self.pace.0.store(now_ns, Relaxed);
            self.pace.1.store(0, Relaxed);
        }
        self.leave(tuples, bytes)
    }

    /// Makes a task wait; false if it need not.
    pub(crate) fn wait(&self, task: u32) -> bool {
        let mut waiters = lock(&self.waiters);
        self.waited_for.store(true, SeqCst);
        if self.is_low() {
            return false;
        }
        if !waiters.contains(&task) {
            waiters.push(task);
        }
        true
    }

    /// The worker of a remote task went down: what was on its way is gone, and nothing may follow.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.tuples.store(0, SeqCst);
        self.bytes.store(0, SeqCst);
    }

    /// The worker of a remote task is up; the tasks returned may run again.
    pub(crate) fn open(&self) -> Vec<u32> {
        self.closed.store(false, SeqCst);
        self.drained()
    }

    pub(crate) fn tuples(&self) -> u64 {
        self.tuples.load(SeqCst)
    }

    fn is_low(&self) -> bool {
        !self.closed.load(SeqCst)
            && self.tuples.load(SeqCst) <= self.limit_tuples.load(Relaxed) / 2
            && self.bytes.load(SeqCst) <= self.limit_bytes / 2
    }

    fn drained(&self) -> Vec<u32> {
        if !self.waited_for.load(SeqCst) || !self.is_low() {
            return Vec::new();
        }
        let mut waiters = lock(&self.waiters);
        self.waited_for.store(false, SeqCst);
        std::mem::take(&mut waiters)
    }
}

/// What the receiver of remote senders' tuples owes them in credit. Given back in quarters of the window: seldom enough
/// to be cheap, and less than the half at which a sender runs again.
#[derive(Default)]
pub(crate) struct Debts(Vec<Debt>);

struct Debt {
    worker: u32,
    /// Which start of the worker. To its successor nothing is owed of what it sent: that has not counted it.
    incarnation: u64,
    tuples: u64,
    bytes: u64,
}

impl Debts {
    /// Counts what was taken in from a start of a worker; the sum to give back, when it is time. To one that another has followed
    /// nothing is owed.
    pub(crate) fn add(
        &mut self,
        (worker, incarnation): (u32, u64),
        tuples: u64,
        bytes: u64,
        window: (u32, u64),
    ) -> Option<(u64, u64)> {
        let at = self.0.iter().position(|d| d.worker == worker).unwrap_or_else(|| {
            self.0.push(Debt { worker, incarnation, tuples: 0, bytes: 0 });
            self.0.len() - 1
        });
        let debt = &mut self.0[at];
        if debt.incarnation != incarnation {
            if debt.incarnation > incarnation {
                return None;
            }
            *debt = Debt { worker, incarnation, tuples: 0, bytes: 0 };
        }
        debt.tuples += tuples;
        debt.bytes += bytes;
        if debt.tuples < (u64::from(window.0) / 4).max(1) && debt.bytes < (window.1 / 4).max(1) {
            return None;
        }
        Some((std::mem::take(&mut debt.tuples), std::mem::take(&mut debt.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_lets_its_waiters_go_at_one_half() {
        let gate = Gate::new(4, 1000);
        assert!(!gate.enter(3, 3));
        assert!(gate.enter(3, 3), "one too large is let through, and reported");
        assert!(gate.wait(7));
        assert_eq!(gate.leave(3, 3), [0; 0]);
        assert_eq!(gate.leave(1, 1), [7]);
        assert_eq!(gate.leave(2, 2), [0; 0]);
    }

    #[test]
    fn the_limit_follows_the_pace_of_a_remote_task() {
        let gate = Gate::new(100, u64::MAX);
        let limit = |gate: &Gate| gate.limit_tuples.load(Relaxed);
        gate.credited(50, 0, PACE_NS / 2);
        gate.credited(50, 0, PACE_NS);
        assert_eq!(limit(&gate), 100 * UNDER_WAY_NS / PACE_NS);
        gate.credited(u64::MAX, 0, 2 * PACE_NS);
        assert_eq!(limit(&gate), 100 * MOST);
        gate.credited(1, 0, 100 * PACE_NS);
        assert_eq!(limit(&gate), 100, "never less than configured");
    }

    #[test]
    fn who_comes_late_need_not_wait() {
        let gate = Gate::new(4, 1000);
        assert!(gate.enter(4, 0));
        assert_eq!(gate.leave(4, 0), [0; 0]);
        assert!(!gate.wait(7));
    }

    #[test]
    fn bytes_count_as_well_and_a_closed_gate_is_full() {
        let gate = Gate::new(100, 10);
        assert!(gate.enter(1, 10));
        assert_eq!(gate.leave(9, 99), [0; 0]);
        assert_eq!(gate.tuples(), 0, "never below zero");
        gate.close();
        assert!(gate.enter(1, 1));
        assert!(gate.wait(3));
        assert_eq!(gate.open(), [3]);
    }

    #[test]
    fn debts_are_paid_in_quarters() {
        let mut debts = Debts::default();
        assert_eq!(debts.add((1, 7), 24, 5, (100, 1000)), None);
        assert_eq!(debts.add((2, 7), 1, 5, (100, 1000)), None);
        assert_eq!(debts.add((1, 7), 1, 5, (100, 1000)), Some((25, 10)));
        assert_eq!(debts.add((1, 7), 1, 250, (100, 1000)), Some((1, 250)));
    }

    #[test]
    fn what_is_owed_to_one_that_died_is_owed_to_nobody() {
        let mut debts = Debts::default();
        assert_eq!(debts.add((1, 7), 24, 0, (100, 1000)), None);
        assert_eq!(debts.add((1, 8), 1, 0, (100, 1000)), None, "its successor has sent one");
        assert_eq!(debts.add((1, 7), 50, 0, (100, 1000)), None, "some of the dead one's waited longer, in another queue");
        assert_eq!(debts.add((1, 8), 24, 0, (100, 1000)), Some((25, 0)));
    }
}
