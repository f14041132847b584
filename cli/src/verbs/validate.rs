//! `squall validate`: all that is wrong with a topology, without a cluster.

use serde_json::json;

use crate::exit::{Failure, Outcome};
use crate::show::Show;
use crate::topology::{self, Given};

/// Checks a topology: names, types, references, configuration, models. Shows everything that is wrong at once.
///
/// Nothing is started or sent. The exit code is 0 when it can be submitted, 2 when it cannot.
///
/// Examples:
///   squall validate topologies/digits.toml
///   squall validate mine.toml --worker target/release/mine
///   squall validate mine.toml --json | jq '.diagnostics[].message'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    given: Given,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let result = topology::checked(&args.given, show)?.result;
    let valid = result.is_ok();
    let diagnostics = match &result {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults,
    };
    if show.json {
        let name = result.as_ref().ok().map(|(plan, _)| plan.name.clone());
        show.json(&json!({"valid": valid, "name": name, "diagnostics": diagnostics}))?;
    } else {
        topology::render(diagnostics, show);
        let summary = topology::summary(&args.given.file, diagnostics);
        if valid { show.line(&summary)? } else { show.note(&summary) }
    }
    if valid { Ok(()) } else { Err(Failure::Shown) }
}
