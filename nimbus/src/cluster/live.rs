//! What those see who watch from second to second.

use std::collections::BTreeMap;

use squall_core::control::{
    ClusterLive, ComponentDetail, EdgeRate, Glance, Graph, GraphEdge, GraphNode, HistoryPoint, ModelCopy, ModelOverview,
    ModelUser, Settled, StreamStatus, Taken, TaskStatus, TimelineEvent, TopologyLive,
};
use squall_core::layout::{Size, Spacing, layered};
use squall_core::{ComponentKind, InputStream, Plan, PlannedComponent, StreamDecl};

use super::history::{of_component, of_topology};
use super::models::{by_version, in_use};
use super::statistics::throughput;
use super::{Component, Topology, World};
use crate::denied::{Denied, Kind};
use crate::history::{Numbers, Point, latency};

/// The size of a component's box in pixels: room for its name, its type and two numbers.
const BOX: Size = Size { width: 176.0, height: 62.0 };

/// Where somebody who watches is: what was sent before is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// The newest second.
    second: u64,
    /// The newest event.
    event: u64,
}

impl World {
    /// The whole cluster at a glance.
    pub(crate) fn cluster_live(&self) -> ClusterLive {
        let glances = self.topologies.iter().map(|(id, t)| (id.clone(), self.glance(t)));
        ClusterLive { unix_ms: self.clock.unix_ms(), cluster: self.cluster_status(), topologies: glances.collect() }
    }

    fn glance(&self, t: &Topology) -> Glance {
        let lately = t.statistics.series.lately();
        let point = of_topology(HistoryPoint { ms: lately.ms, ..HistoryPoint::default() }, &t.plan, &lately);
        let mut complete = squall_core::Histogram::default();
        for c in t.plan.components.iter().filter(|c| c.kind == ComponentKind::Spout) {
            if let Some(s) = lately.components.get(&c.id) {
                complete.merge(&s.numbers.complete);
            }
        }
        Glance {
            emitted_per_s: throughput(&t.plan, &lately),
            acked_per_s: per_s(point.acked, point.ms),
            failed_per_s: per_s(point.failed, point.ms),
            complete: latency(&complete),
            capacity: point.capacity,
            errors: t.statistics.errors.in_all(),
            restarts: self.restarts(t),
            trend: t.statistics.series.trend(),
        }
    }

    fn restarts(&self, t: &Topology) -> u64 {
        let of =
            |m: &super::Member| m.said.workers.iter().filter(|w| w.topology == t.record.id).map(|w| w.restarts).sum::<u64>();
        self.members.values().map(of).sum()
    }

    /// A topology, with what is new since the last time.
    pub(crate) fn topology_live(&self, id: &str, seen: &mut Seen) -> Result<TopologyLive, Denied> {
        let status = self.topology_status(id)?;
        let t = self.topology(id)?;
        let lately = t.statistics.series.lately();
        let base = || HistoryPoint { ms: lately.ms, ..HistoryPoint::default() };
        let components = lately.components.iter().map(|(id, s)| (id.clone(), of_component(base(), s)));
        let edges = edges(&t.plan);
        Ok(TopologyLive {
            unix_ms: self.clock.unix_ms(),
            status,
            points: news(t, seen, |at, p| of_topology(begun(at, p), &t.plan, p)),
            components: components.collect(),
            edges: edges.iter().map(|(from, to, _)| between(&t.plan, &lately, *from, *to)).collect(),
            events: fresh_events(t, seen),
        })
    }

    /// A component with its tasks.
    pub(crate) fn component_detail(&self, id: &str, component: &str, seen: &mut Seen) -> Result<ComponentDetail, Denied> {
        let Component { topology: t, at } = self.component(id, component)?;
        let status = self.topology_status(id)?.components.into_iter().nth(at);
        let planned = &t.plan.components[at];
        let numbers = t.statistics.totals().remove(component).unwrap_or_default();
        let lately = t.statistics.series.lately();
        let histogram = if planned.kind == ComponentKind::Spout { &numbers.complete } else { &numbers.execute };
        let point = |at: u64, p: &Point| p.components.get(component).map_or(begun(at, p), |s| of_component(begun(at, p), s));
        Ok(ComponentDetail {
            unix_ms: self.clock.unix_ms(),
            status: status.ok_or_else(|| Denied::new(Kind::Unknown, "the component is gone", ""))?,
            tasks: self.task_statuses(t, at),
            inputs: inputs(&t.plan, at, &numbers, &lately),
            outputs: outputs(&t.plan, at, &numbers, &lately),
            histogram: histogram.buckets().collect(),
            points: news(t, seen, point),
            config: planned.shown_config(),
        })
    }

    fn task_statuses(&self, t: &Topology, at: usize) -> Vec<TaskStatus> {
        let (reports, now) = (t.statistics.tasks(), self.clock.now());
        let seats: BTreeMap<u32, u32> = t
            .record
            .workers
            .iter()
            .enumerate()
            .flat_map(|(index, w)| w.tasks.iter().map(move |task| (*task, index as u32)))
            .collect();
        let host = |worker: u32| {
            let placed = t.record.workers.get(worker as usize)?;
            Some(self.members.get(&placed.seat.supervisor)?.said.host.clone())
        };
        let status = |task: u32| {
            let worker = seats.get(&task).copied();
            let base = TaskStatus { task, worker, host: worker.and_then(host).unwrap_or_default(), ..TaskStatus::default() };
            let Some((from, r)) = reports.get(&task).filter(|(from, _)| Some(*from) == worker) else { return base };
            let rates = t.statistics.task_rates(*from, task, now);
            TaskStatus {
                emitted: r.emitted,
                transferred: r.transferred,
                executed: r.executed,
                acked: r.acked,
                failed: r.failed,
                queued: r.queued,
                pending: r.pending,
                ended: r.ended,
                emitted_per_s: rates.emitted,
                executed_per_s: rates.executed,
                capacity: rates.busy.min(1.0),
                blocked: rates.blocked.min(1.0),
                execute: latency(&r.execute),
                complete: latency(&r.complete),
                ..base
            }
        };
        t.plan.tasks(at).map(status).collect()
    }

    /// The models of all topologies.
    pub(crate) fn model_overviews(&self) -> Vec<ModelOverview> {
        let mut found = Vec::new();
        for t in self.in_order() {
            let gauges = t.statistics.gauges(self.clock.now());
            let totals = t.statistics.totals();
            let mut numbers = by_version(totals.values());
            for (name, model) in in_use(&t.record) {
                let users = t.plan.components.iter().filter(|c| c.uses_model(name)).map(|c| ModelUser {
                    component: c.id.clone(),
                    executed: totals.get(&c.id).map_or(0, |n| n.executed),
                    executed_per_s: gauges.get(&c.id).map_or(0.0, |g| g.rates.executed),
                });
                let copies = self.members.iter().filter(|(_, m)| m.alive).filter_map(|(id, m)| {
                    let memory = m.said.models.iter().find(|u| u.artefact == model.artefact)?.clone();
                    let (supervisor, machine, host) = (id.clone(), m.said.machine.clone(), m.said.host.clone());
                    Some(ModelCopy { name: name.clone(), artefact: model.artefact.clone(), supervisor, machine, host, memory })
                });
                found.push(ModelOverview {
                    name: name.clone(),
                    topology: t.record.name.clone(),
                    source_file: model.file.clone(),
                    artefact: model.artefact.clone(),
                    bytes: model.bytes,
                    version: model.version,
                    numbers: numbers.remove(&(name.clone(), model.version)).unwrap_or_default(),
                    used_by: users.collect(),
                    copies: copies.collect(),
                });
            }
        }
        found
    }

    /// A topology laid out.
    pub(crate) fn graph(&self, id: &str) -> Result<Graph, Denied> {
        let t = self.topology(id)?;
        let edges = edges(&t.plan);
        let lines: Vec<(usize, usize)> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
        let layout = layered(&vec![BOX; t.plan.components.len()], &lines, Spacing { layers: 96.0, ..Spacing::default() });
        let node = |(c, place): (&PlannedComponent, _)| GraphNode {
            id: c.id.clone(),
            kind: c.kind,
            type_name: c.type_name.clone(),
            tasks: c.parallelism,
            place,
        };
        Ok(Graph {
            width: layout.width,
            height: layout.height,
            nodes: t.plan.components.iter().zip(layout.boxes).map(node).collect(),
            edges: edges.into_iter().zip(layout.lines).map(|((.., streams), line)| GraphEdge { streams, line }).collect(),
        })
    }
}

/// A count as one a second.
pub(super) fn per_s(n: u64, ms: u64) -> f64 {
    n as f64 * 1000.0 / ms.max(1) as f64
}

fn begun(at: u64, p: &Point) -> HistoryPoint {
    HistoryPoint { unix_ms: at * 1000, ms: p.ms, ..HistoryPoint::default() }
}

/// The points that somebody has not seen.
fn news(t: &Topology, seen: &mut Seen, shown: impl Fn(u64, &Point) -> HistoryPoint) -> Vec<HistoryPoint> {
    let fresh: Vec<_> = t.statistics.series.recent().filter(|(at, _)| *at > seen.second).collect();
    seen.second = fresh.last().map_or(seen.second, |(at, _)| *at);
    fresh.into_iter().map(|(at, p)| shown(*at, p)).collect()
}

fn fresh_events(t: &Topology, seen: &mut Seen) -> Vec<TimelineEvent> {
    let fresh: Vec<TimelineEvent> = t.statistics.timeline.events().filter(|e| e.number > seen.event).cloned().collect();
    seen.event = fresh.last().map_or(seen.event, |e| e.number);
    fresh
}

/// All that one component takes from another: (from, to, streams with their groupings).
type Edge = (usize, usize, Vec<(String, String)>);

/// Who takes from whom, each pair once.
fn edges(plan: &Plan) -> Vec<Edge> {
    let mut found: Vec<Edge> = Vec::new();
    for (to, c) in plan.components.iter().enumerate() {
        for input in &c.inputs {
            let Some(from) = plan.position(&input.from) else { continue };
            let stream = (input.stream.clone(), input.grouping.name().to_owned());
            match found.iter_mut().find(|(f, t, _)| (*f, *t) == (from, to)) {
                Some((.., streams)) => streams.push(stream),
                None => found.push((from, to, vec![stream])),
            }
        }
    }
    found
}

/// What one component took from another a second.
fn between(plan: &Plan, p: &Point, from: usize, to: usize) -> f64 {
    let (Some(from), Some(to)) = (plan.components.get(from), plan.components.get(to)) else { return 0.0 };
    let numbers = p.components.get(&to.id).map(|s| &s.numbers);
    let streams = to.inputs.iter().filter(|i| i.from == from.id);
    per_s(streams.map(|i| numbers.map_or(0, |n| executed(n, to, i))).sum(), p.ms)
}

/// What a component took in of a stream; workers tell that apart only where there are several.
pub(crate) fn taken(numbers: &Numbers, c: &PlannedComponent, input: &InputStream) -> Taken {
    let none = Taken::of(&input.from, &input.stream);
    if c.inputs.len() == 1 {
        let busy_ns = numbers.execute.mean().unwrap_or(0.0) * numbers.execute.count() as f64;
        return Taken {
            executed: numbers.executed,
            acked: numbers.acked,
            failed: numbers.failed,
            busy_ns: busy_ns as u64,
            ..none
        };
    }
    of_input(numbers, input).cloned().unwrap_or(none)
}

/// How many tuples a component took in of a stream: [`taken`] without its times, which cost more.
fn executed(numbers: &Numbers, c: &PlannedComponent, input: &InputStream) -> u64 {
    if c.inputs.len() == 1 {
        return numbers.executed;
    }
    of_input(numbers, input).map_or(0, |i| i.executed)
}

fn of_input<'a>(numbers: &'a Numbers, input: &InputStream) -> Option<&'a Taken> {
    numbers.inputs.iter().find(|i| i.is_of(&input.from, &input.stream))
}

/// What a component emitted on a stream; workers tell that apart only where there are several.
pub(crate) fn emitted(numbers: &Numbers, c: &PlannedComponent, stream: &str) -> u64 {
    if c.outputs.len() == 1 {
        return numbers.emitted;
    }
    numbers.streams.get(stream).copied().unwrap_or(0)
}

/// What became of what a spout emitted on a stream; workers tell that apart only where there are several.
pub(crate) fn settled(numbers: &Numbers, c: &PlannedComponent, stream: &str) -> Settled {
    if c.outputs.len() == 1 {
        let (acked, failed, complete) = (numbers.acked, numbers.failed, numbers.complete.clone());
        return Settled { stream: stream.to_owned(), acked, failed, complete };
    }
    numbers.settled.iter().find(|s| s.stream == stream).cloned().unwrap_or_else(|| Settled::of(stream))
}

fn inputs(plan: &Plan, at: usize, numbers: &Numbers, lately: &Point) -> Vec<EdgeRate> {
    let c = &plan.components[at];
    let recent = lately.components.get(&c.id).map(|s| &s.numbers);
    c.inputs
        .iter()
        .map(|i| EdgeRate {
            from: i.from.clone(),
            stream: i.stream.clone(),
            to: c.id.clone(),
            grouping: i.grouping.clone(),
            total: executed(numbers, c, i),
            per_s: per_s(recent.map_or(0, |n| executed(n, c, i)), lately.ms),
        })
        .collect()
}

fn outputs(plan: &Plan, at: usize, numbers: &Numbers, lately: &Point) -> Vec<StreamStatus> {
    let c = &plan.components[at];
    let recent = lately.components.get(&c.id).map(|s| &s.numbers);
    let takers = |stream: &str| {
        let takes = |t: &&PlannedComponent| t.inputs.iter().any(|i| i.from == c.id && i.stream == stream);
        plan.components.iter().filter(takes).map(|t| t.id.clone()).collect()
    };
    let status = |o: &StreamDecl| {
        // What a bolt acks and fails is what it takes in.
        let settled = if c.kind == ComponentKind::Spout { settled(numbers, c, &o.name) } else { Settled::of(&o.name) };
        StreamStatus {
            stream: o.name.clone(),
            fields: o.fields.to_string(),
            emitted: emitted(numbers, c, &o.name),
            per_s: per_s(recent.map_or(0, |n| emitted(n, c, &o.name)), lately.ms),
            acked: settled.acked,
            failed: settled.failed,
            complete: latency(&settled.complete),
            to: takers(&o.name),
        }
    };
    c.outputs.iter().map(status).collect()
}
