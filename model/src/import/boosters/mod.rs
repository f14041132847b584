//! Boosted trees in the files of the programs that grew them.

mod lightgbm;
mod ubj;
mod xgboost;

pub(crate) use lightgbm::import as lightgbm;
pub(crate) use xgboost::{import_json as xgboost_json, import_ubj as xgboost_ubj};
