//! `squall model list`, `squall model history`: the models of running topologies and their versions.

use squall_core::control::{Deployment, DeploymentState, ModelStatus};
use squall_core::{Histogram, ModelNumbers};

use super::find;
use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::{Align, Show, age, count, nanos, since, size};
use crate::verbs::cluster::short;

/// Lists the models of running topologies: version in use, rows scored, errors, time of a batch.
///
/// Examples:
///   squall model list
///   squall model list --topology digits --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only this topology.
    #[arg(long, short, value_name = "TOPOLOGY")]
    topology: Option<String>,
}

/// Shows the versions of a model: when each was deployed, what became of it, what it has scored.
///
/// Examples:
///   squall model history logistic --topology digits
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HistoryArgs {
    /// The model's name in the topology.
    name: String,
    /// The topology's name or id; may be left out where only one has a model of this name.
    #[arg(long, short, value_name = "TOPOLOGY")]
    topology: Option<String>,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let topologies: Vec<String> = match &args.topology {
        Some(name) => vec![name.clone()],
        None => client.topologies()?.into_iter().map(|t| t.name).collect(),
    };
    let mut all: Vec<(String, ModelStatus)> = Vec::new();
    for topology in topologies {
        all.extend(client.models(&topology)?.models.into_iter().map(|m| (topology.clone(), m)));
    }
    if show.json {
        let object = |(topology, model): &(String, ModelStatus)| serde_json::json!({"topology": topology, "model": model});
        return show.json(&all.iter().map(object).collect::<Vec<_>>());
    }
    if all.is_empty() {
        show.note("no running topology has a model");
        return Ok(());
    }
    let columns = [
        ("topology", Align::Left),
        ("model", Align::Left),
        ("version", Align::Right),
        ("from", Align::Left),
        ("sha256", Align::Left),
        ("size", Align::Right),
        ("rows", Align::Right),
        ("errors", Align::Right),
        ("batch p50", Align::Right),
        ("p99", Align::Right),
        ("", Align::Left),
    ];
    let rows: Vec<Vec<String>> = all.iter().map(|(topology, model)| row(topology, model)).collect();
    show.table(&columns, &rows)
}

fn row(topology: &str, model: &ModelStatus) -> Vec<String> {
    let current = model.current();
    let mut sum = ModelNumbers::default();
    model.numbers.iter().for_each(|n| sum.merge(n));
    let next = model.history.iter().find(|d| d.state == DeploymentState::Preparing);
    let remark = next.map_or(String::new(), |d| format!("version {} is being prepared", d.version));
    let mut cells = vec![topology.to_owned(), model.name.clone()];
    cells.extend(current.map_or_else(|| vec![String::new(); 4], version));
    cells.extend([count(sum.rows), count(sum.errors), quantile(&sum.latency, 0.5), quantile(&sum.latency, 0.99), remark]);
    cells
}

/// Number, file, checksum and size of a version.
fn version(d: &Deployment) -> Vec<String> {
    vec![d.version.to_string(), d.file.clone(), short(&d.artefact), size(d.bytes)]
}

fn quantile(of: &Histogram, share: f64) -> String {
    of.quantile(share).map_or(String::new(), nanos)
}

pub(crate) fn run_history(args: &HistoryArgs, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let (_, model) = find(&client, &args.name, args.topology.as_deref())?;
    if show.json {
        return show.json(&model);
    }
    let columns = [
        ("version", Align::Right),
        ("from", Align::Left),
        ("sha256", Align::Left),
        ("size", Align::Right),
        ("deployed", Align::Left),
        ("state", Align::Left),
        ("rows", Align::Right),
        ("errors", Align::Right),
        ("batch p50", Align::Right),
        ("p99", Align::Right),
        ("", Align::Left),
    ];
    let rows: Vec<Vec<String>> = model
        .history
        .iter()
        .map(|d| {
            let mut cells = version(d);
            let state = match d.state {
                DeploymentState::Preparing => "preparing",
                DeploymentState::Current => "in use",
                DeploymentState::Replaced => "replaced",
                DeploymentState::Failed => "failed",
            };
            cells.extend([format!("{} ago", age(since(d.unix_ms))), state.to_owned()]);
            // A version that came twice has its numbers at the later one, which is listed first.
            let first = model.history.iter().find(|o| o.version == d.version).is_some_and(|o| o.serial == d.serial);
            let numbers = model.numbers.iter().find(|n| n.version == d.version && first);
            match numbers {
                Some(n) => {
                    cells.extend([count(n.rows), count(n.errors), quantile(&n.latency, 0.5), quantile(&n.latency, 0.99)])
                }
                None => cells.extend([const { String::new() }; 4]),
            }
            cells.push(if d.rollback && d.reason.is_empty() { "rollback".to_owned() } else { d.reason.clone() });
            cells
        })
        .collect();
    show.table(&columns, &rows)
}
