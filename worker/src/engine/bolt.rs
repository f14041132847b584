//! A bolt's turn: the batches in its mailbox, executed and taken in.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use squall_core::control::Taken;
use squall_core::wire::Verdict;
use squall_core::{Batch, Bolt, Edge, Error, Output, Result, Sink, Slice, Source, StreamId, ValueRef};

use super::Shared;
use super::body::{FLUSH_NS, SLOW_NS, report};
use super::emission::Emission;
use super::gate::Debts;
use super::scheduler::Alarm;
use super::task::{Mail, Task};
use super::trees::{Anchored, OneToOne};
use crate::sync::lock;

/// A turn ends after this many tuples, so that others get theirs.
const TURN: usize = 1024;
/// Or after so many nanoseconds.
const TURN_NS: u64 = 5_000_000;

pub(crate) struct BoltRole {
    pub(crate) bolt: Box<dyn Bolt>,
    pub(crate) debts: Debts,
    pub(crate) tick: Option<Duration>,
    /// It takes its time: what it emits leaves after every tuple, not after the batch.
    pub(crate) slow: bool,
    /// Executed, acked, failed.
    pub(crate) counts: (u64, u64, u64),
    /// The same by stream, with names, where it subscribes to several.
    pub(crate) by_input: Vec<Taken>,
}

impl BoltRole {
    pub(super) fn turn(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission) -> bool {
        if task.is_blocked() {
            return false;
        }
        if task.tick_due.swap(false, Relaxed) {
            let panicked = Cell::new(false);
            let mut sink =
                BoltSink { out, shared, task, counts: &mut self.counts, slow: false, all_done: false, panicked: &panicked };
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
            let before = self.counts;
            let is_done = self.execute(task, shared, out, &mail);
            task.stats.batch_since_ns.store(0, Relaxed);
            let then_ns = std::mem::replace(&mut now_ns, shared.now_ns());
            let took = now_ns.saturating_sub(then_ns);
            task.stats.busy_ns.fetch_add(took, Relaxed);
            let each = took / rows.max(1) as u64;
            lock(&task.stats.execute).record(each, rows as u64);
            self.slow = each > SLOW_NS;
            if !self.by_input.is_empty() {
                self.count_input(mail.batch.source(), before, took);
            }
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
    fn execute(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission, mail: &Mail) -> bool {
        let batch = &mail.batch;
        self.counts.0 += batch.len() as u64;
        let panicked = Cell::new(false);
        let mut sink =
            BoltSink { out, shared, task, counts: &mut self.counts, slow: self.slow, all_done: false, panicked: &panicked };
        let mut output = Output::new(&mut sink);
        output.start();
        let result = catch_unwind(AssertUnwindSafe(|| self.bolt.execute_batch(batch, &mut output)));
        // A panic fails what was not settled yet, as an error of the whole batch does.
        let result = result.unwrap_or_else(|panic| {
            panicked.set(true);
            Err(shared.panicked(task, &*panic))
        });
        output.settle(batch, result);
        sink.all_done
    }

    /// Counts for a stream what was counted since.
    fn count_input(&mut self, source: &Source, before: (u64, u64, u64), took_ns: u64) {
        if let Some(input) = self.by_input.iter_mut().find(|i| i.is_of(&source.component, &source.stream)) {
            input.executed += self.counts.0 - before.0;
            input.acked += self.counts.1 - before.1;
            input.failed += self.counts.2 - before.2;
            input.busy_ns += took_ns;
        }
    }

    /// The batch is done with: there is room for the next, and its memory is used again.
    fn take_in(&mut self, task: &Arc<Task>, shared: &Arc<Shared>, out: &mut Emission, mail: Mail, is_done: bool) {
        let (rows, bytes) = (mail.batch.len() as u64, mail.batch.columns().bytes() as u64);
        task.queued.fetch_sub(rows, Relaxed);
        match mail.from {
            None => shared.let_go(task.gate.leave(rows, bytes)),
            Some(from) => {
                if let Some((tuples, bytes)) = self.debts.add(from, rows, bytes, shared.window) {
                    shared.credit(from, task.id, tuples, bytes);
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

struct BoltSink<'a> {
    out: &'a mut Emission,
    shared: &'a Arc<Shared>,
    task: &'a Arc<Task>,
    counts: &'a mut (u64, u64, u64),
    slow: bool,
    /// The whole batch in hand was acked; its lineage goes to the ledger as it is.
    all_done: bool,
    /// The batch in hand ended with a panic, which was noted: it is no other error for each tuple that fails by it.
    panicked: &'a Cell<bool>,
}

impl Sink for BoltSink<'_> {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.out.stream(name)
    }

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

    fn emit_row(&mut self, anchors: &[Edge], row: &[ValueRef<'_>]) -> Result<()> {
        self.out.emit(StreamId::DEFAULT, None, Anchored(anchors), row, None).map(drop)
    }

    fn emit_rows(&mut self, batch: &Batch, first: usize, rows: Slice<'_>) -> Result<()> {
        rows.check_tuples(batch, first)?;
        self.out.check_rows(StreamId::DEFAULT, &rows)?;
        if self.out.in_runs(StreamId::DEFAULT, rows.len()) {
            let mut trees = OneToOne { lineage: batch.lineage(), next: first };
            return self.out.emit_rows(StreamId::DEFAULT, &rows, &mut trees);
        }
        rows.each(|at, row| self.emit_row(&batch.lineage().row(first + at), row))
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
        if !self.panicked.get() {
            self.shared.error(self.task, error);
        }
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
