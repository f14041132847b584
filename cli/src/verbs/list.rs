//! `squall list`: the topologies of the cluster.

use squall_core::control::TopologySummary;

use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::{Align, Show, age};

/// Lists the cluster's topologies.
///
/// Examples:
///   squall list
///   squall list --json | jq -r '.[].name'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, place: &Where, show: &Show) -> Outcome {
    let topologies = Client::find(place)?.topologies()?;
    if show.json { show.json(&topologies) } else { table(&topologies, show) }
}

/// Topologies as a table.
pub(super) fn table(topologies: &[TopologySummary], show: &Show) -> Outcome {
    if topologies.is_empty() {
        show.note("no topology; `squall submit FILE` submits one");
        return Ok(());
    }
    let columns = [
        ("name", Align::Left),
        ("state", Align::Left),
        ("workers", Align::Right),
        ("tasks", Align::Right),
        ("up", Align::Right),
        ("", Align::Left),
    ];
    let rows: Vec<Vec<String>> = topologies
        .iter()
        .map(|t| {
            let remark = match &t.waiting {
                Some(waiting) => waiting.clone(),
                None if t.finished => "finished".to_owned(),
                None => String::new(),
            };
            let (workers, tasks) = (t.workers.to_string(), t.tasks.to_string());
            vec![t.name.clone(), t.state.to_string(), workers, tasks, age(t.uptime_ms / 1000), remark]
        })
        .collect();
    show.table(&columns, &rows)
}
