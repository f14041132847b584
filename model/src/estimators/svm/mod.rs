//! Support vector machines, as libsvm computes them (Chang and Lin, "LIBSVM: a library for support
//! vector machines", 2011).

mod classifier;
mod coupling;
mod kernel;
mod regress;

pub(crate) use classifier::CLASSIFIER;
pub(crate) use regress::{ONE_CLASS, REGRESSOR};

use crate::import::Obj;

/// The attribute with the coefficients as libsvm has them; its name before 0.16 had no underscore.
fn dual_coef(object: &Obj<'_>) -> &'static str {
    if object.some("_dual_coef_").is_some() { "_dual_coef_" } else { "dual_coef_" }
}
