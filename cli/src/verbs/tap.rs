//! `squall tap`: tuples of a stream, live.

use std::time::Duration;

use squall_core::control::{OpenTap, Sample};

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// How long one call waits.
const WAIT: Duration = Duration::from_secs(10);
/// Before a nimbus that cannot be reached is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Prints tuples of a stream as they flow by, one JSON object a line, until Ctrl-C or the topology's end.
///
/// Tuples are sampled: at most --rate a second of each worker, spread over what flows. The flow does not wait for the tap, and
/// what nobody reads in time is dropped. It waits for a nimbus that cannot be reached, and goes on. Long texts and lists are cut. A stream can be watched that no bolt takes, too.
///
/// Examples:
///   squall tap digits classify
///   squall tap digits classify/invalid --rate 100
///   squall tap digits images -n 1 | jq .pixels
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// The component that emits, and after a slash the stream, if it is not the default one.
    #[arg(value_name = "COMPONENT[/STREAM]")]
    stream: String,
    /// Tuples a second at most, of each worker.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// End after so many tuples.
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,
    /// Print when and by which task each was emitted too: {"unix_ms": …, "task": …, "tuple": …}.
    #[arg(long)]
    meta: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let mut client = Client::find(place)?;
    let (component, stream) = args.stream.split_once('/').unwrap_or((&args.stream, squall_core::DEFAULT_STREAM));
    // By id: a topology that takes its name later is another.
    let id = client.topology(&args.name)?.id;
    let open = OpenTap { component: component.to_owned(), stream: stream.to_owned(), per_second: args.rate };
    let mut tap = client.open_tap(&id, &open)?.id;
    let mut printed = 0_usize;
    let watched = loop {
        match watch(args, &client, (&id, tap), &mut printed, show) {
            // Nimbus is away, or was and knows nothing of its taps any more.
            Err(why @ (Failure::Outside(_) | Failure::NotFound(_))) => {
                show.note(&format!("waiting: {why}"));
                let opened;
                (client, opened) = open_again(place, &id, &open)?;
                let Some(opened) = opened else { return Ok(()) };
                tap = opened;
                show.note("going on");
            }
            over => break over,
        }
    };
    // If that fails, or Ctrl-C came before: nimbus closes a tap that nobody asks.
    if let Err(failure) = client.close_tap(&id, tap) {
        log::debug!("the tap was not closed: {failure}");
    }
    watched
}

/// The tap, opened anew as soon as nimbus can be reached, perhaps at another address; none if the topology is gone.
fn open_again(place: &Where, id: &str, open: &OpenTap) -> Outcome<(Client, Option<u64>)> {
    loop {
        let client = Client::find(place);
        let opened = client.and_then(|client| match client.open_tap(id, open) {
            Ok(opened) => Ok((client, Some(opened.id))),
            Err(Failure::NotFound(_)) if is_gone(&client, id) => Ok((client, None)),
            Err(failure) => Err(failure),
        });
        match opened {
            Err(Failure::Outside(_)) => std::thread::sleep(AGAIN),
            done => return done,
        }
    }
}

/// Prints samples until there are enough, or the topology is gone.
fn watch(args: &Args, client: &Client, (id, tap): (&str, u64), printed: &mut usize, show: &Show) -> Outcome {
    let mut next = 0;
    loop {
        let found = match client.samples(id, tap, next, WAIT) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            // With the topology its taps are gone.
            Err(Failure::NotFound(_)) if is_gone(client, id) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        next = found.next;
        for sample in &found.samples {
            show.line(&line(sample, args.meta))?;
            *printed += 1;
            if args.count.is_some_and(|n| *printed >= n) {
                return Ok(());
            }
        }
    }
}

fn is_gone(client: &Client, id: &str) -> bool {
    matches!(client.topology(id), Err(Failure::NotFound(_)))
}

fn line(sample: &Sample, meta: bool) -> String {
    if !meta {
        return sample.tuple.to_string();
    }
    let Sample { unix_ms, task, tuple, cut, .. } = sample;
    serde_json::json!({"unix_ms": unix_ms, "task": task, "cut": cut, "tuple": tuple}).to_string()
}
