//! A spout's turn: it hears what became of its trees, and is asked for more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use squall_core::{Next, Result, Slice, Spout, SpoutOutput, SpoutSink, StreamId, ValueRef};

use super::Shared;
use super::body::{FLUSH_NS, SLOW_NS, report};
use super::dead_letters::DeadLetters;
use super::emission::Emission;
use super::ledger::Ledger;
use super::outcomes::{Failed, Outcomes};
use super::scheduler::Alarm;
use super::task::{LedgerMail, News, Task};
use super::trees::{NewTree, NewTrees, Untracked};
use crate::sync::lock;

/// A spout's turn ends after this many; what it emitted is taken in by the next task while still in the cache.
const TURN: usize = 1024;
/// With many receivers it ends later, so that each gets some rows at once.
const ROWS_EACH: usize = 8;
const LONGEST_TURN: usize = 8192;
/// A spout's turn that took no longer needs no look at the clock for what it emits.
const QUICK_NS: u64 = 50_000;
/// A spout that reported an error is asked again after this long.
const AFTER_ERROR: Duration = Duration::from_millis(100);

pub(crate) struct SpoutRole {
    pub(crate) spout: Box<dyn Spout>,
    pub(crate) ledger: Ledger,
    /// What the ledger has been told and takes in now.
    pub(crate) mail: LedgerMail,
    /// Outcomes that `next_tuple` itself brought about, told to the spout once it has returned.
    pub(crate) outcomes: Outcomes,
    /// Tuples that failed, if they are not to be replayed for ever.
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) active: bool,
    pub(crate) said: Next,
    pub(crate) asleep_until: Option<Instant>,
    /// When time-outs are looked at next; set while trees are under way.
    pub(crate) expiry: Option<Instant>,
    /// Done, failed; of the first stream, where there are several.
    pub(crate) counts: (u64, u64),
    /// Its last turn was over soon.
    pub(crate) quick: bool,
}

impl SpoutRole {
    pub(super) fn turn(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission) -> bool {
        let now_ns = self.hear(task, shared);
        let more = self.ask(task, shared, out, now_ns);
        self.mind_the_time(task, shared);
        more
    }

    /// Has the spout emit, as far as there is room.
    fn ask(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission, mut now_ns: u64) -> bool {
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
        let start = out.emitted;
        let turn = (out.bundles.len() * ROWS_EACH).clamp(TURN, LONGEST_TURN);
        let mut calls = 0;
        // The time is looked at after every call of a slow spout, and seldom with a fast one.
        let (mut look_at, mut step, began_ns) = (1, 1, now_ns);
        // Of a quick spout, rows leave about when they are emitted.
        out.now_ns = self.quick.then_some(now_ns);
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
                    shared.error(task, &error);
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
        let took_ns = shared.now_ns().saturating_sub(began_ns);
        self.quick = took_ns < QUICK_NS;
        task.stats.busy_ns.fetch_add(took_ns, Relaxed);
        more
    }

    /// Takes in what became of the trees, and gives the time afterwards.
    fn hear(&mut self, task: &Arc<Task>, shared: &Arc<Shared>) -> u64 {
        let now_ns = shared.now_ns();
        // The one that was emptied last time goes back, so that its vectors need not grow again.
        std::mem::swap(&mut self.mail, &mut *lock(&task.ledger_mail));
        if let Some(letters) = &mut self.dead_letters {
            // After the deltas were taken: what those of them that fail a tree have to say is there by now.
            std::mem::take(&mut *lock(&task.reasons)).into_iter().for_each(|(root, text)| letters.reason(root, text));
        }
        for delta in self.mail.deltas.drain(..) {
            self.ledger.take(&delta, now_ns, &mut self.outcomes);
        }
        for lineage in self.mail.done.drain(..) {
            self.ledger.settle(&lineage, now_ns, &mut self.outcomes);
            shared.give_lineage(lineage);
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
        if self.outcomes.is_empty() {
            return now_ns;
        }
        self.tell(task, shared);
        shared.now_ns()
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
        if shared.acking {
            let mut complete = lock(&task.stats.complete);
            self.outcomes.took.iter().for_each(|(took_ns, n)| complete.record(*took_ns, *n));
        }
        let others = count_others(task, &self.outcomes, shared.acking);
        self.counts.0 += self.outcomes.done.len() as u64 - others.0;
        self.counts.1 += self.outcomes.failed.len() as u64 - others.1;
        // It may emit them again, even if it had said that it would never emit again.
        if !self.outcomes.failed.is_empty() && self.said == Next::End {
            self.said = Next::More;
        }
        let SpoutRole { spout, outcomes, dead_letters, .. } = self;
        if let Some(letters) = dead_letters {
            outcomes.done.iter().for_each(|id| letters.done(*id));
        }
        // After a panic the rest are told all the same.
        let (mut done, mut failed) = (outcomes.done.iter(), outcomes.failed.iter());
        loop {
            let left = (done.len(), failed.len());
            let result = catch_unwind(AssertUnwindSafe(|| {
                spout.ack_all(&mut done);
                for one in &mut failed {
                    match dead_letters.as_mut().is_some_and(|letters| is_let_go(letters, one, task, shared)) {
                        true => spout.ack(one.id),
                        false => spout.fail(one.id),
                    }
                }
            }));
            let Err(panic) = result else { break };
            shared.panicked(task, &*panic);
            // An `ack_all` of a spout's own may have taken nothing out before it panicked: then it is not asked for ever.
            if (done.len(), failed.len()) == left && done.next().is_none() {
                failed.next();
            }
        }
        self.outcomes.clear();
    }
}

/// Counts, for their streams, tuples of other streams than the first; how many were done, and how many failed.
fn count_others(task: &Task, outcomes: &Outcomes, acking: bool) -> (u64, u64) {
    let failed = || outcomes.failed.iter().filter(|f| f.stream != StreamId::DEFAULT);
    if outcomes.others.is_empty() && failed().next().is_none() {
        return (0, 0);
    }
    let mut others = lock(&task.stats.others);
    let (mut counted, mut failures) = (0, 0);
    for (stream, took_ns, n) in &outcomes.others {
        // The emission let no tuple of a stream through that is not there.
        let Some(of) = others.get_mut(stream.0 as usize - 1) else { continue };
        of.acked += n;
        counted += n;
        if acking {
            of.complete.record(*took_ns, *n);
        }
    }
    for one in failed() {
        let Some(of) = others.get_mut(one.stream.0 as usize - 1) else { continue };
        of.failed += 1;
        failures += 1;
    }
    (counted, failures)
}

/// Whether a tuple failed so often that its spout is not to emit it again.
fn is_let_go(letters: &mut DeadLetters, one: &Failed, task: &Arc<Task>, shared: &Arc<Shared>) -> bool {
    letters.failed(one.id, one.root, one.why).unwrap_or_else(|error| {
        shared.error(task, &error);
        false
    })
}

struct OutSink<'a> {
    out: &'a mut Emission,
    shared: &'a Arc<Shared>,
    ledger: &'a mut Ledger,
    outcomes: &'a mut Outcomes,
    dead_letters: &'a mut Option<DeadLetters>,
    now_ns: u64,
    room: usize,
}

impl OutSink<'_> {
    #[inline(always)]
    fn untracked(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        self.room = self.room.saturating_sub(1);
        self.out.emit(stream, task, Untracked, row, targets).map(drop)
    }

    /// Without tracking a tuple counts as done once it is emitted, as in Storm. Apart, so that `tracked` stays short.
    #[inline(never)]
    fn done_at_once(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: u64,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        self.untracked(stream, task, row, targets)?;
        self.outcomes.done_on(stream, id, 0);
        Ok(())
    }

    #[inline(always)]
    fn tracked(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: u64,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        if !self.shared.acking {
            return self.done_at_once(stream, task, id, row, targets);
        }
        self.room = self.room.saturating_sub(1);
        if let (Some(letters), Some(stream)) = (&mut *self.dead_letters, self.out.streams.get(stream.0 as usize)) {
            letters.emitted(id, stream, row);
        }
        let root = self.ledger.open();
        match self.out.emit(stream, task, NewTree { root, xor: 0, workers: 0 }, row, targets) {
            Ok(tree) => {
                if stream != StreamId::DEFAULT {
                    self.ledger.emitted_on(stream, root);
                }
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
}

impl SpoutSink for OutSink<'_> {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.out.stream(name)
    }

    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: Option<u64>,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        match id {
            None => self.untracked(stream, task, row, targets),
            Some(id) => self.tracked(stream, task, id, row, targets),
        }
    }

    fn emit_untracked(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.untracked(StreamId::DEFAULT, None, row, None)
    }

    fn emit_tracked(&mut self, row: &[ValueRef<'_>], id: u64) -> Result<()> {
        self.tracked(StreamId::DEFAULT, None, id, row, None)
    }

    fn emit_rows(&mut self, rows: Slice<'_>, ids: Option<&[u64]>) -> Result<()> {
        let stream = StreamId::DEFAULT;
        rows.check_ids(ids)?;
        self.out.check_rows(stream, &rows)?;
        // Of rows that may have to be written down each is looked at.
        let one_by_one = self.dead_letters.is_some() && ids.is_some();
        if one_by_one || !self.out.in_runs(stream, rows.len()) {
            return rows.each(|at, row| match ids {
                None => self.emit_untracked(row),
                Some(ids) => self.emit_tracked(row, ids[at]),
            });
        }
        self.room = self.room.saturating_sub(rows.len());
        match ids {
            Some(ids) if self.shared.acking => {
                let mut trees = NewTrees { ledger: self.ledger, ids, now_ns: self.now_ns };
                self.out.emit_rows(stream, &rows, &mut trees)
            }
            _ => {
                self.out.emit_rows(stream, &rows, &mut Untracked)?;
                ids.into_iter().flatten().for_each(|id| self.outcomes.done(*id, 0));
                Ok(())
            }
        }
    }

    fn room(&self) -> usize {
        self.room
    }
}
