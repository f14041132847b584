//! The ledger of one spout task: the trees of its tracked tuples, each an XOR of the ids of all edges heard of.
//!
//! A tree is done when the XOR is zero, for every id comes twice: when the edge is made and when it is done. It fails when
//! a bolt says so, when a worker that it touched dies, or at the message time-out.

use std::collections::BTreeMap;

use squall_core::wire::{Delta, Verdict};
use squall_core::{Edge, Root};

use super::outcomes::{Failed, Outcome, Outcomes, Why};

/// A place for a tree. As small as can be: those under way are to stay in the processor's first cache.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// Zero where there is no tree: one with a XOR of zero is done.
    xor: u64,
    workers: u64,
    /// The spout's own id of the tuple.
    id: u64,
    /// When it was emitted, in the engine's nanoseconds.
    emitted_ns: u64,
    generation: u32,
    /// How long after that its time-out began anew, in milliseconds.
    extended_ms: u32,
}

impl Slot {
    #[inline(always)]
    fn is_live(&self) -> bool {
        self.xor != 0
    }

    #[inline(always)]
    fn close(&mut self) {
        self.xor = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    /// When its time-out last began anew. Up to a millisecond later than it was: nobody must time out early.
    fn fresh_ns(&self) -> u64 {
        self.emitted_ns + u64::from(self.extended_ms) * 1_000_000
    }
}

pub(crate) struct Ledger {
    task: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
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
        Ledger { task, slots: Vec::new(), free: Vec::new(), seed, dead: Vec::new(), living: BTreeMap::new() }
    }

    /// Trees under way as (the spout's id, XOR, workers).
    #[cfg(test)]
    pub(crate) fn trees(&self) -> Vec<(u64, u64, u64)> {
        self.slots.iter().filter(|s| s.is_live()).map(|s| (s.id, s.xor, s.workers)).collect()
    }

    /// How many trees are under way.
    pub(crate) fn pending(&self) -> usize {
        self.slots.len() - self.free.len()
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

    /// Says which edges a new tree has; with none it is done at once.
    pub(crate) fn plant(&mut self, root: Root, id: u64, xor: u64, workers: u64, now_ns: u64) -> Option<Outcome> {
        let slot = &mut self.slots[root.slot as usize];
        *slot = Slot { xor, workers, id, emitted_ns: now_ns, generation: slot.generation, extended_ms: 0 };
        if xor == 0 { Some(self.close(root.slot, now_ns, None)) } else { None }
    }

    /// Begins a tree of one edge for each id, all to a worker with this bit; what [`Ledger::open`] and [`Ledger::plant`] do for one.
    /// The edges have these ids in their turn, none of them zero.
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
            *slot = Slot { xor: edge, workers, id: *id, emitted_ns: now_ns, generation, extended_ms: 0 };
            Edge { root: Root { task, slot: at, generation }, id: edge }
        })
    }

    /// Gives back a tree that was opened and not planted.
    pub(crate) fn abandon(&mut self, root: Root) {
        self.free.push(root.slot);
    }

    /// Takes in a delta. What fits no tree (late, or of another incarnation) changes nothing.
    pub(crate) fn apply(&mut self, delta: &Delta, now_ns: u64) -> Option<Outcome> {
        let slot = self.slots.get_mut(delta.root.slot as usize)?;
        if !slot.is_live() || slot.generation != delta.root.generation || delta.root.task != self.task {
            return None;
        }
        slot.xor ^= delta.xor;
        slot.workers |= delta.workers;
        match delta.verdict {
            Verdict::Failed => return Some(self.close(delta.root.slot, now_ns, Some(Why::Bolt))),
            Verdict::Extended => {
                let ms = now_ns.saturating_sub(slot.emitted_ns).div_ceil(1_000_000);
                slot.extended_ms = u32::try_from(ms).unwrap_or(u32::MAX);
            }
            Verdict::Going => {}
        }
        let done = slot.xor == 0;
        let lost = !self.dead.is_empty() && self.dead.iter().any(|(bit, _)| delta.workers & bit != 0);
        (done || lost).then(|| self.close(delta.root.slot, now_ns, (!done).then_some(Why::Death)))
    }

    /// Takes in edges that are done.
    pub(crate) fn settle(&mut self, edges: &[Edge], now_ns: u64, outcomes: &mut Outcomes) {
        let Ledger { task, slots, free, .. } = self;
        for Edge { root, id } in edges {
            let Some(slot) = slots.get_mut(root.slot as usize) else { continue };
            if !slot.is_live() || slot.generation != root.generation || root.task != *task {
                continue;
            }
            slot.xor ^= id;
            if slot.xor == 0 {
                slot.close();
                free.push(root.slot);
                outcomes.done(slot.id, now_ns.saturating_sub(slot.emitted_ns));
            }
        }
    }

    /// A worker died: every tree it touched, or that has something waiting for it, fails, now or when a delta tells of it.
    pub(crate) fn bury(&mut self, worker: u32, (bit, waiting): (u64, u64), now_ns: u64, outcomes: &mut Outcomes) {
        self.living.remove(&worker);
        self.dead.retain(|(dead, at)| *dead != bit && now_ns.saturating_sub(*at) < REMEMBER_NS);
        // A living worker's trees must not fail because its bit is that of a dead one by chance.
        if self.living.values().all(|living| *living != bit) {
            self.dead.push((bit, now_ns));
        }
        self.fail_where(Why::Death, now_ns, outcomes, |slot| slot.workers & (bit | waiting) != 0);
    }

    /// A worker with this bit came up: it is not the dead one, even if the bit is the same by chance.
    pub(crate) fn welcome(&mut self, worker: u32, bit: u64) {
        self.living.insert(worker, bit);
        self.dead.retain(|(dead, _)| *dead != bit);
    }

    /// Fails trees that older incarnations of a worker that came up have touched.
    pub(crate) fn fail_older(&mut self, bits: u64, now_ns: u64, outcomes: &mut Outcomes) {
        self.fail_where(Why::Death, now_ns, outcomes, |slot| slot.workers & bits != 0);
    }

    /// Fails all trees whose time-out began before `limit_ns`.
    pub(crate) fn expire(&mut self, limit_ns: u64, now_ns: u64, outcomes: &mut Outcomes) {
        self.dead.retain(|(_, at)| now_ns.saturating_sub(*at) < REMEMBER_NS);
        self.fail_where(Why::TimeOut, now_ns, outcomes, |slot| slot.fresh_ns() < limit_ns);
    }

    fn fail_where(&mut self, why: Why, now_ns: u64, outcomes: &mut Outcomes, which: impl Fn(&Slot) -> bool) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_live() && which(&self.slots[slot]) {
                let outcome = self.close(slot as u32, now_ns, Some(why));
                outcomes.push(outcome);
            }
        }
    }

    fn close(&mut self, at: u32, now_ns: u64, failed: Option<Why>) -> Outcome {
        let slot = &mut self.slots[at as usize];
        let root = Root { task: self.task, slot: at, generation: slot.generation };
        slot.close();
        let id = slot.id;
        let took_ns = now_ns.saturating_sub(slot.emitted_ns);
        self.free.push(at);
        failed.map_or(Outcome::Done { id, took_ns }, |why| Outcome::Failed(Failed { id, root, why }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delta(root: Root, xor: u64) -> Delta {
        Delta { root, xor, workers: 0, verdict: Verdict::Going }
    }

    #[test]
    fn a_late_delta_fits_no_tree() {
        let mut ledger = Ledger::new(1, 99);
        let old = ledger.open();
        ledger.plant(old, 7, 5, 0, 0);
        assert_eq!(ledger.apply(&delta(old, 5), 3), Some(Outcome::Done { id: 7, took_ns: 3 }));
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
        assert_eq!(outcomes.failed, [Failed { id: 1, root: roots[1], why: Why::Death }]);
        // A bolt had sent an edge of tree 2 to the dead worker; its delta comes after the death.
        let late = Delta { root: roots[2], xor: 3, workers: 1 << 1, verdict: Verdict::Going };
        assert_eq!(ledger.apply(&late, 6), Some(Outcome::Failed(Failed { id: 2, root: roots[2], why: Why::Death })));
        assert_eq!(ledger.apply(&delta(roots[0], 10), 6), Some(Outcome::Done { id: 0, took_ns: 6 }));
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
        assert_eq!(outcomes.failed, [Failed { id: 7, root: before, why: Why::Death }]);
        let after = ledger.open();
        ledger.plant(after, 7, 5, 4, 6);
        let more = Delta { root: after, xor: 3, workers: 4, verdict: Verdict::Going };
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
        ledger.apply(&Delta { root: b, xor: 0, workers: 0, verdict: Verdict::Extended }, 200);
        let mut outcomes = Outcomes::default();
        ledger.expire(150, 300, &mut outcomes);
        assert_eq!(outcomes.failed, [Failed { id: 1, root: a, why: Why::TimeOut }]);
    }

    #[test]
    fn a_tuple_nobody_takes_is_done_at_once() {
        let mut ledger = Ledger::new(1, 0);
        let root = ledger.open();
        assert_eq!(ledger.plant(root, 4, 0, 0, 9), Some(Outcome::Done { id: 4, took_ns: 0 }));
        assert_eq!(ledger.pending(), 0);
    }

    proptest! {
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
