//! The threads of a running engine: those that run tasks, bound to cores where that is asked for, one each for tasks that block,
//! and one that looks after them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use squall_core::{Error, Result};

use super::build::Surroundings;
use super::scheduler::Alarm;
use super::{Engine, Shared};

/// How often threads are looked after, and after how many times memory that nobody uses is freed.
const WATCH: Duration = Duration::from_millis(100);
const WATCHES: u32 = 10;

/// What a thread does.
type Run = Box<dyn FnOnce(&Arc<Shared>) + Send>;

/// Starts them all, and the clock of ticks.
pub(super) fn start(shared: Arc<Shared>, around: Surroundings) -> Result<Engine> {
    // A simulation or a fuzzer has none: it gives tasks their turns itself.
    if around.threads == 0 {
        return Ok(Engine { shared, threads: Vec::new() });
    }
    let mut threads = Vec::new();
    let mut spawn = |name: String, run: Run| {
        let (shared, runtime) = (shared.clone(), around.runtime.clone());
        let body = move || {
            let _entered = runtime.as_ref().map(|r| r.enter());
            run(&shared);
        };
        let thread = std::thread::Builder::new().name(name).spawn(body);
        thread.map(|t| threads.push(t)).map_err(|e| Error::external("cannot start a thread").because(e))
    };
    for n in 0..around.threads {
        let core = around.pin.get(n as usize % around.pin.len().max(1)).copied();
        let work = move |shared: &Arc<Shared>| {
            core.into_iter().for_each(bind);
            shared.scheduler.work(shared);
        };
        spawn(format!("tasks-{n}"), Box::new(work))?;
    }
    for task in shared.all().filter(|t| t.own_thread.is_some()).cloned() {
        spawn(format!("task-{}", task.id), Box::new(move |shared| shared.scheduler.work_for(&task, shared)))?;
    }
    let runtime = around.runtime.clone();
    spawn("watch".to_owned(), Box::new(move |shared| watch(shared, runtime.as_ref())))?;
    for task in shared.all() {
        if let Some(tick) = shared.plan.components[task.component].tick {
            shared.scheduler.at(Instant::now() + tick, task.id, Alarm::Tick);
        }
    }
    Ok(Engine { shared, threads })
}

/// Binds this thread to a core. One that is not to be had now is no reason to do no work.
fn bind(core: u32) {
    let mut set = CpuSet::new();
    if (core as usize) < CpuSet::MAX_CPU {
        set.set(core as usize);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        log::warn!("cannot bind a thread to core {core}: {error}");
    }
}

/// Gives a thread that is stuck in a component's code a spare one in its place, so that the others get their turns; frees memory
/// that nobody uses.
fn watch(shared: &Arc<Shared>, runtime: Option<&tokio::runtime::Handle>) {
    let mut watches = 0u32;
    while !shared.scheduler.is_stopping() {
        std::thread::park_timeout(WATCH);
        watches = (watches + 1) % WATCHES;
        if watches == 0 {
            shared.pool.rest();
        }
        if !shared.scheduler.needs_spare() {
            continue;
        }
        log::info!(
            "a component blocks its thread; another thread takes over. `blocking` in its type would give it one of its own"
        );
        let (shared, runtime) = (shared.clone(), runtime.cloned());
        let spare = std::thread::Builder::new().name("tasks-spare".to_owned()).spawn(move || {
            let _entered = runtime.as_ref().map(|r| r.enter());
            shared.scheduler.work(&shared);
        });
        if let Err(error) = spare {
            log::warn!("cannot start a thread: {error}");
        }
    }
}
