//! Transformers that prepare features: scaling, filling gaps, encoding, choosing columns.

mod bins;
mod encode;
mod function;
mod importance;
mod impute;
mod normal;
mod polynomial;
mod power;
mod quantile;
mod rows;
mod scale;
mod select;

pub(crate) use bins::BINS;
pub(crate) use encode::{ONE_HOT, ORDINAL};
pub(crate) use function::{FUNCTION, identity};
pub(crate) use impute::IMPUTER;
pub(crate) use polynomial::POLYNOMIAL;
pub(crate) use power::POWER;
pub(crate) use quantile::QUANTILE;
pub(crate) use rows::{BINARIZER, NORMALIZER};
pub(crate) use scale::{MAX_ABS, MIN_MAX, ROBUST, STANDARD};
pub(crate) use select::SELECTOR;

use super::{Methods, Outline};
use crate::Kind;

/// The outline of a transformer.
pub(super) fn transformer(n_features: Option<usize>, n_outputs: usize, takes_nan: bool) -> Outline {
    Outline {
        kind: Kind::Transformer,
        n_features,
        n_outputs,
        methods: Methods { transform: true, ..Methods::default() },
        takes_nan,
    }
}

/// Where each part of an array begins, and the end of the last; none unless the counts fill it exactly.
fn starts(counts: &[i64], whole: usize) -> Option<Vec<usize>> {
    let mut starts = vec![0usize];
    for count in counts {
        let last = starts.last().copied().unwrap_or(0);
        starts.push(usize::try_from(*count).ok().and_then(|c| last.checked_add(c))?);
    }
    (starts.last() == Some(&whole)).then_some(starts)
}
