//! Multi-layer perceptrons.

use ndarray::{Array2, ArrayView2};

use super::layers;
use super::vector::{exp_all, expit_all, relu_all, tanh_all};
use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const CLASSIFIER: Family =
    Family { op: "mlp_classifier", classes: &["MLPClassifier"], import: |o, b| import(Kind::Classifier, o, b), load };

pub(crate) const REGRESSOR: Family =
    Family { op: "mlp_regressor", classes: &["MLPRegressor"], import: |o, b| import(Kind::Regressor, o, b), load };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    Identity,
    Logistic,
    Tanh,
    Relu,
    Softmax,
    Exp,
}

struct Layer {
    /// Outputs by inputs.
    weights: View<f64>,
    bias: View<f64>,
    /// What becomes of each number by itself.
    act: Option<fn(&mut [f64])>,
}

struct Mlp {
    layers: Vec<Layer>,
    /// What comes out of the last layer becomes probabilities.
    softmax: bool,
    n_features: usize,
    n_outputs: usize,
    classes: Option<Classes>,
    /// Of labels that are there or not, each by itself.
    targets: Option<Vec<Classes>>,
}

fn import(kind: Kind, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(if kind == Kind::Classifier { CLASSIFIER.op } else { REGRESSOR.op }, object.class());
    let (weights, biases) = (object.list("coefs_")?, object.list("intercepts_")?);
    if weights.is_empty() || weights.len() != biases.len() {
        return Err(object.wrong("coefs_", "does not fit `intercepts_`"));
    }
    let mut width = 0;
    for (i, (weights, bias)) in weights.iter().zip(&biases).enumerate() {
        let (Some(weights), Some(bias)) = (weights.floats(), bias.floats()) else {
            return Err(object.wrong("coefs_", "holds something that is no array"));
        };
        if weights.ndim() != 2 {
            return Err(object.wrong("coefs_", "holds something that is no matrix"));
        }
        node.n_features = node.n_features.or(Some(weights.shape()[0]));
        width = weights.shape()[1];
        builder.f64(&mut node, &format!("weights.{i}"), weights.reversed_axes())?;
        builder.vec(&mut node, &format!("bias.{i}"), bias.iter().copied().collect())?;
    }
    node.set("layers", weights.len());
    node.set("activation", &*object.text("activation")?);
    node.set("out_activation", &*object.text("out_activation_")?);
    if kind == Kind::Classifier {
        // Its outputs are labels by themselves then: each is there or not.
        let several = object.word("out_activation_", "") == "logistic" && width > 1;
        match several {
            true => node.set("several", true),
            false => node.set_classes(object.classes()?),
        }
    }
    Ok(node)
}

fn activation(node: &Node, key: &str) -> Result<Activation, Error> {
    Ok(match node.text(key)? {
        "identity" => Activation::Identity,
        "logistic" => Activation::Logistic,
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "softmax" => Activation::Softmax,
        "exp" | "exponential" => Activation::Exp,
        _ => return Err(node.broken("its activation is unknown")),
    })
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let (hidden, last) = (activation(node, "activation")?, activation(node, "out_activation")?);
    if hidden == Activation::Softmax {
        return Err(node.broken("its hidden layers have an activation of the last one"));
    }
    let count = node.usize("layers")?;
    let mut width = n_features;
    let mut layers = Vec::new();
    for i in 0..count {
        let weights = store.f64(node, &format!("weights.{i}"))?;
        let bias = store.f64(node, &format!("bias.{i}"))?;
        let weights = weights.expect(node, "weights", &[bias.len(), width])?;
        width = bias.len();
        let act = if i + 1 == count { last } else { hidden }.each();
        layers.push(Layer { weights, bias, act });
    }
    let several = node.op == CLASSIFIER.op && node.flag("several");
    let classes = match node.op == CLASSIFIER.op && !several {
        true => Some(node.need_classes()?),
        false => None,
    };
    let targets = several.then(|| vec![Classes::Int(vec![0, 1]); width]);
    let fits = classes.as_ref().is_none_or(|c| c.len() == width || (c.len() == 2 && width == 1));
    if layers.is_empty() || !fits {
        return Err(node.broken("its layers do not fit its classes"));
    }
    Ok(Box::new(Mlp { layers, softmax: last == Activation::Softmax, n_features, n_outputs: width, classes, targets }))
}

impl Activation {
    /// What becomes of each number by itself.
    fn each(self) -> Option<fn(&mut [f64])> {
        match self {
            Activation::Identity | Activation::Softmax => None,
            Activation::Logistic => Some(expit_all),
            Activation::Tanh => Some(tanh_all),
            Activation::Relu => Some(relu_all),
            Activation::Exp => Some(exp_all),
        }
    }
}

impl Mlp {
    /// What comes out of the last layer, for each row.
    fn forward(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let parts =
            self.layers.iter().map(|l| Ok(layers::Layer { weights: l.weights.matrix()?, bias: l.bias.vector(), act: l.act }));
        let parts = parts.collect::<Result<Vec<_>, Error>>()?;
        let mut values = layers::forward(&parts, x);
        if values.is_none() {
            for layer in &parts {
                let mut next = math::affine(values.as_ref().map_or(x, |v| v.view()), layer.weights, layer.bias);
                if let Some(act) = layer.act {
                    math::each(&mut next, act);
                }
                values = Some(next);
            }
        }
        let mut values = values.ok_or_else(|| Error::Internal("a network without layers".into()))?;
        if self.softmax {
            math::softmax_rows(&mut values);
        }
        Ok(values)
    }
}

impl Estimator for Mlp {
    fn outline(&self) -> Outline {
        let classifier = self.classes.is_some() || self.targets.is_some();
        Outline {
            kind: if classifier { Kind::Classifier } else { Kind::Regressor },
            n_features: Some(self.n_features),
            n_outputs: self.classes.as_ref().map_or(self.n_outputs, Classes::len),
            methods: Methods { predict: true, proba: classifier, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn targets(&self) -> Option<&[Classes]> {
        self.targets.as_deref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let values = self.forward(x)?;
        match values.ncols() {
            _ if self.targets.is_some() => out.extend(values.iter().map(|v| u32::from(*v > 0.5))),
            1 => out.extend(values.iter().map(|v| u32::from(*v > 0.5))),
            _ => math::decide(&values, out),
        }
        Ok(())
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        match self.targets {
            Some(_) => out.extend(self.forward(x)?.iter().map(|v| f64::from(u8::from(*v > 0.5)))),
            None => out.extend(self.forward(x)?),
        }
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let values = self.forward(x)?;
        Ok(match values.ncols() {
            1 => Array2::from_shape_fn((x.nrows(), 2), |(i, j)| if j == 0 { 1.0 - values[[i, 0]] } else { values[[i, 0]] }),
            _ => values,
        })
    }
}
