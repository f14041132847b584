//! Linear classifiers: one weighted sum per class, or one for two classes.

use ndarray::{Array2, ArrayView2};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const CLASSIFIER: Family = Family {
    op: "linear_classifier",
    classes: &[
        "LinearSVC",
        "LogisticRegression",
        "LogisticRegressionCV",
        "PassiveAggressiveClassifier",
        "Perceptron",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
    ],
    import,
    load,
};

/// How scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    /// They do not.
    None,
    /// A logistic function per class, normalized.
    OneVersusRest,
    /// The score squeezed from [-1, 1] to [0, 1] per class, normalized.
    Huber,
    /// Softmax; the one score of two classes counts for both with opposite signs.
    Softmax,
}

struct Classifier {
    /// Scores by features.
    weights: View<f64>,
    intercept: View<f64>,
    link: Link,
    classes: Classes,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(CLASSIFIER.op, object.class());
    // Ridge classifiers leave them with the encoder of their targets.
    let classes = match object.some("_label_binarizer").and_then(|v| v.object()) {
        Some(encoder) => encoder.classes()?,
        None => object.classes()?,
    };
    let link = match object.name() {
        "LogisticRegression" | "LogisticRegressionCV" => logistic_link(object, classes.len()),
        // Softmax since 0.21; before 0.18 no version is told.
        "LinearDiscriminantAnalysis" | "LDA" if classes.len() == 2 || object.version().is_none_or(|v| v < (0, 21)) => "ovr",
        "LinearDiscriminantAnalysis" | "LDA" => "softmax",
        "SGDClassifier" => match &*object.word("loss", "hinge") {
            "log_loss" | "log" => "ovr",
            "modified_huber" => "huber",
            _ => "none",
        },
        _ => "none",
    };
    node.set("link", link);
    weights(object, builder, &mut node, Some(classes.len()))?;
    node.set_classes(classes);
    Ok(node)
}

/// Which probabilities a logistic regression gives. Versions with the parameter `multi_class` (to
/// 1.7) decide by it; later ones have softmax for more than two classes.
fn logistic_link(object: &Obj<'_>, classes: usize) -> &'static str {
    let liblinear = object.word("solver", "lbfgs") == "liblinear";
    let separate = match &*object.word("multi_class", "auto") {
        "ovr" | "warn" => true,
        "multinomial" => false,
        _ => classes <= 2 || liblinear,
    };
    if separate { "ovr" } else { "softmax" }
}

/// Stores `coef_` and `intercept_`, which may be a single 0.
pub(super) fn weights(object: &Obj<'_>, builder: &mut Builder, node: &mut Node, classes: Option<usize>) -> Result<(), Error> {
    let weights = object.matrix("coef_")?;
    let (outputs, features) = weights.dim();
    if classes.is_some_and(|n| !fits(outputs, n)) {
        return Err(object.wrong("coef_", format!("has {outputs} rows, which does not fit the classes")));
    }
    let mut intercept = object.vector("intercept_")?;
    if let [one] = intercept[..] {
        intercept = vec![one; outputs];
    }
    if intercept.len() != outputs {
        return Err(object.wrong("intercept_", "does not fit `coef_`"));
    }
    node.n_features = Some(features);
    builder.f64(node, "weights", weights.into_dyn())?;
    builder.vec(node, "intercept", intercept)
}

/// One score per class, or one for two.
fn fits(outputs: usize, classes: usize) -> bool {
    classes >= 2 && (outputs == classes || (outputs == 1 && classes == 2))
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let weights = store.f64(node, "weights")?;
    let [outputs, _] = *weights.shape() else {
        return Err(node.broken("its weights are no matrix"));
    };
    let intercept = store.f64(node, "intercept")?.expect(node, "intercept", &[outputs])?;
    let classes = node.need_classes()?;
    if !fits(outputs, classes.len()) {
        return Err(node.broken("its weights do not fit its classes"));
    }
    let link = match node.text("link")? {
        "none" => Link::None,
        "ovr" => Link::OneVersusRest,
        "huber" => Link::Huber,
        "softmax" => Link::Softmax,
        _ => return Err(node.broken("its link is unknown")),
    };
    Ok(Box::new(Classifier { weights, intercept, link, classes }))
}

impl Estimator for Classifier {
    fn outline(&self) -> Outline {
        let proba = self.link != Link::None;
        Outline {
            kind: Kind::Classifier,
            n_features: self.weights.shape().get(1).copied(),
            n_outputs: if proba { self.classes.len() } else { self.intercept.len() },
            methods: Methods { predict: true, proba, decision: true, transform: false },
            takes_nan: false,
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
        Ok(math::affine(x, self.weights.matrix()?, self.intercept.vector()))
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut scores = self.decision(x)?;
        match self.link {
            Link::OneVersusRest => return Ok(math::one_versus_rest(scores)),
            Link::Huber => return Ok(math::one_versus_rest_by(scores, |v| (v.clamp(-1.0, 1.0) + 1.0) / 2.0)),
            Link::Softmax | Link::None => {}
        }
        if scores.ncols() == 1 {
            scores = Array2::from_shape_fn((scores.nrows(), 2), |(i, j)| if j == 0 { -scores[[i, 0]] } else { scores[[i, 0]] });
        }
        math::softmax_rows(&mut scores);
        Ok(scores)
    }
}
