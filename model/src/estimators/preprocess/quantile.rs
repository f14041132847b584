//! `QuantileTransformer`: each value becomes its rank among the training values, from 0 to 1 or normally
//! distributed.

use ndarray::{Array2, ArrayView2, Axis};

use super::super::{Estimator, Family, Outline};
use super::normal;
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

pub(crate) const QUANTILE: Family = Family { op: "quantile", classes: &["QuantileTransformer"], import, load };

/// How near to the ends a rank may come before it is cut (scikit-learn's `BOUNDS_THRESHOLD`).
const BOUND: f64 = 1e-7;

struct Quantile {
    /// Features by references: the training values at each rank.
    quantiles: View<f64>,
    references: View<f64>,
    /// For a normal distribution: the least and the greatest value.
    normal: Option<(f64, f64)>,
    n_features: usize,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(QUANTILE.op, object.class());
    let quantiles = object.matrix("quantiles_")?;
    let references = object.vector("references_")?;
    if quantiles.nrows() != references.len() || references.is_empty() {
        return Err(object.wrong("quantiles_", "does not fit `references_`"));
    }
    node.set("normal", object.word("output_distribution", "uniform") == "normal");
    builder.f64(&mut node, "quantiles", quantiles.reversed_axes().into_dyn())?;
    builder.vec(&mut node, "references", references)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let quantiles = store.f64(node, "quantiles")?;
    let [n_features, n] = *quantiles.shape() else {
        return Err(node.broken("its quantiles are no matrix"));
    };
    if n == 0 {
        return Err(node.broken("it has no quantiles"));
    }
    let references = store.f64(node, "references")?.expect(node, "references", &[n])?;
    let end = BOUND - f64::EPSILON;
    let normal = node.flag("normal").then(|| (normal::quantile(end), normal::quantile(1.0 - end)));
    Ok(Box::new(Quantile { quantiles, references, normal, n_features }))
}

/// Where `value` lies on the line through the points (`from`, `to`), both ascending; the ends beyond them.
///
/// numpy.interp to the letter: of equal points the last counts.
fn interpolate(value: f64, from: &[f64], to: &[f64]) -> f64 {
    let after = from.partition_point(|f| *f <= value);
    match (after, from.len()) {
        (0, _) => to[0],
        (after, n) if after == n => to[n - 1],
        (after, _) => {
            let i = after - 1;
            let slope = (to[i + 1] - to[i]) / (from[i + 1] - from[i]);
            slope * (value - from[i]) + to[i]
        }
    }
}

/// The same from the other end, where of equal points the first counts.
fn interpolate_down(value: f64, from: &[f64], to: &[f64]) -> f64 {
    let n = from.len();
    let before = from.partition_point(|f| *f < value);
    match before {
        before if before == n => to[n - 1],
        0 => to[0],
        i => {
            let slope = (to[i] - to[i - 1]) / (from[i] - from[i - 1]);
            slope * (value - from[i]) + to[i]
        }
    }
}

impl Quantile {
    fn one(&self, value: f64, quantiles: &[f64]) -> f64 {
        let (Some(first), Some(last)) = (quantiles.first(), quantiles.last()) else {
            return value;
        };
        if value.is_nan() {
            return value;
        }
        let references = self.references.slice();
        let (low, high) = match self.normal {
            Some(_) => (value - BOUND < *first, value + BOUND > *last),
            None => (value == *first, value == *last),
        };
        let rank = match (low, high) {
            (true, _) => 0.0,
            (_, true) => 1.0,
            // Where many training values are equal, the middle of their ranks.
            _ => 0.5 * (interpolate(value, quantiles, references) + interpolate_down(value, quantiles, references)),
        };
        match self.normal {
            Some((least, greatest)) => normal::quantile(rank).clamp(least, greatest),
            None => rank,
        }
    }
}

impl Estimator for Quantile {
    fn outline(&self) -> Outline {
        super::transformer(Some(self.n_features), self.n_features, true)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = x.to_owned();
        let quantiles = self.quantiles.matrix()?;
        for (mut column, quantiles) in out.axis_iter_mut(Axis(1)).zip(quantiles.outer_iter()) {
            let quantiles = quantiles.to_slice().unwrap_or_default();
            column.mapv_inplace(|v| self.one(v, quantiles));
        }
        Ok(out)
    }
}
