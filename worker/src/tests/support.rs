//! Plans in a line, engines on them, and waiting for what must come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use squall_core::control::{Peer, TaskReport};
use squall_core::{Catalog, ComponentKind, Grouping, InputStream, Plan, PlannedComponent, ResolveRequest, Settings};

use super::components::registry;
use crate::engine::{Engine, Surroundings, build};
use crate::link::{self, Command, LinkHandle};

/// A component as tests write it: id, type, tasks, configuration, inputs as (from, grouping); with `from/stream` another than the default.
pub(crate) type Part<'a> = (&'a str, &'a str, u32, Value, &'a [(&'a str, Grouping)]);

pub(crate) fn plan(settings: Settings, parts: &[Part<'_>]) -> Arc<Plan> {
    let mut components: Vec<PlannedComponent> = Vec::new();
    for (id, type_name, parallelism, config, inputs) in parts {
        let kind = if inputs.is_empty() { ComponentKind::Spout } else { ComponentKind::Bolt };
        let input = |(from, grouping): &(&str, Grouping)| {
            let (from, stream) = from.split_once('/').unwrap_or((from, "default"));
            let source = components.iter().find(|c| c.id == from).unwrap();
            InputStream {
                from: from.to_owned(),
                stream: stream.to_owned(),
                fields: source.outputs[0].fields.clone(),
                grouping: grouping.clone(),
            }
        };
        let inputs: Vec<InputStream> = inputs.iter().map(input).collect();
        let request = ResolveRequest {
            kind,
            type_name: (*type_name).to_owned(),
            config: config.clone(),
            inputs: inputs.clone(),
            ..ResolveRequest::default()
        };
        let resolved = registry().resolve(&request).unwrap().unwrap();
        components.push(PlannedComponent {
            id: (*id).to_owned(),
            kind,
            type_name: (*type_name).to_owned(),
            config: config.clone(),
            parallelism: *parallelism,
            tick: None,
            blocking: resolved.blocking,
            inputs,
            outputs: resolved.outputs,
            secrets: Vec::new(),
        });
    }
    let mut plan: Plan = serde_json::from_value(json!({"name": "test"})).unwrap();
    plan.settings = settings;
    plan.components = components;
    Arc::new(plan)
}

struct Nobody;
impl crate::engine::Links for Nobody {
    fn send(&self, worker: u32, _: u32, _: u32, _: &squall_core::Columns, _: &[(u32, &squall_core::Lineage)]) {
        panic!("rows for worker {worker}, which is not there");
    }
    fn deltas(&self, _: u32, _: &[squall_core::wire::Delta]) {}
    fn credit(&self, _: (u32, u64), _: u32, _: u64, _: u64) {}
    fn reason(&self, _: u32, _: squall_core::Root, _: String) {}
    fn go(&self) {}
}

fn around((worker, incarnation): (u32, u64), tasks: BTreeSet<u32>, links: Arc<dyn crate::engine::Links>) -> Surroundings {
    Surroundings {
        worker,
        incarnation,
        began: std::time::Instant::now(),
        tasks,
        threads: 2,
        pin: Vec::new(),
        models: Default::default(),
        live: Default::default(),
        state_dir: std::env::temp_dir(),
        links,
        runtime: None,
        seed: 42 + u64::from(worker),
    }
}

/// An engine that runs the whole plan by itself, its spouts emitting.
pub(super) fn alone(plan: &Arc<Plan>) -> Engine {
    alone_on(plan, Vec::new())
}

/// The same, its threads bound to cores.
pub(super) fn alone_on(plan: &Arc<Plan>, pin: Vec<u32>) -> Engine {
    let around = around((0, 1), (1..=plan.task_count()).collect(), Arc::new(Nobody));
    let engine = build(plan.clone(), &registry(), Surroundings { pin, ..around }).unwrap();
    engine.set_active(true);
    engine
}

/// A worker with links, as a process has them.
pub(super) struct Linked {
    pub(super) engine: Engine,
    pub(super) links: LinkHandle,
    pub(super) peer: Peer,
}

pub(super) fn linked(plan: &Arc<Plan>, worker: u32, incarnation: u64, tasks: &[u32]) -> Linked {
    let settings = link::Settings {
        token: "secret".into(),
        topology: "test-1".into(),
        plan: "hash".into(),
        worker,
        incarnation,
        bind: "127.0.0.1".into(),
        seed: incarnation.wrapping_mul(31) + u64::from(worker),
    };
    let links = link::start(settings).unwrap();
    let around = around((worker, incarnation), tasks.iter().copied().collect(), links.outboxes.clone());
    let engine = build(plan.clone(), &registry(), around).unwrap();
    links.run(engine.shared.clone(), |_| {}).unwrap();
    let peer = Peer { index: worker, tasks: tasks.to_vec(), since: 0, endpoint: Some(links.endpoint.clone()), incarnation };
    Linked { engine, links, peer }
}

impl Linked {
    pub(super) fn tell(&self, epoch: u64, workers: &[&Peer]) {
        self.links.command(Command::Peers { epoch, workers: workers.iter().map(|p| (*p).clone()).collect() });
    }

    pub(super) fn end(self) {
        self.engine.stop(Duration::from_secs(1));
        self.links.close();
    }
}

pub(crate) fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !there() {
        assert!(Instant::now() < until, "{what} did not come about in 30 s");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// The sum of a number over the tasks of a component.
pub(super) fn sum(plan: &Plan, reports: &[TaskReport], id: &str, number: impl Fn(&TaskReport) -> u64) -> u64 {
    let tasks = plan.tasks(plan.position(id).unwrap());
    reports.iter().filter(|r| tasks.contains(&r.task)).map(number).sum()
}

pub(super) fn counter(name: &'static str) -> impl Fn(&TaskReport) -> u64 {
    move |r| r.counters.iter().find(|(n, _)| n == name).map_or(0, |(_, v)| *v)
}
