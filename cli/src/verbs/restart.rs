//! `squall restart`: one worker is started anew.

use std::time::Duration;

use squall_core::control::{Phase, TopologyState, WorkerSummary};

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// Stops a worker of a topology and starts it anew in the same slot.
///
/// The rest goes on. Trees that the worker had a part in fail and are replayed by spouts that can. Returns when it runs again.
///
/// Example: squall restart digits 0
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// The worker, as `squall status NAME` numbers them.
    worker: u32,
    /// Return at once instead of waiting until it runs again.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let before = client.topology(&args.name)?;
    let pid = before.workers.iter().find(|w| w.worker == args.worker).and_then(|w| w.pid);
    let accepted = client.restart(&args.name, args.worker)?;
    if args.no_wait {
        return super::activate::told(&accepted, show);
    }
    let spinner = show.spinner(&format!("restarting worker {} of {}", args.worker, before.name));
    let status = until_up(&client, &before.id, args.worker, pid);
    spinner.finish_and_clear();
    let worker = status?;
    if show.json {
        return show.json(&worker);
    }
    show.line(&format!("worker {} of {} runs on {}, pid {}", args.worker, before.name, worker.host, worker.pid.unwrap_or(0)))
}

fn until_up(client: &Client, id: &str, worker: u32, before: Option<u32>) -> Outcome<WorkerSummary> {
    let mut status = client.topology(id)?;
    loop {
        if !matches!(status.state, TopologyState::Active | TopologyState::Inactive) {
            return Err(Failure::Refused(format!("the topology is {} meanwhile", status.state)));
        }
        let found = status.workers.iter().find(|w| w.worker == worker);
        if let Some(up) = found.filter(|w| w.phase == Some(Phase::Running) && w.pid.is_some() && w.pid != before) {
            return Ok(up.clone());
        }
        if let Some(newer) = client.topology_after(id, status.revision, Duration::from_secs(20))? {
            status = newer;
        }
    }
}
