//! A nimbus without a network and a clock, for simulations, and for nobody else: states, leases, the scheduler and all that follows from
//! them are the real ones; stores are in memory, and live longer than a nimbus that is killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use squall_core::Plan;
use squall_core::control::{Desired, Heartbeat, Kill, Rebalance, Submit, TopologyState};

use crate::blobs::Blobs;
use crate::clock::HandSet;
use crate::cluster::World;
use crate::denied::Denied;
use crate::history::Book;
use crate::store::Embedded;

const BLOB_LIMIT: u64 = 1 << 20;
const BLOB_GRACE: Duration = Duration::from_secs(3600);

/// Nimbus, and what it keeps.
pub struct Nimbus {
    world: World,
    store: Arc<Embedded>,
    book: Arc<Book>,
    folder: PathBuf,
    clock: Arc<HandSet>,
    lease: Duration,
}

/// Where the workers of a topology are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    pub epoch: u64,
    /// The plan's hash.
    pub plan: String,
    /// By index.
    pub workers: Vec<Place>,
}

/// Where a worker is, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub supervisor: String,
    pub slot: u32,
    pub tasks: Vec<u32>,
}

impl Nimbus {
    /// A new one, whose blobs are in this empty folder.
    pub fn new(folder: &Path, lease: Duration) -> Self {
        let (store, book) = (Arc::new(Embedded::in_memory()), Arc::new(Book::in_memory()));
        let clock = Arc::new(HandSet::default());
        let world = open(&store, &book, folder, &clock, lease);
        Nimbus { world, store, book, folder: folder.to_owned(), clock, lease }
    }

    /// It is killed, and started again.
    pub fn restart(&mut self) {
        self.world = open(&self.store, &self.book, &self.folder, &self.clock, self.lease);
    }

    /// What time it is from now on, since the beginning.
    pub fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    /// It did not run for a while.
    pub fn held_up(&mut self) {
        self.world.held_up();
    }

    /// Does what is due.
    pub fn due(&mut self) {
        self.world.due().expect("memory does not fail");
    }

    /// A heartbeat came in; whether everything is to be sent again.
    pub fn heartbeat(&mut self, supervisor: &str, heartbeat: Heartbeat) -> bool {
        self.world.heartbeat(supervisor, heartbeat).expect("memory does not fail").send_all
    }

    /// What a supervisor is to run, if that is another revision than `after`; or an error if it must send a heartbeat first.
    pub fn desired(&self, supervisor: &str, after: Option<u64>) -> Result<Option<Desired>, String> {
        let desired = self.world.desired(supervisor).map_err(said)?;
        Ok((Some(desired.revision) != after).then(|| desired.clone()))
    }

    /// Submits a topology; its id.
    pub fn submit(&mut self, plan: Plan) -> Result<String, String> {
        self.world.submit(Submit { plan, inactive: false }).map(|a| a.id).map_err(said)
    }

    pub fn rebalance(&mut self, topology: &str, change: Rebalance) -> Result<(), String> {
        self.world.rebalance(topology, change).map(drop).map_err(said)
    }

    pub fn restart_worker(&mut self, topology: &str, worker: u32) -> Result<(), String> {
        self.world.restart(topology, worker).map(drop).map_err(said)
    }

    pub fn activate(&mut self, topology: &str) -> Result<(), String> {
        self.world.activate(topology).map(drop).map_err(said)
    }

    pub fn deactivate(&mut self, topology: &str) -> Result<(), String> {
        self.world.deactivate(topology).map(drop).map_err(said)
    }

    pub fn kill(&mut self, topology: &str, wait: Duration) -> Result<(), String> {
        self.world.kill(topology, Kill { wait_ms: Some(wait.as_millis() as u64) }).map(drop).map_err(said)
    }

    /// The plan of this hash.
    pub fn plan(&self, hash: &str) -> Plan {
        let blobs = Blobs::open(self.folder.clone(), BLOB_LIMIT).expect("the folder can be used");
        serde_json::from_slice(&blobs.read(hash).expect("the plan is kept")).expect("a plan")
    }

    /// Where a topology's workers are; none if it is gone.
    pub fn assignment(&self, topology: &str) -> Option<Assignment> {
        let record = self.world.record(topology).ok()?;
        let places = record.workers.iter().map(|w| Place {
            supervisor: w.seat.supervisor.clone(),
            slot: w.seat.slot,
            tasks: w.tasks.clone(),
        });
        Some(Assignment { epoch: record.epoch, plan: record.plan.clone(), workers: places.collect() })
    }

    /// State of a topology, whether all its spouts are done, and why it is not wholly running; none if it is gone.
    pub fn state(&self, topology: &str) -> Option<(TopologyState, bool, Option<String>)> {
        let found = self.world.summaries().into_iter().find(|t| t.id == topology)?;
        Some((found.state, found.finished, found.waiting))
    }
}

fn open(store: &Arc<Embedded>, book: &Arc<Book>, folder: &Path, clock: &Arc<HandSet>, lease: Duration) -> World {
    let blobs = Arc::new(Blobs::open(folder.to_owned(), BLOB_LIMIT).expect("the folder can be used"));
    World::open(store.clone(), book.clone(), blobs, clock.clone(), (lease, BLOB_GRACE)).expect("the store can be read")
}

fn said(denied: Denied) -> String {
    denied.problem.error
}
