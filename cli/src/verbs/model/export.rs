//! `squall model export`: a model as Squall's own safetensors file.

use std::path::{Path, PathBuf};

use serde_json::json;
use squall_model::Model;

use super::open;
use crate::exit::{Failure, Outcome};
use crate::show::{Show, size};

/// Writes a model as Squall's own safetensors file: what workers map, and other programs can read.
///
/// The file holds all arrays of the model and a JSON description of its estimators; docs/model-format.md says how. It
/// scores exactly as the model it was made from. A file that is there already is replaced in one step.
///
/// Examples:
///   squall model export digits.pkl                        writes digits.safetensors beside it
///   squall model export cached.safetensors -o kept.safetensors
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A model file or an imported one.
    file: PathBuf,
    /// Where to write it; by default beside the file, with the ending .safetensors.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let out = args.output.clone().unwrap_or_else(|| args.file.with_extension("safetensors"));
    if is_same(&args.file, &out) {
        let what = format!("`{}` is such a file already: say with -o where the copy is to be", out.display());
        return Err(Failure::Usage(what));
    }
    let model = open(&args.file, show)?;
    let exported = squall_model::import(model.path(), &out, &mut |_, _| {})?;
    // What is reported is what a reader finds.
    let written = Model::open(&out)?;
    if show.json {
        return show.json(&json!({
            "file": out,
            "kind": written.kind(),
            "bytes": written.mapped_bytes(),
            "sha256": written.checksum(),
            "source_sha256": written.source_checksum(),
            "summary": exported.summary,
            "tree": written.describe(),
        }));
    }
    show.line(&format!(
        "{}: {} ({}, sha256 {})",
        out.display(),
        exported.summary,
        size(written.mapped_bytes()),
        written.checksum()
    ))
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_model_is_exported_byte_for_byte_again() {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/models/iris.pkl");
        let quiet = Show { json: false, colour: false, watched: false };
        let (first, second) = (dir.path().join("first.safetensors"), dir.path().join("second.safetensors"));
        squall_model::import(&source, &first, &mut |_, _| {}).unwrap();
        run(&Args { file: first.clone(), output: Some(second.clone()) }, &quiet).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        let failure = run(&Args { file: first, output: Some(dir.path().join("./first.safetensors")) }, &quiet).unwrap_err();
        assert_eq!(failure.code(), 2, "{failure}");
    }
}
