//! Which trees the rows of a batch belong to. Storm's tuple trees: an edge is one delivery of one tuple, known by a
//! random 64-bit id; the ledger of the spout's worker keeps the XOR of all ids it has heard of, zero when all is done.

use serde::{Deserialize, Serialize};

/// A tracked tuple of a spout: the root of a tree.
///
/// ```
/// use squall_core::Root;
/// assert_eq!(Root { task: 1, slot: 0, generation: 2 }.slot, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Root {
    /// The spout's task, whose worker keeps the ledger.
    pub task: u32,
    /// The place in the ledger.
    pub slot: u32,
    /// Counts the uses of the slot, so that what is late for an earlier tree is known as such.
    pub generation: u32,
}

/// One delivery of one tuple within a tree.
///
/// ```
/// use squall_core::{Edge, Root};
/// let e = Edge { root: Root::default(), id: 7 };
/// assert_eq!(e.id, 7);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The tree.
    pub root: Root,
    /// The random id.
    pub id: u64,
}

/// Edges of neighbouring rows under neighbouring trees, all with the same id: what a block of tracked rows has where it goes to one
/// task. An id need only be unlikely to come twice within one tree.
///
/// ```
/// use squall_core::{Root, Run};
/// let run = Run { root: Root { task: 1, slot: 8, generation: 0 }, rows: 2, id: 7 };
/// assert_eq!(run.edge(1).root.slot, 9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The tree of the first row; those of the others have the slots after it.
    pub root: Root,
    /// How many rows.
    pub rows: u32,
    /// The id of every edge.
    pub id: u64,
}

impl Run {
    /// A run has no more rows than this.
    ///
    /// ```
    /// assert_eq!(squall_core::Run::MOST, 256);
    /// ```
    pub const MOST: u32 = 256;

    /// The edge of a row of the run.
    ///
    /// ```
    /// # use squall_core::{Root, Run};
    /// assert_eq!(Run { root: Root::default(), rows: 1, id: 7 }.edge(0).id, 7);
    /// ```
    #[inline]
    pub fn edge(&self, row: u32) -> Edge {
        Edge { root: self.root.after(row), id: self.id }
    }

    /// The edges of its rows.
    ///
    /// ```
    /// # use squall_core::{Root, Run};
    /// assert_eq!(Run { root: Root::default(), rows: 3, id: 7 }.edges().count(), 3);
    /// ```
    pub fn edges(self) -> impl Iterator<Item = Edge> {
        (0..self.rows).map(move |row| self.edge(row))
    }
}

impl Root {
    /// The root so many slots further.
    ///
    /// ```
    /// assert_eq!(squall_core::Root::default().after(3).slot, 3);
    /// ```
    #[inline]
    #[must_use]
    pub fn after(self, slots: u32) -> Root {
        Root { slot: self.slot.wrapping_add(slots), ..self }
    }
}

/// The edges of one row; a slice of [`Edge`].
///
/// ```
/// # use squall_core::Lineage;
/// assert!(Lineage::default().row(0).is_empty());
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Edges<'a> {
    /// One, of a run, where it is not in memory.
    One([Edge; 1]),
    /// Any number.
    Of(&'a [Edge]),
}

impl std::ops::Deref for Edges<'_> {
    type Target = [Edge];

    #[inline(always)]
    fn deref(&self) -> &[Edge] {
        match self {
            Edges::One(edge) => edge,
            Edges::Of(edges) => edges,
        }
    }
}

/// The edges of the rows of a batch: none, one for each row (the usual case, in runs or one by one), or any number for each.
///
/// ```
/// use squall_core::{Edge, Lineage, Root};
/// let mut lineage = Lineage::default();
/// lineage.push(0, &[Edge { root: Root::default(), id: 1 }]);
/// lineage.push(1, &[]);
/// assert_eq!(lineage.row(0).len(), 1);
/// assert!(lineage.row(1).is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lineage {
    /// All rows, while they are in runs; then there is nothing else.
    pub(crate) runs: Vec<Run>,
    pub(crate) edges: Vec<Edge>,
    /// Where the edges of each row end; empty while every row has exactly one edge, or none has any.
    pub(crate) ends: Vec<u32>,
}

impl Lineage {
    /// Appends the one edge of the row that comes after `rows` rows; the usual case of [`Lineage::push`].
    ///
    /// ```
    /// use squall_core::{Edge, Lineage, Root};
    /// let mut l = Lineage::default();
    /// l.push_one(0, Edge { root: Root::default(), id: 1 });
    /// assert_eq!(l.row(0).len(), 1);
    /// ```
    #[inline(always)]
    pub fn push_one(&mut self, rows: usize, edge: Edge) {
        // The edge is passed to nothing but the vector, so that it need not be in memory before it is where it stays.
        let regular = self.ends.is_empty() && self.edges.len() == rows;
        if !regular {
            self.differ(rows);
        }
        self.edges.push(edge);
        if !regular {
            self.ends.push(self.edges.len() as u32);
        }
    }

    /// Appends the edges of rows that come after `rows` rows and have one each.
    ///
    /// ```
    /// use squall_core::{Edge, Lineage, Root};
    /// let mut l = Lineage::default();
    /// l.push_each(0, [1, 2].map(|id| Edge { root: Root::default(), id }).into_iter());
    /// assert_eq!(l.row(1)[0].id, 2);
    /// ```
    #[inline(always)]
    pub fn push_each(&mut self, rows: usize, edges: impl ExactSizeIterator<Item = Edge>) {
        if self.ends.is_empty() && self.edges.len() == rows {
            return self.edges.extend(edges);
        }
        edges.enumerate().for_each(|(i, edge)| self.push_one(rows + i, edge));
    }

    /// Appends a run after `rows` rows.
    ///
    /// ```
    /// use squall_core::{Lineage, Root, Run};
    /// let mut l = Lineage::default();
    /// l.push_run(0, Run { root: Root { slot: 5, ..Root::default() }, rows: 2, id: 1 });
    /// l.push_run(2, Run { root: Root { slot: 9, ..Root::default() }, rows: 3, id: 1 });
    /// assert_eq!((l.runs().len(), l.row(3)[0].root.slot), (2, 10));
    /// ```
    pub fn push_run(&mut self, rows: usize, run: Run) {
        let in_runs = self.edges.is_empty() && self.ends.is_empty() && self.runs.is_empty() == (rows == 0);
        if in_runs && (1..=Run::MOST).contains(&run.rows) {
            self.runs.push(run);
        } else {
            run.edges().enumerate().for_each(|(i, edge)| self.push_one(rows + i, edge));
        }
    }

    /// From here on rows differ: writes down the runs, and the ends that went without saying.
    #[cold]
    fn differ(&mut self, rows: usize) {
        self.edges.extend(self.runs.drain(..).flat_map(Run::edges));
        if self.ends.is_empty() {
            let step = u32::from(!self.edges.is_empty());
            self.ends.extend((1..=rows as u32).map(|row| row * step));
        }
    }

    /// Appends the edges of the row that comes after `rows` rows.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// let mut l = Lineage::default();
    /// l.push(0, &[]);
    /// assert!(l.is_empty());
    /// ```
    #[inline]
    pub fn push(&mut self, rows: usize, edges: &[Edge]) {
        let regular = self.ends.is_empty()
            && match edges.len() {
                0 => self.is_empty(),
                1 => self.edges.len() == rows,
                _ => false,
            };
        if !regular {
            self.differ(rows);
        }
        self.edges.extend_from_slice(edges);
        if !regular {
            self.ends.push(self.edges.len() as u32);
        }
    }

    /// The edges of a row.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().row(9).is_empty());
    /// ```
    #[inline]
    pub fn row(&self, row: usize) -> Edges<'_> {
        if self.ends.is_empty() {
            if let Some(edge) = self.edges.get(row..row + 1) {
                return Edges::Of(edge);
            }
            return self.in_run(row).map_or(Edges::Of(&[]), |(run, at)| Edges::One([run.edge(at)]));
        }
        let start = if row == 0 { 0 } else { self.ends.get(row - 1).map_or(0, |e| *e as usize) };
        let end = self.ends.get(row).map_or(0, |e| *e as usize);
        Edges::Of(self.edges.get(start..end).unwrap_or(&[]))
    }

    /// The run of a row, and its place in it.
    fn in_run(&self, row: usize) -> Option<(Run, u32)> {
        let mut at = row;
        for run in &self.runs {
            let rows = run.rows as usize;
            if at < rows {
                return Some((*run, at as u32));
            }
            at -= rows;
        }
        None
    }

    /// The runs, if all rows are in runs, and otherwise none.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().runs().is_empty());
    /// ```
    #[inline]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The edges that are not in runs, of all rows.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().edges().is_empty());
    /// ```
    #[inline]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Parts of the runs that hold the rows from `first` on, `rows` of them; none if rows are not in runs.
    ///
    /// ```
    /// use squall_core::{Lineage, Root, Run};
    /// let mut l = Lineage::default();
    /// l.push_run(0, Run { root: Root::default(), rows: 5, id: 1 });
    /// l.push_run(5, Run { root: Root { slot: 9, ..Root::default() }, rows: 4, id: 2 });
    /// let parts: Vec<Run> = l.parts(3, 4).collect();
    /// assert_eq!((parts[0].root.slot, parts[0].rows, parts[1].root.slot, parts[1].rows), (3, 2, 9, 2));
    /// ```
    pub fn parts(&self, first: usize, rows: usize) -> impl Iterator<Item = Run> {
        let mut before = 0;
        self.runs.iter().filter_map(move |run| {
            let begin = before;
            before += run.rows as usize;
            let (from, to) = (first.max(begin), (first + rows).min(before));
            (from < to).then(|| Run { root: run.root.after((from - begin) as u32), rows: (to - from) as u32, id: run.id })
        })
    }

    /// All edges of all rows.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert_eq!(Lineage::default().each().count(), 0);
    /// ```
    pub fn each(&self) -> impl Iterator<Item = Edge> {
        self.runs.iter().copied().flat_map(Run::edges).chain(self.edges.iter().copied())
    }

    /// Whether no row belongs to a tree.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty() && self.runs.is_empty()
    }

    /// Forgets the rows and keeps the memory.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// Lineage::default().clear();
    /// ```
    pub fn clear(&mut self) {
        self.runs.clear();
        self.edges.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However rows come, in whatever order: in runs, some or one with an edge each, or with any number.
        #[test]
        fn every_row_gets_back_its_own_edges(pieces in proptest::collection::vec((0usize..4, 0usize..6), 0..40)) {
            let mut lineage = Lineage::default();
            let mut expected: Vec<Vec<Edge>> = Vec::new();
            for (piece, (how, n)) in pieces.into_iter().enumerate() {
                let (rows, id) = (expected.len(), piece as u64 + 1);
                let edge = |i: usize| Edge { root: Root { task: 1, slot: (rows + i) as u32, generation: 2 }, id };
                let n = if how == 0 { n + 1 } else { n };
                let edges: Vec<Edge> = (0..n).map(edge).collect();
                match how {
                    0 => lineage.push_run(rows, Run { root: edges[0].root, rows: n as u32, id }),
                    1 => lineage.push_each(rows, edges.iter().copied()),
                    2 => lineage.push_one(rows, edge(0)),
                    _ => lineage.push(rows, &edges),
                }
                match how {
                    0 | 1 => expected.extend(edges.into_iter().map(|e| vec![e])),
                    2 => expected.push(vec![edge(0)]),
                    _ => expected.push(edges),
                }
            }
            for (row, edges) in expected.iter().enumerate() {
                prop_assert_eq!(&lineage.row(row)[..], &edges[..]);
            }
            prop_assert!(lineage.row(expected.len()).is_empty());
            let all: Vec<Edge> = expected.concat();
            prop_assert_eq!(lineage.is_empty(), all.is_empty());
            prop_assert_eq!(lineage.each().collect::<Vec<_>>(), all);
            if !lineage.runs().is_empty() {
                let (first, rows) = (expected.len() / 3, expected.len() / 2);
                let parts: Vec<Edge> = lineage.parts(first, rows).flat_map(Run::edges).collect();
                prop_assert_eq!(parts, expected[first..first + rows].concat());
            }
        }
    }
}
