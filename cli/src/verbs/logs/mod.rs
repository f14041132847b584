//! `squall logs`: what the workers of a topology logged.

mod lines;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use squall_core::control::{LogFile, LogStream};

use crate::client::{Client, LogFrom, Where};
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

/// A file of a log, and a byte in it.
type Place = (Option<u64>, u64);

struct Reader<'a> {
    client: Client,
    args: &'a Args,
    several: bool,
}

impl Reader<'_> {
    fn stream(&self) -> LogStream {
        if self.args.output { LogStream::Out } else { LogStream::Log }
    }

    /// Prints the last lines of a log, and tells where to go on: in which file, and at which byte.
    fn end(&self, log: &LogFile, show: &Show) -> Outcome<Place> {
        let piece = |from| self.client.log(&self.args.name, log.worker, self.stream(), from, Duration::ZERO);
        let mut lines = Lines::default();
        let mut found: Vec<String> = Vec::new();
        let mut last = piece(LogFrom::Tail(TAIL))?;
        let (cut, mut read) = (last.offset > 0, 0);
        // The end of a log that was just rotated is in two files.
        while !last.bytes.is_empty() {
            lines.add(&last.bytes, |line| found.push(line.to_owned()));
            read += last.bytes.len() as u64;
            if read >= TAIL {
                break;
            }
            last = piece(LogFrom::After(last.file, last.next))?;
        }
        // The first one is cut where the piece is.
        if cut && !found.is_empty() {
            found.remove(0);
        }
        found.retain(|line| self.wanted(line));
        for line in &found[found.len().saturating_sub(self.args.lines)..] {
            self.print(log.worker, line, show)?;
        }
        // A line that is not finished is read again.
        Ok((last.file, last.next.saturating_sub(lines.unfinished() as u64)))
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
    fn follow(&self, from: Vec<(u32, Place)>, show: &Show) -> Outcome {
        let (sender, receiver) = sync_channel::<(u32, Outcome<String>)>(1024);
        for (worker, place) in from {
            let (client, name, stream) = (self.client.clone(), self.args.name.clone(), self.stream());
            let sender = sender.clone();
            std::thread::spawn(move || follow_one(&client, &name, worker, stream, place, &sender));
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

fn follow_one(
    client: &Client,
    name: &str,
    worker: u32,
    stream: LogStream,
    mut at: Place,
    to: &SyncSender<(u32, Outcome<String>)>,
) {
    let mut lines = Lines::default();
    loop {
        let piece = match client.log(name, worker, stream, LogFrom::After(at.0, at.1), FOLLOW) {
            Ok(piece) => piece,
            Err(Failure::NotFound(_)) => return,
            Err(failure) => {
                let _ = to.send((worker, Err(failure)));
                return;
            }
        };
        if (piece.file, piece.offset) != at {
            // In the next file: a line that has no end in the one before never will.
            lines = Lines::default();
        }
        at = (piece.file, piece.next);
        let mut closed = false;
        lines.add(&piece.bytes, |line| closed |= to.send((worker, Ok(line.to_owned()))).is_err());
        if closed {
            return;
        }
    }
}
