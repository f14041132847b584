//! A tree in the form that `bits.rs` wants, made anew for every batch: room for one tree is all the memory it takes.

use super::bits::Number;
use super::flat::{CATEGORIES, FEATURE};

/// Words of leaves a tree may have.
const WORDS: usize = 16;

/// A split, for one word of the leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split<T: Number> {
    pub(super) threshold: T,
    pub(super) feature: u32,
    /// The leaves of this word that a row going right can still reach.
    pub(super) right: T::Set,
}

/// The splits of one word of leaves, as places in the list of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) begin: u32,
    /// From here on a missing value goes right.
    pub(super) missing_right: u32,
    pub(super) end: u32,
}

/// One tree: its splits by word of leaves, and its leaves from left to right.
#[derive(Debug)]
pub(super) struct Packed<T: Number> {
    pub(super) splits: Vec<Split<T>>,
    pub(super) words: Vec<Word>,
    /// The row of leaf values of each leaf.
    pub(super) leaves: Vec<u32>,
    /// First leaf below each node, and how many there are.
    spans: Vec<(u32, u32)>,
    /// The nodes that are splits, with their left children, and those that are leaves.
    inner: Vec<(u32, u32)>,
    outer: Vec<u32>,
}

impl<T: Number> Packed<T> {
    pub(super) fn new() -> Packed<T> {
        Packed {
            splits: Vec::new(),
            words: Vec::new(),
            leaves: Vec::new(),
            spans: Vec::new(),
            inner: Vec::new(),
            outer: Vec::new(),
        }
    }

    /// Takes the tree of this root; false where it has more than `limit` leaves, splits by
    /// category, or nodes in another order than `FlatBuilder` puts them: breadth first, and without gaps.
    #[inline(always)]
    pub(super) fn take(&mut self, nodes: &[[i64; 2]], root: u32, limit: usize) -> bool {
        let limit = limit.min(WORDS * T::BITS);
        let nodes = nodes.get(root as usize..).unwrap_or_default();
        let nodes = &nodes[..nodes.len().min(2 * limit - 1)];
        let room = nodes.len().max(self.inner.len());
        self.inner.resize(room, (0, 0));
        self.outer.resize(room, 0);
        // Whether a node is a leaf cannot be guessed: it is written down as both, and only the right one stays.
        let (mut splits, mut leaves, mut sound) = (0, 0, true);
        for (i, node) in nodes.iter().enumerate() {
            let child = (node[1] as u32).wrapping_sub(root);
            let leaf = child as usize == i;
            let by_category = node[1] as u64 >> 32 & CATEGORIES != 0;
            sound &= leaf | (child as usize == 2 * splits + 1) & !by_category;
            self.inner[splits] = (i as u32, child);
            self.outer[leaves] = i as u32;
            splits += usize::from(!leaf);
            leaves += usize::from(leaf);
            if leaves > splits {
                break;
            }
        }
        if !sound || leaves != splits + 1 {
            return false;
        }
        self.spans.clear();
        self.spans.resize(splits + leaves, (0, 1));
        self.leaves.resize(leaves, 0);
        self.words.clear();
        self.words.resize(leaves.div_ceil(T::BITS), Word::default());
        self.place(nodes, splits);
        true
    }

    #[inline(always)]
    fn place(&mut self, nodes: &[[i64; 2]], splits: usize) {
        let inner = &self.inner[..splits];
        for (i, child) in inner.iter().rev() {
            let child = *child as usize;
            self.spans[*i as usize].1 = self.spans[child].1 + self.spans[child + 1].1;
        }
        // From the root down; and how many splits each word has.
        for (i, child) in inner {
            let (first, _) = self.spans[*i as usize];
            let child = *child as usize;
            let end = first + self.spans[child].1;
            self.spans[child].0 = first;
            self.spans[child + 1].0 = end;
            let left = u32::from(nodes[*i as usize][1] < 0);
            for word in &mut self.words[first as usize / T::BITS..=(end - 1) as usize / T::BITS] {
                word.missing_right += left;
                word.end += 1;
            }
        }
        for i in &self.outer[..splits + 1] {
            let (first, _) = self.spans[*i as usize];
            self.leaves[first as usize] = nodes[*i as usize][0] as u32;
        }
        let mut begin = 0;
        let mut next = [[0; 2]; WORDS];
        for (word, next) in self.words.iter_mut().zip(&mut next) {
            *word = Word { begin, missing_right: begin + word.missing_right, end: begin + word.end };
            *next = [word.missing_right, begin];
            begin = word.end;
        }
        let empty = Split { threshold: T::default(), feature: 0, right: T::Set::default() };
        self.splits.resize(begin as usize, empty);
        for (i, child) in inner {
            let node = nodes[*i as usize];
            let (first, below) = self.spans[*child as usize];
            let (first, end) = (first as usize, (first + below) as usize);
            let feature = (node[1] as u64 >> 32 & FEATURE) as u32;
            let threshold = T::down(f64::from_bits(node[0] as u64));
            let words = first / T::BITS..=(end - 1) / T::BITS;
            for (word, next) in words.clone().zip(&mut next[words]) {
                let low = word * T::BITS;
                let right = T::without(first.saturating_sub(low), (end - low).min(T::BITS));
                let place = &mut next[usize::from(node[1] < 0)];
                self.splits[*place as usize] = Split { threshold, feature, right };
                *place += 1;
            }
        }
    }
}
