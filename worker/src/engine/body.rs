//! What a task is made of, and its turn: what waits for it, its component's code over it, and the results sent on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use squall_core::{Next, Result};

use super::Shared;
use super::bolt::BoltRole;
use super::emission::Emission;
use super::panics;
use super::spout::SpoutRole;
use super::task::Task;
use crate::sync::lock;

/// What was emitted leaves after so many nanoseconds, though the turn goes on.
pub(super) const FLUSH_NS: u64 = 500_000;
/// A component is slow that takes longer for a tuple.
pub(super) const SLOW_NS: u64 = 20_000;

/// What a task is made of, touched by the thread that runs it and nobody else.
pub(crate) struct Body {
    pub(crate) role: Role,
    pub(crate) out: Emission,
    /// Since when it waits for a gate.
    pub(crate) blocked_since: Option<Instant>,
    pub(crate) closed: bool,
}

pub(crate) enum Role {
    Bolt(BoltRole),
    Spout(Box<SpoutRole>),
}

impl Body {
    /// Gives the component its turn; true if it wants another.
    pub(crate) fn turn(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) -> bool {
        if self.closed {
            return false;
        }
        if !task.is_blocked()
            && let Some(since) = self.blocked_since.take()
        {
            task.stats.blocked_ns.fetch_add(since.elapsed().as_nanos() as u64, Relaxed);
        }
        // Woken, but perhaps only one of several gates has drained.
        self.wait_for_room(task, shared);
        let Body { role, out, .. } = self;
        let more = match role {
            Role::Bolt(role) => role.turn(task, shared, out),
            Role::Spout(role) => role.turn(task, shared, out),
        };
        out.flush();
        let stats = &task.stats;
        stats.emitted.store(out.emitted, Relaxed);
        stats.transferred.store(out.transferred, Relaxed);
        if out.streams.len() > 1 {
            *lock(&stats.streams) = out.streams.iter().map(|s| s.emitted).collect();
        }
        role.publish(task);
        let blocked = self.wait_for_room(task, shared);
        more && !blocked
    }

    /// Whether what it feeds is full; then it is woken when there is room.
    fn wait_for_room(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) -> bool {
        while let Some(full) = self.out.full.last() {
            if shared.gate(*full).is_some_and(|gate| task.block_on(gate)) {
                self.blocked_since.get_or_insert_with(Instant::now);
                // The gate is asked again when it lets this task go; until then the others need not be.
                return true;
            }
            self.out.full.pop();
        }
        // Tuples that came in between `block_on` and here did not wake the task.
        if !lock(&task.mailbox).is_empty() {
            task.wake(&shared.scheduler);
        }
        false
    }

    /// The component's last call.
    pub(crate) fn close(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        panics::enter(shared.faults.wanted_ns(task.component));
        let closed = catch_unwind(AssertUnwindSafe(|| match &mut self.role {
            Role::Bolt(role) => role.bolt.cleanup(),
            Role::Spout(role) => role.spout.close(),
        }));
        panics::leave();
        report(shared, task, closed);
    }
}

impl Role {
    fn publish(&self, task: &Task) {
        let stats = &task.stats;
        match self {
            Role::Bolt(role) => {
                stats.executed.store(role.counts.0, Relaxed);
                stats.acked.store(role.counts.1, Relaxed);
                stats.failed.store(role.counts.2, Relaxed);
                if !role.by_input.is_empty() {
                    lock(&stats.inputs).clone_from(&role.by_input);
                }
            }
            Role::Spout(role) => {
                stats.acked.store(role.counts.0, Relaxed);
                stats.failed.store(role.counts.1, Relaxed);
                stats.pending.store(role.ledger.pending() as u64, Relaxed);
                stats.ended.store(role.said == Next::End && role.outcomes.is_empty(), Relaxed);
            }
        }
    }
}

type Caught<T> = std::result::Result<T, Box<dyn std::any::Any + Send>>;

/// Reports an error or a panic of a call whose result nobody else wants.
pub(super) fn report(shared: &Arc<Shared>, task: &Arc<Task>, result: Caught<Result<()>>) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => shared.error(task, &error),
        Err(panic) => drop(shared.panicked(task, &*panic)),
    }
}
