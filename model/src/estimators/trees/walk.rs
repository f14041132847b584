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

/// The next node for a row; `NAN` where rows may have missing values.
#[inline(always)]
fn step<const NAN: bool>(node: [i64; 2], row: &[f64]) -> u32 {
    let [first, word] = node;
    let value = row[(word as u64 >> 32 & FEATURE) as usize];
    let mut right = value > f64::from_bits(first as u64);
    if NAN {
        right |= value.is_nan() & (word >= 0);
    }
    word as u32 + u32::from(right)
}

/// The same where some splits are by category.
#[inline(always)]
fn step_categories(words: &[i64], node: [i64; 2], row: &[f64]) -> u32 {
    let [first, word] = node;
    let high = word as u64 >> 32;
    if high & CATEGORIES == 0 {
        return step::<true>(node, row);
    }
    let value = row[(high & FEATURE) as usize];
    word as u32 + u32::from(categories::right(words, first as u64, value, word < 0))
}

/// Moves `LANES` walks to their leaves.
#[inline(always)]
fn run<'r>(
    nodes: &[[i64; 2]],
    mut at: [u32; LANES],
    row: impl Fn(usize) -> &'r [f64],
    next: impl Fn([i64; 2], &[f64]) -> u32,
) -> [u32; LANES] {
    loop {
        let mut moved = 0;
        for (lane, at) in at.iter_mut().enumerate() {
            let to = next(nodes[*at as usize], row(lane));
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
            (Some(words), _) => self.rows_by(root, x, features, leaves, |node, row| step_categories(words, node, row)),
            (None, true) => self.rows_by(root, x, features, leaves, step::<true>),
            (None, false) => self.rows_by(root, x, features, leaves, step::<false>),
        }
    }

    #[inline(always)]
    fn rows_by(&self, root: u32, x: &[f64], features: usize, leaves: &mut [u32], next: impl Fn([i64; 2], &[f64]) -> u32) {
        for (x, leaves) in x.chunks(LANES * features).zip(leaves.chunks_mut(LANES)) {
            // Lanes without a row of their own walk with the last.
            let last = leaves.len() - 1;
            let row = |lane: usize| {
                let start = lane.min(last) * features;
                &x[start..start + features]
            };
            let at = run(self.nodes, [root; LANES], row, &next);
            leaves.iter_mut().zip(at).for_each(|(leaf, at)| *leaf = self.leaf(at));
        }
    }

    /// The row of leaf values that one row ends at in each of these trees.
    pub(super) fn trees(&self, roots: &[i64], row: &[f64], nan: bool, leaves: &mut [u32]) {
        match (self.categories, nan) {
            (Some(words), _) => self.trees_by(roots, row, leaves, |node, row| step_categories(words, node, row)),
            (None, true) => self.trees_by(roots, row, leaves, step::<true>),
            (None, false) => self.trees_by(roots, row, leaves, step::<false>),
        }
    }

    #[inline(always)]
    fn trees_by(&self, roots: &[i64], row: &[f64], leaves: &mut [u32], next: impl Fn([i64; 2], &[f64]) -> u32) {
        for (roots, leaves) in roots.chunks(LANES).zip(leaves.chunks_mut(LANES)) {
            let mut at = [roots[roots.len() - 1] as u32; LANES];
            at.iter_mut().zip(roots).for_each(|(at, root)| *at = *root as u32);
            let at = run(self.nodes, at, |_| row, &next);
            leaves.iter_mut().zip(at).for_each(|(leaf, at)| *leaf = self.leaf(at));
        }
    }

    fn leaf(&self, at: u32) -> u32 {
        self.nodes[at as usize][0] as u32
    }
}
