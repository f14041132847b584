//! Transformers that prepare features: scaling, filling gaps, encoding, choosing columns.

mod encode;
mod function;
mod impute;
mod polynomial;
mod power;
mod rows;
mod scale;
mod select;

pub(crate) use encode::{ONE_HOT, ORDINAL};
pub(crate) use function::{FUNCTION, identity};
pub(crate) use impute::IMPUTER;
pub(crate) use polynomial::POLYNOMIAL;
pub(crate) use power::POWER;
pub(crate) use rows::{BINARIZER, NORMALIZER};
pub(crate) use scale::{MAX_ABS, MIN_MAX, ROBUST, STANDARD};
pub(crate) use select::SELECTOR;

use super::{Methods, Outline};
use crate::Kind;

/// The outline of a transformer.
fn transformer(n_features: Option<usize>, n_outputs: usize, takes_nan: bool) -> Outline {
    Outline {
        kind: Kind::Transformer,
        n_features,
        n_outputs,
        methods: Methods { transform: true, ..Methods::default() },
        takes_nan,
    }
}
