//! What comes in from other workers, and news about them.

use std::sync::atomic::Ordering;

use squall_core::wire::{DecodedBatch, Delta, Verdict};
use squall_core::{Batch, Columns, Root, Source};

use super::Shared;
use super::ledger;
use super::task::{Mail, News};
use crate::sync::lock;

impl Shared {
    /// A batch came in from a start of another worker; the number of receivers that do not run here.
    pub(crate) fn deliver(&self, from: (u32, u64), batch: DecodedBatch) -> usize {
        let Some(source) = self.sources.get(batch.stream as usize) else { return batch.receivers.len() };
        let since_ns = self.now_ns();
        let mut strays = 0;
        for receiver in batch.receivers {
            let Some(task) = self.local(receiver.task) else {
                strays += 1;
                continue;
            };
            let source = Source { task: batch.source, ..source.clone() };
            let batch = Batch::new(source, batch.columns.clone(), receiver.lineage);
            task.deliver(Mail { batch, from: Some(from), since_ns }, &self.scheduler);
        }
        strays
    }

    /// Empty columns for what arrives on a stream; none for a number that the plan does not have.
    pub(crate) fn storage(&self, stream: u32) -> Option<Columns> {
        self.pool.take_known(stream)
    }

    /// Deltas came in for spouts here; the number that are for none.
    pub(crate) fn deltas(&self, deltas: &[Delta]) -> usize {
        let mut strays = 0;
        for run in deltas.chunk_by(|a, b| a.root.task == b.root.task) {
            match self.local(run[0].root.task) {
                Some(task) => self.tell_local(task, run),
                None => strays += run.len(),
            }
        }
        strays
    }

    /// A bolt elsewhere says why a tree is about to fail.
    pub(crate) fn reason(&self, root: Root, text: String) {
        if let Some(spout) = self.local(root.task) {
            let mut reasons = lock(&spout.reasons);
            // Nobody takes them out where no dead letters are wanted, and nobody has more trees than this.
            if self.plan.settings.max_failures.is_some() && reasons.len() < 2 * self.max_pending {
                reasons.push((root, text));
            }
        }
    }

    /// A task of another worker took in so much.
    pub(crate) fn credited(&self, task: u32, tuples: u64, bytes: u64) {
        if let Some(Some(gate)) = self.gates.get(task as usize) {
            self.let_go(gate.credited(tuples, bytes, self.now_ns()));
        }
    }

    /// Where tasks are from now on.
    pub(crate) fn place(&self, worker: u32, tasks: &[u32]) {
        for task in tasks {
            if let Some(place) = self.places.get(*task as usize) {
                place.store(worker, Ordering::Relaxed);
                if self.local(*task).is_none() {
                    // Unless it is up already.
                    let _ = self.bits[*task as usize].compare_exchange(
                        0,
                        self.worker_bits.waiting(worker),
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
            }
        }
    }

    /// A worker is up: its tasks may be sent to.
    pub(crate) fn peer_up(&self, worker: u32, incarnation: u64) {
        let bit = self.worker_bits.of(worker, incarnation);
        // Some may have come and gone that were never heard of here; where workers share bits, nobody can tell.
        let mut older = 0;
        if self.worker_bits.are_own(self.plan.settings.workers) {
            older = self.worker_bits.all_of(worker) & !bit;
            // One in between, that was never heard of here, may have had what waited, from others, and have died with it.
            let before = lock(&self.last_up).insert(worker, incarnation);
            if before.is_some_and(|before| incarnation.wrapping_sub(before) > 1) {
                older |= self.worker_bits.waiting(worker);
            }
        }
        self.news(News::CameUp { worker, bit, older });
        for task in self.tasks_at(worker) {
            self.bits[task].store(bit, Ordering::Relaxed);
            if let Some(gate) = &self.gates[task] {
                self.let_go(gate.open());
            }
        }
    }

    /// How long tuples wait in another worker.
    pub(crate) fn peer_waits(&self, worker: u32, ns: u64) {
        self.waits.elsewhere(worker, Some(ns));
    }

    /// A worker died: what was on its way is lost, and every tree it touched fails.
    pub(crate) fn peer_down(&self, worker: u32, incarnation: u64) {
        for task in self.tasks_at(worker) {
            self.bits[task].store(self.worker_bits.waiting(worker), Ordering::Relaxed);
            if let Some(gate) = &self.gates[task] {
                gate.close();
            }
        }
        self.waits.elsewhere(worker, None);
        let (bit, waiting) = (self.worker_bits.of(worker, incarnation), self.worker_bits.waiting(worker));
        self.news(News::Died { worker, bit, waiting });
    }

    /// Rows for a worker that died will never arrive there: their trees fail.
    pub(crate) fn thrown_away(&self, batches: Vec<DecodedBatch>) {
        let mut deltas = lost(batches);
        self.tell_ledgers(&mut deltas, &mut Vec::new());
        self.go();
    }

    fn tasks_at(&self, worker: u32) -> impl Iterator<Item = usize> + '_ {
        let places = self.places.iter().enumerate();
        places.filter(move |(_, p)| p.load(Ordering::Relaxed) == worker).map(|(t, _)| t)
    }

    fn news(&self, news: News) {
        for spout in self.spouts() {
            lock(&spout.news).push(news);
            spout.wake(&self.scheduler);
        }
    }
}

/// What ledgers are told of rows that will never arrive.
fn lost(batches: Vec<DecodedBatch>) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for receiver in batches.into_iter().flat_map(|b| b.receivers) {
        deltas.extend(ledger::deltas(&receiver.lineage, Verdict::Failed));
    }
    // A row and the run that begins with it are two.
    deltas.dedup_by_key(|delta| (delta.root, delta.rows));
    deltas
}

#[cfg(test)]
mod tests {
    use squall_core::wire::Addressed;
    use squall_core::{Edge, Lineage, Run, Schema};

    use super::*;

    #[test]
    fn a_row_that_is_lost_does_not_hide_the_run_behind_it() {
        let root = Root { task: 1, slot: 1 << 31, generation: 7 };
        let (mut one, mut run) = (Lineage::default(), Lineage::default());
        one.push_one(0, Edge { root, id: 5 });
        run.push_run(0, Run { root, rows: 9, id: 6 });
        let receivers = vec![one.clone(), one, run].into_iter().map(|lineage| Addressed { task: 2, lineage }).collect();
        let columns = Columns::new(Schema::default().into()).into();
        let deltas = lost(vec![DecodedBatch { stream: 0, source: 1, columns, receivers }]);
        assert_eq!(
            deltas.iter().map(|d| (d.root, d.rows, d.verdict)).collect::<Vec<_>>(),
            [(root, 1, Verdict::Failed), (root, 9, Verdict::Failed)]
        );
    }
}
