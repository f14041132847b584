//! The verbs, one file or folder each.

pub(crate) mod activate;
pub(crate) mod bench;
mod bench_model;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod components;
mod daemon;
pub(crate) mod errors;
pub(crate) mod graph;
pub(crate) mod kill;
pub(crate) mod list;
mod local;
pub(crate) mod loglevel;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod nimbus;
pub(crate) mod rebalance;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod supervisor;
pub(crate) mod tap;
pub(crate) mod ui;
pub(crate) mod validate;
pub(crate) mod worker;
