//! `squall logs`: what the workers of a topology logged.

mod lines;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use squall_core::control::LogFile;

use crate::client::{Client, LogFrom, Stream, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;

pub(crate) use lines::Lines;

/// Most bytes of the end of a log that are looked at for the last lines.
const TAIL: u64 = 1 << 20;
/// How long one call waits for more.
const FOLLOW: Duration = Duration::from_secs(10);

/// Prints the end of the workers' logs of a topology, and with -f what comes.
///
/// Where there are several workers, each line begins with the worker's number.
///
/// Examples:
///   squall logs digits
///   squall logs digits -f --worker 0
///   squall logs digits -n 1000 --grep WARN
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// Go on with what is logged from now on, until Ctrl-C or the topology's end.
    #[arg(short, long)]
    follow: bool,
    /// Only this worker.
    #[arg(long, value_name = "N")]
    worker: Option<u32>,
    /// So many lines of each worker.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Only lines that contain this text.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// What the workers wrote to stdout and stderr instead of what they logged.
    #[arg(long)]
    output: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let mut files = client.logs(&args.name)?;
    if let Some(worker) = args.worker {
        files.retain(|f| f.worker == worker);
        if files.is_empty() {
            return Err(Failure::NotFound(format!("no log of worker {worker} of `{}`", args.name)));
        }
    }
    files.sort_by_key(|f| f.worker);
    let reader = Reader { client, args, several: files.len() > 1 };
    let mut next = Vec::new();
    for file in &files {
        next.push((file.worker, reader.end(file, show)?));
    }
    if args.follow { reader.follow(next, show) } else { Ok(()) }
}

struct Reader<'a> {
    client: Client,
    args: &'a Args,
    several: bool,
}

impl Reader<'_> {
    fn stream(&self) -> Stream {
        if self.args.output { Stream::Out } else { Stream::Log }
    }

    /// Prints the last lines of a log, and tells where its next piece begins.
    fn end(&self, file: &LogFile, show: &Show) -> Outcome<u64> {
        let from = LogFrom::Tail(TAIL);
        let piece = self.client.log(&self.args.name, file.worker, self.stream(), from, Duration::ZERO)?;
        let mut lines = Lines::default();
        let mut found: Vec<String> = Vec::new();
        lines.add(&piece.bytes, |line| found.push(line.to_owned()));
        // The first one is cut where the piece is.
        if piece.offset > 0 && !found.is_empty() {
            found.remove(0);
        }
        found.retain(|line| self.wanted(line));
        for line in &found[found.len().saturating_sub(self.args.lines)..] {
            self.print(file.worker, line, show)?;
        }
        // A line that is not finished is read again.
        Ok(piece.next.saturating_sub(lines.unfinished() as u64))
    }

    fn wanted(&self, line: &str) -> bool {
        self.args.grep.as_ref().is_none_or(|text| line.contains(text))
    }

    fn print(&self, worker: u32, line: &str, show: &Show) -> Outcome {
        if show.json {
            let object = serde_json::json!({"worker": worker, "line": line});
            return show.line(&object.to_string());
        }
        if self.several { show.line(&format!("{worker} {line}")) } else { show.line(line) }
    }

    /// Prints what comes, from a thread for each worker.
    fn follow(&self, from: Vec<(u32, u64)>, show: &Show) -> Outcome {
        let (sender, receiver) = sync_channel::<(u32, Outcome<String>)>(1024);
        for (worker, offset) in from {
            let (client, name, stream) = (self.client.clone(), self.args.name.clone(), self.stream());
            let sender = sender.clone();
            std::thread::spawn(move || follow_one(&client, &name, worker, stream, offset, &sender));
        }
        drop(sender);
        // Ends when every thread has: the topology is gone.
        for (worker, line) in receiver {
            let line = line?;
            if self.wanted(&line) {
                self.print(worker, &line, show)?;
            }
        }
        Ok(())
    }
}

fn follow_one(client: &Client, name: &str, worker: u32, stream: Stream, mut at: u64, to: &SyncSender<(u32, Outcome<String>)>) {
    let mut lines = Lines::default();
    loop {
        let piece = match client.log(name, worker, stream, LogFrom::Offset(at), FOLLOW) {
            Ok(piece) => piece,
            Err(Failure::NotFound(_)) => return,
            Err(failure) => {
                let _ = to.send((worker, Err(failure)));
                return;
            }
        };
        if piece.offset != at {
            // Rotated: what was left of the old file has no end.
            lines = Lines::default();
        }
        at = piece.next;
        let mut closed = false;
        lines.add(&piece.bytes, |line| closed |= to.send((worker, Ok(line.to_owned()))).is_err());
        if closed {
            return;
        }
    }
}
