//! `squall bench`: measures Squall on this machine, beside bare programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use clap::builder::BoolishValueParser;
use squall_bench::{Ground, Options, Report, SCENARIOS, table};
use squall_core::control::{Kill, Submit, TopologyStatus};

use super::local::{LocalCluster, Shape};
use crate::exit::{Failure, Outcome};
use crate::show::{Align, Show};
use crate::signals::Signals;
use crate::topology::{self, Given};

/// Workers report once a second; how much later nimbus may hear of it, which is how wrong the clock may be.
const HEARTBEAT: Duration = Duration::from_millis(20);
/// A status is waited for in pieces of this, so that a signal is noticed.
const PIECE: Duration = Duration::from_millis(500);
/// Until the workers of a topology are gone.
const GONE: Duration = Duration::from_secs(20);

/// Measures Squall on this machine.
///
/// Runs each scenario as a topology on a private cluster with worker processes of its own, several times in turn with a
/// bare program that does only the step in question, and shows both. What each measures is in docs/benchmarks.md. Do nothing
/// else on the machine meanwhile.
///
/// Examples:
///   squall bench --list
///   squall bench const-null --workers 2 --acking on
///   squall bench --seconds 10 --rounds 10 --json > after.json
///   squall bench compare before.json after.json
///   squall bench model digits.pkl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// What to measure; everything unless given.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// So many worker processes; unless given, those that each scenario is for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2))]
    workers: Option<u32>,
    /// Whether tuples are tracked; unless given, both where it matters.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    acking: Option<bool>,
    /// How long each measurement takes, after warming up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How often each measurement is taken.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Tuples a second for the scenarios latency and low-throughput; may be given several times.
    #[arg(long = "rate", value_name = "N", value_parser = rate)]
    rates: Vec<f64>,
    /// Binds each worker thread that runs tasks to one core.
    #[arg(long)]
    pin: bool,
    /// A section for docs/benchmarks.md instead of a table.
    #[arg(long)]
    markdown: bool,
    /// Shows the scenarios.
    #[arg(long)]
    list: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Other {
    Compare(Compare),
    Model(super::bench_model::Args),
    /// Shows a report as the section for docs/benchmarks.md.
    Show {
        /// What `squall bench --json` wrote; several are put under each other.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Writes the lines that word counts read, for measuring other systems with them.
    #[command(hide = true)]
    Lines,
    /// The receiving end of a bare program.
    #[command(hide = true)]
    Peer,
}

/// Shows what got slower between two reports; exit code 1 if something did.
///
/// A figure is slower if its median is worse by more than the threshold and none of its runs is as good as any run of
/// before. Where there is a bare program, the ratio to it is compared, so that a slower machine makes no difference.
#[derive(Debug, clap::Args)]
struct Compare {
    /// What `squall bench --json` wrote before.
    before: PathBuf,
    /// And after.
    after: PathBuf,
    /// By how many percent a median must be worse.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    threshold: f64,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    match &args.other {
        Some(Other::Compare(compare)) => return run_compare(compare, show),
        Some(Other::Model(model)) => return super::bench_model::run(model, show),
        Some(Other::Show { files }) => {
            return files.iter().try_for_each(|file| show.line(&table::markdown(&Report::read(file)?)));
        }
        Some(Other::Lines) => return show.line(squall_bench::lines().trim_end()),
        Some(Other::Peer) => return Ok(squall_bench::peer(&mut std::io::stdout().lock())?),
        None if args.list => return list(show),
        None => {}
    }
    let options = Options {
        scenarios: args.scenarios.clone(),
        workers: args.workers,
        acking: args.acking,
        time: Duration::from_secs(args.seconds.into()),
        rounds: args.rounds,
        rates: args.rates.clone(),
    };
    let chosen = options.chosen()?;
    let slots = chosen.iter().map(|(_, workers, _)| *workers).max().unwrap_or(1);
    let mut private = Private::start(Shape { slots, heartbeat: Some(HEARTBEAT), pin: args.pin }, show)?;
    let mut report = Report::default();
    let measured = squall_bench::run(&options, &mut private, &mut report);
    private.cluster.stop(false);
    if args.pin {
        report.conditions.notes.push("Threads that run tasks were bound to cores (`--pin`).".to_owned());
    }
    if report.entries.is_empty() {
        return measured;
    }
    // What was measured before something went wrong, or somebody had enough, took its time and is shown.
    let shown = match () {
        () if show.json => show.json(&report),
        () if args.markdown => show.line(&table::markdown(&report)),
        () => figures(&report, show),
    };
    measured.and(shown)
}

fn list(show: &Show) -> Outcome {
    if show.json {
        let object = |s: &squall_bench::Scenario| serde_json::json!({"name": s.name, "about": s.about});
        return show.json(&SCENARIOS.iter().map(object).collect::<Vec<_>>());
    }
    let rows: Vec<Vec<String>> = SCENARIOS.iter().map(|s| vec![s.name.to_owned(), s.about.to_owned()]).collect();
    show.table(&[("scenario", Align::Left), ("what", Align::Left)], &rows)
}

fn figures(report: &Report, show: &Show) -> Outcome {
    table::conditions(&report.conditions).iter().for_each(|line| show.note(line));
    let columns = table::COLUMNS.map(|title| (title, if title == "scenario" { Align::Left } else { Align::Right }));
    show.table(&columns, &table::rows(report))
}

fn run_compare(args: &Compare, show: &Show) -> Outcome {
    if !(args.threshold.is_finite() && args.threshold >= 0.0) {
        return Err(Failure::Usage(format!("a threshold of {} percent: expected 0 or more", args.threshold)));
    }
    let (before, after) = (Report::read(&args.before)?, Report::read(&args.after)?);
    let comparison = squall_bench::compare(&before, &after, args.threshold / 100.0);
    if show.json {
        show.json(&comparison)?;
    } else {
        let columns = [
            ("scenario", Align::Left),
            ("figure", Align::Left),
            ("before", Align::Right),
            ("after", Align::Right),
            ("better by", Align::Right),
            ("", Align::Left),
        ];
        let row = |c: &squall_bench::Change| {
            let percent = format!("{:+.1} %", c.percent);
            vec![c.what.clone(), c.figure.to_owned(), c.before.clone(), c.after.clone(), percent, c.verdict.to_string()]
        };
        show.table(&columns, &comparison.changes.iter().map(row).collect::<Vec<_>>())?;
        comparison.unmatched.iter().for_each(|what| show.note(&format!("not compared: {what}")));
    }
    match comparison.is_slower() {
        true => Err(Failure::Failed("something got slower".into())),
        false => Ok(()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.replace('_', "").parse().map_err(|_| format!("`{text}` is no number of tuples a second"))?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err(format!("`{text}`: expected a number above 0")) }
}

/// A cluster for the bench, and whether somebody wants it to stop.
struct Private<'a> {
    cluster: LocalCluster,
    show: &'a Show,
    peer: Vec<OsString>,
    signal: Arc<AtomicI32>,
}

impl<'a> Private<'a> {
    fn start(shape: Shape, show: &'a Show) -> Outcome<Private<'a>> {
        let program =
            std::env::current_exe().map_err(|e| Failure::Outside(format!("cannot tell where this program is: {e}")))?;
        let cluster = LocalCluster::start(shape)?;
        let told = Arc::new(AtomicI32::new(0));
        let tell = told.clone();
        cluster.spawn(async move {
            let Ok(mut signals) = Signals::watch() else { return };
            let number = signals.next().await;
            tell.store(number, Ordering::SeqCst);
            // A bare program may take seconds; whoever asks twice does not want to wait. Workers end with this process.
            signals.next().await;
            std::process::exit(128 + number);
        });
        Ok(Private { cluster, show, peer: vec![program.into(), "bench".into(), "peer".into()], signal: told })
    }

    fn stopped(&mut self) -> Outcome {
        match self.signal.load(Ordering::SeqCst) {
            0 => self.cluster.broken().map_or(Ok(()), Err),
            number => Err(Failure::Signal(number)),
        }
    }
}

impl Ground for Private<'_> {
    type Error = Failure;

    fn submit(&mut self, file: &Path, set: &[(String, String)], workers: u32) -> Outcome<String> {
        self.stopped()?;
        let given = Given { file: file.to_path_buf(), set: set.to_vec(), worker: None };
        let mut ready = topology::ready(&given, self.show)?;
        ready.plan.settings.workers = workers;
        ready.upload(self.cluster.client(), self.show)?;
        let name = ready.plan.name.clone();
        self.cluster.client().submit(&Submit { plan: ready.plan, inactive: false })?;
        Ok(name)
    }

    fn status(&mut self, name: &str, after: u64, wait: Duration) -> Outcome<Option<TopologyStatus>> {
        self.stopped()?;
        self.cluster.client().topology_after(name, after, wait.min(PIECE))
    }

    fn kill(&mut self, name: &str) -> Outcome {
        self.cluster.client().kill(name, &Kill { wait_ms: Some(0) })?;
        let deadline = Instant::now() + GONE;
        let mut after = 0;
        while Instant::now() < deadline {
            match self.cluster.client().topology_after(name, after, PIECE) {
                Err(Failure::NotFound(_)) => return Ok(()),
                Err(other) => return Err(other),
                Ok(status) => after = status.map_or(after, |s| s.revision),
            }
        }
        Err(Failure::Failed(format!("`{name}` did not stop within {} s", GONE.as_secs())))
    }

    fn peer(&self) -> Vec<OsString> {
        self.peer.clone()
    }

    fn say(&mut self, text: &str) {
        self.show.note(text);
    }
}
