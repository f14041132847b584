//! Naive Bayes: the joint log likelihood of each class, normalized.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

/// Likelihoods that are linear in the features.
pub(crate) const DISCRETE: Family =
    Family { op: "bayes_discrete", classes: &["BernoulliNB", "ComplementNB", "MultinomialNB"], import: import_discrete, load };

pub(crate) const GAUSSIAN: Family = Family { op: "bayes_gaussian", classes: &["GaussianNB"], import: import_gaussian, load };

enum Likelihood {
    /// Features above the threshold count as 1 and others as 0, if there is one.
    Linear {
        weights: View<f64>,
        binarize: Option<f64>,
    },
    Gaussian {
        mean: View<f64>,
        variance: View<f64>,
    },
}

struct Bayes {
    likelihood: Likelihood,
    /// What does not depend on the features, per class.
    constant: View<f64>,
    n_features: usize,
    classes: Classes,
}

fn import_discrete(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(DISCRETE.op, object.class());
    let classes = object.classes()?;
    let mut weights = object.matrix("feature_log_prob_")?;
    let prior = Array1::from(object.vector("class_log_prior_")?);
    if prior.len() != classes.len() || weights.nrows() != classes.len() {
        return Err(object.wrong("feature_log_prob_", "does not fit the classes"));
    }
    let constant = match object.name() {
        "BernoulliNB" => {
            // log p for a feature that is there, log (1 - p) for one that is not.
            let absent = weights.mapv(|v| (1.0 - v.exp()).ln());
            weights -= &absent;
            if let Some(threshold) = object.some("binarize") {
                let threshold = threshold.float().ok_or_else(|| object.wrong("binarize", "is no number"))?;
                node.set_f64("binarize", threshold);
            }
            prior + absent.sum_axis(Axis(1))
        }
        "ComplementNB" if classes.len() > 1 => Array1::zeros(classes.len()),
        _ => prior,
    };
    node.n_features = Some(weights.ncols());
    builder.f64(&mut node, "weights", weights.into_dyn())?;
    builder.vec(&mut node, "constant", constant.to_vec())?;
    node.set_classes(classes);
    Ok(node)
}

fn import_gaussian(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(GAUSSIAN.op, object.class());
    let classes = object.classes()?;
    let mean = object.matrix("theta_")?;
    // Called sigma_ before 1.0.
    let variance = object.matrix(if object.some("var_").is_some() { "var_" } else { "sigma_" })?;
    let prior = object.vector("class_prior_")?;
    if prior.len() != classes.len() || mean.nrows() != classes.len() || mean.dim() != variance.dim() {
        return Err(object.wrong("theta_", "does not fit the classes"));
    }
    let spread = variance.mapv(|v| (2.0 * PI * v).ln()).sum_axis(Axis(1));
    let constant = prior.iter().zip(&spread).map(|(p, s)| p.ln() - 0.5 * s).collect();
    node.n_features = Some(mean.ncols());
    builder.f64(&mut node, "mean", mean.into_dyn())?;
    builder.f64(&mut node, "variance", variance.into_dyn())?;
    builder.vec(&mut node, "constant", constant)?;
    node.set_classes(classes);
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let classes = node.need_classes()?;
    let shape = [classes.len(), n_features];
    let matrix = |role: &str| store.f64(node, role)?.expect(node, role, &shape);
    let likelihood = match node.op == GAUSSIAN.op {
        true => Likelihood::Gaussian { mean: matrix("mean")?, variance: matrix("variance")? },
        false => {
            let binarize = node.params.contains_key("binarize").then(|| node.f64("binarize")).transpose()?;
            Likelihood::Linear { weights: matrix("weights")?, binarize }
        }
    };
    let constant = store.f64(node, "constant")?.expect(node, "constant", &[classes.len()])?;
    Ok(Box::new(Bayes { likelihood, constant, n_features, classes }))
}

impl Bayes {
    fn joint(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let constant = self.constant.vector();
        Ok(match &self.likelihood {
            Likelihood::Linear { weights, binarize: None } => math::affine(x, weights.matrix()?, constant),
            Likelihood::Linear { weights, binarize: Some(threshold) } => {
                let bits = x.mapv(|v| f64::from(u8::from(v > *threshold)));
                math::affine(bits.view(), weights.matrix()?, constant)
            }
            Likelihood::Gaussian { mean, variance } => {
                let (mean, variance) = (mean.matrix()?, variance.matrix()?);
                Array2::from_shape_fn((x.nrows(), self.classes.len()), |(i, class)| {
                    let parts = x.row(i).into_iter().zip(mean.row(class)).zip(variance.row(class));
                    let sum: f64 = parts.map(|((x, m), v)| (x - m) * (x - m) / v).sum();
                    constant[class] - 0.5 * sum
                })
            }
        })
    }
}

impl Estimator for Bayes {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Classifier,
            n_features: Some(self.n_features),
            n_outputs: self.classes.len(),
            methods: Methods { predict: true, proba: true, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.extend(self.joint(x)?.outer_iter().map(math::argmax));
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut joint = self.joint(x)?;
        math::softmax_rows(&mut joint);
        Ok(joint)
    }
}
