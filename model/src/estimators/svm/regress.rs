//! SVR, NuSVR and OneClassSVM: one weighted sum of kernel values.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline, math};
use super::kernel::Kernel;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const REGRESSOR: Family =
    Family { op: "svm_regressor", classes: &["NuSVR", "SVR"], import: |o, b| import(REGRESSOR.op, o, b), load };

pub(crate) const ONE_CLASS: Family =
    Family { op: "svm_one_class", classes: &["OneClassSVM"], import: |o, b| import(ONE_CLASS.op, o, b), load };

struct Svr {
    kernel: Kernel,
    coefficients: View<f64>,
    intercept: f64,
    outliers: bool,
}

fn import(op: &str, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(op, object.class());
    let vectors = Kernel::import(object, builder, &mut node)?;
    let coefficients = object.vector(super::dual_coef(object))?;
    if coefficients.len() != vectors {
        return Err(object.wrong("_dual_coef_", "does not fit the support vectors"));
    }
    builder.vec(&mut node, "coefficients", coefficients)?;
    node.set_f64("intercept", object.float("_intercept_")?);
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let kernel = Kernel::load(node, store)?;
    let coefficients = store.f64(node, "coefficients")?.expect(node, "coefficients", &[kernel.n_vectors()])?;
    let outliers = node.op == ONE_CLASS.op;
    Ok(Box::new(Svr { kernel, coefficients, intercept: node.f64("intercept")?, outliers }))
}

impl Estimator for Svr {
    fn outline(&self) -> Outline {
        Outline {
            kind: if self.outliers { Kind::Outlier } else { Kind::Regressor },
            n_features: Some(self.kernel.n_features()),
            n_outputs: 1,
            methods: Methods { predict: true, decision: self.outliers, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let scores = self.decision(x)?;
        match self.outliers {
            true => out.extend(scores.iter().map(|v| if *v > 0.0 { 1.0 } else { -1.0 })),
            false => out.extend(scores),
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), 1));
        let coefficients = self.coefficients.slice();
        self.kernel.rows(x, |row, values| out[[row, 0]] = math::dot(coefficients, values) + self.intercept)?;
        Ok(out)
    }
}
