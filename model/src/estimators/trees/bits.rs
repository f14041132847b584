//! Whole trees by bit vectors, many rows at a time.
//!
//! A set has a bit for every leaf of a tree, from left to right. Each split that sends a row right takes the leaves on its
//! left out of the row's set; when all have been asked, in whatever order, the first leaf left is the one the row
//! reaches (Lucchese et al., "QuickScorer", 2015, and its vector form of 2016). There is more to compare than on a
//! walk, but nothing to wait for, no branch to guess, and sixteen rows take one instruction.

use std::fmt::Debug;

use bytemuck::Pod;
use pulp::Simd;

use super::pack::{Packed, Split};

/// Rows of a block: what one pass over the splits of a tree serves.
pub(super) const ROWS: usize = 64;

/// Numbers that are compared, and sets of as many bits as they have; vectors of both.
pub(super) trait Number: Pod + Default + Debug {
    type Set: Pod + Default + Debug;
    const BITS: usize;
    type Numbers<S: Simd>: Copy;
    type Sets<S: Simd>: Copy;

    fn near(v: f64) -> Self;
    /// The largest number that is not above `v`: it divides such numbers as `v` does.
    fn down(v: f64) -> Self;
    /// All but the bits from `first` on and before `end`.
    fn without(first: usize, end: usize) -> Self::Set;
    fn first(set: Self::Set) -> u32;
    fn count(set: Self::Set) -> u32;

    fn lanes<S: Simd>() -> usize;
    fn numbers<S: Simd>(numbers: &[Self]) -> &[Self::Numbers<S>];
    fn sets<S: Simd>(sets: &mut [Self::Set]) -> &mut [Self::Sets<S>];
    fn splat<S: Simd>(simd: S, number: Self) -> Self::Numbers<S>;
    fn splat_set<S: Simd>(simd: S, set: Self::Set) -> Self::Sets<S>;
    /// A count in the place of a set; `usize::MAX` is the set of all.
    fn splat_count<S: Simd>(simd: S, count: usize) -> Self::Sets<S>;
    /// What is left of `set` after a split: where `x` is greater than the threshold only what is in `right` too. `NAN` says
    /// that this goes for a missing value as well.
    fn cut<S: Simd, const NAN: bool>(
        simd: S,
        set: Self::Sets<S>,
        x: Self::Numbers<S>,
        threshold: Self::Numbers<S>,
        right: Self::Sets<S>,
    ) -> Self::Sets<S>;
    /// `empty` where nothing is in `set`, else `some`.
    fn choose<S: Simd>(simd: S, set: Self::Sets<S>, some: Self::Sets<S>, empty: Self::Sets<S>) -> Self::Sets<S>;
}

macro_rules! number {
    ($number:ident, $set:ident, $numbers:ident, $sets:ident, $lanes:ident, $as_numbers:ident, $as_sets:ident,
     $splat:ident, $fill:ident, $greater:ident, $at_most:ident, $select:ident, $and:ident, $above:ident) => {
        impl Number for $number {
            type Set = $set;
            const BITS: usize = $set::BITS as usize;
            type Numbers<S: Simd> = S::$numbers;
            type Sets<S: Simd> = S::$sets;

            #[inline(always)]
            fn down(v: f64) -> $number {
                // The next lower number, without a branch: whether `v` was rounded up is a matter of chance.
                let near = v as $number;
                let bits = near.to_bits();
                let lower = if near > 0.0 { bits.wrapping_sub(1) } else { bits + 1 };
                let lower = if near == 0.0 { $number::to_bits(-0.0) + 1 } else { lower };
                $number::from_bits(if near as f64 > v { lower } else { bits })
            }
            #[inline(always)]
            fn near(v: f64) -> $number {
                v as $number
            }
            #[inline(always)]
            fn without(first: usize, end: usize) -> $set {
                !(($set::MAX >> (<Self as Number>::BITS + first - end)) << first)
            }
            #[inline(always)]
            fn first(set: $set) -> u32 {
                set.trailing_zeros()
            }
            #[inline(always)]
            fn count(set: $set) -> u32 {
                set as u32
            }
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }
            #[inline(always)]
            fn numbers<S: Simd>(numbers: &[$number]) -> &[S::$numbers] {
                S::$as_numbers(numbers).0
            }
            #[inline(always)]
            fn sets<S: Simd>(sets: &mut [$set]) -> &mut [S::$sets] {
                S::$as_sets(sets).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, number: $number) -> S::$numbers {
                simd.$splat(number)
            }
            #[inline(always)]
            fn splat_set<S: Simd>(simd: S, set: $set) -> S::$sets {
                simd.$fill(set)
            }
            #[inline(always)]
            fn splat_count<S: Simd>(simd: S, count: usize) -> S::$sets {
                simd.$fill(count as $set)
            }
            #[inline(always)]
            fn cut<S: Simd, const NAN: bool>(
                simd: S,
                set: S::$sets,
                x: S::$numbers,
                threshold: S::$numbers,
                right: S::$sets,
            ) -> S::$sets {
                let all = simd.$fill($set::MAX);
                let cut = match NAN {
                    true => simd.$select(simd.$at_most(x, threshold), all, right),
                    false => simd.$select(simd.$greater(x, threshold), right, all),
                };
                simd.$and(set, cut)
            }
            #[inline(always)]
            fn choose<S: Simd>(simd: S, set: S::$sets, some: S::$sets, empty: S::$sets) -> S::$sets {
                simd.$select(simd.$above(set, simd.$fill(0)), some, empty)
            }
        }
    };
}

number!(
    f32,
    u32,
    f32s,
    u32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_u32s,
    splat_f32s,
    splat_u32s,
    greater_than_f32s,
    less_than_or_equal_f32s,
    select_u32s,
    and_u32s,
    greater_than_u32s
);
number!(
    f64,
    u64,
    f64s,
    u64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_u64s,
    splat_f64s,
    splat_u64s,
    greater_than_f64s,
    less_than_or_equal_f64s,
    select_u64s,
    and_u64s,
    greater_than_u64s
);

/// The leaf, counted from the left, that each of the first `rows` rows of a block reaches. `block` has the rows by columns.
#[inline(always)]
pub(super) fn leaves<S: Simd, T: Number>(simd: S, tree: &Packed<T>, block: &[[T; ROWS]], rows: usize, out: &mut [u32; ROWS]) {
    // As many vectors at a time as have room in the registers, and no more than there are rows.
    match T::lanes::<S>() {
        16 => vectors::<S, T, 4>(simd, tree, block, rows, out),
        _ => vectors::<S, T, 8>(simd, tree, block, rows, out),
    }
}

#[inline(always)]
fn vectors<S: Simd, T: Number, const N: usize>(
    simd: S,
    tree: &Packed<T>,
    block: &[[T; ROWS]],
    rows: usize,
    out: &mut [u32; ROWS],
) {
    let (mut sets, mut bases) = ([T::Set::default(); ROWS], [T::Set::default(); ROWS]);
    for part in 0..rows.div_ceil(N * T::lanes::<S>()) {
        let mut best = [T::splat_count(simd, 0); N];
        let mut base = best;
        // From the last word to the first, whose leaves come before all others.
        for (w, word) in tree.words.iter().enumerate().rev() {
            let mut set = [T::splat_count(simd, usize::MAX); N];
            let (begin, middle, end) = (word.begin as usize, word.missing_right as usize, word.end as usize);
            for split in &tree.splits[begin..middle] {
                ask::<S, T, N, false>(simd, split, block, part, &mut set);
            }
            for split in &tree.splits[middle..end] {
                ask::<S, T, N, true>(simd, split, block, part, &mut set);
            }
            if tree.words.len() == 1 {
                best = set;
            } else {
                let here = T::splat_count(simd, w * T::BITS);
                for j in 0..N {
                    best[j] = T::choose(simd, set[j], set[j], best[j]);
                    base[j] = T::choose(simd, set[j], here, base[j]);
                }
            }
        }
        T::sets::<S>(&mut sets)[part * N..][..N].copy_from_slice(&best);
        T::sets::<S>(&mut bases)[part * N..][..N].copy_from_slice(&base);
    }
    for ((out, set), base) in out.iter_mut().zip(sets).zip(bases) {
        *out = T::count(base) + T::first(set);
    }
}

/// Takes from the sets of some rows what a split rules out.
#[inline(always)]
fn ask<S: Simd, T: Number, const N: usize, const NAN: bool>(
    simd: S,
    split: &Split<T>,
    block: &[[T; ROWS]],
    part: usize,
    sets: &mut [T::Sets<S>; N],
) {
    let x = &T::numbers::<S>(&block[split.feature as usize])[part * N..][..N];
    let (threshold, right) = (T::splat(simd, split.threshold), T::splat_set(simd, split.right));
    for (set, x) in sets.iter_mut().zip(x) {
        *set = T::cut::<S, NAN>(simd, *set, *x, threshold, right);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulp::WithSimd;

    use super::super::flat::{FlatBuilder, Step};
    use super::super::walk::Trees;
    use super::*;

    const FEATURES: usize = 5;

    struct Run<'a, T: Number> {
        tree: &'a Packed<T>,
        x: &'a [f64],
    }

    impl<T: Number> WithSimd for Run<'_, T> {
        type Output = Vec<u32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<u32> {
            let rows = self.x.len() / FEATURES;
            let mut block = [[T::default(); ROWS]; FEATURES];
            for (i, v) in self.x.iter().enumerate() {
                block[i % FEATURES][i / FEATURES] = T::near(*v);
            }
            let mut ends = [0; ROWS];
            leaves(simd, self.tree, &block, rows, &mut ends);
            ends[..rows].iter().map(|end| self.tree.leaves[*end as usize]).collect()
        }
    }

    fn agree<T: Number>(nodes: &[[i64; 2]], x: &[f64], expected: &[u32]) {
        let mut tree = Packed::<T>::new();
        assert!(tree.take(nodes, 0, usize::MAX));
        assert_eq!(pulp::Arch::new().dispatch(Run { tree: &tree, x }), expected);
        let run = Run { tree: &tree, x };
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert_eq!(Simd::vectorize(simd, run), expected);
            return;
        }
        assert_eq!(Simd::vectorize(pulp::Scalar, run), expected);
    }

    proptest! {
        /// Trees of any shape up to hundreds of leaves, rows on thresholds, beside them, infinite and missing.
        #[test]
        fn bit_vectors_reach_the_leaves_that_walks_reach(
            splits in prop::collection::vec((any::<u32>(), 0..FEATURES, -20i32..20, any::<bool>()), 0..300),
            x in prop::collection::vec(prop_oneof![
                8 => (-80i32..80).prop_map(|v| f64::from(v) / 4.0),
                1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY),
            ], FEATURES * 37),
            scale in prop_oneof![Just(1.0), Just(0.1), Just(1e-40), Just(1e300)],
        ) {
            // Node by node a leaf is split, any of them.
            let mut children = vec![None];
            let mut open = vec![0];
            for (at, feature, threshold, missing_left) in splits {
                let i = open.swap_remove(at as usize % open.len());
                let left = children.len();
                let threshold = f64::from(threshold) * scale / 2.0;
                children[i] = Some(Step::Split { feature, threshold, left, right: left + 1, missing_left });
                children.extend([None, None]);
                open.extend([left, left + 1]);
            }
            let mut flat = FlatBuilder::new(1);
            flat.push(children.len(), |i| children[i].unwrap_or(Step::Leaf), |_, out| out.push(0.0)).unwrap();
            let (nodes, _) = flat.nodes.as_chunks::<2>();
            let walked = |x: &[f64]| {
                let mut leaves = vec![0; x.len() / FEATURES];
                Trees { nodes, categories: None }.rows(0, x, FEATURES, true, &mut leaves);
                leaves
            };
            let wide: Vec<f64> = x.iter().map(|v| v * scale).collect();
            agree::<f64>(nodes, &wide, &walked(&wide));
            let narrow: Vec<f64> = wide.iter().map(|v| f64::from(*v as f32)).collect();
            agree::<f32>(nodes, &narrow, &walked(&narrow));
        }
    }

    #[test]
    fn the_number_below_is_found() {
        for v in [0.0, 1.0, -1.0, 0.1, -0.1, 1e-50, -1e-50, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY] {
            let near = v as f32;
            let expected = if f64::from(near) > v { near.next_down() } else { near };
            assert_eq!(<f32 as Number>::down(v), expected, "{v}");
            assert_eq!(<f64 as Number>::down(v), v);
        }
    }

    #[test]
    fn trees_that_are_too_large_or_otherwise_are_left_to_walks() {
        let mut flat = FlatBuilder::new(1);
        let split =
            |i: usize| Step::Split { feature: 0, threshold: 0.5, left: 2 * i + 1, right: 2 * i + 2, missing_left: true };
        flat.push(15, |i| if i < 7 { split(i) } else { Step::Leaf }, |_, out| out.push(0.0)).unwrap();
        let (nodes, _) = flat.nodes.as_chunks::<2>();
        let mut tree = Packed::<f32>::new();
        assert!(tree.take(nodes, 0, 8) && !tree.take(nodes, 0, 7) && !tree.take(nodes, 99, 8));
        let mut nodes = nodes.to_vec();
        nodes[0][1] |= 0x4000_0000 << 32;
        assert!(!tree.take(&nodes, 0, 8), "by category");
        nodes[0][1] = nodes[1][1];
        assert!(!tree.take(&nodes, 0, 8), "in another order");
    }
}
