//! Decision trees and their ensembles: many trees as one array of nodes, summed per row.

mod bits;
mod boosting;
mod categories;
mod ensemble;
mod flat;
mod forest;
mod histogram;
mod importance;
mod isolation;
mod pack;
mod score;
mod sklearn;
mod walk;

pub(crate) use boosting::{GRADIENT_CLASSIFIER, GRADIENT_REGRESSOR};
pub(crate) use categories::Side;
pub(crate) use ensemble::{ENSEMBLE, Link};
pub(crate) use flat::{FlatBuilder, Step};
pub(crate) use forest::{FOREST_CLASSIFIER, FOREST_REGRESSOR, TREE_CLASSIFIER, TREE_REGRESSOR};
pub(crate) use histogram::{HISTOGRAM_CLASSIFIER, HISTOGRAM_REGRESSOR};
pub(crate) use importance::importances;
pub(crate) use isolation::ISOLATION;
