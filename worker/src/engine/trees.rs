//! Under which trees a row is emitted. A type for each case: the engine's innermost loop then has no question to ask, and
//! edges go from registers to where they stay.

use squall_core::wire::{Delta, Verdict};
use squall_core::{Edge, Lineage, Root};

use crate::random::SplitMix;

/// What a turn has to tell ledgers, in order, and the source of edge ids.
pub(crate) struct Marks {
    pub(crate) deltas: Vec<Delta>,
    random: SplitMix,
}

/// Gives a row its edges.
pub(crate) trait Trees {
    /// The row comes after `rows` rows of `lineage`; `bit` is the bit of the worker it goes to.
    fn add(&mut self, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: impl FnOnce() -> u64);
}

/// No tree: if the row gets lost, nobody knows.
pub(crate) struct Untracked;

/// The trees of the tuples that the row descends from.
pub(crate) struct Anchored<'a>(pub(crate) &'a [Edge]);

/// A tree that begins with the row; the XOR of its edges' ids and the bits of the workers they go to are added up here.
pub(crate) struct NewTree {
    pub(crate) root: Root,
    pub(crate) xor: u64,
    pub(crate) workers: u64,
}

impl Trees for Untracked {
    #[inline(always)]
    fn add(&mut self, rows: usize, lineage: &mut Lineage, _: &mut Marks, _: impl FnOnce() -> u64) {
        if !lineage.is_empty() {
            lineage.push(rows, &[]);
        }
    }
}

impl Trees for Anchored<'_> {
    #[inline(always)]
    fn add(&mut self, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: impl FnOnce() -> u64) {
        match self.0 {
            [] => Untracked.add(rows, lineage, marks, bit),
            [anchor] => {
                let id = marks.random.next();
                lineage.push_one(rows, Edge { root: anchor.root, id });
                marks.note(anchor.root, id, bit());
            }
            anchors => several(anchors, rows, lineage, marks, bit()),
        }
    }
}

impl Trees for NewTree {
    #[inline(always)]
    fn add(&mut self, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: impl FnOnce() -> u64) {
        let id = marks.random.next();
        lineage.push_one(rows, Edge { root: self.root, id });
        self.xor ^= id;
        self.workers |= bit();
    }
}

/// An edge under each of several trees, each tree once.
#[inline(never)]
fn several(anchors: &[Edge], rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: u64) {
    let mut edges: Vec<Edge> = Vec::with_capacity(anchors.len());
    for anchor in anchors {
        if edges.iter().all(|e| e.root != anchor.root) {
            let id = marks.random.next();
            edges.push(Edge { root: anchor.root, id });
            marks.note(anchor.root, id, bit);
        }
    }
    lineage.push(rows, &edges);
}

impl Marks {
    pub(crate) fn new(seed: u64) -> Self {
        Marks { deltas: Vec::new(), random: SplitMix::new(seed) }
    }

    /// Adds to the deltas of the turn; neighbours of one tree become one.
    #[inline]
    pub(crate) fn note(&mut self, root: Root, id: u64, worker: u64) {
        if let Some(last) = self.deltas.last_mut()
            && last.root == root
            && last.verdict == Verdict::Going
        {
            last.xor ^= id;
            last.workers |= worker;
            return;
        }
        self.deltas.push(Delta { root, xor: id, workers: worker, verdict: Verdict::Going });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(slot: u32) -> Root {
        Root { slot, ..Root::default() }
    }

    #[test]
    fn a_row_gets_an_edge_under_each_of_its_trees_once() {
        let (mut marks, mut lineage) = (Marks::new(1), Lineage::default());
        let anchors = [Edge { root: root(1), id: 5 }, Edge { root: root(2), id: 6 }, Edge { root: root(1), id: 7 }];
        Anchored(&anchors[..1]).add(0, &mut lineage, &mut marks, || 1);
        Untracked.add(1, &mut lineage, &mut marks, || 2);
        Anchored(&anchors).add(2, &mut lineage, &mut marks, || 4);
        let roots = |row| lineage.row(row).iter().map(|e| e.root.slot).collect::<Vec<_>>();
        assert_eq!((roots(0), roots(1), roots(2)), (vec![1], vec![], vec![1, 2]));
        // What ledgers hear is the XOR of the same ids, and the workers they went to.
        let [first, .., last] = &marks.deltas[..] else { panic!("{:?}", marks.deltas) };
        assert_eq!((first.xor, first.workers), (lineage.row(0)[0].id ^ lineage.row(2)[0].id, 1 | 4));
        assert_eq!((last.xor, last.workers), (lineage.row(2)[1].id, 4));
    }

    #[test]
    fn a_new_tree_sums_its_edges_up() {
        let (mut marks, mut lineage) = (Marks::new(1), Lineage::default());
        let mut tree = NewTree { root: root(9), xor: 0, workers: 0 };
        tree.add(0, &mut lineage, &mut marks, || 1);
        tree.add(1, &mut lineage, &mut marks, || 8);
        assert_eq!((tree.xor, tree.workers), (lineage.row(0)[0].id ^ lineage.row(1)[0].id, 9));
        assert_ne!(lineage.row(0)[0].id, lineage.row(1)[0].id);
        assert!(marks.deltas.is_empty());
    }
}
