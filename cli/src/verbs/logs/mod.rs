//! `squall logs`: what the workers of a topology logged, and the daemons.

mod lines;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use serde_json::json;
use squall_core::control::LogStream;

use super::cluster::short;
use crate::client::{Client, Log, LogFrom, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;

pub(crate) use lines::Lines;

/// Most bytes of the end of a log that are looked at for the last lines.
const TAIL: u64 = 1 << 20;
/// How long one call waits for more.
const FOLLOW: Duration = Duration::from_secs(10);
/// Before a cluster that cannot be reached is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Prints the end of the workers' logs of a topology, or of daemons' logs, and with -f what comes.
///
/// Where there are several, each line begins with the worker's number, or with the daemon's name. With -f it waits for a cluster
/// that cannot be reached, and goes on where it was.
///
/// Examples:
///   squall logs digits
///   squall logs digits -f --worker 0
///   squall logs digits -n 1000 --grep WARN
///   squall logs --daemon nimbus -f
///   squall logs --daemon all --grep ERROR
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    #[arg(required_unless_present = "daemon")]
    name: Option<String>,
    /// What daemons logged: nimbus, a supervisor by its id (the beginning is enough), machine or host, or all.
    #[arg(long, value_name = "DAEMON", conflicts_with_all = ["name", "worker", "output"])]
    daemon: Option<String>,
    /// Go on with what is logged from now on, until Ctrl-C or the topology's end.
    #[arg(short, long)]
    follow: bool,
    /// Only this worker.
    #[arg(long, value_name = "N")]
    worker: Option<u32>,
    /// So many lines of each log.
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
    let logs = match (&args.name, &args.daemon) {
        (Some(name), _) => of_topology(&client, name, args.worker, show)?,
        (None, daemon) => of_daemons(&client, daemon.as_deref().unwrap_or("all"), show)?,
    };
    let reader = Reader { client, place, args, several: logs.len() > 1 };
    let mut next = Vec::new();
    for log in logs {
        let place = reader.end(&log, show)?;
        next.push((log, place));
    }
    if args.follow { reader.follow(next, show) } else { Ok(()) }
}

fn of_topology(client: &Client, name: &str, worker: Option<u32>, show: &Show) -> Outcome<Vec<Log>> {
    let mut workers: Vec<u32> = client.logs(name)?.into_iter().map(|f| f.worker).collect();
    let dead: Vec<String> = client.cluster()?.supervisors.into_iter().filter(|s| !s.alive).map(|s| s.id).collect();
    let silent = client.topology(name)?.workers.into_iter().filter(|w| dead.contains(&w.supervisor));
    let missing = silent.filter(|w| !workers.contains(&w.worker) && worker.is_none_or(|only| only == w.worker));
    for w in missing {
        let why = format!("the log of worker {} cannot be read: supervisor {} is silent", w.worker, short(&w.supervisor));
        if worker.is_some() {
            return Err(Failure::Outside(why));
        }
        show.note(&why);
    }
    if let Some(worker) = worker {
        workers.retain(|w| *w == worker);
        if workers.is_empty() {
            return Err(Failure::NotFound(format!("no log of worker {worker} of `{name}`")));
        }
    }
    workers.sort_unstable();
    Ok(workers.into_iter().map(|worker| Log::Worker(name.to_owned(), worker)).collect())
}

fn of_daemons(client: &Client, daemon: &str, show: &Show) -> Outcome<Vec<Log>> {
    let mut logs = client.daemon_logs()?;
    let known: Vec<String> = logs.iter().map(|l| short(&l.daemon)).collect();
    if daemon != "all" {
        logs.retain(|l| l.machine == daemon || l.host == daemon || (!daemon.is_empty() && l.daemon.starts_with(daemon)));
    }
    if logs.is_empty() {
        return Err(Failure::NotFound(format!("no daemon `{daemon}` has a log; there are {}", known.join(", "))));
    }
    let why = |id: &str| format!("the log of supervisor {} cannot be read: it is silent", short(id));
    if let [only] = logs.as_slice()
        && only.silent
    {
        return Err(Failure::Outside(why(&only.daemon)));
    }
    logs.iter().filter(|l| l.silent).for_each(|l| show.note(&why(&l.daemon)));
    Ok(logs.into_iter().filter(|l| !l.silent).map(|l| Log::Daemon(l.daemon)).collect())
}

/// A file of a log, and a byte in it.
type Place = (Option<u64>, u64);

/// What a thread that follows a log has to tell.
enum Told {
    Line(Log, String),
    /// Nimbus, or the supervisor behind it, cannot be reached; it is tried again and again.
    Away(Failure),
    Back,
    Failed(Failure),
}

struct Reader<'a> {
    client: Client,
    place: &'a Where,
    args: &'a Args,
    several: bool,
}

impl Reader<'_> {
    fn stream(&self) -> LogStream {
        if self.args.output { LogStream::Out } else { LogStream::Log }
    }

    /// Prints the last lines of a log, and tells where to go on: in which file, and at which byte.
    fn end(&self, log: &Log, show: &Show) -> Outcome<Place> {
        let piece = |from| self.client.log(log, self.stream(), from, Duration::ZERO);
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
            self.print(log, line, show)?;
        }
        // A line that is not finished is read again.
        Ok((last.file, last.next.saturating_sub(lines.unfinished() as u64)))
    }

    fn wanted(&self, line: &str) -> bool {
        self.args.grep.as_ref().is_none_or(|text| line.contains(text))
    }

    fn print(&self, log: &Log, line: &str, show: &Show) -> Outcome {
        if show.json {
            let object = match log {
                Log::Worker(_, worker) => json!({"worker": worker, "line": line}),
                Log::Daemon(id) => json!({"daemon": id, "line": line}),
            };
            return show.line(&object.to_string());
        }
        match log {
            Log::Worker(_, worker) if self.several => show.line(&format!("{worker} {line}")),
            Log::Daemon(id) if self.several => show.line(&format!("{} {line}", short(id))),
            _ => show.line(line),
        }
    }

    /// Prints what comes, from a thread for each log.
    fn follow(&self, from: Vec<(Log, Place)>, show: &Show) -> Outcome {
        let (sender, receiver) = sync_channel(1024);
        for (log, at) in from {
            let (client, place) = (self.client.clone(), self.place.clone());
            let follower = Follower { client, place, log, stream: self.stream(), to: sender.clone() };
            std::thread::spawn(move || follower.follow(at));
        }
        drop(sender);
        let mut away = false;
        // Ends when every thread has: the topology is gone.
        for told in receiver {
            match told {
                Told::Line(log, line) if self.wanted(&line) => self.print(&log, &line, show)?,
                Told::Line(..) => {}
                Told::Away(why) if !std::mem::replace(&mut away, true) => show.note(&format!("waiting: {why}")),
                Told::Back if std::mem::take(&mut away) => show.note("going on"),
                Told::Away(_) | Told::Back => {}
                Told::Failed(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

/// Follows one log.
struct Follower {
    client: Client,
    place: Where,
    log: Log,
    stream: LogStream,
    to: SyncSender<Told>,
}

impl Follower {
    /// Until the topology is gone, or nobody listens any more.
    fn follow(mut self, mut at: Place) {
        let (mut lines, mut away) = (Lines::default(), false);
        loop {
            let piece = match self.client.log(&self.log, self.stream, LogFrom::After(at.0, at.1), FOLLOW) {
                Ok(piece) => piece,
                Err(Failure::NotFound(_)) => return,
                Err(why @ Failure::Outside(_)) => {
                    if !std::mem::replace(&mut away, true) && self.to.send(Told::Away(why)).is_err() {
                        return;
                    }
                    std::thread::sleep(AGAIN);
                    // It may be back at another address.
                    if let Ok(client) = Client::find(&self.place) {
                        self.client = client;
                    }
                    continue;
                }
                Err(failure) => return drop(self.to.send(Told::Failed(failure))),
            };
            let mut closed = std::mem::take(&mut away) && self.to.send(Told::Back).is_err();
            if (piece.file, piece.offset) != at {
                // In the next file: a line that has no end in the one before never will.
                lines = Lines::default();
            }
            at = (piece.file, piece.next);
            lines.add(&piece.bytes, |line| closed |= self.to.send(Told::Line(self.log.clone(), line.to_owned())).is_err());
            if closed {
                return;
            }
        }
    }
}
