//! Model files for Squall: import a trained model once, map it in every worker, score batches.
//!
//! [`import`] reads a scikit-learn pickle as data, never running code from it, and writes an
//! artefact (a safetensors file). [`Model::open`] maps that artefact; however many processes do,
//! the machine keeps one copy of the weights.

#![warn(missing_docs)]

mod artefact;
mod describe;
mod error;
mod estimators;
mod hash;
mod import;
mod map;
mod memory;
mod model;
mod pickle;
mod table;
mod types;

pub use error::{Domain, Error};
pub use estimators::onnx::OnnxWeights;
pub use estimators::supported;
pub use import::{Imported, Options, import, import_with, source_checksum};
pub use memory::available_memory;
pub use model::Model;
pub use table::{Column, Table};
pub use types::{Classes, Kind, Label, Rows, Texts};

/// Version of what [`import`] writes. An artefact is named by (source checksum, this number), so it
/// grows by one whenever the same source would give a different artefact.
pub const CONVERTER_VERSION: u32 = 4;

#[cfg(target_endian = "big")]
compile_error!("artefacts are little endian and viewed in place");
