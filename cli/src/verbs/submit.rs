//! `squall submit`: gives a topology to the cluster.

use std::time::Duration;

use squall_core::control::{Phase, Submit, WorkerSummary, is_topology_name};

use super::failing::{hopeless, reason};
use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;
use crate::topology::{self, Given};

/// Checks a topology, imports its models, uploads what the cluster has not got yet, and starts it.
///
/// Nothing is sent when anything is wrong with it.
///
/// Examples:
///   squall submit topologies/digits.toml
///   squall submit digits.toml --name digits-2 --set ROWS=1000
///   squall submit digits.toml --wait               until all its workers run
///   squall submit mine.toml --worker target/release/mine
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    given: Given,
    /// Another name than the one in the file.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Starts it INACTIVE: its spouts emit after `squall activate`.
    #[arg(long)]
    inactive: bool,
    /// Waits until all its workers run; fails when one cannot be started.
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let mut ready = topology::ready(&args.given, show)?;
    if let Some(name) = &args.name {
        if !is_topology_name(name) {
            let what = "expected letters, digits, `-`, `_` and `.`, beginning with a letter or digit";
            return Err(Failure::Usage(format!("`{name}` can be no name of a topology: {what}")));
        }
        ready.plan.name.clone_from(name);
    }
    let client = Client::find(place)?;
    ready.upload(&client, show)?;
    let accepted = client.submit(&Submit { plan: ready.plan, inactive: args.inactive })?;
    if args.wait {
        let spinner = show.spinner(&format!("starting {}", accepted.name));
        let ready = until_ready(&client, &accepted.id, |text| spinner.set_message(text));
        spinner.finish_and_clear();
        ready?;
    }
    if show.json {
        return show.json(&accepted);
    }
    show.line(&format!("{} {}", accepted.name, accepted.state))?;
    show.remark(&format!("see `squall status {0}`, `squall logs -f {0}`", accepted.name));
    Ok(())
}

/// Waits until every worker runs, or has run to its end.
fn until_ready(client: &Client, id: &str, say: impl Fn(String)) -> Outcome {
    let mut status = client.topology(id)?;
    loop {
        let up = |w: &WorkerSummary| matches!(w.phase, Some(Phase::Running | Phase::Finished | Phase::Drained));
        let running = status.workers.iter().filter(|w| up(w)).count();
        if running == status.workers.len() && running > 0 {
            return Ok(());
        }
        if let Some((failed, why)) = hopeless(&status.workers).and_then(|w| Some((w.worker, reason(&status.errors, w)?))) {
            return Err(Failure::Failed(format!("worker {failed} does not start: {why}; see `squall logs {id}`")));
        }
        let workers = match status.workers.len() {
            0 => None,
            n => Some(format!("{running} of {n} workers run")),
        };
        let both: Vec<String> = workers.into_iter().chain(status.waiting.clone()).collect();
        say(format!("{}: {}", status.name, both.join("; ")));
        if let Some(newer) = client.topology_after(id, status.revision, Duration::from_secs(20))? {
            status = newer;
        }
    }
}
