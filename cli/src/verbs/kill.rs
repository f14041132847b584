//! `squall kill`: ends a topology.

use std::time::Duration;

use squall_core::control::Kill;

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// Ends a topology: pauses its spouts, lets what is under way finish, stops its workers, forgets it.
///
/// Examples:
///   squall kill digits
///   squall kill digits -w 0      at once; tuples under way are lost
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// How long what is under way may take, such as 10s; by default the topology's message timeout.
    #[arg(short, long, value_name = "TIME", value_parser = squall_core::units::duration)]
    wait: Option<Duration>,
    /// Return at once instead of waiting until it is gone.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let kill = Kill { wait_ms: args.wait.map(millis) };
    let accepted = client.kill(&args.name, &kill)?;
    if args.no_wait {
        return super::activate::told(&accepted, show);
    }
    let spinner = show.spinner(&format!("killing {}", accepted.id));
    let gone = until_gone(&client, &accepted.id);
    spinner.finish_and_clear();
    gone?;
    if show.json {
        return show.json(&serde_json::json!({"id": accepted.id, "name": accepted.name, "state": "GONE"}));
    }
    show.line(&format!("{} is gone", accepted.name))
}

/// Waits until nimbus does not know the topology any more.
pub(super) fn until_gone(client: &Client, id: &str) -> Outcome {
    let mut revision = 0;
    loop {
        match client.topology_after(id, revision, Duration::from_secs(20)) {
            Ok(Some(status)) => revision = status.revision,
            Ok(None) => {}
            Err(Failure::NotFound(_)) => return Ok(()),
            Err(failure) => return Err(failure),
        }
    }
}

/// A duration in whole milliseconds, as messages carry it.
pub(super) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
