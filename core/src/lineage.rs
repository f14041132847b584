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

/// The edges of the rows of a batch: none, one for each row (the usual case), or any number for each.
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

    /// From here on rows differ: writes down the ends that went without saying.
    #[cold]
    fn differ(&mut self, rows: usize) {
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
                0 => self.edges.is_empty(),
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
    pub fn row(&self, row: usize) -> &[Edge] {
        if self.ends.is_empty() {
            return self.edges.get(row..row + 1).unwrap_or(&[]);
        }
        let start = if row == 0 { 0 } else { self.ends.get(row - 1).map_or(0, |e| *e as usize) };
        let end = self.ends.get(row).map_or(0, |e| *e as usize);
        self.edges.get(start..end).unwrap_or(&[])
    }

    /// All edges of all rows.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().edges().is_empty());
    /// ```
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Whether no row belongs to a tree.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// assert!(Lineage::default().is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Forgets the rows and keeps the memory.
    ///
    /// ```
    /// # use squall_core::Lineage;
    /// Lineage::default().clear();
    /// ```
    pub fn clear(&mut self) {
        self.edges.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_gets_back_its_own_edges(rows in proptest::collection::vec(0usize..4, 0..40)) {
            let mut lineage = Lineage::default();
            let mut id = 0;
            let mut expected = Vec::new();
            for (row, n) in rows.iter().enumerate() {
                let edges: Vec<Edge> = (0..*n).map(|_| { id += 1; Edge { root: Root::default(), id } }).collect();
                lineage.push(row, &edges);
                expected.push(edges);
            }
            for (row, edges) in expected.iter().enumerate() {
                prop_assert_eq!(lineage.row(row), &edges[..]);
            }
            prop_assert!(lineage.row(rows.len()).is_empty());
        }
    }
}
