//! From a plan to a running engine: routes, gates, components.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

use squall_core::control::{Settled, Taken};
use squall_core::{ComponentKind, Context, Error, Metrics, Models, Next, Plan, Registry, Result, Schema, Source};

use super::body::{Body, Role};
use super::bolt::BoltRole;
use super::dead_letters::DeadLetters;
use super::emission::{Bundle, Emission, OutStream};
use super::gate::{Debts, Gate};
use super::ledger::Ledger;
use super::outcomes::Outcomes;
use super::pool::Pool;
use super::routes::Router;
use super::scheduler::{Parker, Scheduler};
use super::spout::SpoutRole;
use super::task::{LedgerMail, Task};
use super::worker_bits::WorkerBits;
use super::{Engine, Faults, Links, NOWHERE, Shared, Taps, Waits, panics, threads};

/// What an engine is built in.
pub(crate) struct Surroundings {
    /// This worker's index.
    pub(crate) worker: u32,
    /// Which start of it this is.
    pub(crate) incarnation: u64,
    /// When the engine's time begins; until then it stands still.
    pub(crate) began: Instant,
    /// The tasks it runs.
    pub(crate) tasks: BTreeSet<u32>,
    /// How many threads run them; in a test none, if it gives the turns itself.
    pub(crate) threads: u32,
    /// The cores they are bound to, each to one, in turn; none: to none.
    pub(crate) pin: Vec<u32>,
    pub(crate) models: BTreeMap<String, PathBuf>,
    /// The same, for those who take up new versions.
    pub(crate) live: Models,
    pub(crate) state_dir: PathBuf,
    pub(crate) links: Arc<dyn Links>,
    /// Tokio's runtime, entered by every thread, so that async sources can use its sockets and timers.
    pub(crate) runtime: Option<tokio::runtime::Handle>,
    /// Differs from start to start: edge ids and tree generations must.
    pub(crate) seed: u64,
}

/// Builds, prepares and starts. Spouts do not emit before [`Engine::set_active`].
pub(crate) fn build(plan: Arc<Plan>, registry: &Registry, around: Surroundings) -> Result<Engine> {
    panics::watch();
    let shared = Arc::new(shared(&plan, &around));
    let tasks_by_component: Arc<BTreeMap<String, Vec<u32>>> =
        Arc::new(plan.components.iter().enumerate().map(|(c, p)| (p.id.clone(), plan.tasks(c).collect())).collect());
    let models = Arc::new(around.models.clone());
    let mut tasks: Vec<Option<Arc<Task>>> = vec![None; plan.task_count() as usize + 1];
    let _entered = around.runtime.as_ref().map(|r| r.enter());
    for id in &around.tasks {
        let Some(component) = plan.component_of(*id) else {
            return Err(Error::internal(format!("task {id} is not in the plan, which has {}", plan.task_count())));
        };
        let planned = &plan.components[component];
        let metrics = Metrics::default();
        let ctx = Context {
            topology: plan.name.clone(),
            component: planned.id.clone(),
            task: *id,
            index: id - plan.tasks(component).start,
            parallelism: planned.parallelism,
            tasks: tasks_by_component.clone(),
            inputs: planned.inputs.clone(),
            outputs: planned.outputs.clone(),
            models: models.clone(),
            live: around.live.clone(),
            state_dir: around.state_dir.clone(),
            waker: Waker::from(Arc::new(TaskWaker { shared: Arc::downgrade(&shared), task: *id })),
            metrics: metrics.clone(),
        };
        let named = |e: Error| Error::user(format!("`{}` (type `{}`, task {id})", planned.id, planned.type_name)).because(e);
        let seed = around.seed ^ (u64::from(*id) << 40);
        let role = match planned.kind {
            ComponentKind::Bolt => {
                let bolt = ready(|| {
                    let mut bolt = registry.build_bolt(&planned.type_name, &planned.config, &ctx)?;
                    bolt.prepare(&ctx).map(|()| bolt)
                });
                let bolt = bolt.map_err(named)?;
                // Of a single stream, the counts are the task's.
                let several = if planned.inputs.len() > 1 { &planned.inputs[..] } else { &[] };
                let by_input = several.iter().map(|i| Taken::of(&i.from, &i.stream)).collect();
                Role::Bolt(BoltRole {
                    bolt,
                    debts: Debts::default(),
                    tick: planned.tick,
                    counts: (0, 0, 0),
                    by_input,
                    slow: true,
                })
            }
            ComponentKind::Spout => {
                let spout = ready(|| {
                    let mut spout = registry.build_spout(&planned.type_name, &planned.config, &ctx)?;
                    spout.open(&ctx).map(|()| spout)
                });
                let spout = spout.map_err(named)?;
                let mut ledger = Ledger::new(*id, seed as u32 ^ (seed >> 32) as u32);
                ledger.welcome(around.worker, shared.worker_bits.of(around.worker, around.incarnation));
                Role::Spout(Box::new(SpoutRole {
                    spout,
                    ledger,
                    mail: LedgerMail::default(),
                    outcomes: Outcomes::default(),
                    dead_letters: DeadLetters::new(&plan, &ctx),
                    active: false,
                    said: Next::More,
                    asleep_until: None,
                    expiry: None,
                    counts: (0, 0),
                    quick: false,
                }))
            }
        };
        let (streams, bundles) = routes(&plan, &shared, component, *id, &around);
        let body =
            Body { role, out: Emission::new(shared.clone(), *id, streams, bundles, seed), blocked_since: None, closed: false };
        let gate = Gate::new(plan.settings.queue_tuples, plan.settings.queue_bytes);
        let own_thread = planned.blocking.then(Parker::default);
        let mut task = Task::new(*id, component, gate, body, metrics, own_thread);
        if planned.kind == ComponentKind::Spout {
            task.stats.others = Mutex::new(planned.outputs.iter().skip(1).map(|o| Settled::of(&o.name)).collect());
        }
        tasks[*id as usize] = Some(Arc::new(task));
    }
    if shared.tasks.set(tasks).is_err() {
        return Err(Error::internal("an engine is built once"));
    }
    threads::start(shared, around)
}

/// What a component's own code makes; of a panic in it there is more in [`panics::take`].
fn ready<T>(make: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::enter(0);
    let made = catch_unwind(AssertUnwindSafe(make));
    panics::leave();
    match made {
        Ok(made) => {
            drop(panics::take());
            made
        }
        Err(payload) => Err(panics::error(&*payload)),
    }
}

fn shared(plan: &Arc<Plan>, around: &Surroundings) -> Shared {
    let count = plan.task_count() as usize + 1;
    let settings = &plan.settings;
    let schemas = plan.streams().map(|(c, s)| Arc::new(plan.components[c].outputs[s].fields.clone())).collect();
    let sources = plan.streams().map(|(c, s)| source(plan, c, s, 0)).collect();
    let place = |task: usize| AtomicU32::new(if around.tasks.contains(&(task as u32)) { around.worker } else { NOWHERE });
    let gate = |task: usize| {
        (!around.tasks.contains(&(task as u32))).then(|| {
            let gate = Gate::new(settings.queue_tuples, settings.queue_bytes);
            gate.close();
            gate
        })
    };
    Shared {
        plan: plan.clone(),
        scheduler: Scheduler::new(),
        pool: Pool::new(schemas),
        faults: Faults::new(plan.components.len()),
        taps: Taps::default(),
        waits: Waits::new(plan.components.len()),
        links: around.links.clone(),
        tasks: OnceLock::new(),
        places: (0..count).map(place).collect(),
        worker_bits: WorkerBits::new(settings.workers),
        bits: (0..count).map(|_| AtomicU64::new(0)).collect(),
        last_up: Mutex::default(),
        gates: (0..count).map(gate).collect(),
        sources,
        active: AtomicBool::new(false),
        started: around.began,
        acking: settings.acking,
        max_pending: settings.max_spout_pending.max(1) as usize,
        message_timeout: settings.message_timeout,
        window: (settings.queue_tuples, settings.queue_bytes),
    }
}

/// One without tasks, in place of that of an engine which is dissolved.
pub(super) fn hollow(shared: &Shared) -> Shared {
    Shared {
        plan: shared.plan.clone(),
        scheduler: Scheduler::new(),
        pool: Pool::new(Vec::new()),
        faults: Faults::new(0),
        taps: Taps::default(),
        waits: Waits::new(0),
        links: shared.links.clone(),
        tasks: OnceLock::new(),
        places: Vec::new(),
        bits: Vec::new(),
        last_up: Mutex::default(),
        worker_bits: shared.worker_bits,
        gates: Vec::new(),
        sources: Vec::new(),
        active: AtomicBool::new(false),
        started: shared.started,
        acking: shared.acking,
        max_pending: shared.max_pending,
        message_timeout: shared.message_timeout,
        window: shared.window,
    }
}

fn source(plan: &Plan, component: usize, stream: usize, task: u32) -> Source {
    let planned = &plan.components[component];
    Source { component: planned.id.as_str().into(), stream: planned.outputs[stream].name.as_str().into(), task }
}

/// The output streams of a task, with a router for each subscription and the bundles that they lead to.
fn routes(plan: &Plan, shared: &Shared, component: usize, task: u32, around: &Surroundings) -> (Vec<OutStream>, Vec<Bundle>) {
    let planned = &plan.components[component];
    let mut streams = Vec::new();
    let mut bundles = Vec::new();
    for (s, output) in planned.outputs.iter().enumerate() {
        let mut routers = Vec::new();
        for (c, subscriber) in plan.components.iter().enumerate() {
            for input in subscriber.inputs.iter().filter(|i| i.from == planned.id && i.stream == output.name) {
                let tasks: Vec<u32> = plan.tasks(c).collect();
                let local: Vec<bool> = tasks.iter().map(|t| around.tasks.contains(t)).collect();
                let key = input.grouping.key().iter().filter_map(|f| output.fields.index(f)).collect();
                let first = bundles.len();
                for together in Router::bundles(&input.grouping, &tasks) {
                    let lineages = vec![squall_core::Lineage::default(); together.len()];
                    bundles.push(Bundle { stream: s, tasks: together, columns: None, lineages, dirty: false });
                }
                routers.push(Router::new(&input.grouping, key, first, tasks, &local, task as usize));
            }
        }
        let number = plan.streams().position(|at| at == (component, s)).unwrap_or_default() as u32;
        let schema = shared.pool.schema(number).cloned().unwrap_or_else(|| Arc::new(Schema::default()));
        streams.push(OutStream {
            name: output.name.clone(),
            number,
            direct: output.direct,
            schema,
            source: source(plan, component, s, task),
            routers,
            emitted: 0,
        });
    }
    (streams, bundles)
}

/// What [`Context::waker`] is: something came in from outside for a spout.
struct TaskWaker {
    shared: Weak<Shared>,
    task: u32,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(shared) = self.shared.upgrade() else { return };
        if let Some(task) = shared.local(self.task) {
            task.poked.store(true, Ordering::SeqCst);
            task.wake(&shared.scheduler);
        }
    }
}
