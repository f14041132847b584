//! `squall model`: model files, without a cluster; and the versions of models in running topologies.

mod bounds;
mod deploy;
mod export;
mod fits;
mod history;
mod import;
mod inspect;
mod predict;
mod rows;

pub(super) use rows::{RowReader, Shape};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_core::control::ModelStatus;
use squall_core::suggest::did_you_mean;
use squall_model::{Model, OnnxWeights, Options};

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
    #[command(hide = true)]
    Fits(fits::Args),
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
        Command::Fits(args) => fits::run(args, show),
    }
}

/// The topology that has a model of this name, the one that is given or the only one; and the model there.
fn find(client: &Client, name: &str, topology: Option<&str>) -> Outcome<(String, ModelStatus)> {
    if let Some(topology) = topology {
        let mut models = client.models(topology)?.models;
        return match models.iter().position(|m| m.name == name) {
            Some(at) => Ok((topology.to_owned(), models.swap_remove(at))),
            None => {
                let hint = did_you_mean(name, models.iter().map(|m| m.name.as_str()));
                Err(Failure::NotFound(format!("topology `{topology}` has no model `{name}`{hint}")))
            }
        };
    }
    let mut found = Vec::new();
    for t in client.topologies()? {
        found.extend(client.models(&t.id)?.models.into_iter().find(|m| m.name == name).map(|m| (t.name, m)));
    }
    if found.len() > 1 {
        let names: Vec<String> = found.into_iter().map(|(topology, _)| topology).collect();
        let names = names.join(" or ");
        return Err(Failure::Usage(format!("several topologies have a model `{name}`: say --topology {names}")));
    }
    let none = || Failure::NotFound(format!("no running topology has a model `{name}`; `squall model list` lists them"));
    found.pop().ok_or_else(none)
}

/// What only some formats need to be told.
#[derive(Debug, clap::Args)]
struct Choices {
    /// Of an ONNX file: `shared`, weights are mapped, once on a machine, or `prepacked`, a faster copy in each process.
    #[arg(long, value_name = "WAY", value_parser = OnnxWeights::NAMES)]
    onnx_weights: Option<String>,
    /// Of a classifier's file of XGBoost or LightGBM, which keeps none: the labels of the classes 0, 1, 2 …, with commas between them,
    /// or as a JSON list.
    #[arg(long, value_name = "LABELS", value_parser = labels)]
    labels: Option<Labels>,
}

/// Labels of classes, of one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Labels(Vec<String>);

/// `ham,spam`, or `["ham", "spam"]` where labels have commas themselves.
fn labels(text: &str) -> Result<Labels, String> {
    if !text.starts_with('[') {
        return Ok(Labels(text.split(',').map(str::to_owned).collect()));
    }
    let read = serde_json::from_str(text);
    read.map(Labels).map_err(|e| format!("expected labels with commas between them, or a JSON list of texts: {e}"))
}

impl Choices {
    fn options(&self) -> Options {
        let mut options = Options::default();
        // The parser of arguments let only names through that there are.
        options.onnx_weights = self.onnx_weights.as_ref().and_then(|held| held.parse().ok());
        options.labels = self.labels.clone().map(|labels| labels.0);
        options
    }
}

/// Opens an artefact, or imports a model file into the cache and opens that.
pub(super) fn open(path: &Path, show: &Show) -> Outcome<Arc<Model>> {
    let artefact = models::artefact(path, Options::default(), show)?;
    for warning in &artefact.warnings {
        show.note(&format!("warning: {warning}"));
    }
    let path: PathBuf = artefact.path;
    Ok(Model::open(&path)?)
}
