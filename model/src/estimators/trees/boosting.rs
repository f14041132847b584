//! Gradient boosting: a first guess, and trees that each correct the sum before them.

use super::super::{Family, n_features};
use super::ensemble::{ENSEMBLE, Link};
use super::flat::FlatBuilder;
use super::sklearn::Tree;
use crate::artefact::{Builder, Node};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const GRADIENT_CLASSIFIER: Family = Family {
    op: "gradient_classifier",
    classes: &["GradientBoostingClassifier"],
    import: |object, builder| import(object, builder, Kind::Classifier),
    load: ENSEMBLE.load,
};

pub(crate) const GRADIENT_REGRESSOR: Family = Family {
    op: "gradient_regressor",
    classes: &["GradientBoostingRegressor"],
    import: |object, builder| import(object, builder, Kind::Regressor),
    load: ENSEMBLE.load,
};

fn import(object: &Obj<'_>, builder: &mut Builder, kind: Kind) -> Result<Node, Error> {
    let mut node = Node::new(ENSEMBLE.op, object.class());
    node.n_features = Some(n_features(object)?);
    node.set_kind(kind);
    node.set("narrow", true);
    let exponential = object.word("loss", "log_loss") == "exponential";
    let mut columns = 1;
    if kind == Kind::Classifier {
        let classes = object.classes()?;
        if classes.len() > 2 {
            columns = classes.len();
            Link::Softmax.store(&mut node);
        } else {
            let factor = if exponential { 2.0 } else { 1.0 };
            Link::Logistic { factor }.store(&mut node);
        }
        node.set("zero_is_second", true);
        node.set_classes(classes);
    } else {
        Link::Identity.store(&mut node);
    }
    let base = first_guess(object, kind, columns, exponential)?;
    builder.vec(&mut node, "base", base)?;

    // Iterations by columns, in that order.
    let rate = object.float("learning_rate")?;
    let mut flat = FlatBuilder::new(1);
    let members = super::forest::members(object)?;
    if !members.len().is_multiple_of(columns) {
        return Err(object.wrong("estimators_", "does not fit the number of classes"));
    }
    for member in members {
        let tree = Tree::of(&member)?;
        let leaf = |i: usize, out: &mut Vec<f64>| out.extend(tree.node_values(i).map(|v| rate * v));
        tree.flatten(&mut flat, None, leaf).map_err(|what| object.wrong("estimators_", what))?;
    }
    flat.store(builder, &mut node)?;
    Ok(node)
}

/// What the sums begin with: the prior of the classes, or the mean or quantile of the target.
fn first_guess(object: &Obj<'_>, kind: Kind, columns: usize, exponential: bool) -> Result<Vec<f64>, Error> {
    let init = object.need("init_")?;
    if init.text().is_some_and(|t| t == "zero") {
        return Ok(vec![0.0; columns]);
    }
    if let Some(guess) = init.object()
        && let Some(guess) = before_0_21(&guess, columns)
    {
        return Ok(guess);
    }
    let dummy = init.object().filter(|o| o.name().starts_with("Dummy"));
    let Some(dummy) = dummy else {
        return Err(Error::unsupported(
            object.class(),
            "its `init` is an estimator of its own; use init=None or init=\"zero\"",
        ));
    };
    if kind == Kind::Regressor {
        return dummy.vector("constant_");
    }
    let prior = dummy.vector("class_prior_")?;
    if prior.len() != columns.max(2) {
        return Err(dummy.wrong("class_prior_", "does not fit the number of classes"));
    }
    // Older versions clipped at the precision of 32 bits and did not centre the logarithms.
    let new = object.object("_loss").is_ok_and(|l| l.class().starts_with("sklearn._loss."));
    let eps = if new { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let clip = |p: f64| p.clamp(eps, 1.0 - eps);
    if columns == 1 {
        let p = clip(prior[1]);
        let factor = if exponential { 0.5 } else { 1.0 };
        return Ok(vec![factor * (p / (1.0 - p)).ln()]);
    }
    let logs: Vec<f64> = prior.iter().map(|p| clip(*p).ln()).collect();
    let centre = if new { logs.iter().sum::<f64>() / logs.len() as f64 } else { 0.0 };
    Ok(logs.iter().map(|v| v - centre).collect())
}

/// The first guesses of scikit-learn before 0.21 had classes of their own, and were used as they are.
fn before_0_21(guess: &Obj<'_>, columns: usize) -> Option<Vec<f64>> {
    let attribute = match guess.name() {
        "ZeroEstimator" => return Some(vec![0.0; columns]),
        "LogOddsEstimator" | "ScaledLogOddsEstimator" => "prior",
        "PriorProbabilityEstimator" => "priors",
        "MeanEstimator" => "mean",
        "QuantileEstimator" => "quantile",
        _ => return None,
    };
    guess.vector(attribute).ok().filter(|v| v.len() == columns)
}
