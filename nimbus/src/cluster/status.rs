//! What clients are shown.

use squall_core::control::{
    ClusterStatus, ComponentStatus, ModelOnMachine, Phase, Settled, StreamSettled, SupervisorStatus, TopologyStatus,
    TopologySummary, WorkerStatus, WorkerSummary,
};

use super::models::in_use;
use super::{Member, Topology, World};
use crate::denied::Denied;
use crate::history::latency;

impl World {
    /// Whether a worker that ran before this nimbus did has not reported yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.topologies.values().any(|t| t.statistics.is_behind())
    }

    pub(crate) fn cluster_status(&self) -> ClusterStatus {
        let supervisors: Vec<SupervisorStatus> = self.members.iter().map(|(id, m)| self.supervisor_status(id, m)).collect();
        let alive = || supervisors.iter().filter(|s| s.alive);
        let (total, used): (u32, u32) = (alive().map(|s| s.slots).sum(), alive().map(|s| s.slots_used).sum());
        ClusterStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: self.clock.now().saturating_sub(self.started).as_millis() as u64,
            revision: self.revision,
            slots_total: total,
            slots_used: used,
            slots_free: total.saturating_sub(used),
            topologies: self.summaries(),
            supervisors,
        }
    }

    pub(crate) fn summaries(&self) -> Vec<TopologySummary> {
        let summary = |t: &Topology| TopologySummary {
            id: t.record.id.clone(),
            name: t.record.name.clone(),
            state: t.record.stage.shown(),
            uptime_ms: self.clock.unix_ms().saturating_sub(t.record.submitted_unix_ms),
            workers: t.record.workers.len() as u32,
            tasks: t.plan.task_count(),
            finished: t.statistics.finished,
            waiting: t.waiting.clone(),
        };
        self.in_order().into_iter().map(summary).collect()
    }

    /// Who has logs, of workers and of its own: the supervisors that are alive (id, address, host).
    pub(crate) fn log_sources(&self) -> Vec<(String, String, String)> {
        let alive = self.members.iter().filter(|(_, m)| m.alive);
        alive.map(|(id, m)| (id.clone(), m.said.url.clone(), m.said.host.clone())).collect()
    }

    /// Whose logs cannot be had: supervisors that are silent; of a topology those that have workers of it, or had them when they were
    /// heard last.
    pub(crate) fn silent_sources(&self, topology: Option<&str>) -> Vec<String> {
        let has = |id: &str, m: &Member, topology: &str| {
            let seated =
                self.topologies.get(topology).is_some_and(|t| t.record.workers.iter().any(|w| w.seat.supervisor == id));
            seated || m.said.workers.iter().any(|w| w.topology == topology)
        };
        let dead = self.members.iter().filter(|(_, m)| !m.alive);
        dead.filter(|(id, m)| topology.is_none_or(|t| has(id, m, t))).map(|(id, _)| id.clone()).collect()
    }

    /// Where a supervisor is that is alive: its address, its host.
    pub(crate) fn reach(&self, supervisor: &str) -> Option<(String, String)> {
        let member = self.members.get(supervisor).filter(|m| m.alive)?;
        Some((member.said.url.clone(), member.said.host.clone()))
    }

    /// The workers of a topology: (worker, the supervisor it is assigned to).
    pub(crate) fn seats(&self, id: &str) -> Result<Vec<(u32, String)>, Denied> {
        let workers = self.topology(id)?.record.workers.iter().enumerate();
        Ok(workers.map(|(index, w)| (index as u32, w.seat.supervisor.clone())).collect())
    }

    /// The address of the supervisor that a worker of a topology is assigned to.
    pub(crate) fn log_source(&self, id: &str, worker: u32) -> Option<String> {
        let t = self.topologies.get(id)?;
        let placed = t.record.workers.get(worker as usize)?;
        Some(self.members.get(&placed.seat.supervisor)?.said.url.clone())
    }

    fn supervisor_status(&self, id: &str, m: &Member) -> SupervisorStatus {
        let used = self.topologies.values().flat_map(|t| &t.record.workers).filter(|w| w.seat.supervisor == id).count();
        SupervisorStatus {
            id: id.to_owned(),
            machine: m.said.machine.clone(),
            host: m.said.host.clone(),
            url: m.said.url.clone(),
            version: m.said.version.clone(),
            alive: m.alive,
            silent_ms: self.clock.now().saturating_sub(m.heard_at).as_millis() as u64,
            uptime_ms: self.clock.unix_ms().saturating_sub(m.said.started_unix_ms),
            slots: m.said.slots,
            slots_used: used as u32,
            cores: m.said.cores,
            memory_bytes: m.said.memory_bytes,
            models: m.said.models.clone(),
            usage: m.said.usage,
        }
    }

    pub(crate) fn topology_status(&self, id: &str) -> Result<TopologyStatus, Denied> {
        let t = self.topology(id)?;
        let unix_ms = self.clock.unix_ms();
        let (ignored_frames, link_bytes_in, link_bytes_out) = t.statistics.links();
        let workers = t.record.workers.iter().enumerate();
        Ok(TopologyStatus {
            id: t.record.id.clone(),
            name: t.record.name.clone(),
            state: t.record.stage.shown(),
            uptime_ms: unix_ms.saturating_sub(t.record.submitted_unix_ms),
            revision: t.revision,
            epoch: t.record.epoch,
            waiting: self.waiting(t),
            wait_left_ms: t.record.stage.deadline().map(|d| d.saturating_sub(unix_ms)),
            finished: t.statistics.finished,
            first_tuple_ms: t.statistics.first_tuple_ms(),
            workers: workers.map(|(index, placed)| self.worker_summary(t, index as u32, placed)).collect(),
            components: self.components(t),
            errors: t.statistics.errors.newest.iter().cloned().collect(),
            models: self.models(t),
            ignored_frames,
            link_bytes_in,
            link_bytes_out,
        })
    }

    fn waiting(&self, t: &Topology) -> Option<String> {
        let problem = || {
            let mut status = t.record.workers.iter().enumerate().filter_map(|(i, w)| self.worker_status(t, i as u32, w));
            status.find_map(|w| w.problem.as_ref().map(|p| format!("worker {} cannot start: {p}", w.worker)))
        };
        t.waiting.clone().or_else(problem)
    }

    /// Whether a worker has said that nothing is under way in it.
    pub(super) fn has_drained(&self, t: &Topology, index: u32, placed: &super::record::Placed) -> bool {
        let phase = self.worker_status(t, index, placed).and_then(|w| w.phase);
        matches!(phase, Some(Phase::Drained | Phase::Finished))
    }

    fn worker_status(&self, t: &Topology, index: u32, placed: &super::record::Placed) -> Option<&WorkerStatus> {
        let member = self.members.get(&placed.seat.supervisor)?;
        member.said.workers.iter().find(|w| w.topology == t.record.id && w.worker == index)
    }

    fn worker_summary(&self, t: &Topology, index: u32, placed: &super::record::Placed) -> WorkerSummary {
        let member = self.members.get(&placed.seat.supervisor);
        let status = self.worker_status(t, index, placed).cloned().unwrap_or_default();
        let since = |started: u64| self.clock.unix_ms().saturating_sub(started);
        WorkerSummary {
            worker: index,
            supervisor: placed.seat.supervisor.clone(),
            machine: member.map_or_else(String::new, |m| m.said.machine.clone()),
            host: member.map_or_else(String::new, |m| m.said.host.clone()),
            slot: placed.seat.slot,
            pid: status.pid,
            endpoint: status.endpoint,
            phase: status.phase,
            incarnation: status.incarnation,
            uptime_ms: if status.pid.is_some() { since(status.started_unix_ms) } else { 0 },
            restarts: status.restarts,
            tasks: placed.tasks.clone(),
            last_exit: status.last_exit,
            problem: status.problem,
            silent: member.is_some_and(|m| !m.alive),
            usage: status.usage,
        }
    }

    fn components(&self, t: &Topology) -> Vec<ComponentStatus> {
        let (mut totals, gauges) = (t.statistics.totals(), t.statistics.gauges(self.clock.now()));
        let status = |c: &squall_core::PlannedComponent| {
            let n = totals.remove(&c.id).unwrap_or_default();
            let g = gauges.get(&c.id).copied().unwrap_or_default();
            ComponentStatus {
                id: c.id.clone(),
                kind: c.kind,
                type_name: c.type_name.clone(),
                tasks: c.parallelism,
                emitted: n.emitted,
                transferred: n.transferred,
                executed: n.executed,
                acked: n.acked,
                failed: n.failed,
                pending: g.pending,
                queued: g.queued,
                ended_tasks: g.ended,
                emitted_per_s: g.rates.emitted,
                executed_per_s: g.rates.executed,
                capacity: g.capacity,
                blocked: g.blocked,
                execute: latency(&n.execute),
                complete: latency(&n.complete),
                streams: n.streams,
                inputs: n.inputs,
                settled: n.settled.into_iter().map(stream_settled).collect(),
                counters: n.counters,
                errors: t.statistics.errors.of(&c.id),
            }
        };
        t.plan.components.iter().map(status).collect()
    }

    fn models(&self, t: &Topology) -> Vec<ModelOnMachine> {
        let mut found = Vec::new();
        for (id, m) in self.members.iter().filter(|(_, m)| m.alive) {
            for (name, model) in in_use(&t.record) {
                if let Some(memory) = m.said.models.iter().find(|u| u.artefact == model.artefact) {
                    found.push(ModelOnMachine {
                        name: name.clone(),
                        source_file: model.file.clone(),
                        supervisor: id.clone(),
                        machine: m.said.machine.clone(),
                        memory: memory.clone(),
                    });
                }
            }
        }
        found
    }
}

fn stream_settled(s: Settled) -> StreamSettled {
    StreamSettled { stream: s.stream, acked: s.acked, failed: s.failed, complete: latency(&s.complete) }
}
