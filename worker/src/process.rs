//! A worker process: from its launch file to its end.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use squall_core::control::{Hello, Instructions, Launch, ModelVersion, Orders, Phase, Report, RunState};
use squall_core::{Error, Models, Plan, Registry, Result};

use crate::engine::{self, Engine, Surroundings};
use crate::link::{self, Command, LinkHandle, News};
use crate::logging;
use crate::models::Keeper;
use crate::supervisor::{Answer, Supervisor};

/// A report at least this often.
const REPORT: Duration = Duration::from_secs(1);
/// The first report after something changed; from there on at doubled distances.
const SOON: Duration = Duration::from_millis(10);
/// While a stream is watched.
const TAPPED: Duration = Duration::from_millis(200);
/// A look at whether the phase has changed, while it may change by itself.
const LOOK: Duration = Duration::from_millis(20);
/// How long one question for orders may stay unanswered: the supervisor takes a worker that asks nothing for hung.
const ORDERS: Duration = Duration::from_secs(1);
/// After a supervisor that does not answer, the next try.
const RETRY: Duration = Duration::from_millis(200);
/// What is under way may take this long to finish at the end.
const GRACE: Duration = Duration::from_millis(800);

enum Event {
    Orders(Orders),
    Stop(&'static str),
    /// Links came up or went down, or another worker's spouts are done.
    Links(News),
    /// A model has another version, or one ready.
    Models,
}

/// Runs until told to stop.
///
/// # Errors
/// What kept the worker from starting.
pub(crate) fn run(registry: &Registry, launch: &Path) -> Result<()> {
    let text = std::fs::read(launch).map_err(|e| Error::external(format!("cannot read {}", launch.display())).because(e))?;
    let launch: Launch = serde_json::from_slice(&text)
        .map_err(|e| Error::user(format!("{} is no launch file of this version", launch.display())).because(e))?;
    let text = std::fs::read(&launch.plan)
        .map_err(|e| Error::external(format!("cannot read {}", launch.plan.display())).because(e))?;
    let plan: Plan =
        serde_json::from_slice(&text).map_err(|e| Error::user(format!("{} is no plan", launch.plan.display())).because(e))?;
    let plan_hash: String = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
    let log = logging::init(&launch.log_file, &plan.settings.log)
        .map_err(|e| Error::external(format!("cannot write {}", launch.log_file.display())).because(e))?;
    log::info!("worker {} of {} starts, incarnation {}", launch.worker, launch.topology, launch.incarnation);
    let result = work(registry, &launch, Arc::new(plan), plan_hash, log);
    if let Err(error) = &result {
        log::error!("{error}");
    }
    result
}

fn work(registry: &Registry, launch: &Launch, plan: Arc<Plan>, plan_hash: String, log: logging::Levels) -> Result<()> {
    let (events, inbox) = channel();
    let supervisor = Supervisor::new(launch);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("tokio").enable_all().build()?;
    watch_signals(&runtime, events.clone());
    let (news_of_links, news_of_models) = (events.clone(), events.clone());
    let seed = random()?;
    let links = link::start(link::Settings {
        token: launch.token.clone(),
        topology: launch.topology.clone(),
        plan: plan_hash,
        worker: launch.worker,
        incarnation: launch.incarnation,
        bind: launch.bind.clone(),
        seed,
    })?;
    let hello = Hello { incarnation: launch.incarnation, pid: std::process::id(), endpoint: links.endpoint.clone() };
    say_hello(&supervisor, &hello)?;
    let revision = Arc::new(AtomicU64::new(0));
    ask_for_orders(supervisor.clone(), hello, revision.clone(), events)?;
    let Some(first) = first_orders(&inbox)? else { return Ok(()) };
    let tasks = first.workers.iter().find(|w| w.index == launch.worker).map(|w| w.tasks.iter().copied().collect());
    let tasks = tasks.ok_or_else(|| Error::internal("the orders do not name this worker"))?;
    let versions = versions(launch);
    let live = Models::new(versions.clone());
    let around = Surroundings {
        worker: launch.worker,
        incarnation: launch.incarnation,
        began: Instant::now(),
        tasks,
        threads: launch.threads.max(1),
        pin: launch.pin.clone(),
        models: launch.models.clone(),
        live: live.clone(),
        state_dir: launch.state_dir.clone(),
        links: links.outboxes.clone(),
        runtime: Some(runtime.handle().clone()),
        seed: random()?,
    };
    let engine = engine::build(plan, registry, around).inspect_err(|error| {
        let failed = Report { incarnation: launch.incarnation, phase: Phase::Failed, ..Report::default() };
        let panic = engine::panics::take();
        let stack = panic.as_ref().map_or_else(|| engine::panics::causes(error), |p| p.text());
        if panic.is_some() {
            log::error!("{error}\n{stack}");
        }
        let errors = vec![squall_core::control::ErrorReport {
            component: String::new(),
            task: 0,
            message: error.to_string(),
            count: 1,
            panic: panic.is_some(),
            stack,
        }];
        // The supervisor sees the exit in any case.
        let _ = supervisor.report(&Report { errors, ..failed });
    })?;
    links.run(engine.shared.clone(), move |news| drop(news_of_links.send(Event::Links(news))))?;
    let (incarnation, state) = (launch.incarnation, RunState::Inactive);
    let models = Keeper::start(live, &versions, move || drop(news_of_models.send(Event::Models)))?;
    let worker = Worker {
        engine,
        links,
        supervisor,
        incarnation,
        state,
        epoch: 0,
        began: Instant::now(),
        connected: false,
        log,
        models,
        tapped: false,
    };
    worker.live(first, &inbox);
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

struct Worker {
    engine: Engine,
    links: LinkHandle,
    supervisor: Supervisor,
    incarnation: u64,
    state: RunState,
    epoch: u64,
    began: Instant,
    /// The links to all other workers were open once.
    connected: bool,
    log: logging::Levels,
    models: Keeper,
    /// Somebody watches a stream, and does not want to wait for a second.
    tapped: bool,
}

impl Worker {
    fn live(mut self, first: Orders, inbox: &Receiver<Event>) {
        self.follow(first);
        let busy = Arc::new(AtomicBool::new(false));
        let mut phase = Phase::Starting;
        let mut reported = Instant::now();
        let mut every = SOON;
        let why = loop {
            // Phases that end by themselves are watched closely; otherwise once a second is enough.
            let changing = phase == Phase::Running && (self.engine.is_finishing() || self.state != RunState::Active);
            if self.tapped {
                every = every.min(TAPPED);
            }
            let report_in = every.saturating_sub(reported.elapsed());
            let wait = if changing { LOOK.min(report_in) } else { report_in };
            match inbox.recv_timeout(wait.max(Duration::from_millis(1))) {
                Ok(Event::Orders(orders)) => {
                    self.follow(orders);
                    if self.state == RunState::Stopping && self.engine.is_drained() {
                        break "stopping as ordered";
                    }
                }
                Ok(Event::Stop(why)) => break why,
                Ok(Event::Links(News::PeerFinished) | Event::Models) => every = SOON,
                Ok(Event::Links(News::Connected(_))) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break "nobody is left to give orders",
            }
            self.log.expire();
            let now = self.phase();
            if self.state == RunState::Stopping && now == Phase::Drained {
                break "stopping as ordered";
            }
            self.engine.set_active(self.state == RunState::Active && now != Phase::Connecting);
            if now != phase {
                every = SOON;
                if now == Phase::Finished {
                    self.links.command(Command::Finished);
                }
            }
            if now != phase || reported.elapsed() >= every {
                if now == phase {
                    every = (every * 2).min(REPORT);
                }
                phase = now;
                reported = Instant::now();
                self.links.command(Command::Waits(self.engine.shared.waits_here()));
                self.report(phase, every < REPORT, &busy);
            }
        };
        log::info!("{why}");
        let Worker { engine, links, supervisor, incarnation, epoch, began, .. } = self;
        let last = engine.stop_and_report(GRACE);
        links.close();
        let (at_ms, phase) = (began.elapsed().as_millis() as u64, Phase::Drained);
        let report = Report { incarnation, epoch, at_ms, phase, tasks: last.0, errors: last.1, ..Report::default() };
        if let Err(error) = supervisor.report(&report).map(drop) {
            log::info!("the last report was not delivered: {error}");
        }
        log::info!("stopped");
    }

    fn follow(&mut self, orders: Orders) {
        self.epoch = orders.epoch;
        self.state = orders.state;
        self.links.command(Command::Peers { epoch: orders.epoch, workers: orders.workers });
        let Instructions { log, taps, debug, models } = orders.instructions;
        self.log.set(log, !debug.is_empty());
        self.tapped = !taps.is_empty();
        self.engine.shared.taps.set(&taps, &debug, &self.engine.shared.plan);
        self.models.follow(&models);
        if self.state != RunState::Active {
            self.engine.set_active(false);
        }
    }

    fn phase(&mut self) -> Phase {
        // A worker that goes down later closes the gates to its tasks; the others go on.
        self.connected |= self.links.counts.connected.load(Ordering::SeqCst);
        phase_of(&self.engine, self.connected, self.state)
    }

    /// Reports from a thread of its own, so that a supervisor that is slow to answer delays nothing; one at a time.
    fn report(&self, phase: Phase, urgent: bool, busy: &Arc<AtomicBool>) {
        if busy.swap(true, Ordering::SeqCst) {
            return;
        }
        let counts = &self.links.counts;
        // First the texts: of each, the numbers tell.
        let errors = self.engine.errors();
        let report = Report {
            incarnation: self.incarnation,
            epoch: self.epoch,
            at_ms: self.began.elapsed().as_millis() as u64,
            phase,
            urgent,
            tasks: self.engine.task_reports(),
            errors,
            ignored_frames: counts.ignored.load(Ordering::Relaxed),
            link_bytes: (counts.received.load(Ordering::Relaxed), counts.sent.load(Ordering::Relaxed)),
            models: self.models.states(),
            samples: self.engine.shared.taps.take(),
        };
        let (supervisor, busy) = (self.supervisor.clone(), busy.clone());
        let spawned = std::thread::Builder::new().name("report".to_owned()).spawn(move || {
            if let Err(error) = supervisor.report(&report) {
                log::debug!("report not delivered: {error}");
            }
            busy.store(false, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            log::warn!("cannot start a thread to report: {error}");
        }
    }
}

/// Where a worker stands whose links to all others were open once, or were not yet.
pub(crate) fn phase_of(engine: &Engine, connected: bool, state: RunState) -> Phase {
    if !connected {
        Phase::Connecting
    } else if engine.is_finished() && engine.is_drained() && engine.has_spouts() {
        Phase::Finished
    } else if state != RunState::Active && engine.is_drained() {
        Phase::Drained
    } else {
        Phase::Running
    }
}

/// The versions of the models it was launched with.
fn versions(launch: &Launch) -> std::collections::BTreeMap<String, ModelVersion> {
    let version = |(name, path): (&String, &std::path::PathBuf)| {
        let known = launch.versions.get(name).cloned().unwrap_or_default();
        (name.clone(), ModelVersion { path: Some(path.clone()), ..known })
    };
    launch.models.iter().map(version).collect()
}

fn say_hello(supervisor: &Supervisor, hello: &Hello) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match supervisor.hello(hello) {
            Ok(Answer::Unwanted) => return Err(Error::external("the supervisor does not want this incarnation any more")),
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}

fn first_orders(inbox: &Receiver<Event>) -> Result<Option<Orders>> {
    loop {
        match inbox.recv() {
            Ok(Event::Orders(orders)) => return Ok(Some(orders)),
            Ok(Event::Stop(why)) => {
                log::info!("{why}");
                return Ok(None);
            }
            Ok(Event::Links(_) | Event::Models) => {}
            Err(_) => return Err(Error::internal("nobody is left to give orders")),
        }
    }
}

/// Asks for newer orders again and again. A supervisor that does not answer is no reason to stop: it may be restarted.
/// The next one may know this process by a file that was written before its hello, so that it is said again.
fn ask_for_orders(supervisor: Supervisor, hello: Hello, revision: Arc<AtomicU64>, events: Sender<Event>) -> Result<()> {
    let ask = move || {
        let mut lost = false;
        loop {
            if lost && supervisor.hello(&hello).is_ok() {
                lost = false;
            }
            let event = match supervisor.orders(revision.load(Ordering::SeqCst), ORDERS) {
                Ok(Answer::Some(orders)) => {
                    revision.store(orders.revision, Ordering::SeqCst);
                    Event::Orders(orders)
                }
                Ok(Answer::Nothing) => continue,
                Ok(Answer::Unwanted) => Event::Stop("this incarnation is not wanted any more"),
                Err(error) => {
                    log::debug!("no orders: {error}");
                    lost = true;
                    std::thread::sleep(RETRY);
                    continue;
                }
            };
            let over = matches!(event, Event::Stop(_));
            if events.send(event).is_err() || over {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("orders".to_owned()).spawn(ask);
    thread.map(drop).map_err(|e| Error::external("cannot start a thread").because(e))
}

fn watch_signals(runtime: &tokio::runtime::Runtime, events: Sender<Event>) {
    use tokio::signal::unix::{SignalKind, signal};
    runtime.spawn(async move {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            log::error!("signals cannot be watched");
            return;
        };
        let why = tokio::select! {
            _ = terminate.recv() => "stopping: SIGTERM",
            _ = interrupt.recv() => "stopping: SIGINT",
        };
        let _ = events.send(Event::Stop(why));
    });
}

/// A number that nobody can guess: keys of links and ids of edges begin with it.
fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
