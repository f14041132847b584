//! `FunctionTransformer` over the functions of numpy that work on each value alone.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;

pub(crate) const FUNCTION: Family = Family { op: "function", classes: &["FunctionTransformer"], import, load };

struct Function {
    function: fn(f64) -> f64,
    /// It changes nothing.
    identity: bool,
    n_features: Option<usize>,
}

/// A transformer that changes nothing: "passthrough" where something has to stand.
pub(crate) fn identity(class: &str, n_features: Option<usize>) -> Node {
    let mut node = Node::new(FUNCTION.op, class);
    node.set("function", "identity");
    node.n_features = n_features;
    node
}

fn import(object: &Obj<'_>, _: &mut Builder) -> Result<Node, Error> {
    let mut node = identity(object.class(), object.size("n_features_in_").ok());
    if let Some(function) = object.some("func") {
        // HistGradientBoosting's own preparation only looks at its columns.
        let partial = function.object().filter(|f| f.class() == "functools.partial");
        if partial.and_then(|p| p.args().first()?.global()).is_some_and(|f| f.ends_with(".check_array")) {
            return Ok(node);
        }
        let name = function.global().and_then(|name| name.strip_prefix("numpy."));
        let Some(name) = name.filter(|name| by_name(name).is_some()) else {
            return Err(Error::unsupported(
                object.class(),
                format!("its function is {}; only numpy functions of single values are known", function.type_name()),
            ));
        };
        node.set("function", name);
    }
    Ok(node)
}

fn by_name(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "identity" => |v| v,
        "abs" | "absolute" => f64::abs,
        "arcsinh" => f64::asinh,
        "arctan" => f64::atan,
        "cbrt" => f64::cbrt,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "exp" => f64::exp,
        "exp2" => f64::exp2,
        "expm1" => f64::exp_m1,
        "floor" => f64::floor,
        "log" => f64::ln,
        "log10" => f64::log10,
        "log1p" => f64::ln_1p,
        "log2" => f64::log2,
        "negative" => |v| -v,
        "reciprocal" => |v| 1.0 / v,
        "rint" => f64::round_ties_even,
        "sign" => |v| if v == 0.0 || v.is_nan() { v } else { v.signum() },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "square" => |v| v * v,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        "trunc" => f64::trunc,
        _ => return None,
    })
}

fn load(node: &Node, _: &Store) -> Result<Box<dyn Estimator>, Error> {
    let function = by_name(node.text("function")?).ok_or_else(|| node.broken("its function is unknown"))?;
    Ok(Box::new(Function { function, identity: node.text("function")? == "identity", n_features: node.n_features }))
}

impl Estimator for Function {
    fn outline(&self) -> Outline {
        super::transformer(self.n_features, self.n_features.unwrap_or(0), true)
    }

    fn passes(&self) -> bool {
        self.identity
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(x.mapv(self.function))
    }
}
