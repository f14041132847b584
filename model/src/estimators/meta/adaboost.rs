//! AdaBoost: weighted votes of classifiers (Zhu and others, "Multi-class AdaBoost", 2009), or the
//! weighted median of regressors (Drucker, "Improving regressors using boosting techniques", 1997).

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline, Scorer, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const ADA_CLASSIFIER: Family = Family {
    op: "ada_classifier",
    classes: &["AdaBoostClassifier"],
    import: |o, b| import(ADA_CLASSIFIER.op, o, b),
    load: load_classifier,
};

pub(crate) const ADA_REGRESSOR: Family = Family {
    op: "ada_regressor",
    classes: &["AdaBoostRegressor"],
    import: |o, b| import(ADA_REGRESSOR.op, o, b),
    load: load_regressor,
};

fn import(op: &str, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(op, object.class());
    super::import_list(object, "estimators_", builder, &mut node)?;
    // Until 1.5 `algorithm` chose; SAMME.R was the default.
    if object.word("algorithm", "SAMME") == "SAMME.R" {
        node.set("by_proba", true);
    }
    let weights: Vec<f64> = object.vector("estimator_weights_")?.into_iter().take(node.children.len()).collect();
    builder.vec(&mut node, "weights", weights)?;
    if op == ADA_CLASSIFIER.op {
        node.set_classes(object.classes()?);
    }
    Ok(node)
}

struct Classifier {
    members: Vec<(Scorer, Vec<usize>)>,
    weights: View<f64>,
    /// Members speak by the logarithms of their probabilities (SAMME.R), and not by votes.
    by_proba: bool,
    classes: Classes,
    n_features: Option<usize>,
}

fn load_classifier(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    if classes.len() < 2 {
        return Err(node.broken("it has fewer than two classes"));
    }
    let scorers = super::children(node, store)?;
    let n_features = super::common_features(node, &scorers)?;
    let weights = store.f64(node, "weights")?.expect(node, "weights", &[scorers.len()])?;
    let by_proba = node.flag("by_proba");
    let mut members = Vec::new();
    for scorer in scorers {
        let positions = super::positions(node, &scorer, &classes, false)?;
        let whole = scorer.outline().methods.proba && positions.iter().copied().eq(0..classes.len());
        if by_proba && !whole {
            return Err(node.broken("a member has not the probabilities of all classes"));
        }
        members.push((scorer, positions));
    }
    Ok(Box::new(Classifier { members, weights, by_proba, classes, n_features }))
}

impl Estimator for Classifier {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Classifier,
            n_features: self.n_features,
            n_outputs: self.classes.len(),
            methods: Methods { predict: true, proba: true, decision: true, transform: false },
            takes_nan: true,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        math::decide(&self.decision(x)?, out);
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let n = self.classes.len();
        let mut scores = Array2::<f64>::zeros((x.nrows(), n));
        let mut votes = Vec::new();
        for ((member, positions), weight) in self.members.iter().zip(self.weights.slice()) {
            if self.by_proba {
                let logs = member.proba(x)?.mapv_into(|p| p.max(f64::EPSILON).ln());
                for (mut row, logs) in scores.outer_iter_mut().zip(logs.outer_iter()) {
                    let mean = logs.sum() / n as f64;
                    row.iter_mut().zip(logs).for_each(|(s, log)| *s += (n - 1) as f64 * (log - mean));
                }
                continue;
            }
            votes.clear();
            member.indices(x, &mut votes)?;
            let against = -weight / (n - 1) as f64;
            for (mut row, vote) in scores.outer_iter_mut().zip(&votes) {
                let class = positions[*vote as usize];
                row.iter_mut().enumerate().for_each(|(i, s)| *s += if i == class { *weight } else { against });
            }
        }
        scores /= self.weights.slice().iter().sum::<f64>();
        if n == 2 {
            return Ok(Array2::from_shape_fn((x.nrows(), 1), |(i, _)| scores[[i, 1]] - scores[[i, 0]]));
        }
        Ok(scores)
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let scores = self.decision(x)?;
        let n = self.classes.len();
        let mut out = match n {
            2 => Array2::from_shape_fn((x.nrows(), 2), |(i, j)| scores[[i, 0]] * (j as f64 - 0.5)),
            _ => scores / (n - 1) as f64,
        };
        math::softmax_rows(&mut out);
        Ok(out)
    }
}

struct Regressor {
    members: Vec<Scorer>,
    weights: View<f64>,
    n_features: Option<usize>,
}

fn load_regressor(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let members = super::children(node, store)?;
    let n_features = super::common_features(node, &members)?;
    let weights = store.f64(node, "weights")?.expect(node, "weights", &[members.len()])?;
    if members.iter().any(|m| m.classes().is_some() || m.outline().n_outputs != 1) {
        return Err(node.broken("a member gives something else than one value"));
    }
    Ok(Box::new(Regressor { members, weights, n_features }))
}

impl Estimator for Regressor {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Regressor,
            n_features: self.n_features,
            n_outputs: 1,
            methods: Methods { predict: true, ..Methods::default() },
            takes_nan: true,
        }
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let mut answers = Vec::new();
        for member in &self.members {
            let mut values = Vec::new();
            member.values(x, &mut values)?;
            answers.push(values);
        }
        let half = 0.5 * self.weights.slice().iter().sum::<f64>();
        let mut order: Vec<(f64, f64)> = Vec::new();
        for row in 0..x.nrows() {
            order.clear();
            let pairs = answers.iter().zip(self.weights.slice());
            order.extend(pairs.map(|(values, weight)| (values.get(row).copied().unwrap_or(f64::NAN), *weight)));
            order.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut sum = 0.0;
            let median = order.iter().find(|(_, weight)| {
                sum += weight;
                sum >= half
            });
            out.push(median.or(order.last()).map_or(f64::NAN, |(value, _)| *value));
        }
        Ok(())
    }
}
