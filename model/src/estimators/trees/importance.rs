//! How much each feature of trees lessened impurity in training (`feature_importances_`).

use crate::Error;
use crate::estimators::n_features;
use crate::import::Obj;

/// One number a feature; they add up to 1, unless no tree has a split.
pub(crate) fn importances(object: &Obj<'_>) -> Result<Vec<f64>, Error> {
    let n = n_features(object)?;
    // A tree's decreases are scaled to 1 before a forest adds them up, and not in boosting.
    let (members, scaled) = match object.name() {
        "DecisionTreeClassifier" | "DecisionTreeRegressor" | "ExtraTreeClassifier" | "ExtraTreeRegressor" => {
            (vec![*object], true)
        }
        "RandomForestClassifier" | "RandomForestRegressor" | "ExtraTreesClassifier" | "ExtraTreesRegressor" => {
            (super::forest::members(object)?, true)
        }
        "GradientBoostingClassifier" | "GradientBoostingRegressor" => (super::forest::members(object)?, false),
        _ => {
            let what = "how much it makes of each feature is known of linear models, trees, forests and gradient boosting only";
            return Err(Error::unsupported(object.class(), what));
        }
    };
    let mut sums = vec![0.0; n];
    for member in members {
        let Some(decreases) = decreases(&member, n)? else { continue };
        let total: f64 = if scaled { decreases.iter().sum() } else { 1.0 };
        if total > 0.0 {
            sums.iter_mut().zip(&decreases).for_each(|(sum, d)| *sum += d / total);
        }
    }
    let total: f64 = sums.iter().sum();
    if total > 0.0 {
        sums.iter_mut().for_each(|v| *v /= total);
    }
    Ok(sums)
}

/// Summed weighted decrease of impurity per feature; none for a tree that is one leaf.
fn decreases(estimator: &Obj<'_>, n: usize) -> Result<Option<Vec<f64>>, Error> {
    let wrong = || estimator.wrong("tree_", "has nodes of an unknown layout");
    let tree = estimator.object("tree_")?;
    let nodes = tree.need("nodes")?;
    let ints = |name: &str| nodes.column_ints(name).ok_or_else(wrong);
    let floats = |name: &str| nodes.column_floats(name).ok_or_else(wrong);
    let (left, right, feature) = (ints("left_child")?, ints("right_child")?, ints("feature")?);
    let (impurity, weight) = (floats("impurity")?, floats("weighted_n_node_samples")?);
    if left.len() <= 1 {
        return Ok(None);
    }
    let share = |i: i64| {
        let i = usize::try_from(i).ok().filter(|i| *i < left.len())?;
        Some(weight[i] * impurity[i])
    };
    let mut out = vec![0.0; n];
    for i in (0..left.len()).filter(|i| left[*i] >= 0) {
        let feature = usize::try_from(feature[i]).ok().and_then(|f| out.get_mut(f));
        let (Some(out), Some(l), Some(r)) = (feature, share(left[i]), share(right[i])) else {
            return Err(wrong());
        };
        *out += weight[i] * impurity[i] - l - r;
    }
    out.iter_mut().for_each(|v| *v /= weight[0]);
    Ok(Some(out))
}
