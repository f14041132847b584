//! Transformers without fitted arrays: `Normalizer` scales rows, `Binarizer` cuts at a threshold.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;

pub(crate) const NORMALIZER: Family =
    Family { op: "normalizer", classes: &["Normalizer"], import: import_normalizer, load: load_normalizer };

pub(crate) const BINARIZER: Family =
    Family { op: "binarizer", classes: &["Binarizer"], import: import_binarizer, load: load_binarizer };

struct Normalizer {
    norm: fn(f64, f64) -> f64,
    square_root: bool,
    n_features: Option<usize>,
}

fn import_normalizer(object: &Obj<'_>, _: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(NORMALIZER.op, object.class());
    node.set("norm", &*object.word("norm", "l2"));
    node.n_features = object.size("n_features_in_").ok();
    Ok(node)
}

fn load_normalizer(node: &Node, _: &Store) -> Result<Box<dyn Estimator>, Error> {
    let (norm, square_root): (fn(f64, f64) -> f64, bool) = match node.text("norm")? {
        "l1" => (|sum, v| sum + v.abs(), false),
        "l2" => (|sum, v| sum + v * v, true),
        "max" => (|sum, v| sum.max(v.abs()), false),
        _ => return Err(node.broken("its norm is unknown")),
    };
    Ok(Box::new(Normalizer { norm, square_root, n_features: node.n_features }))
}

impl Estimator for Normalizer {
    fn outline(&self) -> Outline {
        super::transformer(self.n_features, self.n_features.unwrap_or(0), false)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = x.to_owned();
        for mut row in out.outer_iter_mut() {
            let sum = row.iter().copied().fold(0.0, self.norm);
            let norm = if self.square_root { sum.sqrt() } else { sum };
            if norm != 0.0 {
                row /= norm;
            }
        }
        Ok(out)
    }
}

struct Binarizer {
    threshold: f64,
    n_features: Option<usize>,
}

fn import_binarizer(object: &Obj<'_>, _: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(BINARIZER.op, object.class());
    node.set_f64("threshold", object.float("threshold")?);
    node.n_features = object.size("n_features_in_").ok();
    Ok(node)
}

fn load_binarizer(node: &Node, _: &Store) -> Result<Box<dyn Estimator>, Error> {
    Ok(Box::new(Binarizer { threshold: node.f64("threshold")?, n_features: node.n_features }))
}

impl Estimator for Binarizer {
    fn outline(&self) -> Outline {
        super::transformer(self.n_features, self.n_features.unwrap_or(0), false)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(x.mapv(|v| f64::from(u8::from(v > self.threshold))))
    }
}
