//! `squall errors`: what went wrong in a topology.

use squall_core::control::ErrorEntry;

use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::{Align, Show, age, count, since};

/// Lists what went wrong in a topology, newest first: when, where, how often, and the message.
///
/// Equal messages of a task are one line. The newest hundred are kept. What stands behind a message is its stack: of a panic the
/// calls that led there, looked up at the first panic of each place and then every ten seconds; of an error its causes.
///
/// Examples:
///   squall errors digits
///   squall errors digits --stack
///   squall errors digits --component classify
///   squall errors digits --json | jq -r '.[].message'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// Only errors of this component.
    #[arg(long, short, value_name = "COMPONENT")]
    component: Option<String>,
    /// With what stands behind each: the calls that led to a panic, the causes of an error.
    #[arg(long, short)]
    stack: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let status = Client::find(place)?.topology(&args.name)?;
    if let Some(component) = &args.component {
        super::metrics::known(&status, component)?;
    }
    let wanted = |e: &&ErrorEntry| args.component.as_ref().is_none_or(|c| *c == e.component);
    let errors: Vec<&ErrorEntry> = status.errors.iter().filter(wanted).collect();
    if show.json {
        return show.json(&errors);
    }
    if errors.is_empty() {
        show.note("no errors");
        return Ok(());
    }
    if args.stack {
        let blocks: Vec<String> = errors.iter().map(|e| block(e)).collect();
        return show.line(&blocks.join("\n\n"));
    }
    let columns = [
        ("last", Align::Left),
        ("times", Align::Right),
        ("component", Align::Left),
        ("task", Align::Right),
        ("worker", Align::Right),
        ("host", Align::Left),
        ("error", Align::Left),
    ];
    let row = |e: &&ErrorEntry| {
        let last = format!("{} ago", age(since(e.unix_ms)));
        let (task, worker) = (in_component(e, e.task), in_component(e, e.worker));
        vec![last, count(e.count), e.component.clone(), task, worker, e.host.clone(), e.message.clone()]
    };
    let rows: Vec<Vec<String>> = errors.iter().map(row).collect();
    show.table(&columns, &rows)
}

/// The number of a task or worker, where there is one: not every error is one of a component.
pub(super) fn in_component(e: &ErrorEntry, number: u32) -> String {
    if e.component.is_empty() { String::new() } else { number.to_string() }
}

/// An error with all that is known of it.
fn block(e: &ErrorEntry) -> String {
    let place = match e.component.as_str() {
        "" => String::new(),
        component => format!("`{component}` (task {}, worker {}, {}): ", e.task, e.worker, e.host),
    };
    let times = if e.count == 1 { String::new() } else { format!(", {} times", count(e.count)) };
    let mut text = format!("{} ago{times}, {place}{}", age(since(e.unix_ms)), e.message);
    e.stack.lines().for_each(|line| text.extend(["\n  ", line]));
    text
}
