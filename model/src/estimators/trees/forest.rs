//! Single trees and forests: the mean of what the trees say.

use super::super::meta::per_target;
use super::super::{Family, n_features};
use super::ensemble::{ENSEMBLE, Link};
use super::flat::FlatBuilder;
use super::sklearn::Tree;
use crate::artefact::{Builder, Node};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const TREE_CLASSIFIER: Family = Family {
    op: "tree_classifier",
    classes: &["DecisionTreeClassifier", "ExtraTreeClassifier"],
    import: |object, builder| import(object, builder, Kind::Classifier, &[*object]),
    load: ENSEMBLE.load,
};

pub(crate) const TREE_REGRESSOR: Family = Family {
    op: "tree_regressor",
    classes: &["DecisionTreeRegressor", "ExtraTreeRegressor"],
    import: |object, builder| import(object, builder, Kind::Regressor, &[*object]),
    load: ENSEMBLE.load,
};

pub(crate) const FOREST_CLASSIFIER: Family = Family {
    op: "forest_classifier",
    classes: &["RandomForestClassifier", "ExtraTreesClassifier"],
    import: |object, builder| import(object, builder, Kind::Classifier, &members(object)?),
    load: ENSEMBLE.load,
};

pub(crate) const FOREST_REGRESSOR: Family = Family {
    op: "forest_regressor",
    classes: &["RandomForestRegressor", "ExtraTreesRegressor"],
    import: |object, builder| import(object, builder, Kind::Regressor, &members(object)?),
    load: ENSEMBLE.load,
};

/// The estimators of an ensemble.
pub(super) fn members<'h>(object: &Obj<'h>) -> Result<Vec<Obj<'h>>, Error> {
    let members: Option<Vec<_>> = object.list("estimators_")?.iter().map(|v| v.object()).collect();
    match members {
        Some(members) if !members.is_empty() => Ok(members),
        _ => Err(object.wrong("estimators_", "holds no trees")),
    }
}

fn import(object: &Obj<'_>, builder: &mut Builder, kind: Kind, trees: &[Obj<'_>]) -> Result<Node, Error> {
    match (kind, object.targets()) {
        (Kind::Classifier, Some(targets)) => {
            per_target(object, targets, builder, |builder, i, classes| one(object, builder, kind, trees, Some((i, classes))))
        }
        _ => one(object, builder, kind, trees, None),
    }
}

/// All that the trees say, or what they say of one target.
fn one(
    object: &Obj<'_>,
    builder: &mut Builder,
    kind: Kind,
    trees: &[Obj<'_>],
    target: Option<(usize, Classes)>,
) -> Result<Node, Error> {
    let mut node = Node::new(ENSEMBLE.op, object.class());
    node.n_features = Some(n_features(object)?);
    node.set_kind(kind);
    // scikit-learn compares 32-bit features with 64-bit thresholds.
    node.set("narrow", true);
    let (outputs, target, classes) = match (kind, target) {
        (_, Some((target, classes))) => (None, target, Some(classes)),
        (Kind::Classifier, None) => (Some(1), 0, Some(object.classes()?)),
        (_, None) => (None, 0, None),
    };
    let mut flat: Option<FlatBuilder> = None;
    let mut takes_nan = true;
    for member in trees {
        let tree = Tree::of(member)?;
        let (there, most) = (tree.values.shape()[1], tree.values.shape()[2]);
        let fits = match &classes {
            Some(classes) => {
                target < there && classes.len() <= most && outputs.is_none_or(|n| n == there && classes.len() == most)
            }
            None => most == 1,
        };
        if !fits {
            return Err(object.wrong("tree_", "has values that do not fit its classes"));
        }
        let width = classes.as_ref().map_or(there, Classes::len);
        takes_nan &= tree.takes_missing;
        let flat = flat.get_or_insert_with(|| FlatBuilder::new(width));
        let leaf = |i: usize, out: &mut Vec<f64>| {
            let start = out.len();
            out.extend(tree.node_values(i).skip(target * most).take(width));
            // Before 1.3 classifiers kept counts instead of shares.
            let sum: f64 = out[start..].iter().sum();
            if classes.is_some() && (sum - 1.0).abs() > 1e-9 && sum > 0.0 {
                out[start..].iter_mut().for_each(|v| *v /= sum);
            }
        };
        tree.flatten(flat, None, leaf).map_err(|what| object.wrong("tree_", what))?;
    }
    let Some(flat) = flat else {
        return Err(object.wrong("estimators_", "holds no trees"));
    };
    node.set("takes_nan", takes_nan);
    Link::Mean.store(&mut node);
    let width = classes.as_ref().map_or(flat.width(), Classes::len);
    builder.vec(&mut node, "base", vec![0.0; width])?;
    flat.store(builder, &mut node)?;
    if let Some(classes) = classes {
        node.set_classes(classes);
    }
    Ok(node)
}
