//! The member of a `OneVsRestClassifier` for a class that all rows of training had, or none.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline};
use crate::artefact::{Node, Store};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

/// What scikit-learn calls it.
pub(super) const CLASS: &str = "_ConstantPredictor";

pub(crate) const CONSTANT: Family = Family {
    op: "constant",
    classes: &[],
    import: |object, _| Err(Error::unsupported(object.class(), "it is no model by itself")),
    load,
};

struct Constant {
    value: f64,
    classes: Classes,
}

pub(super) fn node(object: &Obj<'_>) -> Result<Node, Error> {
    let mut node = Node::new(CONSTANT.op, object.class());
    let value = object.floats("y_")?.iter().next().copied();
    node.set_f64("value", value.ok_or_else(|| object.wrong("y_", "is empty"))?);
    Ok(node)
}

fn load(node: &Node, _: &Store) -> Result<Box<dyn Estimator>, Error> {
    Ok(Box::new(Constant { value: node.f64("value")?, classes: Classes::Int(vec![0, 1]) }))
}

impl Estimator for Constant {
    fn outline(&self) -> Outline {
        let methods = Methods { predict: true, proba: true, decision: true, transform: false };
        Outline { kind: Kind::Classifier, n_features: None, n_outputs: 2, methods, takes_nan: true }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.extend(std::iter::repeat_n(u32::from(self.value > 0.5), x.nrows()));
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(Array2::from_elem((x.nrows(), 1), self.value))
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(Array2::from_shape_fn((x.nrows(), 2), |(_, j)| if j == 0 { 1.0 - self.value } else { self.value }))
    }
}
