//! `squall submit`: gives a topology to the cluster.

use squall_core::control::{Submit, is_topology_name};

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
    if show.json {
        return show.json(&accepted);
    }
    show.line(&format!("{} {}", accepted.name, accepted.state))?;
    show.remark(&format!("see `squall status {0}`, `squall logs -f {0}`", accepted.name));
    Ok(())
}
