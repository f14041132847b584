//! Linear regressors: a weighted sum per target, perhaps through an inverse link.

use ndarray::{Array2, ArrayView2};

use super::linear::weights;
use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const REGRESSOR: Family = Family {
    op: "linear_regressor",
    classes: &[
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "GammaRegressor",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LinearRegression",
        "LinearSVR",
        "MultiTaskElasticNet",
        "MultiTaskElasticNetCV",
        "MultiTaskLasso",
        "MultiTaskLassoCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveRegressor",
        "PoissonRegressor",
        "QuantileRegressor",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
        "TheilSenRegressor",
        "TweedieRegressor",
    ],
    import,
    load,
};

struct Regressor {
    /// Targets by features.
    weights: View<f64>,
    intercept: View<f64>,
    exponential: bool,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(REGRESSOR.op, object.class());
    let exponential = match object.name() {
        "PoissonRegressor" | "GammaRegressor" => true,
        "TweedieRegressor" => match &*object.word("link", "auto") {
            "log" => true,
            "identity" => false,
            // Powers up to 0 are over all numbers, the others over positive ones.
            _ => object.float("power")? > 0.0,
        },
        _ => false,
    };
    node.set("exponential", exponential);
    weights(object, builder, &mut node, None)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let weights = store.f64(node, "weights")?;
    let [outputs, _] = *weights.shape() else {
        return Err(node.broken("its weights are no matrix"));
    };
    Ok(Box::new(Regressor {
        weights,
        intercept: store.f64(node, "intercept")?.expect(node, "intercept", &[outputs])?,
        exponential: node.flag("exponential"),
    }))
}

impl Estimator for Regressor {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Regressor,
            n_features: self.weights.shape().get(1).copied(),
            n_outputs: self.intercept.len(),
            methods: Methods { predict: true, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let values: Array2<f64> = math::affine(x, self.weights.matrix()?, self.intercept.vector());
        if self.exponential {
            out.extend(values.iter().map(|v| v.exp()));
        } else {
            out.extend(values);
        }
        Ok(())
    }
}
