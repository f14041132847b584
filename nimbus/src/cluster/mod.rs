//! The cluster as nimbus knows it: topologies and supervisors in memory, what must last in the store. Every change goes to
//! the store first, as one transaction, then to memory, then to those who wait for it.

mod assign;
mod commands;
mod debug;
mod desired;
mod errors;
mod heartbeat;
mod history;
mod instruct;
mod live;
mod models;
mod positions;
mod rates;
mod record;
mod restart;
mod statistics;
mod status;
#[cfg(test)]
mod tests;
mod wait;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_core::control::{Desired, Heartbeat};
use squall_core::{Error, Plan, Result};

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::denied::{Denied, Kind};
use crate::history::Book;
use crate::store::{Change, Expect, StateStore};
use record::{COUNTER, Record, SUPERVISORS, TOPOLOGIES};
use statistics::Statistics;

pub(crate) use debug::Debug;
pub(crate) use history::{Past, Whose};
pub(crate) use instruct::LONGEST_LOG_MS;
pub(crate) use live::{Seen, emitted, settled, taken};
pub(crate) use whole::{Times, Whole};

pub(crate) struct World {
    store: Arc<dyn StateStore>,
    book: Arc<Book>,
    blobs: Arc<Blobs>,
    clock: Arc<dyn Clock>,
    lease: Duration,
    blob_grace: Duration,
    started: Duration,
    /// When points are finished next, and when what was finished is written.
    next_tick: Duration,
    next_write: Duration,
    /// Counts seconds; for those who are told once a second.
    ticks: tokio::sync::watch::Sender<u64>,
    /// The number of the newest topology, and the store's revision of it: two nimbuses never give out the same.
    counter: (u64, Expect),
    topologies: BTreeMap<String, Topology>,
    members: BTreeMap<String, Member>,
    taps: BTreeMap<u64, instruct::Opened>,
    /// Grows with every change that anybody may wait for.
    revision: u64,
    next_sweep: Duration,
    /// When positions may be written again.
    next_positions: Duration,
}

/// A topology.
struct Topology {
    record: Record,
    plan: Arc<Plan>,
    /// Plans it was run with before, by hash, while workers may still report by them.
    plans: BTreeMap<String, Arc<Plan>>,
    statistics: Statistics,
    waiting: Option<String>,
    revision: u64,
    /// Workers whose last phase was reported before spouts were activated again, by index.
    stale: Vec<u32>,
    /// How far its spouts have come.
    positions: positions::Positions,
}

/// A component of a topology, by its place in the plan.
pub(crate) struct Component<'a> {
    topology: &'a Topology,
    at: usize,
}

impl Component<'_> {
    /// The place of a task among the component's tasks.
    pub(crate) fn place(&self, task: u32) -> Result<u32, Denied> {
        let tasks = self.topology.plan.tasks(self.at);
        let error = || format!("task {task} is none of this component's, which are {} to {}", tasks.start, tasks.end - 1);
        tasks.contains(&task).then(|| task - tasks.start).ok_or_else(|| Denied::new(Kind::Unknown, error(), ""))
    }
}

/// A supervisor.
struct Member {
    /// What it said last; no reports in it.
    said: Heartbeat,
    /// When it was last heard, or when nimbus started.
    heard_at: Duration,
    /// Whether this nimbus has heard it at all.
    heard: bool,
    alive: bool,
    desired: Desired,
}

impl World {
    /// The cluster as it is in the store. Supervisors count as alive for one lease from now, so that nothing moves before they
    /// had the time to report.
    pub(crate) fn open(
        store: Arc<dyn StateStore>,
        book: Arc<Book>,
        blobs: Arc<Blobs>,
        clock: Arc<dyn Clock>,
        (lease, blob_grace): (Duration, Duration),
    ) -> Result<Self> {
        let now = clock.now();
        let damaged =
            |key: &str, e: serde_json::Error| Error::external(format!("the store's entry `{key}` is damaged")).because(e);
        let counter = match store.get(COUNTER)? {
            Some(v) => (serde_json::from_slice(&v.value).map_err(|e| damaged(COUNTER, e))?, Expect::Revision(v.revision)),
            None => (0, Expect::Absent),
        };
        let mut topologies = BTreeMap::new();
        for (key, v) in store.list(TOPOLOGIES)? {
            let mut record: Record = serde_json::from_slice(&v.value).map_err(|e| damaged(&key, e))?;
            let plan: Arc<Plan> =
                Arc::new(serde_json::from_slice(&blobs.read(&record.plan)?).map_err(|e| damaged(&record.plan, e))?);
            if record.models.is_empty() {
                record.models = models::first(&plan, record.submitted_unix_ms);
            }
            let mut topology = Topology::new(record, plan, Statistics::default());
            topology.positions = positions::Positions::read(&*store, &topology.record.id)?;
            if let Some(bytes) = book.kept(&topology.record.id)? {
                topology.remember(&bytes, &blobs);
            }
            topologies.insert(topology.record.id.clone(), topology);
        }
        for id in book.topologies()?.iter().filter(|id| !topologies.contains_key(*id)) {
            book.forget(id, clock.unix_ms() / 1000)?;
        }
        let mut members = BTreeMap::new();
        for (key, v) in store.list(SUPERVISORS)? {
            let said: Heartbeat = serde_json::from_slice(&v.value).map_err(|e| damaged(&key, e))?;
            let id = key.trim_start_matches(SUPERVISORS).to_owned();
            members.insert(id, Member { said, heard_at: now, heard: false, alive: true, desired: Desired::default() });
        }
        // Revisions go on from the wall clock, so that whoever waits for a change notices that nimbus is another.
        let revision = clock.unix_ms().saturating_mul(1000);
        let mut world = World {
            store,
            book,
            blobs,
            clock,
            lease,
            blob_grace,
            started: now,
            next_tick: now,
            next_write: now,
            ticks: tokio::sync::watch::Sender::new(0),
            counter,
            topologies,
            members,
            taps: BTreeMap::new(),
            revision,
            next_sweep: now,
            next_positions: now,
        };
        world.refresh();
        Ok(world)
    }

    /// Grows with every change that anybody may wait for.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The id of the topology of this name or id.
    pub(crate) fn find(&self, name: &str) -> Result<String, Denied> {
        if self.topologies.contains_key(name) {
            return Ok(name.to_owned());
        }
        let named = self.topologies.values().find(|t| t.record.name == name);
        named.map(|t| t.record.id.clone()).ok_or_else(|| {
            let names = self.topologies.values().map(|t| t.record.name.as_str());
            let hint = squall_core::suggest::did_you_mean(name, names);
            let shown: String = name.escape_debug().take(128).collect();
            Denied::new(Kind::Unknown, format!("there is no topology `{shown}`"), hint.trim_start_matches("; ").to_owned())
        })
    }

    /// The topology of an id that was found before.
    fn topology(&self, id: &str) -> Result<&Topology, Denied> {
        self.topologies.get(id).ok_or_else(|| Denied::new(Kind::Unknown, "the topology is gone", ""))
    }

    /// A component of a topology.
    pub(crate) fn component(&self, id: &str, component: &str) -> Result<Component<'_>, Denied> {
        let t = self.topology(id)?;
        let at = t.plan.position(component).ok_or_else(|| {
            let hint = squall_core::suggest::did_you_mean(component, t.plan.components.iter().map(|c| c.id.as_str()));
            let shown: String = component.escape_debug().take(128).collect();
            Denied::new(Kind::Unknown, format!("there is no component `{shown}`"), hint.trim_start_matches("; ").to_owned())
        })?;
        Ok(Component { topology: t, at })
    }

    /// The plan as it may be shown: secret values are masked.
    pub(crate) fn plan(&self, id: &str) -> Result<Plan, Denied> {
        let mut plan = Plan::clone(&self.topology(id)?.plan);
        plan.components.iter_mut().for_each(|c| c.config = c.shown_config());
        Ok(plan)
    }

    fn commit(&self, changes: &[Change]) -> Result<u64> {
        match self.store.commit(changes)? {
            Some(revision) => Ok(revision),
            None => Err(Error::external("somebody else has changed nimbus's store")),
        }
    }

    /// Writes records, then takes them over.
    fn save(&mut self, records: Vec<Record>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let changes = records.iter().map(Record::change).collect::<Result<Vec<_>>>()?;
        self.commit(&changes)?;
        for record in records {
            self.touch(&record.id);
            if let Some(t) = self.topologies.get_mut(&record.id) {
                t.record = record;
            }
        }
        Ok(())
    }

    /// A topology has changed.
    fn touch(&mut self, id: &str) {
        self.revision += 1;
        if let Some(t) = self.topologies.get_mut(id) {
            t.revision = self.revision;
        }
    }

    /// Every topology may look different: a supervisor came or went.
    fn touch_all(&mut self) {
        self.revision += 1;
        self.topologies.values_mut().for_each(|t| t.revision = self.revision);
    }

    /// Topologies in the order in which they were submitted.
    fn in_order(&self) -> Vec<&Topology> {
        let mut all: Vec<&Topology> = self.topologies.values().collect();
        all.sort_by_key(|t| t.record.number);
        all
    }
}

impl Topology {
    fn new(record: Record, plan: Arc<Plan>, statistics: Statistics) -> Self {
        let plans = BTreeMap::from([(record.plan.clone(), plan.clone())]);
        Topology {
            record,
            plan,
            plans,
            statistics,
            waiting: None,
            revision: 0,
            stale: Vec::new(),
            positions: Default::default(),
        }
    }

    /// The plan of this hash, from memory or from its blob, should it be one of this topology.
    fn plan_of(&mut self, hash: &str, blobs: &Blobs) -> Option<Arc<Plan>> {
        if let Some(plan) = self.plans.get(hash) {
            return Some(plan.clone());
        }
        // One from before this nimbus started, if its blob is still here.
        let plan: Plan = serde_json::from_slice(&blobs.read(hash).ok()?).ok()?;
        if plan.name != self.record.name {
            return None;
        }
        Some(self.plans.entry(hash.to_owned()).or_insert(Arc::new(plan)).clone())
    }

    /// Takes up the statistics that an earlier nimbus kept.
    fn remember(&mut self, bytes: &[u8], blobs: &Blobs) {
        match rmp_serde::from_slice(bytes) {
            Ok(kept) => self.statistics = Statistics::restored(kept, |hash| self.plan_of(hash, blobs)),
            // Statistics are no state: a topology runs on without its past.
            Err(e) => {
                log::error!(topology = self.record.id.as_str(), error:display = e; "kept statistics cannot be read; they begin anew");
            }
        }
    }
}
