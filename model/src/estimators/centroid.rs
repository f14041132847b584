//! `NearestCentroid`: the class whose centre is nearest, or likeliest where the classes are not equally so.

use ndarray::{Array2, ArrayView2};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const NEAREST: Family = Family { op: "nearest_centroid", classes: &["NearestCentroid"], import, load };

struct Nearest {
    /// Classes by features.
    centres: View<f64>,
    manhattan: bool,
    /// Since scikit-learn 1.6: logarithms of the priors, and what features are divided by.
    discriminant: Option<(View<f64>, View<f64>)>,
    /// The classes are equally likely: the distance alone decides.
    even: bool,
    classes: Classes,
    n_features: usize,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(NEAREST.op, object.class());
    let centres = object.matrix("centroids_")?;
    let classes = object.classes()?;
    if centres.nrows() != classes.len() {
        return Err(object.wrong("centroids_", "does not fit `classes_`"));
    }
    let metric = object.word("metric", "euclidean");
    let manhattan = match &*metric {
        "manhattan" | "cityblock" | "l1" => true,
        "euclidean" | "l2" | "minkowski" => false,
        other => return Err(Error::unsupported(object.class(), format!("its metric `{other}` is not known"))),
    };
    node.set("manhattan", manhattan);
    let mut even = true;
    if object.some("class_prior_").is_some() {
        let priors = object.vector("class_prior_")?;
        let share = 1.0 / classes.len() as f64;
        // numpy.isclose with its defaults.
        even = priors.iter().all(|p| (p - share).abs() <= 1e-8 + 1e-5 * share);
        if object.some("within_class_std_dev_").is_some() && !manhattan {
            // A feature that never varies within a class is left as it is.
            let spread = object.vector("within_class_std_dev_")?;
            let spread = spread.into_iter().map(|v| if v == 0.0 { 1.0 } else { v }).collect();
            builder.vec(&mut node, "log_priors", priors.iter().map(|p| p.ln()).collect())?;
            builder.vec(&mut node, "spread", spread)?;
        }
    }
    node.set("even", even);
    node.set_classes(classes);
    builder.f64(&mut node, "centres", centres.into_dyn())?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    let centres = store.f64(node, "centres")?;
    let [n, n_features] = *centres.shape() else {
        return Err(node.broken("its centres are no matrix"));
    };
    if n != classes.len() || n_features == 0 {
        return Err(node.broken("its centres do not fit its classes"));
    }
    let discriminant = match node.tensors.contains_key("spread") {
        false => None,
        true => Some((
            store.f64(node, "log_priors")?.expect(node, "log_priors", &[n])?,
            store.f64(node, "spread")?.expect(node, "spread", &[n_features])?,
        )),
    };
    let even = node.flag("even");
    if !even && discriminant.is_none() {
        return Err(node.broken("the spread of its features is missing"));
    }
    Ok(Box::new(Nearest { centres, manhattan: node.flag("manhattan"), discriminant, even, classes, n_features }))
}

impl Nearest {
    /// A score per class, also where there are two.
    fn scores(&self, x: ArrayView2<'_, f64>, priors: &View<f64>, spread: &View<f64>) -> Array2<f64> {
        let mut out = Array2::zeros((x.nrows(), self.classes.len()));
        for (row, mut out) in x.outer_iter().zip(out.outer_iter_mut()) {
            let centres = self.centres.slice().chunks_exact(self.n_features);
            for ((centre, prior), out) in centres.zip(priors.slice()).zip(out.iter_mut()) {
                let parts = row.iter().zip(centre).zip(spread.slice());
                let squared: f64 = parts.map(|((x, c), s)| (x / s - c / s).powi(2)).sum();
                *out = 2.0 * prior - squared;
            }
        }
        out
    }
}

impl Estimator for Nearest {
    fn outline(&self) -> Outline {
        let discriminant = self.discriminant.is_some();
        Outline {
            kind: Kind::Classifier,
            n_features: Some(self.n_features),
            n_outputs: self.classes.len(),
            methods: Methods { predict: true, proba: discriminant, decision: discriminant, transform: false },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        if let (false, Some((priors, spread))) = (self.even, &self.discriminant) {
            out.extend(self.scores(x, priors, spread).outer_iter().map(math::argmax));
            return Ok(());
        }
        let x = x.as_standard_layout();
        let mut near = ndarray::Array1::zeros(self.classes.len());
        for row in x.outer_iter() {
            let row = row.to_slice().unwrap_or_default();
            for (centre, near) in self.centres.slice().chunks_exact(self.n_features).zip(near.iter_mut()) {
                *near = if self.manhattan { -math::manhattan(row, centre) } else { -math::squared_distance(row, centre) };
            }
            out.push(math::argmax(near.view()));
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let Some((priors, spread)) = &self.discriminant else {
            return super::unannounced();
        };
        let scores = self.scores(x, priors, spread);
        Ok(match scores.ncols() {
            2 => Array2::from_shape_fn((scores.nrows(), 1), |(i, _)| scores[[i, 1]] - scores[[i, 0]]),
            _ => scores,
        })
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let Some((priors, spread)) = &self.discriminant else {
            return super::unannounced();
        };
        let mut scores = self.scores(x, priors, spread);
        math::softmax_rows(&mut scores);
        Ok(scores)
    }
}
