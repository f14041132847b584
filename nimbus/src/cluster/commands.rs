//! What clients want of topologies.

use std::sync::Arc;

use squall_core::Plan;
use squall_core::control::{Accepted, Kill, Rebalance, Submit, TimelineKind};

use super::record::{COUNTER, Record};
use super::statistics::Statistics;
use super::{Topology, World};
use crate::admit;
use crate::denied::{Denied, Kind};
use crate::schedule::deal;
use crate::states::{Command, Next, Stage};
use crate::store::{Change, Expect};

/// A wait that nobody will sit out, and that no clock overflows.
const LONGEST_WAIT_MS: u64 = 365 * 24 * 3600 * 1000;

impl World {
    /// Takes in a topology and gives it workers, if there are slots.
    pub(crate) fn submit(&mut self, submit: Submit) -> Result<Accepted, Denied> {
        let plan = submit.plan;
        let faults = admit::faults(&plan);
        if !faults.is_empty() {
            let error =
                format!("the plan has {} fault{}: {}", faults.len(), if faults.len() == 1 { "" } else { "s" }, faults[0]);
            return Err(Denied::new(Kind::Wrong, error, "check the topology with `squall validate`").with(faults));
        }
        if let Some(t) = self.topologies.values().find(|t| t.record.name == plan.name) {
            let error = format!("there is a topology `{}` already, in state {}", plan.name, t.record.stage.shown());
            return Err(Denied::new(Kind::NotNow, error, "kill it, wait until it is gone, or submit under another name"));
        }
        let missing: Vec<String> = blobs_of(&plan).filter(|b| self.blobs.size(b).is_none()).map(str::to_owned).collect();
        if !missing.is_empty() {
            let error = format!("{} of the blobs that the plan names are not here", missing.len());
            return Err(Denied::new(Kind::Wrong, error, "upload them with PUT /v1/blobs/{sha256} first").with(missing));
        }
        let hash = self.blobs.keep(&serde_json::to_vec(&plan).map_err(squall_core::Error::from)?)?;
        let (number, now) = (self.counter.0 + 1, self.clock.unix_ms());
        let record = Record {
            number,
            id: format!("{}-{number}-{}", plan.name, now / 1000),
            name: plan.name.clone(),
            submitted_unix_ms: now,
            plan: hash,
            stage: if submit.inactive { Stage::Inactive } else { Stage::Active },
            epoch: 0,
            workers: Vec::new(),
            log: Vec::new(),
            debug: Default::default(),
            models: super::models::first(&plan, now),
        };
        let counter = Change::put(COUNTER, number.to_string().into_bytes()).expecting(self.counter.1);
        let revision = self.commit(&[counter, record.change()?.expecting(Expect::Absent)])?;
        self.counter = (number, Expect::Revision(revision));
        let accepted = accepted(&record);
        log::info!(topology = record.id.as_str(); "topology submitted");
        let mut statistics = Statistics::default();
        statistics.happened(now, TimelineKind::State, format!("submitted, {}", record.stage.shown()));
        self.topologies.insert(record.id.clone(), Topology::new(record, Arc::new(plan), statistics));
        self.touch(&accepted.id);
        self.assign()?;
        Ok(accepted)
    }

    pub(crate) fn activate(&mut self, id: &str) -> Result<Accepted, Denied> {
        let before = self.topology(id)?.record.stage.clone();
        let accepted = self.command(id, Command::Activate)?;
        if before == Stage::Inactive
            && let Some(t) = self.topologies.get_mut(id)
        {
            t.stale = (0..t.record.workers.len() as u32).collect();
        }
        Ok(accepted)
    }

    pub(crate) fn deactivate(&mut self, id: &str) -> Result<Accepted, Denied> {
        self.command(id, Command::Deactivate)
    }

    pub(crate) fn kill(&mut self, id: &str, kill: Kill) -> Result<Accepted, Denied> {
        let deadline = self.deadline(id, kill.wait_ms)?;
        self.command(id, Command::Kill { deadline })
    }

    /// Begins to rebalance, if what is wanted can be had as things are now.
    pub(crate) fn rebalance(&mut self, id: &str, change: Rebalance) -> Result<Accepted, Denied> {
        let t = self.topology(id)?;
        let mut faults = Vec::new();
        let known = || t.plan.components.iter().map(|c| c.id.as_str());
        for (component, n) in &change.parallelism {
            if t.plan.position(component).is_none() {
                let hint = squall_core::suggest::did_you_mean(component, known());
                faults.push(format!("there is no component `{}`{hint}", component.escape_debug()));
            } else if *n == 0 {
                faults.push(format!("`{component}`: parallelism is 0; it must be at least 1"));
            }
        }
        faults.extend(change.workers.and_then(admit::workers_fault));
        let parallelism =
            |c: &squall_core::PlannedComponent| u64::from(*change.parallelism.get(&c.id).unwrap_or(&c.parallelism));
        faults.extend(admit::tasks_fault(t.plan.components.iter().map(parallelism)));
        if !faults.is_empty() {
            let (error, details) = match faults.len() {
                1 => (faults.remove(0), Vec::new()),
                n => (format!("{n} things are wrong with it"), faults),
            };
            // A suggestion is remedy enough.
            let remedy =
                if error.contains("did you mean") { "" } else { "`squall status NAME` shows its components and workers" };
            return Err(Denied::new(Kind::Wrong, error, remedy).with(details));
        }
        // Draining a topology only to find that it cannot have what was asked for would be a pity.
        let (has, wants) = (t.record.workers.len(), deal(&changed(&t.plan, &change)).len());
        let free = self.free_slots();
        if has > 0 && wants > has + free {
            let error = format!("it needs {} more slots, {free} {} free", wants - has, if free == 1 { "is" } else { "are" });
            return Err(Denied::new(Kind::NotNow, error, "start another supervisor, kill something, or ask for fewer workers"));
        }
        let deadline = self.deadline(id, change.wait_ms)?;
        self.command(id, Command::Rebalance { deadline, change })
    }

    /// Does what the table of states says about a command.
    pub(super) fn command(&mut self, id: &str, command: Command) -> Result<Accepted, Denied> {
        let record = self.topology(id)?.record.clone();
        let next = record.stage.on(command).map_err(|why| {
            Denied::new(Kind::NotNow, format!("topology `{}` is {}: {why}", record.name, record.stage.shown()), "")
        })?;
        match next {
            Next::To(stage) if stage == record.stage => {}
            Next::To(stage) => {
                log::info!(topology = id, state = stage.shown().to_string().as_str(); "topology changes its state");
                let workers = if stage == Stage::Stopping { Vec::new() } else { record.workers.clone() };
                let unix_ms = self.clock.unix_ms();
                let text = match &stage {
                    Stage::Stopping => "the wait of the kill is over; workers stop".to_owned(),
                    stage => format!("{} (was {})", stage.shown(), record.stage.shown()),
                };
                self.save(vec![Record { stage, workers, ..record }])?;
                if let Some(t) = self.topologies.get_mut(id) {
                    t.statistics.happened(unix_ms, TimelineKind::State, text);
                }
            }
            Next::Move(stage, change) => self.move_tasks(id, stage, &change)?,
        }
        self.go_on();
        self.assign()?;
        // A kill without wait may be over by now.
        Ok(self.topologies.get(id).map_or_else(
            || Accepted { id: id.to_owned(), name: id.to_owned(), state: squall_core::control::TopologyState::Killed },
            |t| accepted(&t.record),
        ))
    }

    fn deadline(&self, id: &str, wait_ms: Option<u64>) -> Result<u64, Denied> {
        let timeout = self.topology(id)?.plan.settings.message_timeout.as_millis().min(u128::from(LONGEST_WAIT_MS)) as u64;
        Ok(self.clock.unix_ms().saturating_add(wait_ms.unwrap_or(timeout).min(LONGEST_WAIT_MS)))
    }
}

pub(super) fn accepted(record: &Record) -> Accepted {
    Accepted { id: record.id.clone(), name: record.name.clone(), state: record.stage.shown() }
}

/// The plan after a rebalance.
pub(super) fn changed(plan: &Plan, change: &Rebalance) -> Plan {
    let mut plan = plan.clone();
    if let Some(workers) = change.workers {
        plan.settings.workers = workers;
    }
    for component in &mut plan.components {
        if let Some(n) = change.parallelism.get(&component.id) {
            component.parallelism = *n;
        }
    }
    plan
}

/// The blobs that a plan names.
pub(super) fn blobs_of(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.models.values().map(|m| m.artefact.as_str()).chain(plan.worker.as_deref())
}
