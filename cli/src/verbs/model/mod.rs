//! `squall model`: model files, without a cluster; and the versions of models in running topologies.

mod deploy;
mod export;
mod history;
mod import;
mod inspect;
mod predict;
mod rows;

pub(super) use rows::RowReader;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_model::Model;

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::models;
use crate::show::Show;

/// Imports, describes, tries and exports model files; deploys versions of models to running topologies.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Export(export::Args),
    Import(import::Args),
    Inspect(inspect::Args),
    Predict(predict::Args),
    Deploy(deploy::Args),
    List(history::Args),
    History(history::HistoryArgs),
    Rollback(deploy::RollbackArgs),
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    match &args.command {
        Command::Export(args) => export::run(args, show),
        Command::Import(args) => import::run(args, show),
        Command::Inspect(args) => inspect::run(args, show),
        Command::Predict(args) => predict::run(args, show),
        Command::Deploy(args) => deploy::run(args, place, show),
        Command::List(args) => history::run(args, place, show),
        Command::History(args) => history::run_history(args, place, show),
        Command::Rollback(args) => deploy::run_rollback(args, place, show),
    }
}

/// The topology that has a model of this name: the one that is given, or the only one.
fn find(client: &Client, model: &str, topology: Option<&str>) -> Outcome<String> {
    let has = |topology: &str| -> Outcome<(bool, Vec<String>)> {
        let names: Vec<String> = client.models(topology)?.models.into_iter().map(|m| m.name).collect();
        Ok((names.iter().any(|n| n == model), names))
    };
    if let Some(topology) = topology {
        let (found, names) = has(topology)?;
        if !found {
            let hint = squall_core::suggest::did_you_mean(model, names.iter().map(String::as_str));
            return Err(Failure::NotFound(format!("topology `{topology}` has no model `{model}`{hint}")));
        }
        return Ok(topology.to_owned());
    }
    let mut found = Vec::new();
    for t in client.topologies()? {
        if has(&t.id)?.0 {
            found.push(t.name);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::NotFound(format!("no running topology has a model `{model}`; `squall model list` lists them"))),
        several => {
            Err(Failure::Usage(format!("several topologies have a model `{model}`: say --topology {}", several.join(" or "))))
        }
    }
}

/// Opens an artefact, or imports a model file into the cache and opens that.
pub(super) fn open(path: &Path, show: &Show) -> Outcome<Arc<Model>> {
    let artefact = models::artefact(path, show)?;
    for warning in &artefact.warnings {
        show.note(&format!("warning: {warning}"));
    }
    let path: PathBuf = artefact.path;
    Ok(Model::open(&path)?)
}
