//! `squall run`: a whole cluster for one topology, from start to end.

mod console;
mod events;
mod progress;
mod summary;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use squall_core::control::{Kill, ModelOnMachine, Phase, Submit, TopologyStatus};

use self::events::{Event, Events};
use self::progress::Progress;
use super::failing::{hopeless, reason};
use super::local::{LocalCluster, Shape};
use crate::exit::{Failure, Outcome};
use crate::show::Show;
use crate::topology::{self, Given};

/// How long the link to the page is good.
const LINK: Duration = Duration::from_secs(24 * 3600);
/// How long tuples under way may take when the time is up.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a topology from start to end: a nimbus and a supervisor in this process, workers of their own.
///
/// Checks the topology first, and starts nothing when anything is wrong with it. Prints on stdout what its console
/// bolts print, shows progress and a summary on stderr (with --json the summary is one JSON object at the end of
/// stdout), and ends when the topology's spouts have ended, when --duration is over, or with Ctrl-C. Leaves nothing
/// behind.
///
/// Examples:
///   squall run topologies/digits.toml
///   squall run topologies/iris.toml --duration 10s
///   squall run mine.toml --set ROWS=1000 --workers 4 --worker target/release/mine
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    given: Given,
    /// So many worker processes, whatever the topology says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
    /// Ends after this time, such as 10s, counted from the submit.
    #[arg(long, value_name = "TIME", value_parser = squall_core::units::duration)]
    duration: Option<Duration>,
    /// Binds each thread that runs tasks to one core.
    #[arg(long)]
    pin: bool,
    /// Prints a link to the page that shows it live, good for one browser; this is the default.
    #[arg(long, overrides_with = "no_ui")]
    ui: bool,
    /// Does not print the link to the page.
    #[arg(long)]
    no_ui: bool,
    /// Keeps the folder with state and logs, and tells where it is.
    #[arg(long)]
    keep: bool,
}

/// How a run ended, and the last that was seen of it.
struct Ended {
    why: Outcome,
    status: Option<TopologyStatus>,
    lasted: Duration,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let mut ready = topology::ready(&args.given, show)?;
    if let Some(workers) = args.workers {
        ready.plan.settings.workers = workers;
    }
    let mut cluster = LocalCluster::start(Shape { slots: ready.plan.settings.workers, heartbeat: None, pin: args.pin })?;
    let events = Events::watch(&cluster)?;
    ready.upload(cluster.client(), show)?;
    let name = ready.plan.name.clone();
    let begun = Instant::now();
    cluster.client().submit(&Submit { plan: ready.plan, inactive: false })?;
    if !args.no_ui {
        let link = cluster.client().page_link(Some(LINK))?;
        show.note(&format!("page: {link}"));
    }
    events.follow(cluster.client(), &name);
    let ended = watch(args, &mut cluster, &events, &name, begun, show);
    events.stop();
    let kept = cluster.stop(args.keep);
    // What the workers printed at their very end.
    let mut printed = Ok(());
    events.rest(&mut |line| {
        if printed.is_ok() {
            printed = show.line(line);
        }
    });
    if let Some(dir) = kept {
        show.note(&format!("kept: {}", dir.display()));
    }
    if let Some(status) = &ended.status {
        summary::show(status, ended.lasted, show)?;
    }
    ended.why.and(printed)
}

/// Passes on what console bolts print, shows progress, and waits for the end.
fn watch(args: &Args, cluster: &mut LocalCluster, events: &Events, name: &str, begun: Instant, show: &Show) -> Ended {
    let progress = Progress::new(args.duration, show);
    let mut last: Option<TopologyStatus> = None;
    let mut time_is_up = false;
    let why = loop {
        if let Some(failure) = cluster.broken() {
            break Err(failure);
        }
        match events.next(Duration::from_millis(100)) {
            Some(Event::Line(line)) => {
                if let Err(failure) = progress.beside(|| show.line(&line)) {
                    break Err(failure);
                }
            }
            Some(Event::Status(status)) => {
                progress.show(&status, begun.elapsed());
                let end = verdict(&status);
                last = Some(richer(last, *status));
                if let Some(end) = end {
                    break end;
                }
            }
            // After the kill it is gone; before, somebody else killed it.
            Some(Event::Gone) => break if time_is_up { Ok(()) } else { Err(Failure::Failed(format!("`{name}` was killed"))) },
            Some(Event::Failed(failure)) => break Err(failure),
            Some(Event::Signal(signal)) => break Err(Failure::Signal(signal)),
            None => {}
        }
        if !time_is_up && args.duration.is_some_and(|d| begun.elapsed() >= d) {
            time_is_up = true;
            progress.say("time is up, finishing what is under way");
            let kill = Kill { wait_ms: Some(super::kill::millis(DRAIN)) };
            if let Err(failure) = cluster.client().kill(name, &kill) {
                break Err(failure);
            }
        }
    };
    let lasted = begun.elapsed();
    // A kill in good order, so that bolts clean up; on a signal the supervisor's stop must do.
    let finished = why.is_ok() && !time_is_up;
    if finished && cluster.client().kill(name, &Kill::default()).is_ok() {
        let deadline = Instant::now() + DRAIN;
        while Instant::now() < deadline {
            match events.next(deadline - Instant::now()) {
                Some(Event::Line(line)) => drop(progress.beside(|| show.line(&line))),
                Some(Event::Status(status)) => last = Some(richer(last, *status)),
                Some(Event::Gone | Event::Failed(_) | Event::Signal(_)) | None => break,
            }
        }
    }
    progress.end();
    Ended { why, status: last, lasted }
}

/// Whether it is over: finished, or failed.
fn verdict(status: &TopologyStatus) -> Option<Outcome> {
    if status.finished {
        return Some(Ok(()));
    }
    let failed = || status.workers.iter().find(|w| w.phase == Some(Phase::Failed));
    let broken = hopeless(&status.workers).or_else(failed)?;
    let reason = reason(&status.errors, broken)?;
    Some(Err(Failure::Failed(format!("worker {} cannot run: {reason}", broken.worker))))
}

/// The newer status; but what is only known while workers run is kept: times, and models as most processes had them, since
/// workers end one after the other.
fn richer(before: Option<TopologyStatus>, mut now: TopologyStatus) -> TopologyStatus {
    if let Some(before) = before {
        now.models = widest(before.models, std::mem::take(&mut now.models));
        now.first_tuple_ms = now.first_tuple_ms.or(before.first_tuple_ms);
    }
    now
}

fn widest(before: Vec<ModelOnMachine>, now: Vec<ModelOnMachine>) -> Vec<ModelOnMachine> {
    let mut all: BTreeMap<(String, String), ModelOnMachine> = BTreeMap::new();
    for model in before.into_iter().chain(now) {
        let key = (model.name.clone(), model.supervisor.clone());
        if all.get(&key).is_none_or(|known| known.memory.mapped_by <= model.memory.mapped_by) {
            all.insert(key, model);
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::control::ModelUse;

    #[test]
    fn models_are_told_as_they_were_before_workers_ended() {
        let model = |name: &str, mapped_by, rss_bytes| ModelOnMachine {
            name: name.to_owned(),
            source_file: "m.pkl".to_owned(),
            supervisor: "s".to_owned(),
            machine: "m".to_owned(),
            memory: ModelUse { mapped_by, rss_bytes, ..ModelUse::default() },
        };
        let before = vec![model("a", 2, 10), model("b", 1, 10), model("c", 1, 10)];
        let now = vec![model("a", 1, 5), model("b", 1, 12), model("d", 1, 1)];
        let told: Vec<(String, u32, u64)> =
            widest(before, now).into_iter().map(|m| (m.name, m.memory.mapped_by, m.memory.rss_bytes)).collect();
        let wanted = [("a", 2, 10), ("b", 1, 12), ("c", 1, 10), ("d", 1, 1)];
        assert_eq!(told, wanted.map(|(name, by, rss)| (name.to_owned(), by, rss)));
    }
}
