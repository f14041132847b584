//! `squall rebalance`: spreads a topology anew.

use std::time::Duration;

use squall_core::control::{Rebalance, TopologyState};

use super::kill::millis;
use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::Show;

/// Spreads a topology's tasks anew over workers, and changes how many of them there are.
///
/// Pauses the spouts, lets what is under way finish, moves as little as it can, and goes on.
///
/// Examples:
///   squall rebalance digits                       use supervisors that came since
///   squall rebalance digits -n 4 -e classify=8
///   squall rebalance digits -w 0 --no-wait
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// How long what is under way may take, such as 10s; by default the topology's message timeout.
    #[arg(short, long, value_name = "TIME", value_parser = squall_core::units::duration)]
    wait: Option<Duration>,
    /// The new number of workers.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// The new number of tasks of a component; may be given several times.
    #[arg(short = 'e', long = "parallelism", value_name = "COMPONENT=N", value_parser = tasks)]
    parallelism: Vec<(String, u32)>,
    /// Return at once instead of waiting until it is done.
    #[arg(long)]
    no_wait: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let rebalance = Rebalance {
        wait_ms: args.wait.map(millis),
        workers: args.workers,
        parallelism: args.parallelism.iter().cloned().collect(),
    };
    let mut accepted = client.rebalance(&args.name, &rebalance)?;
    if !args.no_wait {
        let spinner = show.spinner(&format!("rebalancing {}", accepted.id));
        let state = until_done(&client, &accepted.id);
        spinner.finish_and_clear();
        accepted.state = state?;
    }
    super::activate::told(&accepted, show)
}

fn until_done(client: &Client, id: &str) -> Outcome<TopologyState> {
    let mut status = client.topology(id)?;
    while status.state == TopologyState::Rebalancing {
        if let Some(newer) = client.topology_after(id, status.revision, Duration::from_secs(20))? {
            status = newer;
        }
    }
    Ok(status.state)
}

fn tasks(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}`: expected COMPONENT=N, such as classify=4");
    let (component, n) = text.split_once('=').ok_or_else(wrong)?;
    let n: u32 = n.trim().parse().map_err(|_| wrong())?;
    match component.trim() {
        "" => Err(wrong()),
        _ if n == 0 => Err(format!("`{text}`: a component has at least one task")),
        component => Ok((component.to_owned(), n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_and_a_positive_number() {
        assert_eq!(tasks("classify=4"), Ok(("classify".into(), 4)));
        for wrong in ["classify", "=3", "classify=x"] {
            assert!(tasks(wrong).unwrap_err().contains("COMPONENT=N"), "{wrong}");
        }
        assert!(tasks("classify=0").unwrap_err().contains("at least one task"));
    }
}
