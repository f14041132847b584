//! Histogram gradient boosting, whose trees compare 64-bit features and take missing values.

use std::collections::HashSet;

use super::super::{Family, n_features};
use super::categories::Side;
use super::ensemble::{ENSEMBLE, Link};
use super::flat::{FlatBuilder, Step};
use crate::artefact::{Builder, Child, Node};
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
    let known = known_categories(object)?;
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
            push(&tree, &known, &mut flat).map_err(|what| object.wrong("_predictors", what))?;
        }
    }
    builder.vec(&mut node, "base", base)?;
    flat.store(builder, &mut node)?;
    // Since 1.4 the trees see categories as a transformer has numbered and put them: first of all columns.
    match object.some("_preprocessor").and_then(|p| p.object()) {
        Some(preparation) => {
            let mut whole = Node::new("pipeline", object.class());
            let preparation = crate::estimators::import(&preparation, builder)?;
            whole.children.push(Child { name: "categories".into(), node: preparation });
            whole.children.push(Child { name: "trees".into(), node });
            Ok(whole)
        }
        None => Ok(node),
    }
}

/// The categories each feature had in training, where scikit-learn before 1.4 keeps them; any below 256 after.
fn known_categories(object: &Obj<'_>) -> Result<Option<Vec<HashSet<i64>>>, Error> {
    let categorical = object.some("is_categorical_").and_then(|v| v.ints());
    if !categorical.is_some_and(|flags| flags.iter().any(|f| *f != 0)) || object.some("_preprocessor").is_some() {
        return Ok(None);
    }
    let mapper = object.object("_bin_mapper")?;
    let bins = mapper.list("bin_thresholds_")?;
    let bins = bins.iter().map(|b| Some(b.floats()?.iter().map(|v| *v as i64).collect()));
    let bins: Option<Vec<HashSet<i64>>> = bins.collect();
    bins.map(Some).ok_or_else(|| mapper.wrong("bin_thresholds_", "holds something that is no list of categories"))
}

/// The keys of the splits by category, by node; none where a tree has no such split.
fn categories(
    tree: &Obj<'_>,
    nodes: &Val<'_>,
    known: &Option<Vec<HashSet<i64>>>,
    flat: &mut FlatBuilder,
) -> Result<Vec<Option<u64>>, String> {
    let (Some(flags), Some(rows)) = (nodes.column_ints("is_categorical"), nodes.column_ints("bitset_idx")) else {
        return Ok(Vec::new());
    };
    if flags.iter().all(|f| *f == 0) {
        return Ok(Vec::new());
    }
    let features = nodes.column_ints("feature_idx").unwrap_or_default();
    let sets = tree.some("raw_left_cat_bitsets").and_then(|v| v.ints()).ok_or("lacks its categories")?;
    let sets = sets.into_dimensionality::<ndarray::Ix2>().map_err(|_| "has categories of an unknown layout")?;
    let mut out = Vec::with_capacity(flags.len());
    for ((flag, row), feature) in flags.iter().zip(&rows).zip(&features) {
        if *flag == 0 {
            out.push(None);
            continue;
        }
        let row = usize::try_from(*row).ok().filter(|r| *r < sets.nrows()).ok_or("refers to categories it does not have")?;
        let known = known.as_ref().and_then(|k| k.get(usize::try_from(*feature).ok()?));
        let side = |category: usize| {
            let word = sets.get([row, category / 32]).copied().unwrap_or(0);
            match word >> (category % 32) & 1 == 1 {
                true => Side::Left,
                false if known.is_none_or(|k| k.contains(&(category as i64))) => Side::Right,
                false => Side::Missing,
            }
        };
        let sides: Vec<Side> = (0..sets.ncols() * 32).map(side).collect();
        // Anything beyond these counts as missing.
        out.push(Some(flat.categories(&sides, false)?));
    }
    Ok(out)
}

fn push(tree: &Val<'_>, known: &Option<Vec<HashSet<i64>>>, flat: &mut FlatBuilder) -> Result<(), String> {
    let object = tree.object().ok_or("holds something that is no tree")?;
    let nodes = object.some("nodes").ok_or("holds something that is no tree")?;
    let keys = categories(&object, &nodes, known, flat)?;
    let ints = |name: &str| nodes.column_ints(name).ok_or("has nodes of an unknown layout");
    let floats = |name: &str| nodes.column_floats(name).ok_or("has nodes of an unknown layout");
    let (leaf, left, right) = (ints("is_leaf")?, ints("left")?, ints("right")?);
    let (feature, missing_left) = (ints("feature_idx")?, ints("missing_go_to_left")?);
    // Named `threshold` before 0.24.
    let threshold = floats("num_threshold").or_else(|_| floats("threshold"))?;
    let value = floats("value")?;
    let at = |v: i64| usize::try_from(v).unwrap_or(usize::MAX);
    let step = |i: usize| {
        let (feature, left, right) = (at(feature[i]), at(left[i]), at(right[i]));
        let missing_left = missing_left[i] != 0;
        match (leaf[i] != 0, keys.get(i).copied().flatten()) {
            (true, _) => Step::Leaf,
            (false, Some(key)) => Step::Categories { feature, key, left, right, missing_left },
            (false, None) => Step::Split { feature, threshold: threshold[i], left, right, missing_left },
        }
    };
    flat.push(leaf.len(), step, |i, out| out.push(value[i]))
}
