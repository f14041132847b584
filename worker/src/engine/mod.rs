//! The engine: runs the tasks of one worker. It knows tasks, batches, gates and trees; of other workers only that
//! something ([`Links`]) takes what is for them.

mod blocks;
mod body;
mod bolt;
mod build;
mod dead_letters;
mod emission;
mod faults;
mod gate;
mod inbound;
mod ledger;
mod outcomes;
pub(crate) mod panics;
mod pool;
mod report;
mod routes;
mod scheduler;
mod slot;
mod spout;
mod streams;
mod taps;
mod task;
mod threads;
mod trees;
mod waits;
mod worker_bits;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use squall_core::control::{ErrorReport, TaskReport};
use squall_core::wire::{Delta, Verdict};
use squall_core::{Columns, ComponentKind, Edge, Error, Lineage, Plan, Root, Source};

pub(crate) use build::{Surroundings, build};
use faults::Faults;
use gate::Gate;
use pool::Pool;
use scheduler::{Alarm, Runner, Scheduler};
use taps::Taps;
use task::Task;
use waits::Waits;
use worker_bits::WorkerBits;

use crate::sync::lock;

/// Takes what is for other workers; implemented by the links, and by nothing in a worker that is alone. What is given may
/// wait for more until [`Links::go`].
pub(crate) trait Links: Send + Sync {
    /// Rows for tasks of that worker.
    fn send(&self, worker: u32, stream: u32, source: u32, columns: &Columns, receivers: &[(u32, &Lineage)]);
    /// Deltas for a ledger of that worker.
    fn deltas(&self, worker: u32, deltas: &[Delta]);
    /// That start of a worker may send so much more to a task here.
    fn credit(&self, to: (u32, u64), task: u32, tuples: u64, bytes: u64);
    /// Why a tree of a ledger of that worker is about to fail; before the delta that says so.
    fn reason(&self, worker: u32, root: Root, text: String);
    /// What was given before goes now.
    fn go(&self);
}

/// No task is at this worker.
const NOWHERE: u32 = u32::MAX;

/// What all tasks of the worker share.
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) scheduler: Scheduler,
    pool: Pool,
    faults: Faults,
    pub(crate) taps: Taps,
    waits: Waits,
    links: Arc<dyn Links>,
    /// By task id: the tasks that run here.
    tasks: OnceLock<Vec<Option<Arc<Task>>>>,
    /// By task id: the worker it runs in, the bit of that worker's incarnation, and the gate to it from here.
    places: Vec<AtomicU32>,
    bits: Vec<AtomicU64>,
    /// The incarnation of each other worker that was up last.
    last_up: Mutex<BTreeMap<u32, u64>>,
    worker_bits: WorkerBits,
    gates: Vec<Option<Gate>>,
    /// By stream number: the emitting component and its stream.
    sources: Vec<Source>,
    active: AtomicBool,
    started: Instant,
    pub(crate) acking: bool,
    pub(crate) max_pending: usize,
    pub(crate) message_timeout: Duration,
    /// Tuples and bytes that may be on their way to one task from one worker.
    pub(crate) window: (u32, u64),
}

impl Shared {
    #[inline]
    pub(crate) fn local(&self, task: u32) -> Option<&Arc<Task>> {
        self.tasks.get()?.get(task as usize)?.as_ref()
    }

    fn spouts(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.all().filter(|t| self.plan.components[t.component].kind == ComponentKind::Spout)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.get().into_iter().flatten().flatten()
    }

    pub(crate) fn worker_of(&self, task: u32) -> u32 {
        self.places.get(task as usize).map_or(NOWHERE, |p| p.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn bit(&self, task: u32) -> u64 {
        self.bits.get(task as usize).map_or(0, |b| b.load(Ordering::Relaxed))
    }

    /// The gate before a task, here or elsewhere; none for a task that the plan does not have.
    pub(crate) fn gate(&self, task: u32) -> Option<&Gate> {
        self.local(task).map(|t| &t.gate).or_else(|| self.gates.get(task as usize)?.as_ref())
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst)
    }

    /// Lets tasks go that waited for a gate.
    pub(crate) fn let_go(&self, waiters: Vec<u32>) {
        waiters.into_iter().filter_map(|t| self.local(t)).for_each(|t| t.unblock(&self.scheduler));
    }

    pub(crate) fn send(&self, worker: u32, stream: u32, source: u32, columns: &Columns, receivers: &[(u32, &Lineage)]) {
        self.links.send(worker, stream, source, columns, receivers);
    }

    /// What is for other workers and waits for more goes now.
    pub(crate) fn go(&self) {
        self.links.go();
    }

    pub(crate) fn credit(&self, to: (u32, u64), task: u32, tuples: u64, bytes: u64) {
        self.links.credit(to, task, tuples, bytes);
    }

    /// Hands deltas and what is done to the ledgers they are for, and empties the vectors.
    pub(crate) fn tell_ledgers(&self, deltas: &mut Vec<Delta>, done: &mut Vec<Lineage>) {
        done.retain_mut(|lineage| {
            let stays = self.spout_of(lineage).is_some();
            if !stays {
                deltas.extend(ledger::deltas(lineage, Verdict::Going));
                self.pool.give_lineage(std::mem::take(lineage));
            }
            stays
        });
        // Nearly always all are for one spout; else each run of neighbours is handed over by itself, in order.
        for run in deltas.chunk_by(|a, b| a.root.task == b.root.task) {
            let spout = run[0].root.task;
            match self.local(spout) {
                Some(task) => self.tell_local(task, run),
                None => self.links.deltas(self.worker_of(spout), run),
            }
        }
        deltas.clear();
        for lineage in done.drain(..) {
            if let Some(task) = self.spout_of(&lineage) {
                lock(&task.ledger_mail).done.push(lineage);
                task.wake(&self.scheduler);
            }
        }
    }

    /// The spout all of whose trees these are, if it runs here.
    fn spout_of(&self, lineage: &Lineage) -> Option<&Arc<Task>> {
        let (runs, edges) = (lineage.runs(), lineage.edges());
        let first = runs.first().map(|r| r.root.task).or_else(|| edges.first().map(|e| e.root.task))?;
        let of_one = runs.iter().all(|r| r.root.task == first) && edges.iter().all(|e| e.root.task == first);
        self.local(first).filter(|_| of_one)
    }

    /// Tells ledgers why trees are about to fail, where dead letters are wanted; without an error it is not their tuples' fault.
    pub(crate) fn tell_why(&self, task: &Task, edges: &[Edge], error: Option<&Error>) {
        if self.plan.settings.max_failures.is_none() {
            return;
        }
        let component = &self.plan.components[task.component].id;
        for edge in edges {
            let (root, text) = (edge.root, error.map_or_else(String::new, |e| dead_letters::reason(component, e)));
            match self.local(root.task) {
                Some(spout) => lock(&spout.reasons).push((root, text)),
                None => self.links.reason(self.worker_of(root.task), root, text),
            }
        }
    }

    fn tell_local(&self, task: &Arc<Task>, deltas: &[Delta]) {
        lock(&task.ledger_mail).deltas.extend_from_slice(deltas);
        task.wake(&self.scheduler);
    }

    pub(crate) fn give_lineage(&self, lineage: Lineage) {
        self.pool.give_lineage(lineage);
    }

    pub(crate) fn recycle(&self, columns: Arc<Columns>) {
        if let Some(columns) = Arc::into_inner(columns) {
            self.pool.give_back(columns);
        }
    }

    pub(crate) fn error(&self, task: &Task, error: &Error) {
        task.stats.errors.fetch_add(1, Ordering::Relaxed);
        self.faults.note(&self.plan.components[task.component].id, task.id, error, None);
    }

    pub(crate) fn panicked(&self, task: &Task, payload: &(dyn std::any::Any + Send)) -> Error {
        let error = panics::error(payload);
        let panic = panics::take().unwrap_or_default();
        if !panic.calls.is_empty() {
            self.faults.traced(task.component);
        }
        task.stats.errors.fetch_add(1, Ordering::Relaxed);
        self.faults.note(&self.plan.components[task.component].id, task.id, &error, Some(&panic));
        error
    }
}

impl Runner for Arc<Shared> {
    fn turn(&self, task: &Arc<Task>) -> bool {
        panics::enter(self.faults.wanted_ns(task.component));
        let more = lock(&task.body).turn(task, self);
        panics::leave();
        more
    }

    fn pause(&self) {
        self.go();
    }

    fn alarm(&self, task: u32, alarm: Alarm) {
        let Some(task) = self.local(task) else { return };
        if alarm == Alarm::Tick {
            task.tick_due.store(true, Ordering::SeqCst);
        }
        task.wake(&self.scheduler);
    }
}

/// The running engine.
pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Has spouts emit, or pause.
    pub(crate) fn set_active(&self, active: bool) {
        if self.shared.active.swap(active, Ordering::SeqCst) != active {
            self.shared.spouts().for_each(|t| t.wake(&self.shared.scheduler));
        }
    }

    /// Has its tasks let go of what they share, so that all of it is freed. A process ends with its engine; a simulation has many.
    pub(crate) fn dissolve(&self) {
        let hollow = Arc::new(build::hollow(&self.shared));
        self.shared.all().for_each(|task| lock(&task.body).out.shared = hollow.clone());
    }

    /// What spouts wait for, for simulations that fail: (task, id, XOR, workers).
    pub(crate) fn trees(&self) -> Vec<(u32, u64, u64, u64)> {
        use body::Role;
        let of = |t: &Arc<Task>| match &lock(&t.body).role {
            Role::Spout(spout) => spout.ledger.trees().into_iter().map(|(id, x, w)| (t.id, id, x, w)).collect(),
            Role::Bolt(_) => Vec::new(),
        };
        self.shared.spouts().flat_map(of).collect()
    }

    /// No task has anything to do and no tree is under way.
    pub(crate) fn is_drained(&self) -> bool {
        self.shared.all().all(|t| t.is_idle() && t.stats.pending.load(Ordering::Relaxed) == 0)
    }

    /// Every spout here said it will never emit again, and none of its trees is under way.
    pub(crate) fn is_finished(&self) -> bool {
        let over = |t: &Arc<Task>| t.stats.ended.load(Ordering::Relaxed) && t.stats.pending.load(Ordering::Relaxed) == 0;
        self.shared.spouts().all(over)
    }

    pub(crate) fn has_spouts(&self) -> bool {
        self.shared.spouts().next().is_some()
    }

    /// Every spout here said it will never emit again; their last trees may still be under way.
    pub(crate) fn is_finishing(&self) -> bool {
        self.has_spouts() && self.shared.spouts().all(|t| t.stats.ended.load(Ordering::Relaxed))
    }

    /// Stops, and gives the last numbers, those of the components' closing included.
    pub(crate) fn stop_and_report(self, grace: Duration) -> (Vec<TaskReport>, Vec<ErrorReport>) {
        let shared = self.shared.clone();
        self.stop(grace);
        // First the texts: of each, the numbers tell.
        let errors = shared.faults.take();
        (shared.task_reports(), errors)
    }

    /// Stops in good order: spouts pause, what is in the mailboxes is finished if it does not take longer than `grace`,
    /// components are closed, those first that come first.
    pub(crate) fn stop(mut self, grace: Duration) {
        self.set_active(false);
        let until = Instant::now() + grace;
        while !self.shared.all().all(|t| t.is_idle()) && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        self.shared.scheduler.stop(self.shared.all().cloned());
        let mut stuck = 0;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < until + grace {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                stuck += 1;
            }
        }
        if stuck > 0 {
            log::warn!("{stuck} threads are still in a component's code; they are left behind");
        }
        for task in self.shared.all() {
            match task.body.try_lock() {
                Ok(mut body) => body.close(task, &self.shared),
                Err(_) => log::warn!("task {} is still running and is not closed in good order", task.id),
            }
        }
    }
}
