//! Boosted trees in the files of the programs that grew them.

mod lightgbm;
mod ubj;
mod xgboost;

use std::collections::BTreeSet;

use crate::Error;
use crate::artefact::Node;
use crate::types::Classes;

pub(crate) use lightgbm::import as lightgbm;
pub(crate) use xgboost::{import_json as xgboost_json, import_ubj as xgboost_ubj};

/// Gives the classes 0, 1, 2 … their labels.
pub(crate) fn label(node: &mut Node, labels: Vec<String>) -> Result<(), Error> {
    let Some(classes) = node.classes() else {
        return Err(Error::unsupported("labels", "the model is no classifier"));
    };
    if classes.len() != labels.len() {
        let what = format!(
            "there are {}, and the model has {} classes: give one for each, in the order of the codes that it was trained with",
            labels.len(),
            classes.len()
        );
        return Err(Error::unsupported("labels", what));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = labels.iter().find(|label| !seen.insert(label.as_str())) {
        return Err(Error::unsupported("labels", format!("`{twice}` is there twice")));
    }
    node.set_classes(Classes::Str(labels));
    Ok(())
}
