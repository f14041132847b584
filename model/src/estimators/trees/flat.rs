//! All nodes of all trees in one array of 16 bytes each.
//!
//! A node is two words. The first is the threshold's bits. The second holds, from the top: whether a
//! missing value goes left (1 bit), whether it splits by category (1 bit; the first word is then a key of
//! `categories.rs`), the feature (30 bits), and the left child (32 bits), whose right sibling is the next node. A
//! leaf is its own left child: its threshold is NaN, which nothing is greater than and whose low 32 bits are the
//! row of its values, a missing value goes left, and its feature is 0. Children come after their parents, which
//! bounds every walk.

use std::collections::VecDeque;

use super::categories::{self, Side};
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};

/// Of the upper half of the second word: the feature, and that the split is by category.
pub(super) const FEATURE: u64 = 0x3fff_ffff;
pub(super) const CATEGORIES: u64 = 0x4000_0000;

/// The upper half of a leaf's second word: a missing value goes left, and the feature is 0.
const LEAF: u64 = 0x8000_0000;

/// The first word of a leaf, but for its row of values.
const NAN: u64 = 0x7ff8_0000_0000_0000;

/// A node of a tree as other programs keep them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Split {
        feature: usize,
        /// Values up to and including it go left.
        threshold: f64,
        left: usize,
        right: usize,
        missing_left: bool,
    },
    /// A split by category; its key comes from [`FlatBuilder::categories`].
    Categories {
        feature: usize,
        key: u64,
        left: usize,
        right: usize,
        missing_left: bool,
    },
    Leaf,
}

/// Collects trees at import.
#[derive(Debug, Default)]
pub(crate) struct FlatBuilder {
    pub(super) nodes: Vec<i64>,
    roots: Vec<i64>,
    leaves: Vec<f64>,
    categories: Vec<i64>,
    /// Values per leaf.
    width: usize,
}

impl FlatBuilder {
    pub(crate) fn new(width: usize) -> FlatBuilder {
        FlatBuilder { width, ..FlatBuilder::default() }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Keeps the sides of categories 0, 1, 2 … for a split to refer to.
    pub(crate) fn categories(&mut self, sides: &[Side], others_left: bool) -> Result<u64, String> {
        categories::add(&mut self.categories, sides, others_left)
    }

    /// Adds a tree of `count` nodes whose root is 0. `leaf` appends the values of a leaf.
    ///
    /// Fails with the reason when the nodes are no tree.
    pub(crate) fn push(
        &mut self,
        count: usize,
        step: impl Fn(usize) -> Step,
        mut leaf: impl FnMut(usize, &mut Vec<f64>),
    ) -> Result<(), String> {
        if count == 0 {
            return Err("a tree has no nodes".into());
        }
        let base = self.nodes.len() / 2;
        self.roots.push(base as i64);
        self.nodes.extend_from_slice(&[0, 0]);
        // Breadth first; each node is placed with its sibling when its parent is.
        let mut seen = vec![false; count];
        let mut waiting = VecDeque::from([(0usize, base)]);
        while let Some((from, to)) = waiting.pop_front() {
            match seen.get_mut(from) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err("a node of a tree has two parents".into()),
                None => return Err("a tree refers to a node it does not have".into()),
            }
            let mut split = |feature: usize, flag: u64, missing_left: bool, left: usize, right: usize| {
                if feature as u64 > FEATURE {
                    return Err("a node compares a feature that cannot be".to_owned());
                }
                let child = self.nodes.len() / 2;
                self.nodes.extend_from_slice(&[0; 4]);
                waiting.push_back((left, child));
                waiting.push_back((right, child + 1));
                Ok((u64::from(missing_left) << 31 | flag | feature as u64, child))
            };
            let (first, high, low) = match step(from) {
                Step::Leaf => {
                    let row = self.leaves.len() / self.width.max(1);
                    leaf(from, &mut self.leaves);
                    if self.leaves.len() != (row + 1) * self.width {
                        return Err("a leaf has too many or too few values".into());
                    }
                    if row > u32::MAX as usize {
                        return Err("the trees have more than 4 billion leaves".into());
                    }
                    (NAN | row as u64, LEAF, to)
                }
                Step::Split { feature, threshold, left, right, missing_left } => {
                    if threshold.is_nan() {
                        return Err("a node compares with nothing".into());
                    }
                    let (high, child) = split(feature, 0, missing_left, left, right)?;
                    (threshold.to_bits(), high, child)
                }
                Step::Categories { feature, key, left, right, missing_left } => {
                    let (high, child) = split(feature, CATEGORIES, missing_left, left, right)?;
                    (key, high, child)
                }
            };
            if low > u32::MAX as usize {
                return Err("the trees have more than 4 billion nodes".into());
            }
            self.nodes[2 * to] = first as i64;
            self.nodes[2 * to + 1] = (high << 32 | low as u64) as i64;
        }
        Ok(())
    }

    /// Stores the trees with `node`, to be read by [`Flat::load`].
    pub(crate) fn store(self, builder: &mut Builder, node: &mut Node) -> Result<(), Error> {
        node.set("leaf_width", self.width);
        node.set("trees", self.roots.len());
        builder.i64(node, "nodes", self.nodes)?;
        builder.i64(node, "roots", self.roots)?;
        if !self.categories.is_empty() {
            builder.i64(node, "categories", self.categories)?;
        }
        builder.vec(node, "leaves", self.leaves)
    }
}

/// Trees in an opened artefact.
pub(crate) struct Flat {
    pub(super) nodes: View<i64>,
    pub(super) roots: View<i64>,
    pub(super) leaves: View<f64>,
    /// Only where there are splits by category.
    pub(super) categories: Option<View<i64>>,
    pub(super) width: usize,
}

impl Flat {
    pub(crate) fn load(node: &Node, store: &Store, n_features: usize) -> Result<Flat, Error> {
        let flat = Flat {
            nodes: store.i64(node, "nodes")?,
            roots: store.i64(node, "roots")?,
            leaves: store.f64(node, "leaves")?,
            categories: match node.tensors.contains_key("categories") {
                true => Some(store.i64(node, "categories")?),
                false => None,
            },
            width: node.usize("leaf_width")?,
        };
        match flat.check(n_features) {
            Ok(()) => Ok(flat),
            Err(what) => Err(node.broken(what)),
        }
    }

    /// After this no walk leaves the arrays or goes on for ever.
    fn check(&self, n_features: usize) -> Result<(), &'static str> {
        let (nodes, rest) = self.nodes.slice().as_chunks::<2>();
        if !rest.is_empty() || self.width == 0 || !self.leaves.len().is_multiple_of(self.width) {
            return Err("its trees have half a node or leaf");
        }
        let leaves = self.leaves.len() / self.width;
        let categories = self.categories.as_ref().map(View::slice);
        for (i, node) in nodes.iter().enumerate() {
            let high = node[1] as u64 >> 32;
            let left = node[1] as u32 as usize;
            let known = |key: i64| categories.is_some_and(|words| categories::fits(words, key as u64));
            let fits = match as_leaf(i, *node) {
                Some(row) => row < leaves,
                None => {
                    ((high & FEATURE) as usize) < n_features
                        && left > i
                        && left + 1 < nodes.len()
                        && (high & CATEGORIES == 0 || known(node[0]))
                }
            };
            if !fits {
                return Err("a node of its trees points outside");
            }
        }
        let inside = |root: &i64| usize::try_from(*root).is_ok_and(|r| r < nodes.len());
        if nodes.len() > u32::MAX as usize || n_features == 0 {
            return Err("its trees are too many, or compare nothing");
        }
        match self.roots.slice().iter().all(inside) {
            true => Ok(()),
            false => Err("a root of its trees points outside"),
        }
    }

    pub(crate) fn trees(&self) -> usize {
        self.roots.len()
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }
}

/// Whether a node is a leaf, and the row of its values.
fn as_leaf(i: usize, [first, word]: [i64; 2]) -> Option<usize> {
    let word = word as u64;
    let itself = word == LEAF << 32 | i as u64 && f64::from_bits(first as u64).is_nan();
    itself.then_some(first as u32 as usize)
}
