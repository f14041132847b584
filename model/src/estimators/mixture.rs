//! Gaussian mixtures: the component that most likely made a row, and how likely each one did.

use std::f64::consts::PI;

use ndarray::{Array2, ArrayD, ArrayView2};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const GAUSSIAN: Family = Family { op: "gaussian_mixture", classes: &["GaussianMixture"], import, load };

/// Cholesky factors of the precisions.
enum Factors {
    /// Components by features by features, each transposed so that a column is contiguous.
    Full(View<f64>),
    /// One of these for all components.
    Tied(View<f64>),
    /// Components by features.
    Diagonal(View<f64>),
}

struct Mixture {
    /// Components by features.
    means: View<f64>,
    factors: Factors,
    /// Per component: the logarithm of its weight and of its density at the mean.
    heights: Vec<f64>,
    components: usize,
    n_features: usize,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(GAUSSIAN.op, object.class());
    let means = object.matrix("means_")?;
    let (components, features) = means.dim();
    let factors = object.floats("precisions_cholesky_")?;
    let covariance = object.word("covariance_type", "full");
    let wrong = || object.wrong("precisions_cholesky_", "does not fit `means_` and `covariance_type`");
    let (shape, factors) = match &*covariance {
        "full" => (vec![components, features, features], permuted(factors, &[0, 2, 1])),
        "tied" => (vec![features, features], permuted(factors, &[1, 0])),
        "diag" => (vec![components, features], Some(factors)),
        // One number for all features of a component.
        "spherical" => {
            if factors.len() != components {
                return Err(wrong());
            }
            let wide: Vec<f64> = factors.iter().flat_map(|v| std::iter::repeat_n(*v, features)).collect();
            (vec![components, features], ArrayD::from_shape_vec(vec![components, features], wide).ok())
        }
        other => return Err(Error::unsupported(object.class(), format!("its covariance_type `{other}` is not known"))),
    };
    let factors = factors.filter(|f| f.shape() == shape).ok_or_else(wrong)?;
    node.set("covariance", if covariance == "spherical" { "diag" } else { &*covariance });
    builder.f64(&mut node, "means", means.into_dyn())?;
    builder.f64(&mut node, "factors", factors)?;
    builder.vec(&mut node, "weights", object.vector("weights_")?)?;
    Ok(node)
}

/// The array with its axes in another order, where it has as many.
fn permuted(array: ArrayD<f64>, order: &[usize]) -> Option<ArrayD<f64>> {
    (array.ndim() == order.len()).then(|| array.permuted_axes(order.to_vec()))
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let means = store.f64(node, "means")?;
    let [k, d] = *means.shape() else {
        return Err(node.broken("its means are no matrix"));
    };
    if k == 0 || d == 0 {
        return Err(node.broken("it has no components"));
    }
    let weights = store.f64(node, "weights")?.expect(node, "weights", &[k])?;
    let factors = store.f64(node, "factors")?;
    let factors = match node.text("covariance")? {
        "full" => Factors::Full(factors.expect(node, "factors", &[k, d, d])?),
        "tied" => Factors::Tied(factors.expect(node, "factors", &[d, d])?),
        "diag" => Factors::Diagonal(factors.expect(node, "factors", &[k, d])?),
        _ => return Err(node.broken("its covariance is unknown")),
    };
    let diagonal = |square: &[f64]| (0..d).map(|i| square[i * d + i].ln()).sum::<f64>();
    let constant = -0.5 * d as f64 * (2.0 * PI).ln();
    let heights = weights.slice().iter().enumerate().map(|(i, weight)| {
        let determinant = match &factors {
            Factors::Full(f) => diagonal(&f.slice()[i * d * d..(i + 1) * d * d]),
            Factors::Tied(f) => diagonal(f.slice()),
            Factors::Diagonal(f) => f.slice()[i * d..(i + 1) * d].iter().map(|v| v.ln()).sum(),
        };
        weight.ln() + determinant + constant
    });
    let heights = heights.collect();
    Ok(Box::new(Mixture { means, factors, heights, components: k, n_features: d }))
}

impl Mixture {
    /// Logarithm of weight times density, rows by components.
    fn densities(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let d = self.n_features;
        let mut out = Array2::zeros((x.nrows(), self.components));
        let mut off = vec![0.0; d];
        for (row, mut out) in x.outer_iter().zip(out.outer_iter_mut()) {
            for (i, (mean, out)) in self.means.slice().chunks_exact(d).zip(out.iter_mut()).enumerate() {
                off.iter_mut().zip(&row).zip(mean).for_each(|((off, x), mean)| *off = x - mean);
                let square = |factor: &[f64]| factor.chunks_exact(d).map(|line| math::dot(&off, line).powi(2)).sum::<f64>();
                let distance = match &self.factors {
                    Factors::Full(f) => square(&f.slice()[i * d * d..(i + 1) * d * d]),
                    Factors::Tied(f) => square(f.slice()),
                    Factors::Diagonal(f) => {
                        let line = &f.slice()[i * d..(i + 1) * d];
                        off.iter().zip(line).map(|(off, f)| (off * f).powi(2)).sum()
                    }
                };
                *out = self.heights[i] - 0.5 * distance;
            }
        }
        out
    }
}

impl Estimator for Mixture {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Clusterer,
            n_features: Some(self.n_features),
            n_outputs: self.components,
            methods: Methods { predict: true, proba: true, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        out.extend(self.densities(x).outer_iter().map(|row| f64::from(math::argmax(row))));
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut scores = self.densities(x);
        math::softmax_rows(&mut scores);
        Ok(scores)
    }
}
