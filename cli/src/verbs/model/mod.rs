//! `squall model`: model files, without a cluster.

mod import;
mod inspect;
mod predict;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_model::Model;

use crate::exit::Outcome;
use crate::models;
use crate::show::Show;

/// Imports, describes and tries model files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Args),
    Inspect(inspect::Args),
    Predict(predict::Args),
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    match &args.command {
        Command::Import(args) => import::run(args, show),
        Command::Inspect(args) => inspect::run(args, show),
        Command::Predict(args) => predict::run(args, show),
    }
}

/// Opens an artefact, or imports a model file into the cache and opens that.
fn open(path: &Path, show: &Show) -> Outcome<Arc<Model>> {
    let artefact = models::artefact(path, show)?;
    for warning in &artefact.warnings {
        show.note(&format!("warning: {warning}"));
    }
    let path: PathBuf = artefact.path;
    Ok(Model::open(&path)?)
}
