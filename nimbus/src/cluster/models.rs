//! Versions of models: a new one is prepared by all workers of the topology before it is in use in any.

use std::collections::BTreeMap;

use squall_core::control::{
    Deploy, Deployment, DeploymentState, ModelFit, ModelOnWorker, ModelOrder, ModelState, ModelStatus, ModelVersion, Rollback,
    TimelineKind, TopologyModels, is_sha256,
};
use squall_core::suggest::did_you_mean;
use squall_core::{ModelNumbers, Plan, Result};

use super::record::Record;
use super::{Topology, World};
use crate::denied::{Denied, Kind};
use crate::history::Numbers;
use crate::states::Stage;

/// Deployments that are remembered of a model; their artefacts are kept, so that one can go back to them.
const REMEMBERED: usize = 20;
/// Workers have so long to fetch, open and try a version.
const PATIENCE_MS: u64 = 10 * 60 * 1000;
const LONGEST_FILE: usize = 255;

/// The versions that a topology is submitted with.
pub(super) fn first(plan: &Plan, unix_ms: u64) -> BTreeMap<String, Vec<Deployment>> {
    let first = |(name, m): (&String, &squall_core::PlannedModel)| {
        let deployment = Deployment {
            serial: 1,
            version: 1,
            artefact: m.artefact.clone(),
            source: m.source.clone(),
            bytes: m.bytes,
            file: m.file.clone(),
            labels: m.labels.clone(),
            unix_ms,
            rollback: false,
            state: DeploymentState::Current,
            reason: String::new(),
        };
        (name.clone(), vec![deployment])
    };
    plan.models.iter().map(first).collect()
}

/// What workers are told of each model.
pub(super) fn orders(record: &Record) -> BTreeMap<String, ModelOrder> {
    let version = |d: &Deployment| ModelVersion {
        serial: d.serial,
        version: d.version,
        artefact: d.artefact.clone(),
        file: d.file.clone(),
        ..ModelVersion::default()
    };
    let order = |(name, all): (&String, &Vec<Deployment>)| {
        let current = current(all).map(version)?;
        Some((name.clone(), ModelOrder { current, next: preparing(all).map(version) }))
    };
    record.models.iter().filter_map(order).collect()
}

/// The deployment in use of each model.
pub(super) fn in_use(record: &Record) -> impl Iterator<Item = (&String, &Deployment)> {
    record.models.iter().filter_map(|(name, all)| Some((name, current(all)?)))
}

/// The deployment in use.
fn current(all: &[Deployment]) -> Option<&Deployment> {
    all.iter().rev().find(|d| d.state == DeploymentState::Current)
}

fn preparing(all: &[Deployment]) -> Option<&Deployment> {
    all.iter().rev().find(|d| d.state == DeploymentState::Preparing)
}

/// Ends what is being prepared.
fn give_up(all: &mut [Deployment], why: &str) {
    for d in all.iter_mut().filter(|d| d.state == DeploymentState::Preparing) {
        (d.state, d.reason) = (DeploymentState::Failed, why.to_owned());
    }
}

/// Refuses what is no hash or no name.
fn sound(deploy: &Deploy) -> Result<(), Denied> {
    if !is_sha256(&deploy.artefact) || !is_sha256(&deploy.source) {
        return Err(Denied::new(Kind::Wrong, "`artefact` or `source` is no SHA-256", "64 hex digits in lower case"));
    }
    if deploy.file.len() > LONGEST_FILE || deploy.file.contains(char::is_control) {
        return Err(Denied::new(
            Kind::Wrong,
            "`file` is too long or has control characters",
            "the file's name alone is enough",
        ));
    }
    Ok(())
}

impl World {
    /// The artefacts that must be kept for a topology.
    pub(super) fn artefacts(t: &Topology) -> impl Iterator<Item = &str> {
        t.record.models.values().flatten().map(|d| d.artefact.as_str())
    }

    /// What is to be asked before a version is brought into use; nothing where it is not here, or in use.
    pub(crate) fn fit(&self, id: &str, model: &str, deploy: &Deploy) -> Result<Option<ModelFit>, Denied> {
        sound(deploy)?;
        let all = self.deployments(id, model)?;
        if self.blobs.size(&deploy.artefact).is_none() || current(all).is_some_and(|d| d.artefact == deploy.artefact) {
            return Ok(None);
        }
        let t = self.topology(id)?;
        let path = |artefact: &str| self.blobs.path(artefact);
        let mut artefacts: BTreeMap<_, _> =
            in_use(&t.record).filter_map(|(name, d)| Some((name.clone(), path(&d.artefact)?))).collect();
        artefacts.extend(path(&deploy.artefact).map(|path| (model.to_owned(), path)));
        let (plan, model, file) = ((*t.plan).clone(), model.to_owned(), deploy.file.clone());
        Ok(Some(ModelFit { plan, model, file, artefacts }))
    }

    /// The labels that were given to the version of a model in use.
    pub(crate) fn labels_in_use(&self, id: &str, model: &str) -> Result<Option<Vec<String>>, Denied> {
        Ok(current(self.deployments(id, model)?).and_then(|d| d.labels.clone()))
    }

    /// Begins to bring a version into use.
    pub(crate) fn deploy(&mut self, id: &str, model: &str, deploy: Deploy) -> Result<Deployment, Denied> {
        sound(&deploy)?;
        let all = self.deployments(id, model)?;
        if let Some(now) = current(all).filter(|d| d.artefact == deploy.artefact && preparing(all).is_none()) {
            return Ok(now.clone());
        }
        let version = all.iter().find(|d| d.artefact == deploy.artefact).map(|d| d.version);
        let labels = deploy.labels.or_else(|| current(all).and_then(|d| d.labels.clone()));
        let Some(bytes) = self.blobs.size(&deploy.artefact) else {
            let error = "the model's artefact is not here";
            return Err(
                Denied::new(Kind::Wrong, error, "upload it with PUT /v1/blobs/{sha256} first").with(vec![deploy.artefact])
            );
        };
        let new = Deployment {
            serial: 0,
            version: version.unwrap_or_else(|| 1 + all.iter().map(|d| d.version).max().unwrap_or(0)),
            artefact: deploy.artefact,
            source: deploy.source,
            bytes,
            file: deploy.file,
            labels,
            unix_ms: self.clock.unix_ms(),
            rollback: false,
            state: DeploymentState::Preparing,
            reason: String::new(),
        };
        self.begin(id, model, new)
    }

    /// Begins to go back to a version; or takes back what is being prepared.
    pub(crate) fn rollback(&mut self, id: &str, model: &str, to: &Rollback) -> Result<Deployment, Denied> {
        let all = self.deployments(id, model)?;
        let Some(now) = current(all).cloned() else {
            return Err(Denied::new(Kind::NotNow, format!("model `{model}` has no version in use"), ""));
        };
        if to.version.is_none() && preparing(all).is_some() {
            let mut record = self.record(id)?.clone();
            give_up(record.models.entry(model.to_owned()).or_default(), "taken back");
            self.save(vec![record])?;
            self.refresh();
            return Ok(now);
        }
        let usable = |d: &&Deployment| d.state == DeploymentState::Replaced && d.version != now.version;
        let target = match to.version {
            None => all.iter().rev().find(usable),
            Some(version) if version == now.version => return Ok(now),
            Some(version) => all.iter().rev().filter(usable).find(|d| d.version == version),
        };
        let Some(target) = target.cloned() else {
            let error = match to.version {
                Some(version) => format!("model `{model}` has no version {version} that was in use"),
                None => format!("model `{model}` has no version before {} to go back to", now.version),
            };
            return Err(Denied::new(Kind::NotNow, error, "`squall model history` shows its versions"));
        };
        let unix_ms = self.clock.unix_ms();
        self.begin(id, model, Deployment { unix_ms, rollback: true, state: DeploymentState::Preparing, ..target })
    }

    fn begin(&mut self, id: &str, model: &str, new: Deployment) -> Result<Deployment, Denied> {
        let mut record = self.record(id)?.clone();
        match record.stage {
            Stage::Active | Stage::Inactive | Stage::Rebalancing { .. } => {}
            Stage::Killed { .. } | Stage::Stopping => {
                return Err(Denied::new(Kind::NotNow, format!("topology `{}` was killed", record.name), ""));
            }
        }
        let all = record.models.entry(model.to_owned()).or_default();
        give_up(all, "another was deployed before it was ready");
        let serial = 1 + all.iter().map(|d| d.serial).max().unwrap_or(0);
        let new = Deployment { serial, ..new };
        all.push(new.clone());
        while all.len() > REMEMBERED {
            // Never the one in use, however old.
            match all.iter().position(|d| d.state != DeploymentState::Current) {
                Some(oldest) => drop(all.remove(oldest)),
                None => break,
            }
        }
        log::info!(topology = id, model = model, version = new.version, serial = new.serial; "a model's version is prepared");
        self.save(vec![record])?;
        self.refresh();
        Ok(new)
    }

    /// Brings into use what all workers have ready, and gives up what one refuses or takes too long for.
    pub(super) fn settle_models(&mut self) -> Result<()> {
        let mut changed = Vec::new();
        let mut told = Vec::new();
        for t in self.topologies.values().filter(|t| t.record.models.values().any(|all| preparing(all).is_some())) {
            let mut record = t.record.clone();
            for (name, all) in &mut record.models {
                let Some(next) = preparing(all) else { continue };
                let serial = next.serial;
                let what = format!("model {name}: version {} ({})", next.version, next.file);
                match self.verdict(t, name, serial, next.unix_ms) {
                    None => {}
                    Some(Ok(())) => {
                        told.push((t.record.id.clone(), TimelineKind::State, format!("{what} is in use")));
                        log::info!(topology = t.record.id.as_str(), model = name.as_str(), serial = serial; "a model's version is in use");
                        for d in all.iter_mut() {
                            match d.state {
                                DeploymentState::Current => d.state = DeploymentState::Replaced,
                                DeploymentState::Preparing => d.state = DeploymentState::Current,
                                DeploymentState::Replaced | DeploymentState::Failed => {}
                            }
                        }
                    }
                    Some(Err(why)) => {
                        log::warn!(topology = t.record.id.as_str(), model = name.as_str(), serial = serial, reason = why.as_str(); "a model's version cannot be used");
                        told.push((t.record.id.clone(), TimelineKind::Note, format!("{what} cannot be used: {why}")));
                        give_up(all, &why);
                    }
                }
            }
            if record.models != t.record.models {
                changed.push(record);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.save(changed)?;
        let unix_ms = self.clock.unix_ms();
        for (id, kind, text) in told {
            if let Some(t) = self.topologies.get_mut(&id) {
                t.statistics.happened(unix_ms, kind, text);
            }
        }
        self.refresh();
        Ok(())
    }

    /// What comes of a version that is prepared since then; none: it is not known yet.
    fn verdict(&self, t: &Topology, model: &str, serial: u64, since: u64) -> Option<Result<(), String>> {
        let mut waits = None;
        for (index, placed) in t.record.workers.iter().enumerate() {
            let index = index as u32;
            let state = placed.up.as_ref().and_then(|up| state_of(t, index, up.incarnation, model));
            match state {
                Some(s) if s.refused == serial => return Some(Err(format!("worker {index}: {}", s.reason))),
                Some(s) if s.ready == serial || s.current == serial => {}
                _ => waits = Some(index),
            }
        }
        let late = self.clock.unix_ms().saturating_sub(since) >= PATIENCE_MS;
        match waits {
            Some(worker) if late => Some(Err(format!("worker {worker} did not have it ready in {} min", PATIENCE_MS / 60_000))),
            Some(_) => None,
            // Nobody has tried it.
            None if t.record.workers.is_empty() => late.then(|| Err("the topology has no workers".to_owned())),
            None => Some(Ok(())),
        }
    }

    /// When the patience with what is being prepared ends, in unix milliseconds.
    pub(super) fn models_deadline(&self) -> Option<u64> {
        let all = self.topologies.values().flat_map(|t| t.record.models.values());
        all.filter_map(|all| preparing(all)).map(|d| d.unix_ms.saturating_add(PATIENCE_MS)).min()
    }

    /// The models of a topology, for clients.
    pub(crate) fn topology_models(&self, id: &str) -> Result<TopologyModels, Denied> {
        let t = self.topology(id)?;
        let numbers = by_version(t.statistics.totals().values());
        let worker = |name: &str, index: usize, placed: &super::record::Placed| {
            let state = placed.up.as_ref().and_then(|up| state_of(t, index as u32, up.incarnation, name));
            let (current, ready) = state.map_or((0, 0), |s| (s.current, s.ready));
            ModelOnWorker { worker: index as u32, current, ready }
        };
        let status = |(name, all): (&String, &Vec<Deployment>)| ModelStatus {
            name: name.clone(),
            history: all.iter().rev().cloned().collect(),
            workers: t.record.workers.iter().enumerate().map(|(i, w)| worker(name, i, w)).collect(),
            numbers: numbers.values().filter(|n| n.model == *name).cloned().collect(),
        };
        Ok(TopologyModels { revision: t.revision, models: t.record.models.iter().map(status).collect() })
    }

    pub(crate) fn record(&self, id: &str) -> Result<&Record, Denied> {
        self.topology(id).map(|t| &t.record)
    }

    fn deployments(&self, id: &str, model: &str) -> Result<&Vec<Deployment>, Denied> {
        let t = self.topology(id)?;
        t.record.models.get(model).ok_or_else(|| {
            let shown: String = model.escape_debug().take(100).collect();
            let hint = did_you_mean(model, t.record.models.keys().map(String::as_str));
            let error = format!("topology `{}` has no model `{shown}`", t.record.name);
            Denied::new(Kind::Unknown, error, hint.trim_start_matches("; ").to_owned())
        })
    }
}

/// What was counted of each version of each model.
pub(super) fn by_version<'n>(totals: impl Iterator<Item = &'n Numbers>) -> BTreeMap<(String, u64), ModelNumbers> {
    let mut found: BTreeMap<(String, u64), ModelNumbers> = BTreeMap::new();
    for n in totals.flat_map(|n| &n.models) {
        let none = || ModelNumbers { model: n.model.clone(), version: n.version, ..ModelNumbers::default() };
        found.entry((n.model.clone(), n.version)).or_insert_with(none).merge(n);
    }
    found
}

fn state_of<'t>(t: &'t Topology, worker: u32, incarnation: u64, model: &str) -> Option<&'t ModelState> {
    t.statistics.report(worker, incarnation)?.models.get(model)
}
