//! The ledger of one spout task: the trees of its tracked tuples, each an XOR of the ids of all edges heard of.
//!
//! A tree is done when the XOR is zero, for every id comes twice: when the edge is made and when it is done. It fails when
//! a bolt says so, when a worker that it touched dies, or at the message time-out.

use std::collections::BTreeMap;

use squall_core::wire::{Delta, Verdict};
use squall_core::{Edge, Lineage, Root, Run, StreamId};

use super::blocks::{Blocks, is_in_block};
use super::outcomes::{Failed, Outcome, Outcomes, Why};
use super::slot::Slot;
use super::streams::Streams;

pub(crate) struct Ledger {
    task: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// On which streams the tuples of `slots` were emitted.
    streams: Streams,
    /// Trees that were begun together.
    blocks: Blocks,
    /// Generations begin at random, so that what is late for an earlier incarnation of the spout fits no tree.
    seed: u32,
    /// Bits of workers that died not long ago: a delta that names one is about a tree that worker may have held.
    dead: Vec<(u64, u64)>,
    /// The bits of workers that live, by worker.
    living: BTreeMap<u32, u64>,
}

/// How long a dead worker's bit is remembered, in nanoseconds. Deltas travel in milliseconds.
const REMEMBER_NS: u64 = 10_000_000_000;

impl Ledger {
    pub(crate) fn new(task: u32, seed: u32) -> Self {
        Ledger {
            task,
            slots: Vec::new(),
            free: Vec::new(),
            streams: Streams::default(),
            blocks: Blocks::default(),
            seed,
            dead: Vec::new(),
            living: BTreeMap::new(),
        }
    }

    /// Trees under way as (the spout's id, XOR, workers).
    pub(crate) fn trees(&self) -> Vec<(u64, u64, u64)> {
        let single = self.slots.iter().filter(|s| s.is_live()).map(|s| (s.id, s.xor, s.workers));
        single.chain(self.blocks.trees()).collect()
    }

    /// How many trees are under way.
    pub(crate) fn pending(&self) -> usize {
        self.slots.len() - self.free.len() + self.blocks.live()
    }

    /// Begins a tree. Its first edges follow with [`Ledger::plant`], before anything is sent.
    pub(crate) fn open(&mut self) -> Root {
        let slot = self.free.pop().unwrap_or_else(|| self.another());
        Root { task: self.task, slot, generation: self.slots[slot as usize].generation }
    }

    #[cold]
    fn another(&mut self) -> u32 {
        self.slots.push(Slot { generation: self.seed, ..Slot::default() });
        (self.slots.len() - 1) as u32
    }

    /// Says that the tuple of a new tree is not of the first stream; before its edges are planted.
    pub(crate) fn emitted_on(&mut self, stream: StreamId, root: Root) {
        self.streams.set(root.slot, stream);
    }

    /// Says which edges a new tree has; with none it is done at once.
    pub(crate) fn plant(&mut self, root: Root, id: u64, xor: u64, workers: u64, now_ns: u64) -> Option<Outcome> {
        let slot = &mut self.slots[root.slot as usize];
        *slot = Slot::new(slot.generation, id, (xor, workers), now_ns);
        if xor == 0 { Some(self.close(root, now_ns, None)) } else { None }
    }

    /// Begins a tree of one edge for each id, all of the first stream and to a worker with this bit; what [`Ledger::open`] and
    /// [`Ledger::plant`] do for one. The edges have these ids in their turn, none of them zero.
    #[inline(always)]
    pub(crate) fn plant_each(
        &mut self,
        ids: &[u64],
        workers: u64,
        now_ns: u64,
        mut edge_id: impl FnMut() -> u64,
    ) -> impl ExactSizeIterator<Item = Edge> {
        let missing = ids.len().saturating_sub(self.free.len());
        (0..missing).for_each(|_| {
            let slot = self.another();
            self.free.push(slot);
        });
        // Taken from the end, as one by one.
        let free = self.free.len() - ids.len();
        let Ledger { task, slots, free: places, .. } = self;
        let (task, slots) = (*task, &mut slots[..]);
        ids.iter().zip(places.drain(free..)).map(move |(id, at)| {
            let slot = &mut slots[at as usize];
            let (edge, generation) = (edge_id(), slot.generation);
            *slot = Slot::new(generation, *id, (edge, workers), now_ns);
            Edge { root: Root { task, slot: at, generation }, id: edge }
        })
    }

    /// The same as a block, all with an edge of this id to a worker with this bit. No more ids than a run may have.
    pub(crate) fn plant_block(&mut self, ids: &[u64], edge: (u64, u64), now_ns: u64) -> Run {
        self.blocks.begin(ids, self.task, self.seed, edge, now_ns)
    }

    /// Gives back a tree that was opened and not planted.
    pub(crate) fn abandon(&mut self, root: Root) {
        self.free.push(root.slot);
    }

    /// Takes in a delta. What fits no tree (late, or of another incarnation) changes nothing.
    pub(crate) fn take(&mut self, delta: &Delta, now_ns: u64, outcomes: &mut Outcomes) {
        let of_block = delta.rows > 1 && is_in_block(delta.root) && delta.root.task == self.task;
        if of_block && let Some(all) = self.blocks.all(delta.root, delta.rows) {
            if let Some(why) = note(all, delta, now_ns, &self.dead) {
                self.blocks.close_all(delta.root, now_ns, why, outcomes);
            }
            return;
        }
        for row in 0..delta.rows {
            let one = Delta { root: delta.root.after(row), rows: 1, ..*delta };
            self.apply(&one, now_ns).into_iter().for_each(|outcome| outcomes.push(outcome));
        }
    }

    /// Takes in a delta of one tree.
    pub(crate) fn apply(&mut self, delta: &Delta, now_ns: u64) -> Option<Outcome> {
        if delta.root.task != self.task {
            return None;
        }
        let slot = match is_in_block(delta.root) {
            true => self.blocks.one(delta.root)?,
            false => self.slots.get_mut(delta.root.slot as usize)?,
        };
        if !slot.is_live() || slot.generation != delta.root.generation {
            return None;
        }
        note(slot, delta, now_ns, &self.dead).map(|why| self.close(delta.root, now_ns, why))
    }

    /// Takes in what was done with a whole batch.
    pub(crate) fn settle(&mut self, lineage: &Lineage, now_ns: u64, outcomes: &mut Outcomes) {
        if !lineage.runs().is_empty() {
            return deltas(lineage, Verdict::Going).for_each(|delta| self.take(&delta, now_ns, outcomes));
        }
        let in_blocks = match self.streams.is_empty() {
            true => self.settle_each::<false>(lineage, now_ns, outcomes),
            false => self.settle_each::<true>(lineage, now_ns, outcomes),
        };
        if in_blocks {
            // Of trees that were begun together and are done one by one.
            let of_blocks = deltas(lineage, Verdict::Going).filter(|delta| is_in_block(delta.root));
            of_blocks.for_each(|delta| self.take(&delta, now_ns, outcomes));
        }
    }

    /// Takes in the edges of trees that were begun one by one, of several streams or of the first alone; whether there are others.
    #[inline(always)]
    fn settle_each<const SEVERAL: bool>(&mut self, lineage: &Lineage, now_ns: u64, outcomes: &mut Outcomes) -> bool {
        let Ledger { task, slots, free, streams, .. } = self;
        let mut in_blocks = false;
        for Edge { root, id } in lineage.edges() {
            let Some(slot) = slots.get_mut(root.slot as usize) else {
                in_blocks |= is_in_block(*root);
                continue;
            };
            if !slot.is_live() || slot.generation != root.generation || root.task != *task {
                continue;
            }
            slot.xor ^= id;
            if slot.xor == 0 {
                slot.close();
                free.push(root.slot);
                let took_ns = now_ns.saturating_sub(slot.emitted_ns);
                match SEVERAL {
                    true => outcomes.done_on(streams.release(root.slot), slot.id, took_ns),
                    false => outcomes.done(slot.id, took_ns),
                }
            }
        }
        in_blocks
    }

    /// A worker died: every tree it touched, or that has something waiting for it, fails, now or when a delta tells of it.
    pub(crate) fn bury(&mut self, worker: u32, (bit, waiting): (u64, u64), now_ns: u64, outcomes: &mut Outcomes) {
        self.living.remove(&worker);
        // What waits from now on waits for the next one.
        self.forget(bit | waiting);
        self.dead.retain(|(_, at)| now_ns.saturating_sub(*at) < REMEMBER_NS);
        // A living worker's trees must not fail because its bit is that of a dead one by chance.
        if self.living.values().all(|living| *living != bit) {
            self.dead.push((bit, now_ns));
        }
        self.fail_where(Why::Death, now_ns, outcomes, |slot| slot.workers & (bit | waiting) != 0);
    }

    /// A worker with this bit came up: it is not the dead one, even if the bit is the same by chance.
    pub(crate) fn welcome(&mut self, worker: u32, bit: u64) {
        self.living.insert(worker, bit);
        self.forget(bit);
    }

    /// These bits are of no dead worker, or of no dead one any more.
    fn forget(&mut self, bits: u64) {
        self.dead.iter_mut().for_each(|(dead, _)| *dead &= !bits);
        self.dead.retain(|(dead, _)| *dead != 0);
    }

    /// Fails trees that older incarnations of a worker that came up have touched, now or when a delta tells of it.
    pub(crate) fn fail_older(&mut self, bits: u64, now_ns: u64, outcomes: &mut Outcomes) {
        let dead = self.living.values().fold(bits, |bits, living| bits & !living);
        if dead != 0 {
            self.dead.push((dead, now_ns));
        }
        self.fail_where(Why::Death, now_ns, outcomes, |slot| slot.workers & bits != 0);
    }

    /// Fails all trees whose time-out began before `limit_ns`.
    pub(crate) fn expire(&mut self, limit_ns: u64, now_ns: u64, outcomes: &mut Outcomes) {
        self.dead.retain(|(_, at)| now_ns.saturating_sub(*at) < REMEMBER_NS);
        self.fail_where(Why::TimeOut, now_ns, outcomes, |slot| slot.fresh_ns() < limit_ns);
    }

    fn fail_where(&mut self, why: Why, now_ns: u64, outcomes: &mut Outcomes, which: impl Fn(&Slot) -> bool) {
        for slot in 0..self.slots.len() {
            let Slot { generation, .. } = self.slots[slot];
            if self.slots[slot].is_live() && which(&self.slots[slot]) {
                let root = Root { task: self.task, slot: slot as u32, generation };
                let outcome = self.close(root, now_ns, Some(why));
                outcomes.push(outcome);
            }
        }
        for (root, rows) in self.blocks.find(self.task, which) {
            if self.blocks.all(root, rows).is_some() {
                self.blocks.close_all(root, now_ns, Some(why), outcomes);
            } else {
                let outcome = self.close(root, now_ns, Some(why));
                outcomes.push(outcome);
            }
        }
    }

    /// A tree that is under way ends.
    fn close(&mut self, root: Root, now_ns: u64, failed: Option<Why>) -> Outcome {
        let in_block = is_in_block(root);
        let slot = match in_block {
            true => self.blocks.one(root),
            false => self.slots.get_mut(root.slot as usize),
        };
        let Slot { id, emitted_ns, .. } = slot.map_or_else(Slot::default, |slot| {
            let was = *slot;
            slot.close();
            was
        });
        let stream = match in_block {
            true => {
                self.blocks.closed_one(root);
                StreamId::DEFAULT
            }
            false => {
                self.free.push(root.slot);
                self.streams.release(root.slot)
            }
        };
        let took_ns = now_ns.saturating_sub(emitted_ns);
        failed.map_or(Outcome::Done { id, took_ns, stream }, |why| Outcome::Failed(Failed { id, root, stream, why }))
    }
}

/// What ledgers hear of the edges of a batch that is done with as a whole, done or failed.
pub(crate) fn deltas(lineage: &Lineage, verdict: Verdict) -> impl Iterator<Item = Delta> {
    let delta = move |root, rows, xor| Delta { root, rows, xor, workers: 0, verdict };
    let runs = lineage.runs().iter().map(move |run| delta(run.root, run.rows, run.id));
    runs.chain(lineage.edges().iter().map(move |edge| delta(edge.root, 1, edge.id)))
}

/// Adds a delta to what is known of a tree that is under way; if it ends with that, why, with none for one that is done.
fn note(slot: &mut Slot, delta: &Delta, now_ns: u64, dead: &[(u64, u64)]) -> Option<Option<Why>> {
    slot.xor ^= delta.xor;
    slot.workers |= delta.workers;
    match delta.verdict {
        Verdict::Failed => return Some(Some(Why::Bolt)),
        Verdict::Extended => slot.extend(now_ns),
        Verdict::Going => {}
    }
    if slot.xor == 0 {
        return Some(None);
    }
    let lost = !dead.is_empty() && dead.iter().any(|(bit, _)| delta.workers & bit != 0);
    lost.then_some(Some(Why::Death))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delta(root: Root, xor: u64) -> Delta {
        Delta { root, rows: 1, xor, workers: 0, verdict: Verdict::Going }
    }

    fn done(id: u64, took_ns: u64) -> Outcome {
        Outcome::Done { id, took_ns, stream: StreamId::DEFAULT }
    }

    fn failed(id: u64, root: Root, why: Why) -> Failed {
        Failed { id, root, stream: StreamId::DEFAULT, why }
    }

    #[test]
    fn a_late_delta_fits_no_tree() {
        let mut ledger = Ledger::new(1, 99);
        let old = ledger.open();
        ledger.plant(old, 7, 5, 0, 0);
        assert_eq!(ledger.apply(&delta(old, 5), 3), Some(done(7, 3)));
        let new = ledger.open();
        assert_eq!((new.slot, new.generation), (old.slot, old.generation + 1));
        ledger.plant(new, 8, 6, 0, 0);
        assert_eq!(ledger.apply(&delta(old, 6), 4), None);
        assert_eq!(ledger.pending(), 1);
        let foreign = Root { task: 2, ..new };
        assert_eq!(ledger.apply(&delta(foreign, 6), 4), None);
    }

    #[test]
    fn a_death_fails_what_it_touched_then_and_later_and_nothing_else() {
        let mut ledger = Ledger::new(1, 0);
        let roots: Vec<Root> = (0..3).map(|_| ledger.open()).collect();
        roots.iter().enumerate().for_each(|(i, r)| {
            ledger.plant(*r, i as u64, 10 + i as u64, 1 << i, 0);
        });
        let mut outcomes = Outcomes::default();
        ledger.bury(1, (1 << 1, 0), 5, &mut outcomes);
        assert_eq!(outcomes.failed, [failed(1, roots[1], Why::Death)]);
        // A bolt had sent an edge of tree 2 to the dead worker; its delta comes after the death.
        let late = Delta { root: roots[2], rows: 1, xor: 3, workers: 1 << 1, verdict: Verdict::Going };
        assert_eq!(ledger.apply(&late, 6), Some(Outcome::Failed(failed(2, roots[2], Why::Death))));
        assert_eq!(ledger.apply(&delta(roots[0], 10), 6), Some(done(0, 6)));
    }

    #[test]
    fn what_waited_for_a_worker_that_died_unheard_of_fails_also_when_it_is_heard_of_late() {
        let (mut ledger, mut outcomes) = (Ledger::new(1, 0), Outcomes::default());
        let roots = [ledger.open(), ledger.open(), ledger.open()];
        let waiting = 1 << 4;
        for root in roots {
            ledger.plant(root, u64::from(root.slot), 5, 0, 0);
        }
        let sent = |root| Delta { root, rows: 1, xor: 3, workers: waiting, verdict: Verdict::Going };
        assert_eq!(ledger.apply(&sent(roots[0]), 1), None);
        ledger.welcome(2, 1 << 7);
        ledger.fail_older(waiting | 1 << 6, 2, &mut outcomes);
        assert_eq!(outcomes.failed, [failed(0, roots[0], Why::Death)]);
        let failed = failed(1, roots[1], Why::Death);
        assert_eq!(ledger.apply(&sent(roots[1]), 3), Some(Outcome::Failed(failed)));
        // From its own death on, what waits waits for its successor.
        ledger.bury(2, (1 << 7, waiting), 4, &mut outcomes);
        assert_eq!(ledger.apply(&sent(roots[2]), 5), None);
    }

    #[test]
    fn a_living_worker_that_shares_the_bit_of_a_dead_one_goes_on() {
        let mut ledger = Ledger::new(1, 0);
        ledger.welcome(1, 4);
        ledger.welcome(2, 4);
        let before = ledger.open();
        ledger.plant(before, 7, 5, 4, 0);
        let mut outcomes = Outcomes::default();
        ledger.bury(1, (4, 8), 5, &mut outcomes);
        assert_eq!(outcomes.failed, [failed(7, before, Why::Death)]);
        let after = ledger.open();
        ledger.plant(after, 7, 5, 4, 6);
        let more = Delta { root: after, rows: 1, xor: 3, workers: 4, verdict: Verdict::Going };
        assert_eq!(ledger.apply(&more, 7), None, "it may be the living one");
        ledger.bury(2, (4, 0), 8, &mut outcomes);
        assert_eq!(outcomes.failed.len(), 2);
    }

    #[test]
    fn the_time_out_counts_from_the_last_extension() {
        let mut ledger = Ledger::new(1, 0);
        let (a, b) = (ledger.open(), ledger.open());
        ledger.plant(a, 1, 5, 0, 100);
        ledger.plant(b, 2, 5, 0, 100);
        ledger.apply(&Delta { root: b, rows: 1, xor: 0, workers: 0, verdict: Verdict::Extended }, 200);
        let mut outcomes = Outcomes::default();
        ledger.expire(150, 300, &mut outcomes);
        assert_eq!(outcomes.failed, [failed(1, a, Why::TimeOut)]);
    }

    #[test]
    fn a_tuple_nobody_takes_is_done_at_once() {
        let mut ledger = Ledger::new(1, 0);
        let root = ledger.open();
        assert_eq!(ledger.plant(root, 4, 0, 0, 9), Some(done(4, 0)));
        assert_eq!(ledger.pending(), 0);
    }

    /// The same trees in blocks and one by one.
    struct Both {
        blocks: Ledger,
        single: Ledger,
        planted: Vec<(Run, Vec<Root>)>,
        ids: u64,
    }

    /// Ids that are done, how long they took in all, ids that failed.
    type Came = (Vec<u64>, u64, Vec<(u64, Why)>);

    impl Both {
        fn plant(&mut self, rows: u64, workers: u64, now_ns: u64) {
            let ids: Vec<u64> = (self.ids..self.ids + rows).collect();
            self.ids += rows;
            let run = self.blocks.plant_block(&ids, (self.ids * 1000, workers), now_ns);
            let roots = ids.iter().map(|id| {
                let root = self.single.open();
                self.single.plant(root, *id, run.id, workers, now_ns);
                root
            });
            self.planted.push((run, roots.collect()));
        }

        /// Takes in the same of both; what came of it, sorted.
        fn outcomes(
            &mut self,
            blocks: impl FnOnce(&mut Ledger, &mut Outcomes),
            single: impl FnOnce(&mut Ledger, &mut Outcomes),
        ) -> [Came; 2] {
            let (mut a, mut b) = (Outcomes::default(), Outcomes::default());
            blocks(&mut self.blocks, &mut a);
            single(&mut self.single, &mut b);
            [a, b].map(|mut o| {
                o.done.sort_unstable();
                let mut failed: Vec<_> = o.failed.iter().map(|f| (f.id, f.why)).collect();
                failed.sort_unstable_by_key(|f| f.0);
                assert_eq!(o.took.iter().map(|t| t.1).sum::<u64>(), o.done.len() as u64);
                (o.done, o.took.iter().map(|(took, n)| took * n).sum(), failed)
            })
        }
    }

    proptest! {
        /// Whatever is told of blocks, as a whole or of some of their rows, is as if every tree had been begun alone.
        #[test]
        fn a_block_is_its_trees(
            steps in proptest::collection::vec((0u8..9, 0usize..4, 0u32..20, 1u32..20, 0u64..4), 1..60)
        ) {
            let mut both = Both { blocks: Ledger::new(1, 5), single: Ledger::new(1, 5), planted: Vec::new(), ids: 1 };
            both.plant(20, 1, 0);
            for (now, (what, which, first, rows, pick)) in steps.into_iter().enumerate() {
                let now_ns = now as u64 * 1_000_000;
                let (run, roots) = both.planted[which % both.planted.len()].clone();
                let (first, rows) = if pick % 2 == 0 { (0, run.rows) } else { (first.min(run.rows - 1), rows) };
                let rows = rows.min(run.rows - first);
                let part = first as usize..(first + rows) as usize;
                let xor = [run.id, 5, run.id ^ 5, 0][pick as usize];
                let verdict = [Verdict::Going, Verdict::Extended, Verdict::Failed][usize::from(what.saturating_sub(3).min(2))];
                let [a, b] = match what {
                    0 => {
                        both.plant(u64::from(rows), 1 << pick, now_ns);
                        continue;
                    }
                    1 => {
                        let mut lineage = Lineage::default();
                        lineage.push_run(0, Run { root: run.root.after(first), rows, id: xor });
                        let mut one_by_one = Lineage::default();
                        one_by_one.push_each(0, roots[part].iter().map(|root| Edge { root: *root, id: xor }));
                        both.outcomes(|l, o| l.settle(&lineage, now_ns, o), |l, o| l.settle(&one_by_one, now_ns, o))
                    }
                    2 => {
                        let edge = |row: u32| Edge { root: run.root.after(first + row), id: xor };
                        let mut lineage = Lineage::default();
                        lineage.push_each(0, (0..rows).map(edge).collect::<Vec<_>>().into_iter());
                        let mut one_by_one = Lineage::default();
                        one_by_one.push_each(0, roots[part].iter().map(|root| Edge { root: *root, id: xor }));
                        both.outcomes(|l, o| l.settle(&lineage, now_ns, o), |l, o| l.settle(&one_by_one, now_ns, o))
                    }
                    6 => both.outcomes(|l, o| l.bury(1, (1 << pick, 0), now_ns, o), |l, o| l.bury(1, (1 << pick, 0), now_ns, o)),
                    7 => {
                        let limit = now_ns.saturating_sub(pick * 5_000_000);
                        both.outcomes(|l, o| l.expire(limit, now_ns, o), |l, o| l.expire(limit, now_ns, o))
                    }
                    8 => {
                        [&mut both.blocks, &mut both.single].into_iter().for_each(|l| l.welcome(1, 1 << pick));
                        continue;
                    }
                    _ => {
                        let delta = Delta { root: run.root.after(first), rows, xor, workers: 1 << pick, verdict };
                        both.outcomes(
                            |l, o| l.take(&delta, now_ns, o),
                            |l, o| roots[part].iter().for_each(|root| l.take(&Delta { root: *root, rows: 1, ..delta }, now_ns, o)),
                        )
                    }
                };
                prop_assert_eq!(a, b, "step {}", now);
                prop_assert_eq!(both.blocks.pending(), both.single.pending());
                let trees = |ledger: &Ledger| {
                    let mut trees = ledger.trees();
                    trees.sort_unstable();
                    trees
                };
                prop_assert_eq!(trees(&both.blocks), trees(&both.single));
            }
        }

        /// Random trees, their edges made and done in any order that a run could have: the tree is done exactly when the
        /// last edge is, and not before.
        #[test]
        fn a_tree_is_done_exactly_when_all_of_it_is(choices in proptest::collection::vec((0usize..8, 0u64..4), 1..60)) {
            let mut ledger = Ledger::new(1, 3);
            let root = ledger.open();
            let mut next_id = 0u64;
            let mut fresh = || { next_id += 1; next_id.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 };
            let first = fresh();
            let mut open = vec![first];
            prop_assert_eq!(ledger.plant(root, 1, first, 0, 0), None);
            for (pick, children) in choices {
                if open.is_empty() { break; }
                // One tuple is executed: it emits children, then is acked; all in one delta, as the engine sums them.
                let done = open.swap_remove(pick % open.len());
                let mut xor = done;
                for _ in 0..children { let id = fresh(); xor ^= id; open.push(id); }
                let outcome = ledger.apply(&delta(root, xor), 1);
                prop_assert_eq!(outcome.is_some(), open.is_empty());
            }
            while let Some(id) = open.pop() {
                let outcome = ledger.apply(&delta(root, id), 1);
                prop_assert_eq!(outcome.is_some(), open.is_empty());
            }
            prop_assert_eq!(ledger.pending(), 0);
        }
    }
}
