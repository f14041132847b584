//! The walk through flat trees, several at a time.
//!
//! A step is a chain of four dependent instructions, most of whose time is waiting; eight walks side by side wait
//! together. Eight rows go through one tree where there are so many, else one row through eight trees. A leaf is its
//! own left child and compares with NaN, so that a walk that has arrived stays there and no step asks for a leaf.

use super::categories;
use super::flat::{CATEGORIES, FEATURE};

/// Walks side by side.
const LANES: usize = 8;

/// Checked trees and what splits by category refer to.
#[derive(Clone, Copy)]
pub(super) struct Trees<'a> {
    pub(super) nodes: &'a [[i64; 2]],
    pub(super) categories: Option<&'a [i64]>,
}

/// The next node for the row that begins at `start` of `x`; `NAN` where rows may have missing values.
#[inline(always)]
fn step<const NAN: bool>(node: [i64; 2], x: &[f64], start: usize) -> u32 {
    let [first, word] = node;
    let value = x[start + (word as u64 >> 32 & FEATURE) as usize];
    let mut right = value > f64::from_bits(first as u64);
    if NAN {
        right |= value.is_nan() & (word >= 0);
    }
    word as u32 + u32::from(right)
}

/// The same where some splits are by category.
#[inline(always)]
fn step_categories(words: &[i64], node: [i64; 2], x: &[f64], start: usize) -> u32 {
    let [first, word] = node;
    let high = word as u64 >> 32;
    if high & CATEGORIES == 0 {
        return step::<true>(node, x, start);
    }
    let value = x[start + (high & FEATURE) as usize];
    word as u32 + u32::from(categories::right(words, first as u64, value, word < 0))
}

/// Moves `LANES` walks to their leaves; the row of each begins at its place of `starts`.
#[inline(always)]
fn run(
    nodes: &[[i64; 2]],
    mut at: [u32; LANES],
    x: &[f64],
    starts: [usize; LANES],
    next: impl Fn([i64; 2], &[f64], usize) -> u32,
) -> [u32; LANES] {
    loop {
        let mut moved = 0;
        for (at, start) in at.iter_mut().zip(starts) {
            let to = next(nodes[*at as usize], x, start);
            moved |= to ^ *at;
            *at = to;
        }
        if moved == 0 {
            return at;
        }
    }
}

impl Trees<'_> {
    /// The row of leaf values each row of `x` ends at in the tree of this root.
    pub(super) fn rows(&self, root: u32, x: &[f64], features: usize, nan: bool, leaves: &mut [u32]) {
        match (self.categories, nan) {
            (Some(words), _) => {
                self.rows_by(root, x, features, leaves, |node, x, start| step_categories(words, node, x, start));
            }
            (None, true) => self.rows_by(root, x, features, leaves, step::<true>),
            (None, false) => self.rows_by(root, x, features, leaves, step::<false>),
        }
    }

    #[inline(always)]
    fn rows_by(
        &self,
        root: u32,
        x: &[f64],
        features: usize,
        leaves: &mut [u32],
        next: impl Fn([i64; 2], &[f64], usize) -> u32,
    ) {
        for (x, leaves) in x.chunks(LANES * features).zip(leaves.chunks_mut(LANES)) {
            // Lanes without a row of their own walk with the last.
            let last = leaves.len() - 1;
            let starts = std::array::from_fn(|lane: usize| lane.min(last) * features);
            let at = run(self.nodes, [root; LANES], x, starts, &next);
            leaves.iter_mut().zip(at).for_each(|(leaf, at)| *leaf = self.leaf(at));
        }
    }

    /// The row of leaf values that one row ends at in each of these trees.
    pub(super) fn trees(&self, roots: &[i64], row: &[f64], nan: bool, leaves: &mut [u32]) {
        match (self.categories, nan) {
            (Some(words), _) => {
                self.trees_by(roots, row, leaves, |node, x, start| step_categories(words, node, x, start));
            }
            (None, true) => self.trees_by(roots, row, leaves, step::<true>),
            (None, false) => self.trees_by(roots, row, leaves, step::<false>),
        }
    }

    #[inline(always)]
    fn trees_by(&self, roots: &[i64], row: &[f64], leaves: &mut [u32], next: impl Fn([i64; 2], &[f64], usize) -> u32) {
        for (roots, leaves) in roots.chunks(LANES).zip(leaves.chunks_mut(LANES)) {
            let mut at = [roots[roots.len() - 1] as u32; LANES];
            at.iter_mut().zip(roots).for_each(|(at, root)| *at = *root as u32);
            let at = run(self.nodes, at, row, [0; LANES], &next);
            leaves.iter_mut().zip(at).for_each(|(leaf, at)| *leaf = self.leaf(at));
        }
    }

    fn leaf(&self, at: u32) -> u32 {
        self.nodes[at as usize][0] as u32
    }
}
