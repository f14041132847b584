//! On which of a spout's streams the tuples in the slots of its ledger were emitted.

use squall_core::StreamId;

/// The streams by slot, as far as there was one on another than the first: of a spout with one stream there is nothing here, and nothing is
/// paid for it. A free slot has the first.
#[derive(Default)]
pub(super) struct Streams(Vec<StreamId>);

impl Streams {
    /// Whether all tuples so far were of the first stream.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tuple in a slot is of another stream.
    #[inline(never)]
    pub(super) fn set(&mut self, slot: u32, stream: StreamId) {
        let at = slot as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, StreamId::DEFAULT);
        }
        self.0[at] = stream;
    }

    /// The stream of the tuple in a slot, which is free from now on.
    #[inline(always)]
    pub(super) fn release(&mut self, slot: u32) -> StreamId {
        self.0.get_mut(slot as usize).map_or(StreamId::DEFAULT, std::mem::take)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use squall_core::wire::{Delta, Verdict};
    use squall_core::{Edge, Lineage, Root, Run, StreamId};

    use crate::engine::ledger::Ledger;
    use crate::engine::outcomes::{Failed, Outcome, Outcomes, Why};

    const LATE: StreamId = StreamId(2);

    fn emit(ledger: &mut Ledger, stream: StreamId, id: u64, edge: (u64, u64), now_ns: u64) -> (Root, Option<Outcome>) {
        let root = ledger.open();
        if stream != StreamId::DEFAULT {
            ledger.emitted_on(stream, root);
        }
        (root, ledger.plant(root, id, edge.0, edge.1, now_ns))
    }

    #[test]
    fn a_slot_has_its_stream_until_it_is_free() {
        let mut ledger = Ledger::new(1, 9);
        let done = |id, took_ns, stream| Some(Outcome::Done { id, took_ns, stream });
        let (first, _) = emit(&mut ledger, StreamId::DEFAULT, 1, (5, 0), 0);
        let (late, _) = emit(&mut ledger, LATE, 2, (5, 0), 1);
        assert_eq!(emit(&mut ledger, LATE, 3, (0, 0), 2).1, done(3, 0, LATE), "nobody takes it");
        let delta = |root, verdict| Delta { root, rows: 1, xor: 5, workers: 0, verdict };
        assert_eq!(ledger.apply(&delta(late, Verdict::Going), 3), done(2, 2, LATE));
        assert_eq!(ledger.apply(&delta(first, Verdict::Going), 3), done(1, 3, StreamId::DEFAULT));
        // Those who come after them into their slots have nothing of them.
        let mut outcomes = Outcomes::default();
        let mut lineage = Lineage::default();
        lineage.push_each(0, ledger.plant_each(&[4, 5, 6], 0, 4, || 7));
        ledger.settle(&lineage, 6, &mut outcomes);
        assert_eq!((&outcomes.took[..], outcomes.others.len()), (&[(2, 3)][..], 0));
        // A batch that is done, of tuples of both.
        let both = [(8, LATE, 7), (9, StreamId::DEFAULT, 8), (10, LATE, 9)]
            .map(|(id, stream, now_ns)| Edge { root: emit(&mut ledger, stream, id, (5, 0), now_ns).0, id: 5 });
        let (mut outcomes, mut lineage) = (Outcomes::default(), Lineage::default());
        lineage.push_each(0, both.into_iter());
        ledger.settle(&lineage, 10, &mut outcomes);
        assert_eq!((&outcomes.done[..], &outcomes.took[..]), (&[8, 9, 10][..], &[(2, 1)][..]));
        assert_eq!(outcomes.others, [(LATE, 3, 1), (LATE, 1, 1)]);
        // What fails has it too.
        let (root, _) = emit(&mut ledger, LATE, 7, (5, 0), 10);
        let failed = Failed { id: 7, root, stream: LATE, why: Why::Bolt };
        assert_eq!(ledger.apply(&delta(root, Verdict::Failed), 11), Some(Outcome::Failed(failed)));
    }

    #[test]
    fn what_dies_or_takes_too_long_names_its_stream() {
        let (mut ledger, mut outcomes) = (Ledger::new(1, 9), Outcomes::default());
        let streams = [0, 1, 2, 0, 1, 2].map(StreamId);
        for (id, stream) in (0..).zip(streams) {
            emit(&mut ledger, stream, id, (5, 1 << (id % 2)), id);
        }
        ledger.plant_block(&[10, 11, 12, 13], (5, 2), 6);
        ledger.bury(1, (2, 0), 7, &mut outcomes);
        let told = |o: &mut Outcomes| std::mem::take(o).failed.iter().map(|f| (f.id, f.stream.0, f.why)).collect::<Vec<_>>();
        let died = [(1, 1), (3, 0), (5, 2), (10, 0), (11, 0), (12, 0), (13, 0)].map(|(id, stream)| (id, stream, Why::Death));
        assert_eq!(told(&mut outcomes), died);
        ledger.expire(4, 8, &mut outcomes);
        assert_eq!(told(&mut outcomes), [(0, 0, Why::TimeOut), (2, 2, Why::TimeOut)]);
        ledger.expire(5, 8, &mut outcomes);
        assert_eq!(told(&mut outcomes), [(4, 1, Why::TimeOut)]);
        assert_eq!(ledger.pending(), 0);
    }

    /// What is known of tuples from outside: of those under way the stream and when they were emitted, by id.
    #[derive(Default)]
    struct Emitted {
        under_way: BTreeMap<u64, (StreamId, u64)>,
        /// Emitted, done, failed, and the time of those that are done, by stream.
        sums: BTreeMap<u32, [u64; 4]>,
        next_id: u64,
    }

    impl Emitted {
        fn ids(&mut self, n: u64, stream: StreamId, now_ns: u64) -> Vec<u64> {
            let ids: Vec<u64> = (self.next_id..self.next_id + n).collect();
            self.next_id += n;
            self.under_way.extend(ids.iter().map(|id| (*id, (stream, now_ns))));
            self.sums.entry(stream.0).or_default()[0] += n;
            ids
        }

        /// Counts by ids what `outcomes` counts by streams.
        fn take(&mut self, outcomes: &Outcomes, now_ns: u64) {
            for id in &outcomes.done {
                let (stream, at) = self.under_way.remove(id).expect("it is under way, and only once");
                let sums = self.sums.get_mut(&stream.0).unwrap();
                (sums[1], sums[3]) = (sums[1] + 1, sums[3] + now_ns - at);
            }
            for f in &outcomes.failed {
                let (stream, _) = self.under_way.remove(&f.id).expect("it is under way, and only once");
                assert_eq!(f.stream, stream, "{f:?}");
                self.sums.get_mut(&stream.0).unwrap()[2] += 1;
            }
        }
    }

    proptest! {
        /// Whatever is emitted, alone, in a run or as a block, and whatever comes of it: each is counted for its stream, and streams add up.
        #[test]
        fn streams_add_up(steps in proptest::collection::vec((0u8..10, 0usize..16, 0u64..6, 0u64..4), 1..120)) {
            let (mut ledger, mut emitted) = (Ledger::new(1, 5), Emitted::default());
            // Done and failed and time by stream, as outcomes tell them.
            let mut told: BTreeMap<u32, [u64; 3]> = BTreeMap::new();
            let (mut singles, mut blocks): (Vec<Edge>, Vec<Run>) = (Vec::new(), Vec::new());
            for (now_ns, (what, which, n, pick)) in (0u64..).zip(steps) {
                let mut outcomes = Outcomes::default();
                let some = |all: &[Edge]| -> Vec<Edge> { all.iter().skip(which).take(n as usize + 1).copied().collect() };
                let delta = |edge: &Edge, verdict| Delta { root: edge.root, rows: 1, xor: edge.id, workers: 1 << pick, verdict };
                match what {
                    // A row of any stream, now and then one that nobody takes.
                    0..=2 => {
                        let (stream, edge) = (StreamId(pick as u32), n * 3);
                        let id = emitted.ids(1, stream, now_ns)[0];
                        let (root, outcome) = emit(&mut ledger, stream, id, (edge, 1 << (which % 4)), now_ns);
                        singles.push(Edge { root, id: edge });
                        outcome.into_iter().for_each(|o| outcomes.push(o));
                    }
                    3 => {
                        let ids = emitted.ids(n, StreamId::DEFAULT, now_ns);
                        singles.extend(ledger.plant_each(&ids, 1 << pick, now_ns, || 7));
                    }
                    4 => {
                        let ids = emitted.ids(n + 4, StreamId::DEFAULT, now_ns);
                        blocks.push(ledger.plant_block(&ids, (7, 1 << pick), now_ns));
                    }
                    // Batches that are done: single rows, and rows of blocks, all of them or each alone.
                    5 => {
                        let mut lineage = Lineage::default();
                        lineage.push_each(0, some(&singles).into_iter());
                        ledger.settle(&lineage, now_ns, &mut outcomes);
                    }
                    6 => if let Some(run) = blocks.get(which) {
                        let mut lineage = Lineage::default();
                        match pick {
                            0 => lineage.push_run(0, *run),
                            _ => lineage.push_each(0, (0..run.rows.min(3)).map(|row| Edge { root: run.root.after(row), id: run.id }).collect::<Vec<_>>().into_iter()),
                        }
                        ledger.settle(&lineage, now_ns, &mut outcomes);
                    }
                    7 => {
                        let verdict = [Verdict::Going, Verdict::Extended, Verdict::Failed, Verdict::Going][pick as usize];
                        some(&singles).iter().for_each(|edge| ledger.take(&delta(edge, verdict), now_ns, &mut outcomes));
                    }
                    8 => ledger.bury(1, (1 << pick, 0), now_ns, &mut outcomes),
                    _ => ledger.expire(now_ns.saturating_sub(20), now_ns, &mut outcomes),
                }
                emitted.take(&outcomes, now_ns);
                let first = outcomes.took.iter().map(|(took, n)| (StreamId::DEFAULT, *took, *n));
                for (stream, took, n) in first.chain(outcomes.others.iter().copied()) {
                    let sums = told.entry(stream.0).or_default();
                    (sums[0], sums[2]) = (sums[0] + n, sums[2] + took * n);
                }
                outcomes.failed.iter().for_each(|f| told.entry(f.stream.0).or_default()[1] += 1);
                prop_assert!(outcomes.others.iter().all(|o| o.0 != StreamId::DEFAULT));
                prop_assert_eq!(emitted.under_way.len(), ledger.pending());
                for (stream, [out, done, failed, took]) in &emitted.sums {
                    let told = told.get(stream).copied().unwrap_or_default();
                    prop_assert_eq!(told, [*done, *failed, *took], "stream {}", stream);
                    let pending = emitted.under_way.values().filter(|(of, _)| of.0 == *stream).count() as u64;
                    prop_assert_eq!(*out, done + failed + pending, "stream {}", stream);
                }
            }
        }
    }
}
