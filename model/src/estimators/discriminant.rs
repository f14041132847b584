//! Discriminant analysis: linear (a linear classifier that is a projection, too) and quadratic.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Estimator, Family, Methods, Outline, Scorer, linear, math};
use crate::artefact::{Builder, Child, Node, Store, View};
use crate::import::{Obj, Val};
use crate::{Classes, Error, Kind};

pub(crate) const LINEAR: Family =
    Family { op: "lda", classes: &["LDA", "LinearDiscriminantAnalysis"], import: import_linear, load: load_linear };

pub(crate) const QUADRATIC: Family =
    Family { op: "qda", classes: &["QDA", "QuadraticDiscriminantAnalysis"], import: import_quadratic, load: load_quadratic };

struct Linear {
    classifier: Scorer,
    /// Outputs by features, and the projected mean.
    projection: Option<(View<f64>, View<f64>)>,
}

fn import_linear(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(LINEAR.op, object.class());
    let classifier = builder.deeper(|builder| match object.some("solver") {
        Some(_) => (linear::CLASSIFIER.import)(object, builder),
        None => projected(object, builder),
    })?;
    // The solver "lsqr" projects nothing.
    if object.some("scalings_").is_some() {
        let scalings = object.matrix("scalings_")?;
        // 0.17 kept all columns unless told otherwise.
        let most = object.some("_max_components").or_else(|| object.some("n_components")).and_then(|n| n.int());
        let outputs = most.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX).min(scalings.ncols());
        let projection = scalings.slice(ndarray::s![.., ..outputs]).t().as_standard_layout().into_owned();
        let offset = match object.some("xbar_") {
            Some(_) => {
                let mean = object.vector("xbar_")?;
                if mean.len() != projection.ncols() {
                    return Err(object.wrong("xbar_", "does not fit `scalings_`"));
                }
                projection.dot(&ndarray::Array1::from(mean)).to_vec()
            }
            None => vec![0.0; outputs],
        };
        builder.f64(&mut node, "projection", projection.into_dyn())?;
        builder.vec(&mut node, "offset", offset)?;
    }
    node.children.push(Child { name: "classifier".into(), node: classifier });
    Ok(node)
}

/// The classifier of 0.15, which had no solvers, and whose coefficients are of projected rows.
fn projected(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let (classes, scalings, coefficients) = (object.classes()?, object.matrix("scalings_")?, object.matrix("coef_")?);
    let (mean, intercept) = (object.vector("xbar_")?, object.vector("intercept_")?);
    let fit = coefficients.dim() == (classes.len(), scalings.ncols()) && intercept.len() == classes.len();
    if !fit || mean.len() != scalings.nrows() || classes.len() < 2 {
        return Err(object.wrong("coef_", "does not fit `scalings_`"));
    }
    let mut weights = coefficients.dot(&scalings.t());
    let mut intercept = ndarray::Array1::from(intercept) - weights.dot(&ndarray::Array1::from(mean));
    let mut link = "softmax";
    if classes.len() == 2 {
        // The score of two classes is a difference, and its logistic function what a softmax of both is.
        weights = &weights.slice(ndarray::s![1.., ..]) - &weights.slice(ndarray::s![..1, ..]);
        intercept = ndarray::arr1(&[intercept[1] - intercept[0]]);
        link = "ovr";
    }
    let mut node = Node::new(linear::CLASSIFIER.op, object.class());
    node.set("link", link);
    node.n_features = Some(weights.ncols());
    builder.f64(&mut node, "weights", weights.into_dyn())?;
    builder.vec(&mut node, "intercept", intercept.to_vec())?;
    node.set_classes(classes);
    Ok(node)
}

fn load_linear(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let child = node.children.first().filter(|c| c.node.op == linear::CLASSIFIER.op);
    let classifier = super::load(&child.ok_or_else(|| node.broken("its classifier is missing"))?.node, store)?;
    let width = classifier.outline().n_features.unwrap_or(0);
    let projection = match node.tensors.contains_key("projection") {
        false => None,
        true => {
            let offset = store.f64(node, "offset")?;
            let projection = store.f64(node, "projection")?.expect(node, "projection", &[offset.len(), width])?;
            Some((projection, offset))
        }
    };
    Ok(Box::new(Linear { classifier, projection }))
}

impl Estimator for Linear {
    fn outline(&self) -> Outline {
        let mut outline = *self.classifier.outline();
        outline.methods.transform = self.projection.is_some();
        outline
    }

    fn classes(&self) -> Option<&Classes> {
        self.classifier.classes()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        self.classifier.indices(x, out)
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.classifier.decision(x)
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.classifier.proba(x)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        match &self.projection {
            Some((projection, offset)) => Ok(math::product(x, projection.matrix()?) - offset.vector()),
            None => super::unannounced(),
        }
    }
}

struct Quadratic {
    /// Classes by features.
    means: View<f64>,
    /// Per class: outputs by features, whitening the class.
    whiten: Vec<View<f64>>,
    /// Logarithm of prior and volume, per class.
    constant: View<f64>,
    n_features: usize,
    classes: Classes,
}

fn import_quadratic(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(QUADRATIC.op, object.class());
    let classes = object.classes()?;
    let means = object.matrix("means_")?;
    let rotations = object.list("rotations_")?;
    let wrong = || object.wrong("rotations_", "holds arrays that do not fit");
    let scalings: Vec<Vec<f64>> = match object.some("scalings_").and_then(|s| s.floats()) {
        // A row a class, in 0.15.
        Some(rows) if rows.ndim() == 2 => rows.outer_iter().map(|row| row.iter().copied().collect()).collect(),
        _ => {
            let list = object.list("scalings_")?;
            let floats = |s: &Val<'_>| Some(s.floats()?.iter().copied().collect());
            list.iter().map(floats).collect::<Option<_>>().ok_or_else(wrong)?
        }
    };
    let priors = object.vector("priors_")?;
    let n = classes.len();
    if [means.nrows(), rotations.len(), scalings.len(), priors.len()].iter().any(|m| *m != n) {
        return Err(object.wrong("rotations_", "does not fit the classes"));
    }
    let mut constant = Vec::new();
    for (i, ((rotation, scaling), prior)) in rotations.iter().zip(&scalings).zip(&priors).enumerate() {
        let rotation = rotation.floats().ok_or_else(wrong)?;
        let rotation = rotation.into_dimensionality::<ndarray::Ix2>().map_err(|_| wrong())?;
        if rotation.dim() != (means.ncols(), scaling.len()) {
            return Err(wrong());
        }
        let mut whiten = rotation.reversed_axes().as_standard_layout().into_owned();
        for (mut row, scale) in whiten.axis_iter_mut(Axis(0)).zip(scaling) {
            row *= scale.powf(-0.5);
        }
        builder.f64(&mut node, &format!("whiten.{i}"), whiten.into_dyn())?;
        constant.push(prior.ln() - 0.5 * scaling.iter().map(|s| s.ln()).sum::<f64>());
    }
    node.n_features = Some(means.ncols());
    builder.f64(&mut node, "means", means.into_dyn())?;
    builder.vec(&mut node, "constant", constant)?;
    node.set_classes(classes);
    Ok(node)
}

fn load_quadratic(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    if classes.len() < 2 {
        return Err(node.broken("it has fewer than two classes"));
    }
    let mut whiten = Vec::new();
    for i in 0..classes.len() {
        let view = store.f64(node, &format!("whiten.{i}"))?;
        let rows = view.shape().first().copied().unwrap_or(0);
        whiten.push(view.expect(node, "whiten", &[rows, n_features])?);
    }
    Ok(Box::new(Quadratic {
        means: store.f64(node, "means")?.expect(node, "means", &[classes.len(), n_features])?,
        constant: store.f64(node, "constant")?.expect(node, "constant", &[classes.len()])?,
        whiten,
        n_features,
        classes,
    }))
}

impl Quadratic {
    fn likelihood(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.classes.len()));
        let means = self.means.matrix()?;
        for (class, whiten) in self.whiten.iter().enumerate() {
            let centred = &x - &means.row(class);
            let white = math::product(centred.view(), whiten.matrix()?);
            for (row, out) in white.outer_iter().zip(out.column_mut(class)) {
                *out = self.constant.slice()[class] - 0.5 * row.iter().map(|v| v * v).sum::<f64>();
            }
        }
        Ok(out)
    }
}

impl Estimator for Quadratic {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Classifier,
            n_features: Some(self.n_features),
            n_outputs: self.classes.len(),
            methods: Methods { predict: true, proba: true, decision: true, transform: false },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.extend(self.likelihood(x)?.outer_iter().map(math::argmax));
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let scores = self.likelihood(x)?;
        Ok(match scores.ncols() {
            2 => Array2::from_shape_fn((x.nrows(), 1), |(i, _)| scores[[i, 1]] - scores[[i, 0]]),
            _ => scores,
        })
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut scores = self.likelihood(x)?;
        math::softmax_rows(&mut scores);
        Ok(scores)
    }
}
