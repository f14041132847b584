//! Single trees and forests: the mean of what the trees say.

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
    let mut node = Node::new(ENSEMBLE.op, object.class());
    node.n_features = Some(n_features(object)?);
    node.set_kind(kind);
    // scikit-learn compares 32-bit features with 64-bit thresholds.
    node.set("narrow", true);
    // The classes of each target; those of all targets stand side by side in a leaf.
    let targets = match (kind, object.targets()) {
        (Kind::Classifier, Some(targets)) => {
            node.set_targets(targets.clone());
            targets
        }
        (Kind::Classifier, None) => {
            let classes = object.classes()?;
            node.set_classes(classes.clone());
            vec![classes]
        }
        _ => Vec::new(),
    };
    let mut flat: Option<FlatBuilder> = None;
    let mut takes_nan = true;
    for member in trees {
        let tree = Tree::of(member)?;
        let (outputs, most) = (tree.values.shape()[1], tree.values.shape()[2]);
        let fits = match targets.iter().map(Classes::len).max() {
            Some(classes) => outputs == targets.len() && most == classes,
            None => most == 1,
        };
        if !fits {
            return Err(object.wrong("tree_", "has values that do not fit its classes"));
        }
        takes_nan &= tree.takes_missing;
        let flat = flat.get_or_insert_with(|| match targets.is_empty() {
            true => FlatBuilder::new(outputs),
            false => FlatBuilder::new(targets.iter().map(Classes::len).sum()),
        });
        let leaf = |i: usize, out: &mut Vec<f64>| {
            if targets.is_empty() {
                out.extend(tree.node_values(i));
            }
            for (target, classes) in targets.iter().enumerate() {
                let start = out.len();
                out.extend(tree.node_values(i).skip(target * most).take(classes.len()));
                // Before 1.3 classifiers kept counts instead of shares.
                let sum: f64 = out[start..].iter().sum();
                if (sum - 1.0).abs() > 1e-9 && sum > 0.0 {
                    out[start..].iter_mut().for_each(|v| *v /= sum);
                }
            }
        };
        tree.flatten(flat, None, leaf).map_err(|what| object.wrong("tree_", what))?;
    }
    let Some(flat) = flat else {
        return Err(object.wrong("estimators_", "holds no trees"));
    };
    node.set("takes_nan", takes_nan);
    Link::Mean.store(&mut node);
    builder.vec(&mut node, "base", vec![0.0; flat.width()])?;
    flat.store(builder, &mut node)?;
    Ok(node)
}
