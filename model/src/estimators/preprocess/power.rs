//! `PowerTransformer`: Yeo and Johnson's (2000) and Box and Cox's (1964) transforms, then scaling.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline, Scorer};
use crate::Error;
use crate::artefact::{Builder, Child, Node, Store, View};
use crate::import::Obj;

pub(crate) const POWER: Family = Family { op: "power", classes: &["PowerTransformer"], import, load };

struct Power {
    lambdas: View<f64>,
    box_cox: bool,
    scaler: Option<Scorer>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(POWER.op, object.class());
    let lambdas = object.vector("lambdas_")?;
    node.n_features = Some(lambdas.len());
    builder.vec(&mut node, "lambdas", lambdas)?;
    node.set("box_cox", object.word("method", "yeo-johnson") == "box-cox");
    if object.flag("standardize", true) {
        let scaler = super::super::import(&object.object("_scaler")?, builder)?;
        node.children.push(Child { name: "scaler".into(), node: scaler });
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let lambdas = store.f64(node, "lambdas")?;
    let scaler = match node.children.first() {
        Some(child) => Some(super::super::load(&child.node, store)?),
        None => None,
    };
    if scaler.as_ref().is_some_and(|s| s.outline().n_features.is_some_and(|n| n != lambdas.len())) {
        return Err(node.broken("its scaler does not fit"));
    }
    Ok(Box::new(Power { lambdas, box_cox: node.flag("box_cox"), scaler }))
}

fn yeo_johnson(v: f64, lambda: f64) -> f64 {
    if v >= 0.0 {
        if lambda.abs() < f64::EPSILON { v.ln_1p() } else { (v.ln_1p() * lambda).exp_m1() / lambda }
    } else if (lambda - 2.0).abs() > f64::EPSILON {
        -((-v).ln_1p() * (2.0 - lambda)).exp_m1() / (2.0 - lambda)
    } else {
        -(-v).ln_1p()
    }
}

impl Estimator for Power {
    fn outline(&self) -> Outline {
        let n = self.lambdas.len();
        super::transformer(Some(n), n, true)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = x.to_owned();
        for (i, mut row) in out.outer_iter_mut().enumerate() {
            for (column, (value, lambda)) in row.iter_mut().zip(self.lambdas.slice()).enumerate() {
                if !self.box_cox {
                    *value = yeo_johnson(*value, *lambda);
                } else if *value <= 0.0 {
                    let what = "is not positive, and the box-cox transform takes positive values only".to_owned();
                    return Err(Error::Value { row: i, column, what });
                } else {
                    *value = if *lambda == 0.0 { value.ln() } else { (value.ln() * lambda).exp_m1() / lambda };
                }
            }
        }
        match &self.scaler {
            Some(scaler) => scaler.transform(out.view()),
            None => Ok(out),
        }
    }
}
