//! Scalers: a shift and a factor per feature.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

pub(crate) const STANDARD: Family =
    Family { op: "standard_scaler", classes: &["StandardScaler"], import: import_standard, load };

pub(crate) const ROBUST: Family = Family { op: "robust_scaler", classes: &["RobustScaler"], import: import_robust, load };

pub(crate) const MAX_ABS: Family = Family { op: "max_abs_scaler", classes: &["MaxAbsScaler"], import: import_max_abs, load };

pub(crate) const MIN_MAX: Family = Family { op: "min_max_scaler", classes: &["MinMaxScaler"], import: import_min_max, load };

/// `((x - shift) / divisor) * factor + offset`, each part optional, then clipped.
struct Scaler {
    shift: Option<View<f64>>,
    divisor: Option<View<f64>>,
    factor: Option<View<f64>>,
    offset: Option<View<f64>>,
    clip: Option<(f64, f64)>,
    n_features: Option<usize>,
}

fn import_standard(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(STANDARD.op, object.class());
    if object.flag("with_mean", true) {
        part(object, builder, &mut node, "mean_", "shift")?;
    }
    if object.flag("with_std", true) {
        // Its name before 0.17.
        let old = object.some("scale_").is_none() && object.some("std_").is_some();
        part(object, builder, &mut node, if old { "std_" } else { "scale_" }, "divisor")?;
    }
    Ok(counted(object, node))
}

fn import_robust(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(ROBUST.op, object.class());
    if object.flag("with_centering", true) {
        part(object, builder, &mut node, "center_", "shift")?;
    }
    if object.flag("with_scaling", true) {
        part(object, builder, &mut node, "scale_", "divisor")?;
    }
    Ok(counted(object, node))
}

fn import_max_abs(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(MAX_ABS.op, object.class());
    part(object, builder, &mut node, "scale_", "divisor")?;
    if object.flag("clip", false) {
        node.set_f64("low", -1.0);
        node.set_f64("high", 1.0);
    }
    Ok(node)
}

fn import_min_max(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(MIN_MAX.op, object.class());
    part(object, builder, &mut node, "scale_", "factor")?;
    part(object, builder, &mut node, "min_", "offset")?;
    if object.flag("clip", false) {
        let range: Vec<f64> = object.list("feature_range")?.iter().filter_map(|v| v.float()).collect();
        let [low, high] = range[..] else {
            return Err(object.wrong("feature_range", "is no pair of numbers"));
        };
        node.set_f64("low", low);
        node.set_f64("high", high);
    }
    Ok(node)
}

/// Without any array, the number of features is an attribute of its own.
fn counted(object: &Obj<'_>, mut node: Node) -> Node {
    node.n_features = node.n_features.or_else(|| object.size("n_features_in_").ok());
    node
}

fn part(object: &Obj<'_>, builder: &mut Builder, node: &mut Node, attribute: &str, role: &str) -> Result<(), Error> {
    let values = object.vector(attribute)?;
    if node.n_features.is_some_and(|n| n != values.len()) {
        return Err(object.wrong(attribute, "does not fit the other attributes"));
    }
    node.n_features = Some(values.len());
    builder.vec(node, role, values)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let part = |role: &str| match node.tensors.contains_key(role) {
        false => Ok(None),
        true => {
            let view = store.f64(node, role)?;
            let n = node.n_features.unwrap_or(view.len());
            view.expect(node, role, &[n]).map(Some)
        }
    };
    let clip = match node.params.contains_key("low") {
        true => Some((node.f64("low")?, node.f64("high")?)),
        false => None,
    };
    if clip.is_some_and(|(low, high)| low.is_nan() || high.is_nan() || low > high) {
        return Err(node.broken("its range is empty"));
    }
    Ok(Box::new(Scaler {
        shift: part("shift")?,
        divisor: part("divisor")?,
        factor: part("factor")?,
        offset: part("offset")?,
        clip,
        n_features: node.n_features,
    }))
}

impl Estimator for Scaler {
    fn outline(&self) -> Outline {
        super::transformer(self.n_features, self.n_features.unwrap_or(0), true)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = x.to_owned();
        if let Some(shift) = &self.shift {
            out -= &shift.vector();
        }
        if let Some(divisor) = &self.divisor {
            out /= &divisor.vector();
        }
        if let Some(factor) = &self.factor {
            out *= &factor.vector();
        }
        if let Some(offset) = &self.offset {
            out += &offset.vector();
        }
        if let Some((low, high)) = self.clip {
            out.mapv_inplace(|v| v.clamp(low, high));
        }
        Ok(out)
    }
}
