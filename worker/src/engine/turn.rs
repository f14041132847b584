//! A task's turn: what is in its mailbox, its component's code over it, and the results sent on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use squall_core::wire::Verdict;
use squall_core::{Batch, Bolt, Edge, Error, Next, Output, Result, Sink, Spout, SpoutOutput, SpoutSink, StreamId, ValueRef};

use super::Shared;
use super::dead_letters::DeadLetters;
use super::emission::Emission;
use super::gate::Debts;
use super::ledger::{Ledger, Outcome};
use super::scheduler::Alarm;
use super::task::{Mail, News, Task};
use super::trees::{Anchored, NewTree, Untracked};
use crate::sync::lock;

/// A turn ends after this many tuples, so that others get theirs.
const TURN: usize = 1024;
/// Or after so many nanoseconds.
const TURN_NS: u64 = 5_000_000;
/// What was emitted leaves after the batch that is in hand after so many nanoseconds.
const FLUSH_NS: u64 = 500_000;
/// A bolt is slow that takes longer for a tuple.
const SLOW_NS: u64 = 20_000;
/// A spout's turn ends after this many; what it emitted is taken in by the next task while still in the cache.
const SPOUT_TURN: usize = 512;
/// With many receivers it ends later, so that each gets some rows at once.
const ROWS_EACH: usize = 8;
const LONGEST_SPOUT_TURN: usize = 8192;
/// A spout that reported an error is asked again after this long.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What a task is made of, touched by the thread that runs it and nobody else.
pub(crate) struct Body {
    pub(crate) role: Role,
    pub(crate) out: Emission,
    /// Since when it waits for a gate.
    pub(crate) blocked_since: Option<Instant>,
    /// Names of the streams subscribed to, in the order of `Stats::inputs`.
    pub(crate) inputs: Vec<(String, String)>,
    pub(crate) closed: bool,
}

pub(crate) enum Role {
    Bolt(BoltRole),
    Spout(Box<SpoutRole>),
}

pub(crate) struct BoltRole {
    pub(crate) bolt: Box<dyn Bolt>,
    pub(crate) debts: Debts,
    pub(crate) tick: Option<Duration>,
    /// It takes its time: what it emits leaves after every tuple, not after the batch.
    pub(crate) slow: bool,
    /// Executed, acked, failed.
    pub(crate) counts: (u64, u64, u64),
    pub(crate) by_input: Vec<u64>,
}

pub(crate) struct SpoutRole {
    pub(crate) spout: Box<dyn Spout>,
    pub(crate) ledger: Ledger,
    /// Outcomes that `next_tuple` itself brought about, told to the spout once it has returned.
    pub(crate) outcomes: Vec<Outcome>,
    /// Tuples that failed, if they are not to be replayed for ever.
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) active: bool,
    pub(crate) said: Next,
    pub(crate) asleep_until: Option<Instant>,
    /// When time-outs are looked at next; set while trees are under way.
    pub(crate) expiry: Option<Instant>,
    pub(crate) counts: (u64, u64),
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
            Role::Bolt(role) => role.turn(task, shared, out, &self.inputs),
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
        let closed = catch_unwind(AssertUnwindSafe(|| match &mut self.role {
            Role::Bolt(role) => role.bolt.cleanup(),
            Role::Spout(role) => role.spout.close(),
        }));
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
                if role.by_input.len() > 1 {
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

impl BoltRole {
    fn turn(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission, inputs: &[(String, String)]) -> bool {
        if task.is_blocked() {
            return false;
        }
        if task.tick_due.swap(false, Relaxed) {
            let mut sink = BoltSink { out, shared, task, counts: &mut self.counts, slow: false, all_done: false };
            let result = catch_unwind(AssertUnwindSafe(|| self.bolt.tick(&mut Output::new(&mut sink))));
            report(shared, task, result);
            if let Some(tick) = self.tick {
                shared.scheduler.at(Instant::now() + tick, task.id, Alarm::Tick);
            }
        }
        let mut done = 0;
        let mut now_ns = shared.now_ns();
        let (began_ns, mut flushed_ns) = (now_ns, now_ns);
        while done < TURN && now_ns - began_ns < TURN_NS {
            let Some(mail) = lock(&task.mailbox).pop_front() else { return false };
            let rows = mail.batch.len();
            done += rows;
            shared.waits.note(task.component, now_ns.saturating_sub(mail.since_ns));
            if shared.taps.is_on() {
                shared.taps.see(task.component, task.id, &mail.batch);
            }
            task.stats.batch_since_ns.store(mail.since_ns, Relaxed);
            let is_done = self.execute(task, shared, out, &mail, inputs);
            task.stats.batch_since_ns.store(0, Relaxed);
            let then_ns = std::mem::replace(&mut now_ns, shared.now_ns());
            let took = now_ns.saturating_sub(then_ns);
            task.stats.busy_ns.fetch_add(took, Relaxed);
            let each = took / rows.max(1) as u64;
            lock(&task.stats.execute).record(each, rows as u64);
            self.slow = each > SLOW_NS;
            if now_ns - flushed_ns > FLUSH_NS {
                flushed_ns = now_ns;
                out.flush();
                shared.go();
            }
            self.take_in(task, shared, out, mail, is_done);
            if !out.full.is_empty() {
                return true;
            }
        }
        true
    }

    /// Whether all of the batch was acked, which is still to be told.
    fn execute(
        &mut self,
        task: &Arc<Task>,
        shared: &Arc<Shared>,
        out: &mut Emission,
        mail: &Mail,
        inputs: &[(String, String)],
    ) -> bool {
        let batch = &mail.batch;
        let rows = batch.len() as u64;
        self.counts.0 += rows;
        if inputs.len() > 1 {
            let source = batch.source();
            if let Some(i) = inputs.iter().position(|(c, s)| **c == *source.component && **s == *source.stream) {
                self.by_input[i] += rows;
            }
        }
        let mut sink = BoltSink { out, shared, task, counts: &mut self.counts, slow: self.slow, all_done: false };
        let mut output = Output::new(&mut sink);
        output.start();
        let result = catch_unwind(AssertUnwindSafe(|| self.bolt.execute_batch(batch, &mut output)));
        // A panic fails what was not settled yet, as an error of the whole batch does.
        let result = result.unwrap_or_else(|panic| Err(shared.panicked(task, &*panic)));
        output.settle(batch, result);
        sink.all_done
    }

    /// The batch is done with: there is room for the next, and its memory is used again.
    fn take_in(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission, mail: Mail, is_done: bool) {
        let (rows, bytes) = (mail.batch.len() as u64, mail.batch.columns().bytes() as u64);
        task.queued.fetch_sub(rows, Relaxed);
        match mail.from {
            None => shared.let_go(task.gate.leave(rows, bytes)),
            Some(worker) => {
                if let Some((tuples, bytes)) = self.debts.add(worker, rows, bytes, shared.window) {
                    shared.credit(worker, task.id, tuples, bytes);
                }
            }
        }
        let (columns, lineage) = mail.batch.into_parts();
        if is_done {
            out.settle_batch(lineage);
        } else {
            shared.give_lineage(lineage);
        }
        shared.recycle(columns);
    }
}

impl SpoutRole {
    fn turn(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission) -> bool {
        self.hear(task, shared);
        let more = self.ask(task, shared, out);
        self.mind_the_time(task, shared);
        more
    }

    /// Has the spout emit, as far as there is room.
    fn ask(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission) -> bool {
        let active = shared.is_active();
        if active != self.active {
            self.active = active;
            let spout = &mut self.spout;
            let result = catch_unwind(AssertUnwindSafe(|| if active { spout.activate() } else { spout.deactivate() }));
            report(shared, task, result.map(Ok));
        }
        if !active || task.is_blocked() || self.said == Next::End {
            return false;
        }
        if task.poked.swap(false, Relaxed) {
            self.asleep_until = None;
        }
        if let Some(until) = self.asleep_until {
            if Instant::now() < until {
                return false;
            }
            self.asleep_until = None;
        }
        let most = shared.max_pending;
        let began = Instant::now();
        let mut now_ns = shared.now_ns();
        let start = out.emitted;
        let turn = (out.bundles.len() * ROWS_EACH).clamp(SPOUT_TURN, LONGEST_SPOUT_TURN);
        let mut calls = 0;
        // The time is looked at after every call of a slow spout, and seldom with a fast one.
        let (mut look_at, mut step, began_ns) = (1, 1, now_ns);
        let more = loop {
            let emitted = (out.emitted - start) as usize;
            if self.ledger.pending() >= most {
                break false;
            }
            if emitted >= turn || calls >= turn || !out.full.is_empty() {
                break true;
            }
            if calls == look_at {
                let then_ns = std::mem::replace(&mut now_ns, shared.now_ns());
                if now_ns - began_ns > FLUSH_NS {
                    break true;
                }
                step = if now_ns - then_ns < SLOW_NS { (step * 2).min(32) } else { 1 };
                look_at += step;
            }
            calls += 1;
            let room = (turn - emitted).min(most - self.ledger.pending());
            let SpoutRole { spout, ledger, outcomes, dead_letters, .. } = self;
            let mut sink = OutSink { out, shared, ledger, outcomes, dead_letters, now_ns, room };
            let said = catch_unwind(AssertUnwindSafe(|| spout.next_tuple(&mut SpoutOutput::new(&mut sink))));
            self.said = match said {
                Ok(Ok(next)) => next,
                Ok(Err(error)) => {
                    shared.error(task, &error, false);
                    Next::After(AFTER_ERROR)
                }
                Err(panic) => {
                    shared.panicked(task, &*panic);
                    Next::After(AFTER_ERROR)
                }
            };
            if !self.outcomes.is_empty() {
                self.tell(task, shared);
            }
            match self.said {
                Next::More => {}
                Next::After(pause) => {
                    let until = Instant::now() + pause;
                    self.asleep_until = Some(until);
                    shared.scheduler.at(until, task.id, Alarm::Wake);
                    break false;
                }
                Next::Wait | Next::End => break false,
            }
        };
        task.stats.busy_ns.fetch_add(began.elapsed().as_nanos() as u64, Relaxed);
        more
    }

    /// Takes in what became of the trees.
    fn hear(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) {
        let now_ns = shared.now_ns();
        let mut letters = std::mem::take(&mut *lock(&task.letters));
        if let Some(dead) = &mut self.dead_letters {
            // After the deltas were taken: what those of them that fail a tree have to say is there by now.
            std::mem::take(&mut *lock(&task.reasons)).into_iter().for_each(|(root, text)| dead.reason(root, text));
        }
        if !letters.is_empty() {
            for delta in letters.deltas.drain(..) {
                self.outcomes.extend(self.ledger.apply(&delta, now_ns));
            }
            for lineage in letters.done.drain(..) {
                self.ledger.settle(lineage.edges(), now_ns, &mut self.outcomes);
                shared.give_lineage(lineage);
            }
        }
        {
            // The vectors go back, so that they need not grow again.
            let mut inbox = lock(&task.letters);
            if inbox.is_empty() {
                *inbox = letters;
            }
        }
        for news in std::mem::take(&mut *lock(&task.news)) {
            match news {
                News::Died { worker, bit, waiting } => {
                    self.ledger.bury(worker, (bit, waiting), now_ns, &mut self.outcomes);
                }
                News::CameUp { worker, bit, older } => {
                    self.ledger.welcome(worker, bit);
                    self.ledger.fail_older(older, now_ns, &mut self.outcomes);
                }
            }
        }
        if self.expiry.is_some_and(|at| Instant::now() >= at) {
            self.expiry = None;
            let timeout = shared.message_timeout.as_nanos() as u64;
            let patience = timeout.saturating_add(shared.waits_everywhere());
            self.ledger.expire(now_ns.saturating_sub(patience), now_ns, &mut self.outcomes);
        }
        self.tell(task, shared);
    }

    /// While trees are under way, somebody must look at the time.
    fn mind_the_time(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) {
        if self.ledger.pending() > 0 && self.expiry.is_none() {
            let at = Instant::now() + shared.message_timeout / 8;
            self.expiry = Some(at);
            shared.scheduler.at(at, task.id, Alarm::Wake);
        }
    }

    fn tell(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) {
        if self.outcomes.is_empty() {
            return;
        }
        let mut complete = lock(&task.stats.complete);
        // Neighbours mostly left together and were done together.
        let (mut run_ns, mut run) = (0, 0);
        for outcome in &self.outcomes {
            match outcome {
                Outcome::Done { took_ns, .. } => {
                    self.counts.0 += 1;
                    if *took_ns != run_ns && shared.acking {
                        complete.record(run_ns, std::mem::take(&mut run));
                    }
                    (run_ns, run) = (*took_ns, run + 1);
                }
                Outcome::Failed { .. } => {
                    self.counts.1 += 1;
                    // It may emit it again, even if it had said that it would never emit again.
                    if self.said == Next::End {
                        self.said = Next::More;
                    }
                }
            }
        }
        if shared.acking {
            complete.record(run_ns, run);
        }
        drop(complete);
        // After a panic the rest are told all the same.
        let mut told = 0;
        while told < self.outcomes.len() {
            let SpoutRole { spout, outcomes, dead_letters, .. } = self;
            let result = catch_unwind(AssertUnwindSafe(|| {
                while let Some(outcome) = outcomes.get(told) {
                    told += 1;
                    match (*outcome, &mut *dead_letters) {
                        (Outcome::Done { id, .. }, None) => spout.ack(id),
                        (Outcome::Done { id, .. }, Some(letters)) => {
                            letters.done(id);
                            spout.ack(id);
                        }
                        (Outcome::Failed { id, .. }, None) => spout.fail(id),
                        (Outcome::Failed { id, root, why }, Some(letters)) => match letters.failed(id, root, why) {
                            // Let go: as far as the spout is concerned, it is done.
                            Ok(true) => spout.ack(id),
                            Ok(false) => spout.fail(id),
                            Err(error) => {
                                shared.error(task, &error, false);
                                spout.fail(id);
                            }
                        },
                    }
                }
            }));
            if let Err(panic) = result {
                shared.panicked(task, &*panic);
            }
        }
        self.outcomes.clear();
    }
}

struct BoltSink<'a> {
    out: &'a mut Emission,
    shared: &'a Arc<Shared>,
    task: &'a Arc<Task>,
    counts: &'a mut (u64, u64, u64),
    slow: bool,
    /// The whole batch in hand was acked; its lineage goes to the ledger as it is.
    all_done: bool,
}

impl Sink for BoltSink<'_> {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.out.stream(name)
    }

    #[inline]
    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        anchors: &[Edge],
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        self.out.emit(stream, task, Anchored(anchors), row, targets).map(drop)
    }

    #[inline]
    fn ack(&mut self, edges: &[Edge]) {
        self.counts.1 += 1;
        self.task.stats.progress.store(self.counts.1 + self.counts.2, Relaxed);
        self.out.settle(edges, Verdict::Going);
        if self.slow {
            self.out.flush();
            self.shared.go();
        }
    }

    fn ack_batch(&mut self, batch: &Batch) {
        self.counts.1 += batch.len() as u64;
        self.task.stats.progress.store(self.counts.1 + self.counts.2, Relaxed);
        self.all_done = true;
    }

    fn fail(&mut self, edges: &[Edge], error: &Error) {
        self.counts.2 += 1;
        self.shared.error(self.task, error, false);
        self.shared.tell_why(self.task, edges, Some(error));
        self.out.settle(edges, Verdict::Failed);
    }

    fn fail_beside(&mut self, edges: &[Edge], _: &Error) {
        self.counts.2 += 1;
        self.shared.tell_why(self.task, edges, None);
        self.out.settle(edges, Verdict::Failed);
    }

    fn extend(&mut self, edges: &[Edge]) {
        self.out.settle(edges, Verdict::Extended);
    }
}

struct OutSink<'a> {
    out: &'a mut Emission,
    shared: &'a Arc<Shared>,
    ledger: &'a mut Ledger,
    outcomes: &'a mut Vec<Outcome>,
    dead_letters: &'a mut Option<DeadLetters>,
    now_ns: u64,
    room: usize,
}

impl SpoutSink for OutSink<'_> {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.out.stream(name)
    }

    #[inline]
    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: Option<u64>,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        self.room = self.room.saturating_sub(1);
        let Some(id) = id else { return self.out.emit(stream, task, Untracked, row, targets).map(drop) };
        if !self.shared.acking {
            // Without tracking a tuple counts as done once it is emitted, as in Storm.
            self.out.emit(stream, task, Untracked, row, targets)?;
            self.outcomes.push(Outcome::Done { id, took_ns: 0 });
            return Ok(());
        }
        if let (Some(letters), Some(stream)) = (&mut *self.dead_letters, self.out.streams.get(stream.0 as usize)) {
            letters.emitted(id, stream, row);
        }
        let root = self.ledger.open();
        match self.out.emit(stream, task, NewTree { root, xor: 0, workers: 0 }, row, targets) {
            Ok(tree) => {
                if let Some(outcome) = self.ledger.plant(root, id, tree.xor, tree.workers, self.now_ns) {
                    self.outcomes.push(outcome);
                }
                Ok(())
            }
            Err(error) => {
                self.ledger.abandon(root);
                Err(error)
            }
        }
    }

    fn room(&self) -> usize {
        self.room
    }
}

type Caught<T> = std::result::Result<T, Box<dyn std::any::Any + Send>>;

/// Reports an error or a panic of a call whose result nobody else wants.
fn report(shared: &Arc<Shared>, task: &Arc<Task>, result: Caught<Result<()>>) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => shared.error(task, &error, false),
        Err(panic) => drop(shared.panicked(task, &*panic)),
    }
}
