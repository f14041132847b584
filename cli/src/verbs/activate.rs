//! `squall activate` and `squall deactivate`: whether a topology's spouts emit.

use squall_core::control::Accepted;

use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::Show;

/// Lets the spouts of an inactive topology emit again.
///
/// Example: squall activate digits
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
}

/// Pauses the spouts of a topology; what is under way is finished, and its workers stay.
///
/// Example: squall deactivate digits
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DeactivateArgs {
    /// The topology's name or id.
    name: String,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    told(&Client::find(place)?.activate(&args.name)?, show)
}

pub(crate) fn run_deactivate(args: &DeactivateArgs, place: &Where, show: &Show) -> Outcome {
    told(&Client::find(place)?.deactivate(&args.name)?, show)
}

/// Shows the state a topology is in now.
pub(super) fn told(accepted: &Accepted, show: &Show) -> Outcome {
    if show.json { show.json(accepted) } else { show.line(&format!("{} {}", accepted.name, accepted.state)) }
}
