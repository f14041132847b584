//! The artefact: a safetensors file that holds a description and the arrays it refers to.
//!
//! ```text
//! u64 length | JSON header, padded with blanks | tensors, each on a multiple of 64 bytes
//! ```
//!
//! `__metadata__` of the header has `squall.format`, `squall.converter`, `squall.source_sha256` and
//! `squall.model`, the JSON of a [`Node`]: one estimator, its parameters, its tensors by name and
//! the estimators inside it. Gaps are filled by tensors called `pad.N`, because the format allows none.

mod build;
mod node;
mod store;
mod write;

pub(crate) use build::Builder;
pub(crate) use node::{Child, Node};
pub(crate) use store::{Store, View};
pub(crate) use write::{publish, write};

/// Version of the description in `squall.model`; others are refused at opening.
pub(crate) const FORMAT: &str = "2";

/// Where tensors begin: a cache line, and wide enough for any vector instruction.
pub(crate) const ALIGNMENT: usize = 64;

/// Deeper nesting of estimators is a hostile file.
pub(crate) const MAX_DEPTH: usize = 32;
