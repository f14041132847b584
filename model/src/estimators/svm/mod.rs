//! Support vector machines, as libsvm computes them (Chang and Lin, "LIBSVM: a library for support
//! vector machines", 2011).

mod classifier;
mod coupling;
mod kernel;
mod regress;

pub(crate) use classifier::CLASSIFIER;
pub(crate) use regress::{ONE_CLASS, REGRESSOR};
