//! All workers of this supervisor: what is wanted of each, what runs, what it was told and what it said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use squall_core::control::{
    Desired, ErrorReport, Exit, Hello, LastReport, MachineUsage, ModelUse, Orders, Phase, ProcessUsage, Report, RunState,
    Sample, WantedWorker, WorkerStatus, incarnation, let_stacks_go,
};
use tokio::sync::watch;

use crate::cores;
use crate::layout::Key;
use crate::machine::unix_time;

const MOST_ERRORS: usize = 100;
/// Stacks of older errors than those that together take so many bytes are let go, but for a line.
const MOST_STACKS: usize = 256 << 10;
const MOST_SAMPLES: usize = 1000;

/// What is wanted of a worker; none: that it stops.
pub(crate) type Want = Option<Arc<WantedWorker>>;

#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) entries: BTreeMap<Key, Entry>,
    /// Topologies that nimbus knows; none before it said so.
    pub(crate) topologies: Option<Vec<String>>,
    pub(crate) models: Vec<ModelUse>,
    /// What the machine and each process take.
    pub(crate) usage: (MachineUsage, BTreeMap<u32, ProcessUsage>),
    /// Artefacts of versions of models that are here, or why they cannot be had.
    pub(crate) artefacts: BTreeMap<String, Result<PathBuf, String>>,
    revision: u64,
}

/// A worker.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) want: watch::Sender<Want>,
    pub(crate) run: Option<Run>,
    /// What it is told; none while that is not known.
    orders: Option<Orders>,
    /// Adopted, and nimbus has not said yet what it is to do: it goes on with what it was told before.
    held: bool,
    pub(crate) restarts: u64,
    pub(crate) last_exit: Option<Exit>,
    pub(crate) problem: Option<String>,
    died: Vec<LastReport>,
    /// The cores that its threads are bound to.
    pin: Vec<u32>,
}

/// An incarnation of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) kept: Kept,
    pub(crate) phase: Phase,
    reports: u64,
    latest: Option<Report>,
    unsent: bool,
    errors: Vec<ErrorReport>,
    /// It was heard since [`Roster::was_heard`] was last asked.
    heard: Arc<AtomicBool>,
    samples: Vec<Sample>,
}

/// What the next supervisor must know of an incarnation to adopt it; in `process.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) wanted: Arc<WantedWorker>,
    pub(crate) incarnation: u64,
    pub(crate) started_unix_ms: u64,
    /// 0 before it is known.
    pub(crate) pid: u32,
    /// From `/proc/PID/stat`.
    pub(crate) start_time: u64,
    pub(crate) endpoint: Option<String>,
    pub(crate) restarts: u64,
    /// The cores its threads are bound to; none if they are not bound.
    #[serde(default)]
    pub(crate) pin: Vec<u32>,
}

/// A worker's incarnation is not the one that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Whether a process that was started for one can go on as the other.
pub(crate) fn fits(a: &WantedWorker, b: &WantedWorker) -> bool {
    // Not the models: those are switched while it runs. One that was given away and back is another: what was started for the
    // assignment before does not count for anybody any more.
    a.plan == b.plan && a.binary == b.binary && a.tasks == b.tasks && since(a) == since(b)
}

/// The epoch of the assignment that gave a worker to this supervisor.
pub(crate) fn since(wanted: &WantedWorker) -> u64 {
    wanted.orders.workers.iter().find(|w| w.index == wanted.worker).map_or(0, |w| w.since)
}

/// The artefacts of the versions of models that a worker is to have.
pub(crate) fn artefacts(wanted: &WantedWorker) -> impl Iterator<Item = &str> {
    let orders = wanted.orders.instructions.models.values();
    orders.flat_map(|m| std::iter::once(&m.current).chain(&m.next)).map(|v| v.artefact.as_str())
}

impl Kept {
    /// One that is not started yet.
    pub(crate) fn new(wanted: Arc<WantedWorker>, incarnation: u64) -> Self {
        Kept { wanted, incarnation, started_unix_ms: 0, pid: 0, start_time: 0, endpoint: None, restarts: 0, pin: Vec::new() }
    }
}

impl Run {
    pub(crate) fn new(kept: Kept) -> Self {
        let phase = if kept.endpoint.is_some() { Phase::Running } else { Phase::Starting };
        Run {
            kept,
            phase,
            reports: 0,
            latest: None,
            unsent: false,
            errors: Vec::new(),
            samples: Vec::new(),
            heard: Arc::default(),
        }
    }
}

impl Entry {
    fn new(want: Want) -> Self {
        Entry {
            want: watch::Sender::new(want),
            run: None,
            orders: None,
            held: false,
            restarts: 0,
            last_exit: None,
            problem: None,
            died: Vec::new(),
            pin: Vec::new(),
        }
    }

    /// The process, if it is (to be) what is wanted now.
    fn fitting(&self) -> Option<&Run> {
        let want = self.want.borrow();
        self.run.as_ref().filter(|r| want.as_ref().is_some_and(|w| fits(&r.kept.wanted, w)))
    }
}

/// Keeps the newest texts of errors of those that died, which nimbus may not hear of for long: a heartbeat must not grow without bound. All
/// errors are counted by the numbers of their tasks.
fn let_texts_go(died: &mut [LastReport]) {
    let mut room = MOST_ERRORS;
    for LastReport { report, .. } in died.iter_mut().rev() {
        report.errors.drain(..report.errors.len().saturating_sub(room));
        room -= report.errors.len();
    }
    let newest_first = died.iter_mut().rev().flat_map(|d| d.report.errors.iter_mut().rev());
    let_stacks_go(newest_first.map(|e| &mut e.stack), MOST_STACKS);
}

impl Default for Roster {
    fn default() -> Self {
        // Revisions go on from the clock, so that workers notice that the supervisor is another.
        let revision = unix_time().as_micros() as u64;
        let (artefacts, usage) = (BTreeMap::new(), Default::default());
        Roster { entries: BTreeMap::new(), topologies: None, models: Vec::new(), usage, artefacts, revision }
    }
}

impl Roster {
    /// Takes over a worker that an earlier supervisor started.
    pub(crate) fn adopt(&mut self, key: Key, kept: Kept) {
        let mut entry = Entry::new(Some(kept.wanted.clone()));
        entry.restarts = kept.restarts;
        entry.pin = kept.pin.clone();
        entry.held = true;
        entry.run = Some(Run::new(kept));
        self.entries.insert(key, entry);
    }

    /// Takes over what nimbus wants; the keys of workers that are new.
    pub(crate) fn want(&mut self, desired: Desired) -> Vec<Key> {
        let mut new = Vec::new();
        let mut wanted: BTreeMap<Key, Arc<WantedWorker>> =
            desired.workers.into_iter().map(|w| ((w.topology.clone(), w.worker), Arc::new(w))).collect();
        for (key, entry) in &mut self.entries {
            let want = wanted.remove(key);
            if let (Some(run), Some(want)) = (&mut entry.run, &want)
                && fits(&run.kept.wanted, want)
            {
                run.kept.wanted = want.clone();
            }
            entry.held = false;
            entry.want.send_if_modified(|before| {
                let other = *before != want;
                *before = want;
                other
            });
        }
        for (key, want) in wanted {
            self.entries.insert(key.clone(), Entry::new(Some(want)));
            new.push(key);
        }
        // What nobody names any more is forgotten, so that it is tried again when it is named again.
        let named = crate::artefacts::named(self);
        self.artefacts.retain(|a, _| named.contains(a));
        self.topologies = Some(desired.topologies);
        self.refresh();
        new
    }

    /// Nothing is wanted any more.
    pub(crate) fn want_nothing(&mut self) {
        self.entries.values_mut().for_each(|e| drop(e.want.send_replace(None)));
        self.refresh();
    }

    /// Works out anew what every worker is told; true if that changed for any.
    pub(crate) fn refresh(&mut self) -> bool {
        let mut changed = false;
        let keys: Vec<Key> = self.entries.keys().cloned().collect();
        for key in keys {
            let Some(mut orders) = self.orders_for(&key) else { continue };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            orders.revision = entry.orders.as_ref().map_or(0, |o| o.revision);
            if entry.orders.as_ref() != Some(&orders) {
                self.revision += 1;
                orders.revision = self.revision;
                entry.orders = Some(orders);
                changed = true;
            }
        }
        changed
    }

    fn orders_for(&self, key: &Key) -> Option<Orders> {
        let entry = self.entries.get(key).filter(|e| !e.held)?;
        let run = entry.run.as_ref()?;
        let mut orders = run.kept.wanted.orders.clone();
        if entry.fitting().is_none() {
            orders.state = RunState::Stopping;
        }
        for version in orders.instructions.models.values_mut().flat_map(|m| std::iter::once(&mut m.current).chain(&mut m.next))
        {
            match self.artefacts.get(&version.artefact) {
                Some(Ok(path)) => version.path = Some(path.clone()),
                Some(Err(problem)) => version.problem = Some(problem.clone()),
                None => {}
            }
        }
        // Of its own workers a supervisor knows sooner than nimbus where they are.
        for peer in &mut orders.workers {
            if let Some(local) = self.entries.get(&(key.0.clone(), peer.index)).filter(|e| e.want.borrow().is_some()) {
                // One that was taken over may be from before the assignment that these orders are of.
                let counts = |r: &&Run| r.kept.incarnation >= incarnation(peer.since, 0);
                // Where an earlier supervisor did not come to write down where it listens, nimbus may know.
                let (told, of) = (peer.endpoint.take(), peer.incarnation);
                let endpoint = |r: &Run| r.kept.endpoint.clone().or(told.filter(|_| of == r.kept.incarnation));
                let up = local.fitting().filter(counts).and_then(|r| Some((endpoint(r)?, r.kept.incarnation)));
                (peer.endpoint, peer.incarnation) =
                    up.map_or((None, 0), |(endpoint, incarnation)| (Some(endpoint), incarnation));
            }
        }
        Some(orders)
    }

    /// Deals so many of these cores out to a worker that is about to start.
    pub(crate) fn deal_cores(&mut self, key: &Key, usable: &[u32], wanted: u32) -> Vec<u32> {
        let others = self.entries.iter().filter(|(other, _)| *other != key).map(|(_, e)| e.pin.as_slice());
        let dealt = cores::deal(usable, others, wanted);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.pin.clone_from(&dealt);
        }
        dealt
    }

    fn run(&mut self, key: &Key, incarnation: u64) -> Result<&mut Run, Gone> {
        let run = self.entries.get_mut(key).and_then(|e| e.run.as_mut());
        let run = run.filter(|r| r.kept.incarnation == incarnation).ok_or(Gone)?;
        run.heard.store(true, Ordering::Relaxed);
        Ok(run)
    }

    /// Whether an incarnation said or asked anything since this was asked last.
    pub(crate) fn was_heard(&self, key: &Key, incarnation: u64) -> bool {
        let run = self.entries.get(key).and_then(|e| e.run.as_ref()).filter(|r| r.kept.incarnation == incarnation);
        run.is_some_and(|r| r.heard.swap(false, Ordering::Relaxed))
    }

    /// A process is about to be started for a worker.
    pub(crate) fn starts(&mut self, key: &Key, mut kept: Kept) {
        if let Some(entry) = self.entries.get_mut(key) {
            kept.restarts = entry.restarts;
            entry.run = Some(Run::new(kept));
            entry.problem = None;
        }
        self.refresh();
    }

    /// It was started.
    pub(crate) fn started(&mut self, key: &Key, pid: u32, start_time: u64) {
        if let Some(run) = self.entries.get_mut(key).and_then(|e| e.run.as_mut()) {
            (run.kept.pid, run.kept.start_time) = (pid, start_time);
        }
    }

    /// Removes a worker that is not wanted; false if it is wanted again.
    pub(crate) fn let_go(&mut self, key: &Key) -> bool {
        let unwanted = self.entries.get(key).is_none_or(|e| e.want.borrow().is_none());
        if unwanted {
            self.entries.remove(key);
            self.refresh();
        }
        unwanted
    }

    /// A worker is up.
    pub(crate) fn hello(&mut self, key: &Key, hello: Hello) -> Result<(), Gone> {
        let run = self.run(key, hello.incarnation)?;
        run.kept.endpoint = Some(hello.endpoint);
        if run.kept.pid == 0 {
            // It is quicker with its hello than its start is with the number.
            run.kept.pid = hello.pid;
        }
        self.refresh();
        Ok(())
    }

    /// A worker says how it is; whether nimbus must hear of it at once.
    pub(crate) fn report(&mut self, key: &Key, mut report: Report) -> Result<bool, Gone> {
        let run = self.run(key, report.incarnation)?;
        let urgent = report.urgent || run.phase != report.phase;
        run.phase = report.phase;
        run.errors.append(&mut report.errors);
        let too_many = run.errors.len().saturating_sub(MOST_ERRORS);
        run.errors.drain(..too_many);
        let_stacks_go(run.errors.iter_mut().rev().map(|e| &mut e.stack), MOST_STACKS);
        run.samples.append(&mut report.samples);
        let too_many = run.samples.len().saturating_sub(MOST_SAMPLES);
        run.samples.drain(..too_many);
        // Goes on growing when the next supervisor counts.
        run.reports = (run.reports + 1).max(unix_time().as_millis() as u64);
        run.latest = Some(report);
        run.unsent = true;
        Ok(urgent)
    }

    /// What a worker is told now; none while that is not known.
    pub(crate) fn orders(&self, key: &Key, incarnation: u64) -> Result<Option<&Orders>, Gone> {
        let entry = self.entries.get(key).ok_or(Gone)?;
        let run = entry.run.as_ref().filter(|r| r.kept.incarnation == incarnation).ok_or(Gone)?;
        run.heard.store(true, Ordering::Relaxed);
        Ok(entry.orders.as_ref())
    }

    /// A worker's process has ended; how, if that is worth telling.
    pub(crate) fn ended(&mut self, key: &Key, exit: Option<Exit>) {
        if let Some(entry) = self.entries.get_mut(key) {
            if let Some(run) = entry.run.take()
                && let Some(report) = run.latest
            {
                let report = Report { errors: run.errors, ..report };
                entry.died.push(LastReport { plan: run.kept.wanted.plan.clone(), report });
                let_texts_go(&mut entry.died);
            }
            entry.last_exit = exit.or(entry.last_exit.take());
            entry.orders = None;
            // Its successor has been told nothing that it could go on with.
            entry.held = false;
        }
        self.refresh();
    }

    /// How all workers are, for nimbus.
    pub(crate) fn statuses(&self) -> Vec<WorkerStatus> {
        let status = |((topology, worker), e): (&Key, &Entry)| {
            let want = e.want.borrow().clone();
            let base = WorkerStatus {
                topology: topology.clone(),
                worker: *worker,
                restarts: e.restarts,
                last_exit: e.last_exit.clone(),
                problem: e.problem.clone(),
                died: e.died.clone(),
                stopping: want.is_none(),
                ..WorkerStatus::default()
            };
            let Some(run) = &e.run else {
                let (plan, tasks) = want.map(|w| (w.plan.clone(), w.tasks.clone())).unwrap_or_default();
                return WorkerStatus { plan, tasks, ..base };
            };
            let report = run.latest.as_ref().filter(|_| run.unsent);
            WorkerStatus {
                plan: run.kept.wanted.plan.clone(),
                tasks: run.kept.wanted.tasks.clone(),
                incarnation: run.kept.incarnation,
                started_unix_ms: run.kept.started_unix_ms,
                pid: Some(run.kept.pid).filter(|pid| *pid > 0),
                usage: self.usage.1.get(&run.kept.pid).copied().unwrap_or_default(),
                endpoint: run.kept.endpoint.clone(),
                phase: Some(run.phase),
                stopping: e.fitting().is_none(),
                reports: run.reports,
                report: report.map(|r| Report { errors: run.errors.clone(), samples: run.samples.clone(), ..r.clone() }),
                ..base
            }
        };
        self.entries.iter().map(status).collect()
    }

    /// Nimbus has got these.
    pub(crate) fn sent(&mut self, statuses: &[WorkerStatus]) {
        for status in statuses {
            let Some(entry) = self.entries.get_mut(&(status.topology.clone(), status.worker)) else { continue };
            entry.died.drain(..status.died.len().min(entry.died.len()));
            if let (Some(run), Some(report)) = (&mut entry.run, &status.report)
                && run.kept.incarnation == status.incarnation
            {
                run.errors.drain(..report.errors.len().min(run.errors.len()));
                run.samples.drain(..report.samples.len().min(run.samples.len()));
                run.unsent = run.reports != status.reports;
            }
        }
    }

    /// Nimbus wants the newest report of every worker again.
    pub(crate) fn send_all(&mut self) {
        self.entries.values_mut().filter_map(|e| e.run.as_mut()).for_each(|r| r.unsent = r.latest.is_some());
    }

    /// Whether a blob is needed by what runs or is to run.
    pub(crate) fn needs(&self, hash: &str) -> bool {
        let names = |w: &WantedWorker| {
            w.plan == hash
                || w.binary.as_deref() == Some(hash)
                || w.models.values().any(|m| m == hash)
                || artefacts(w).any(|m| m == hash)
        };
        self.entries.values().any(|e| {
            e.want.borrow().as_ref().is_some_and(|w| names(w)) || e.run.as_ref().is_some_and(|r| names(&r.kept.wanted))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::control::{Peer, TaskReport};

    fn wanted(worker: u32, state: RunState, tasks: &[u32]) -> WantedWorker {
        let peer =
            |index| Peer { index, tasks: vec![index], since: 0, endpoint: Some(format!("stale:{index}")), incarnation: 1 };
        WantedWorker {
            topology: "t".into(),
            worker,
            slot: worker,
            plan: "p".into(),
            binary: None,
            models: BTreeMap::new(),
            tasks: tasks.to_vec(),
            orders: Orders {
                revision: 0,
                epoch: 1,
                state,
                workers: (0..3).map(peer).collect(),
                instructions: Default::default(),
            },
        }
    }

    fn desired(workers: &[WantedWorker]) -> Desired {
        Desired { revision: 1, workers: workers.to_vec(), topologies: vec!["t".into()] }
    }

    fn kept(w: WantedWorker, incarnation: u64, endpoint: Option<&str>) -> Kept {
        let endpoint = endpoint.map(str::to_owned);
        Kept { pid: 1, endpoint, ..Kept::new(Arc::new(w), incarnation) }
    }

    fn key(worker: u32) -> Key {
        ("t".to_owned(), worker)
    }

    fn running(workers: &[u32]) -> Roster {
        let mut r = Roster::default();
        let all: Vec<WantedWorker> = workers.iter().map(|w| wanted(*w, RunState::Active, &[*w])).collect();
        assert_eq!(r.want(desired(&all)).len(), workers.len());
        for w in all {
            let entry = r.entries.get_mut(&key(w.worker)).unwrap();
            entry.run = Some(Run::new(kept(w, 7, None)));
        }
        r.refresh();
        r
    }

    #[test]
    fn workers_hear_of_their_neighbours_from_the_supervisor_and_of_others_from_nimbus() {
        let mut r = running(&[0, 1]);
        let before = r.orders(&key(0), 7).unwrap().unwrap().clone();
        assert_eq!(before.workers[1].endpoint, None, "what nimbus knew of it is stale");
        r.hello(&key(1), Hello { incarnation: 7, pid: 2, endpoint: "tcp://new".into() }).unwrap();
        let after = r.orders(&key(0), 7).unwrap().unwrap();
        assert!(after.revision > before.revision);
        assert_eq!(after.workers[1].endpoint.as_deref(), Some("tcp://new"));
        assert_eq!(after.workers[1].incarnation, 7);
        assert_eq!(after.workers[2].endpoint.as_deref(), Some("stale:2"), "that one is on another machine");
        assert!(!r.refresh(), "and nothing more to say");
    }

    /// Two workers were taken over, one as nimbus wanted it later: then that was moved away and back.
    #[test]
    fn a_neighbour_from_before_its_assignment_is_not_named() {
        let mut r = running(&[0, 1]);
        r.hello(&key(1), Hello { incarnation: 7, pid: 2, endpoint: "tcp://old".into() }).unwrap();
        assert_eq!(r.orders(&key(0), 7).unwrap().unwrap().workers[1].incarnation, 7);
        let run = r.entries.get_mut(&key(0)).unwrap().run.as_mut().unwrap();
        Arc::make_mut(&mut run.kept.wanted).orders.workers[1].since = 2;
        r.refresh();
        let told = &r.orders(&key(0), 7).unwrap().unwrap().workers[1];
        assert_eq!((told.endpoint.as_deref(), told.incarnation), (None, 0));
    }

    #[test]
    fn an_incarnation_that_is_not_wanted_is_gone() {
        let mut r = running(&[0]);
        assert_eq!(r.orders(&key(0), 6).unwrap_err(), Gone);
        assert_eq!(r.report(&key(0), Report { incarnation: 8, ..Report::default() }), Err(Gone));
        assert_eq!(r.report(&key(1), Report { incarnation: 7, ..Report::default() }), Err(Gone));
    }

    #[test]
    fn what_no_longer_fits_is_told_to_stop() {
        let mut r = running(&[0, 1]);
        r.want(desired(&[wanted(0, RunState::Active, &[0, 5])]));
        for w in [0, 1] {
            assert_eq!(r.orders(&key(w), 7).unwrap().unwrap().state, RunState::Stopping, "worker {w}");
        }
        assert!(r.statuses().iter().all(|s| s.stopping));
    }

    #[test]
    fn a_worker_that_was_given_away_and_back_is_another() {
        let mut r = running(&[0, 1]);
        let again = |worker, since| {
            let mut w = wanted(worker, RunState::Active, &[worker]);
            w.orders.epoch = 3;
            w.orders.workers[0].since = since;
            w
        };
        assert!(r.want(desired(&[again(0, 3), again(1, 3)])).is_empty());
        assert_eq!(r.orders(&key(0), 7).unwrap().unwrap().state, RunState::Stopping);
        let other = r.orders(&key(1), 7).unwrap().unwrap();
        assert_eq!((other.state, other.workers[0].incarnation), (RunState::Active, 0), "nobody is told of the old one");
    }

    #[test]
    fn an_adopted_worker_is_told_nothing_until_nimbus_speaks() {
        let mut r = Roster::default();
        r.adopt(key(0), kept(wanted(0, RunState::Active, &[0]), 7, Some("tcp://old")));
        r.refresh();
        assert_eq!(r.orders(&key(0), 7).unwrap(), None);
        assert!(r.want(desired(&[wanted(0, RunState::Inactive, &[0])])).is_empty());
        let orders = r.orders(&key(0), 7).unwrap().unwrap();
        assert_eq!((orders.state, orders.workers[0].endpoint.as_deref()), (RunState::Inactive, Some("tcp://old")));
    }

    /// Its supervisor was killed, or its disk was full, before where it listens was written down.
    #[test]
    fn a_neighbour_that_was_adopted_is_where_nimbus_knows_it_to_be() {
        let mut r = running(&[0]);
        r.adopt(key(1), kept(wanted(1, RunState::Active, &[1]), 1, None));
        r.want(desired(&[wanted(0, RunState::Active, &[0]), wanted(1, RunState::Active, &[1])]));
        let told = &r.orders(&key(0), 7).unwrap().unwrap().workers[1];
        assert_eq!((told.endpoint.as_deref(), told.incarnation), (Some("stale:1"), 1), "nimbus means this one");
        r.entries.get_mut(&key(1)).unwrap().run.as_mut().unwrap().kept.incarnation = 2;
        r.refresh();
        let told = &r.orders(&key(0), 7).unwrap().unwrap().workers[1];
        assert_eq!((told.endpoint.as_deref(), told.incarnation), (None, 0), "nimbus means one before");
    }

    #[test]
    fn reports_and_errors_are_sent_once_and_the_deads_too() {
        let mut r = running(&[0]);
        let stack = "s".repeat(MOST_STACKS / 2 + 1);
        let error = ErrorReport { component: "c".into(), task: 1, message: "m".into(), count: 1, panic: false, stack };
        let report = |phase| Report { incarnation: 7, phase, errors: vec![error.clone()], ..Report::default() };
        assert!(r.report(&key(0), report(Phase::Running)).unwrap(), "a new phase is urgent");
        assert!(!r.report(&key(0), report(Phase::Running)).unwrap());
        let statuses = r.statuses();
        let errors = &statuses[0].report.as_ref().unwrap().errors;
        assert_eq!(errors.len(), 2, "none is lost between two heartbeats");
        assert_eq!(errors[1].stack.len(), MOST_STACKS / 2 + 1);
        assert!(errors[0].stack.len() < 1000, "but stacks are bounded");
        r.sent(&statuses);
        assert_eq!(r.statuses()[0].report, None);
        r.send_all();
        assert_eq!(r.statuses()[0].report.as_ref().unwrap().errors.len(), 0);

        r.ended(&key(0), Some(Exit { unix_ms: 0, incarnation: 7, how: "signal: 9".into(), output: String::new() }));
        let statuses = r.statuses();
        assert_eq!((statuses[0].died.len(), statuses[0].pid), (1, None));
        r.sent(&statuses);
        assert!(r.statuses()[0].died.is_empty());
    }

    #[test]
    fn of_many_that_died_unheard_of_the_newest_texts_are_told_and_all_numbers() {
        let mut r = running(&[0]);
        let error = |n| ErrorReport {
            component: "c".into(),
            task: 1,
            message: format!("{n}"),
            count: 1,
            panic: true,
            stack: format!("panicked at a.rs:1:2{}", "\n  at mine::call".repeat(400)),
        };
        for n in 0..50 {
            let tasks = vec![TaskReport { task: 1, errors: 3, ..TaskReport::default() }];
            let errors = (3 * n..3 * n + 3).map(error).collect();
            r.report(&key(0), Report { incarnation: 7, tasks, errors, ..Report::default() }).unwrap();
            r.ended(&key(0), None);
            r.entries.get_mut(&key(0)).unwrap().run = Some(Run::new(kept(wanted(0, RunState::Active, &[0]), 7, None)));
        }
        let died = &r.statuses()[0].died;
        assert_eq!(died.iter().map(|d| d.report.tasks[0].errors).sum::<u64>(), 150);
        let told: Vec<&ErrorReport> = died.iter().flat_map(|d| &d.report.errors).collect();
        assert_eq!((told.len(), told[0].message.as_str(), told[99].message.as_str()), (MOST_ERRORS, "50", "149"));
        assert!(told.iter().map(|e| e.stack.len()).sum::<usize>() <= MOST_STACKS + MOST_ERRORS * 256);
    }
}
