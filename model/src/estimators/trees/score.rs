//! From rows to the sums of the leaf values they reach.

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

use super::bits::{self, Number, ROWS};
use super::flat::Flat;
use super::pack::Packed;
use super::walk::Trees;
use crate::artefact::View;

/// Below this many rows the trees are walked side by side, and not the rows.
const FEW_ROWS: usize = 4;

/// From this many rows on, and from one for each leaf on, a tree is worth being packed for bit vectors.
const MANY_ROWS: usize = 16;

/// Rows that go through a tree before the next has its turn, at most; and the values in them.
const CHUNK_ROWS: usize = 1024;
const CHUNK_VALUES: usize = 64 * 1024;

/// Trees of more leaves than this per lane of a vector are faster walked.
const LEAVES_PER_LANE: usize = 32;

impl Flat {
    /// Adds to each row of `out` the leaf values it reaches: tree `t` to the columns from
    /// `t % groups * width`. `x` is row-major; `narrow` rounds its values to 32 bits first.
    pub(crate) fn add(&self, x: ArrayView2<'_, f64>, narrow: bool, groups: usize, out: &mut Array2<f64>) {
        let (features, columns) = (x.ncols(), out.ncols());
        let x = x.as_standard_layout();
        let (Some(x), Some(out)) = (x.as_slice(), out.as_slice_mut()) else {
            return;
        };
        if features == 0 || columns == 0 {
            return;
        }
        let (nodes, _) = self.nodes.slice().as_chunks::<2>();
        let trees = Trees { nodes, categories: self.categories.as_ref().map(View::slice) };
        let values = self.leaves.slice();
        let leaves = values.len() / self.width / self.trees().max(1);
        let rows = (CHUNK_VALUES / features / ROWS * ROWS).clamp(ROWS, CHUNK_ROWS);
        let mut rounded = Vec::new();
        for (x, out) in x.chunks(rows * features).zip(out.chunks_mut(rows * columns)) {
            let x = match narrow {
                true => {
                    rounded.clear();
                    rounded.extend(x.iter().map(|v| f64::from(*v as f32)));
                    &rounded
                }
                false => x,
            };
            let nan = x.iter().any(|v| v.is_nan());
            let chunk = Chunk { flat: self, trees, x, features, groups: groups.max(1), nan, values };
            match out.len() / columns {
                rows if rows < FEW_ROWS => chunk.walk_trees(out, columns),
                rows if rows < leaves.max(MANY_ROWS) => chunk.walk_rows(out, columns),
                _ if narrow || x.iter().all(|v| f64::from(*v as f32) == *v || v.is_nan()) => {
                    pulp::Arch::new().dispatch(Bits { chunk, out, columns, packed: Packed::<f32>::new() });
                }
                _ => pulp::Arch::new().dispatch(Bits { chunk, out, columns, packed: Packed::<f64>::new() }),
            }
        }
    }
}

/// Some rows, and the trees they go through.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    flat: &'a Flat,
    trees: Trees<'a>,
    x: &'a [f64],
    features: usize,
    groups: usize,
    nan: bool,
    /// Of all leaves.
    values: &'a [f64],
}

impl Chunk<'_> {
    /// The first column that a tree adds to.
    fn first(&self, tree: usize) -> usize {
        tree % self.groups * self.flat.width
    }

    /// Adds the values of a leaf.
    #[inline(always)]
    fn gain(&self, out: &mut [f64], leaf: u32) {
        let values = &self.values[leaf as usize * self.flat.width..][..self.flat.width];
        out.iter_mut().zip(values).for_each(|(out, value)| *out += value);
    }

    fn walk_trees(&self, out: &mut [f64], columns: usize) {
        let mut ends = [0; ROWS];
        for (row, out) in self.x.chunks_exact(self.features).zip(out.chunks_exact_mut(columns)) {
            for (part, roots) in self.flat.roots.slice().chunks(ROWS).enumerate() {
                self.trees.trees(roots, row, self.nan, &mut ends[..roots.len()]);
                for (i, end) in ends[..roots.len()].iter().enumerate() {
                    self.gain(&mut out[self.first(part * ROWS + i)..], *end);
                }
            }
        }
    }

    fn walk_rows(&self, out: &mut [f64], columns: usize) {
        for (t, root) in self.flat.roots.slice().iter().enumerate() {
            self.walk_tree(t, *root as u32, out, columns);
        }
    }

    fn walk_tree(&self, t: usize, root: u32, out: &mut [f64], columns: usize) {
        let mut ends = [0; ROWS];
        let first = self.first(t);
        for (x, out) in self.x.chunks(ROWS * self.features).zip(out.chunks_mut(ROWS * columns)) {
            let rows = x.len() / self.features;
            self.trees.rows(root, x, self.features, self.nan, &mut ends[..rows]);
            for (out, end) in out.chunks_exact_mut(columns).zip(&ends) {
                self.gain(&mut out[first..], *end);
            }
        }
    }
}

/// A chunk by bit vectors, where the trees are such as these can do.
struct Bits<'a, T: Number> {
    chunk: Chunk<'a>,
    out: &'a mut [f64],
    columns: usize,
    packed: Packed<T>,
}

impl<T: Number> WithSimd for Bits<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Bits { chunk, out, columns, packed } = &mut self;
        let (features, columns) = (chunk.features, *columns);
        if S::IS_SCALAR {
            return chunk.walk_rows(out, columns);
        }
        // Columns of 64 rows, features of a block together, one block after the other.
        let mut blocks = vec![[T::default(); ROWS]; features * chunk.x.len().div_ceil(features).div_ceil(ROWS)];
        for (x, block) in chunk.x.chunks(ROWS * features).zip(blocks.chunks_exact_mut(features)) {
            for (r, x) in x.chunks_exact(features).enumerate() {
                for (x, column) in x.iter().zip(&mut *block) {
                    column[r] = T::near(*x);
                }
            }
        }
        let mut ends = [0; ROWS];
        for (t, root) in chunk.flat.roots.slice().iter().enumerate() {
            if !packed.take(chunk.trees.nodes, *root as u32, LEAVES_PER_LANE * T::lanes::<S>()) {
                chunk.walk_tree(t, *root as u32, out, columns);
                continue;
            }
            let first = chunk.first(t);
            for (block, out) in blocks.chunks_exact(features).zip(out.chunks_mut(ROWS * columns)) {
                bits::leaves(simd, packed, block, out.len() / columns, &mut ends);
                if chunk.flat.width == 1 {
                    for (out, end) in out[first..].iter_mut().step_by(columns).zip(&ends) {
                        *out += chunk.values[packed.leaves[*end as usize] as usize];
                    }
                    continue;
                }
                for (out, end) in out.chunks_exact_mut(columns).zip(&ends) {
                    chunk.gain(&mut out[first..], packed.leaves[*end as usize]);
                }
            }
        }
    }
}
