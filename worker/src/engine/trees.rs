//! Under which trees a row is emitted. A type for each case: the engine's innermost loop then has no question to ask, and
//! edges go from registers to where they stay.

use squall_core::wire::{Delta, Verdict};
use squall_core::{Edge, Lineage, Root, Run};

use super::ledger::Ledger;
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

/// Gives rows that go to one task together their edges.
pub(crate) trait RowRun {
    /// The next `n` rows; they come after `rows` rows of `lineage`; `bit` is the bit of the worker they go to.
    fn add_run(&mut self, n: usize, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: u64);
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

impl RowRun for Untracked {
    fn add_run(&mut self, n: usize, rows: usize, lineage: &mut Lineage, _: &mut Marks, _: u64) {
        if !lineage.is_empty() {
            (0..n).for_each(|i| lineage.push(rows + i, &[]));
        }
    }
}

/// Each row has the trees of the tuple in its place.
pub(crate) struct OneToOne<'a> {
    pub(crate) lineage: &'a Lineage,
    /// The place of the next row.
    pub(crate) next: usize,
}

impl RowRun for OneToOne<'_> {
    fn add_run(&mut self, n: usize, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: u64) {
        let first = self.next;
        self.next += n;
        if self.lineage.is_empty() {
            return Untracked.add_run(n, rows, lineage, marks, bit);
        }
        if self.lineage.runs().is_empty() {
            for i in 0..n {
                Anchored(&self.lineage.row(first + i)).add(rows + i, lineage, marks, || bit);
            }
            return;
        }
        let mut rows = rows;
        for of in self.lineage.parts(first, n) {
            let id = marks.edge_id();
            lineage.push_run(rows, Run { id, ..of });
            marks.note_all(of.root, of.rows, id, bit);
            rows += of.rows as usize;
        }
    }
}

/// Fewer trees are cheaper by themselves than as a block.
const FEW: usize = 4;

/// A tree for each row, that has this one edge and the id in its place.
pub(crate) struct NewTrees<'a> {
    pub(crate) ledger: &'a mut Ledger,
    /// Those of the rows still to come.
    pub(crate) ids: &'a [u64],
    pub(crate) now_ns: u64,
}

impl RowRun for NewTrees<'_> {
    fn add_run(&mut self, n: usize, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: u64) {
        let (ids, rest) = self.ids.split_at(n);
        self.ids = rest;
        if n < FEW {
            return lineage.push_each(rows, self.ledger.plant_each(ids, bit, self.now_ns, || marks.edge_id()));
        }
        let mut rows = rows;
        for ids in ids.chunks(Run::MOST as usize) {
            lineage.push_run(rows, self.ledger.plant_block(ids, (marks.edge_id(), bit), self.now_ns));
            rows += ids.len();
        }
    }
}

impl Trees for Anchored<'_> {
    #[inline(always)]
    fn add(&mut self, rows: usize, lineage: &mut Lineage, marks: &mut Marks, bit: impl FnOnce() -> u64) {
        match self.0 {
            [] => Untracked.add(rows, lineage, marks, bit),
            [anchor] => {
                let id = marks.edge_id();
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
        let id = marks.edge_id();
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
            let id = marks.edge_id();
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

    /// The id of a new edge: never zero, which would end its tree.
    #[inline(always)]
    fn edge_id(&mut self) -> u64 {
        self.random.next().max(1)
    }

    /// Adds to the deltas of the turn; neighbours of one tree become one.
    #[inline]
    pub(crate) fn note(&mut self, root: Root, id: u64, worker: u64) {
        self.note_all(root, 1, id, worker);
    }

    /// The same for trees in slots one after the other.
    #[inline]
    pub(crate) fn note_all(&mut self, root: Root, rows: u32, id: u64, worker: u64) {
        if let Some(last) = self.deltas.last_mut()
            && (last.root, last.rows) == (root, rows)
            && last.verdict == Verdict::Going
        {
            last.xor ^= id;
            last.workers |= worker;
            return;
        }
        self.deltas.push(Delta { root, rows, xor: id, workers: worker, verdict: Verdict::Going });
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
