//! `squall model import`: a trained model becomes a file that workers can map.

use std::path::PathBuf;

use serde_json::json;

use super::bounds::Bounds;
use super::{Choices, Labels, labels};
use crate::exit::Outcome;
use crate::models;
use crate::show::{Show, size};

/// Imports a trained model as a .safetensors file that workers map and share.
///
/// It takes pickles and joblib files of scikit-learn, models saved by XGBoost and LightGBM, and ONNX files. No Python is
/// needed and no code of the file is run: a pickle is read as data, and one that names anything but known classes is
/// refused. ONNX files need the library of ONNX Runtime, also where they score; weights that they keep in a file beside
/// them come along.
///
/// Examples:
///   squall model import digits.pkl -o digits.safetensors
///   squall model import digits.pkl               writes digits.safetensors beside it
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The model file.
    file: PathBuf,
    /// Where to write it; by default beside the file, with the ending .safetensors.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    choices: Choices,
    /// The same, and no fault where the file has its own labels or is no classifier's; for nimbus.
    #[arg(long, value_name = "LABELS", value_parser = labels, hide = true)]
    labels_if_none: Option<Labels>,
    #[command(flatten)]
    bounds: Bounds,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    args.bounds.set(show)?;
    let out = args.output.clone().unwrap_or_else(|| args.file.with_extension("safetensors"));
    let bar = show.bytes_bar(&format!("importing {}", models::file_name(&args.file)), 0);
    let mut options = args.choices.options();
    options.labels_if_none = args.labels_if_none.clone().map(|labels| labels.0);
    let imported = squall_model::import_with(&args.file, &out, options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let imported = imported.map_err(|e| models::refused(&args.file, e))?;
    for warning in &imported.warnings {
        show.note(&format!("warning: {warning}"));
    }
    if show.json {
        return show.json(&json!({
            "file": out,
            "kind": imported.kind,
            "summary": imported.summary,
            "bytes": imported.bytes,
            "sha256": imported.artefact_sha256,
            "source_sha256": imported.source_sha256,
            "warnings": imported.warnings,
        }));
    }
    show.line(&format!(
        "{}: {} ({}, sha256 {})",
        out.display(),
        imported.summary,
        size(imported.bytes),
        imported.artefact_sha256
    ))
}
