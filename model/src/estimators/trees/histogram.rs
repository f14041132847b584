//! Histogram gradient boosting, whose trees compare 64-bit features and take missing values.

use super::super::{Family, n_features};
use super::ensemble::{ENSEMBLE, Link};
use super::flat::{FlatBuilder, Step};
use crate::artefact::{Builder, Node};
use crate::import::{Obj, Val};
use crate::{Error, Kind};

pub(crate) const HISTOGRAM_CLASSIFIER: Family = Family {
    op: "histogram_classifier",
    classes: &["HistGradientBoostingClassifier"],
    import: |object, builder| import(object, builder, Kind::Classifier),
    load: ENSEMBLE.load,
};

pub(crate) const HISTOGRAM_REGRESSOR: Family = Family {
    op: "histogram_regressor",
    classes: &["HistGradientBoostingRegressor"],
    import: |object, builder| import(object, builder, Kind::Regressor),
    load: ENSEMBLE.load,
};

fn import(object: &Obj<'_>, builder: &mut Builder, kind: Kind) -> Result<Node, Error> {
    let mut node = Node::new(ENSEMBLE.op, object.class());
    node.n_features = Some(n_features(object)?);
    node.set_kind(kind);
    node.set("takes_nan", true);
    let categorical = object.some("is_categorical_").and_then(|v| v.ints());
    if categorical.is_some_and(|flags| flags.iter().any(|f| *f != 0)) {
        return Err(Error::unsupported(
            object.class(),
            "it has categorical features; encode them before (OneHotEncoder) and train again",
        ));
    }
    let base = object.vector("_baseline_prediction")?;
    let link = match (kind, &*object.word("loss", "squared_error")) {
        (Kind::Classifier, _) if base.len() == 1 => Link::Logistic { factor: 1.0 },
        (Kind::Classifier, _) => Link::Softmax,
        (_, "poisson" | "gamma") => Link::Exp,
        _ => Link::Identity,
    };
    link.store(&mut node);
    if kind == Kind::Classifier {
        node.set_classes(object.classes()?);
    }
    let mut flat = FlatBuilder::new(1);
    for iteration in object.list("_predictors")? {
        let trees = iteration.list().unwrap_or_default();
        if trees.len() != base.len() {
            return Err(object.wrong("_predictors", "does not fit the number of classes"));
        }
        for tree in trees {
            push(&tree, &mut flat).map_err(|what| object.wrong("_predictors", what))?;
        }
    }
    builder.vec(&mut node, "base", base)?;
    flat.store(builder, &mut node)?;
    Ok(node)
}

fn push(tree: &Val<'_>, flat: &mut FlatBuilder) -> Result<(), String> {
    let nodes = tree.object().and_then(|t| t.some("nodes")).ok_or("holds something that is no tree")?;
    let ints = |name: &str| nodes.column_ints(name).ok_or("has nodes of an unknown layout");
    let floats = |name: &str| nodes.column_floats(name).ok_or("has nodes of an unknown layout");
    let (leaf, left, right) = (ints("is_leaf")?, ints("left")?, ints("right")?);
    let (feature, missing_left) = (ints("feature_idx")?, ints("missing_go_to_left")?);
    // Named `threshold` before 0.24.
    let threshold = floats("num_threshold").or_else(|_| floats("threshold"))?;
    let value = floats("value")?;
    let at = |v: i64| usize::try_from(v).unwrap_or(usize::MAX);
    let step = |i: usize| match leaf[i] != 0 {
        true => Step::Leaf,
        false => Step::Split {
            feature: at(feature[i]),
            threshold: threshold[i],
            left: at(left[i]),
            right: at(right[i]),
            missing_left: missing_left[i] != 0,
        },
    };
    flat.push(leaf.len(), step, |i, out| out.push(value[i]))
}
