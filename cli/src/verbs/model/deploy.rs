//! `squall model deploy`, `squall model rollback`: another version of a model for a running topology.

use std::collections::BTreeMap;
use std::path::PathBuf;

use squall_core::control::{Deploy, Deployment, DeploymentState, Rollback};

use super::fits::fits;
use super::{Choices, find};
use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::models::{self, file_name};
use crate::show::Show;
use crate::verbs::cluster::short;

/// Brings a new version of a model into use in a running topology, without stopping it.
///
/// The file is imported, uploaded if the cluster has not got it, opened and tried by every worker, and only when all
/// have it ready does every task switch to it, once, between two batches. If any worker cannot use it, the version before
/// stays in use everywhere, and the reason is told. The same file again changes nothing and ships nothing. A file of XGBoost or
/// LightGBM, which keeps no labels, gets those of the version in use, as the topology or --labels gave them.
///
/// Examples:
///   squall model deploy logistic new.pkl --topology digits
///   squall model deploy logistic new.pkl            where only one topology has a model of this name
///   squall model rollback logistic --topology digits
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The model's name in the topology, as in [models.NAME].
    name: String,
    /// The new model file.
    file: PathBuf,
    /// The topology's name or id; may be left out where only one has a model of this name.
    #[arg(long, short, value_name = "TOPOLOGY")]
    topology: Option<String>,
    #[command(flatten)]
    choices: Choices,
    /// Return at once instead of waiting until it is in use.
    #[arg(long)]
    no_wait: bool,
}

/// Goes back to the version of a model that was in use before, or to another one that was.
///
/// While a version is still being prepared, takes that back. Nothing is uploaded: workers keep the versions of the history.
///
/// Examples:
///   squall model rollback logistic --topology digits
///   squall model rollback logistic --to 1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RollbackArgs {
    /// The model's name in the topology.
    name: String,
    /// The topology's name or id; may be left out where only one has a model of this name.
    #[arg(long, short, value_name = "TOPOLOGY")]
    topology: Option<String>,
    /// The version to go back to; by default the one that was in use before.
    #[arg(long, value_name = "VERSION")]
    to: Option<u64>,
    /// Return at once instead of waiting until it is in use.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let (topology, model) = find(&client, &args.name, args.topology.as_deref())?;
    let mut options = args.choices.options();
    let current = model.history.into_iter().find(|d| d.state == DeploymentState::Current);
    options.labels_if_none = current.and_then(|d| d.labels).filter(|_| options.labels.is_none());
    let labels = options.labels.clone();
    let artefact = models::artefact(&args.file, options, show)?;
    for warning in &artefact.warnings {
        show.note(&format!("warning: {warning}"));
    }
    let artefacts = BTreeMap::from([(args.name.clone(), artefact.path.clone())]);
    fits(&client.plan(&topology)?, &args.name, &file_name(&args.file), &artefacts)?;
    client.upload(&artefact.path, (&artefact.artefact, &file_name(&args.file)), show)?;
    let models::Artefact { artefact, source, bytes, .. } = artefact;
    let deploy = Deploy { artefact, source, bytes, file: file_name(&args.file), labels };
    let deployment = client.deploy(&topology, &args.name, &deploy)?;
    end(&client, &topology, &args.name, deployment, args.no_wait, show)
}

pub(crate) fn run_rollback(args: &RollbackArgs, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let (topology, _) = find(&client, &args.name, args.topology.as_deref())?;
    let deployment = client.rollback(&topology, &args.name, &Rollback { version: args.to })?;
    end(&client, &topology, &args.name, deployment, args.no_wait, show)
}

/// Waits until a deployment has come to its end, and tells it.
fn end(client: &Client, topology: &str, model: &str, mut deployment: Deployment, no_wait: bool, show: &Show) -> Outcome {
    if deployment.state == DeploymentState::Preparing && !no_wait {
        let spinner = show.spinner(&format!("{model}: workers prepare version {}", deployment.version));
        let ended = until_settled(client, topology, model, deployment.serial, |text| spinner.set_message(text));
        spinner.finish_and_clear();
        deployment = ended.map_err(|failure| match failure {
            Failure::Outside(why) => {
                let version = deployment.version;
                let see = format!("`squall model history {model} --topology {topology}` shows what becomes of it");
                Failure::Outside(format!("{model}: version {version} is being prepared, and {see}: {why}"))
            }
            other => other,
        })?;
    }
    if show.json {
        show.json(&deployment)?;
    }
    let Deployment { version, artefact, file, reason, .. } = &deployment;
    let told = match deployment.state {
        DeploymentState::Failed => return Err(Failure::Failed(format!("{model}: version {version} is not in use: {reason}"))),
        DeploymentState::Preparing => format!("{model} version {version} is being prepared"),
        DeploymentState::Current => {
            format!("{model} version {version} is in use ({file}, sha256 {})", short(artefact))
        }
        DeploymentState::Replaced => format!("{model} version {version} was in use, and another is by now"),
    };
    if show.json { Ok(()) } else { show.line(&told) }
}

fn until_settled(client: &Client, topology: &str, model: &str, serial: u64, say: impl Fn(String)) -> Outcome<Deployment> {
    let mut seen = client.models(topology)?;
    loop {
        let Some(status) = seen.models.iter().find(|m| m.name == model) else {
            return Err(Failure::NotFound(format!("`{topology}` has no model `{model}` any more")));
        };
        let Some(deployment) = status.history.iter().find(|d| d.serial == serial) else {
            return Err(Failure::Failed(format!("{model}: so many were deployed since that this one is forgotten")));
        };
        if deployment.state != DeploymentState::Preparing {
            return Ok(deployment.clone());
        }
        let ready = status.workers.iter().filter(|w| w.ready == serial).count();
        say(format!("{model}: {ready} of {} workers have version {} ready", status.workers.len(), deployment.version));
        if let Some(newer) = client.models_after(topology, seen.revision)? {
            seen = newer;
        }
    }
}
