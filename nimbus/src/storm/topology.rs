//! Topologies.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Map, Value, json};
use squall_core::control::{Taken, TopologyStatus, WorkerSummary};
use squall_core::{ComponentKind, InputStream, Plan};

use super::pretty::{WINDOWS, each, mb, mean, percent, seconds, uptime};
use super::view::{View, object, owner, port, transferred};
use super::{Answer, Failed};
use crate::cluster::{emitted, settled, taken};
use crate::history::Point;
use crate::http::{Path, Shared};

/// A topology's line in a list; its page has the same.
pub(super) fn line(t: &TopologyStatus) -> Value {
    let tasks: u32 = t.components.iter().map(|c| c.tasks).sum();
    // What its workers take is what Storm calls assigned.
    let memory = mb(t.workers.iter().map(|w| w.usage.rss_bytes).sum());
    let cores = t.workers.iter().map(|w| w.usage.cores_busy).sum();
    json!({
        "id": t.id, "encodedId": t.id, "name": t.name, "owner": owner(), "status": t.state.to_string(),
        "uptime": uptime(t.uptime_ms), "uptimeSeconds": t.uptime_ms / 1000,
        "tasksTotal": tasks, "executorsTotal": tasks, "workersTotal": t.workers.len(), "replicationCount": 1,
        "schedulerInfo": null,
        "requestedMemOnHeap": 0.0, "requestedMemOffHeap": 0.0, "requestedTotalMem": 0.0, "requestedCpu": 0.0,
        "requestedGenericResources": "",
        "assignedMemOnHeap": 0.0, "assignedMemOffHeap": memory, "assignedTotalMem": memory,
        "assignedCpu": percent(cores), "assignedGenericResources": "",
        "topologyVersion": null, "stormVersion": env!("CARGO_PKG_VERSION"),
    })
}

pub(super) async fn summary(State(nimbus): Shared) -> Answer {
    let topologies = nimbus.look(super::cluster::all)?;
    let lines: Vec<Value> = topologies.iter().map(line).collect();
    Ok(Json(json!({"topologies": lines, "schedulerDisplayResource": false})))
}

/// A worker's line.
pub(super) fn worker(t: &TopologyStatus, w: &WorkerSummary) -> Value {
    let mut tasks: Map<String, Value> = Map::new();
    let mut first = 1;
    for c in &t.components {
        let here = w.tasks.iter().filter(|task| (first..first + c.tasks).contains(task)).count();
        if here > 0 {
            tasks.insert(c.id.clone(), json!(here));
        }
        first += c.tasks;
    }
    json!({
        "supervisorId": w.supervisor, "host": w.host, "port": port(w), "topologyId": t.id, "topologyName": t.name,
        "executorsTotal": w.tasks.len(), "assignedMemOnHeap": 0.0, "assignedMemOffHeap": mb(w.usage.rss_bytes),
        "assignedCpu": percent(w.usage.cores_busy), "componentNumTasks": tasks,
        "uptime": uptime(w.uptime_ms), "uptimeSeconds": w.uptime_ms / 1000,
        "workerLogLink": format!("/v1/topologies/{}/logs/{}/download", t.id, w.worker), "owner": owner(),
    })
}

/// What spouts emitted and what became of it in a window.
fn window_stats(plan: &Plan, point: &Point, window: (&str, &str)) -> Value {
    let (mut emitted, mut transferred, mut acked, mut failed) = (0u64, 0u64, 0u64, 0u64);
    let mut complete = squall_core::Histogram::default();
    for c in &plan.components {
        let Some(s) = point.components.get(&c.id) else { continue };
        emitted += s.numbers.emitted;
        transferred += s.numbers.transferred;
        if c.kind == ComponentKind::Spout {
            acked += s.numbers.acked;
            failed += s.numbers.failed;
            complete.merge(&s.numbers.complete);
        }
    }
    json!({"window": window.0, "windowPretty": window.1, "emitted": emitted, "transferred": transferred,
        "completeLatency": mean(&complete), "acked": acked, "failed": failed})
}

pub(super) async fn page(State(nimbus): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let v = View::of(&nimbus, &id, &uri).await?;
    let of_kind = |kind: ComponentKind| {
        let those = v.plan.components.iter().filter(|c| c.kind == kind);
        those.map(|c| v.component(c)).collect::<Vec<_>>()
    };
    let stats = v.windows.iter().zip(WINDOWS).map(|(p, w)| window_stats(&v.plan, p, (w.1, w.2)));
    let (window, hint) = v.window();
    let (debug, percent) = v.debug("");
    let mut page = object(line(&v.status));
    let memory = page.get("assignedTotalMem").cloned().unwrap_or_default();
    page.append(&mut object(json!({
        "user": null, "window": window, "windowHint": hint,
        "msgTimeout": v.plan.settings.message_timeout.as_secs(),
        "configuration": configuration(&v.plan), "debug": debug, "samplingPct": percent,
        "topologyStats": stats.collect::<Vec<_>>(),
        "spouts": of_kind(ComponentKind::Spout), "bolts": of_kind(ComponentKind::Bolt),
        "workers": v.status.workers.iter().map(|w| worker(&v.status, w)).collect::<Vec<_>>(),
        "requestedRegularOnHeapMem": 0.0, "requestedSharedOnHeapMem": 0.0, "requestedRegularOffHeapMem": 0.0,
        "requestedSharedOffHeapMem": 0.0, "assignedRegularOnHeapMem": 0.0, "assignedSharedOnHeapMem": 0.0,
        "assignedRegularOffHeapMem": memory, "assignedSharedOffHeapMem": 0.0,
        "schedulerDisplayResource": false, "visualizationTable": [], "bugtracker-url": null, "central-log-url": null,
    })));
    Ok(Json(Value::Object(page)))
}

/// The settings under the names that Storm has for them, and all of them under Squall's.
fn configuration(plan: &Plan) -> Value {
    let s = &plan.settings;
    let mut all = object(json!({
        "topology.name": plan.name, "topology.workers": s.workers, "topology.max.spout.pending": s.max_spout_pending,
        "topology.message.timeout.secs": seconds(s.message_timeout),
        "topology.acker.executors": if s.acking { Value::Null } else { json!(0) },
        "topology.stats.sample.rate": 1.0,
    }));
    all.insert("squall".to_owned(), serde_json::to_value(s).unwrap_or_default());
    Value::Object(all)
}

pub(super) async fn workers(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    let status = nimbus.look(|w| w.find(&id).and_then(|id| w.topology_status(&id)))?;
    let list: Vec<Value> = status.workers.iter().map(|w| json!({"host": w.host, "port": port(w)})).collect();
    Ok(Json(json!({"hostPortList": list, "logviewerPort": nimbus.port(), "logviewerScheme": "http"})))
}

pub(super) async fn metrics(State(nimbus): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let v = View::of(&nimbus, &id, &uri).await?;
    let (window, hint) = v.window();
    let lines = |kind: ComponentKind| {
        let those = v.plan.components.iter().filter(|c| c.kind == kind);
        those
            .map(|c| {
                let n = v.sums(&c.id).numbers;
                let outputs = |of: &dyn Fn(&str) -> Value| {
                    c.outputs.iter().map(|o| json!({"stream_id": o.name, "value": of(&o.name)})).collect::<Vec<_>>()
                };
                let inputs = |of: &dyn Fn(Taken) -> Value| {
                    let value = |i: &InputStream| json!({"component_id": i.from, "stream_id": i.stream, "value": of(taken(&n, c, i))});
                    c.inputs.iter().map(value).collect::<Vec<_>>()
                };
                let emitted = outputs(&|stream| json!(emitted(&n, c, stream)));
                let transferred = outputs(&|stream| json!(transferred(&v.plan, &n, c, stream)));
                match kind {
                    ComponentKind::Spout => json!({"id": c.id, "emitted": emitted, "transferred": transferred,
                        "acked": outputs(&|stream| json!(settled(&n, c, stream).acked)),
                        "failed": outputs(&|stream| json!(settled(&n, c, stream).failed)),
                        "complete_ms_avg": outputs(&|stream| json!(mean(&settled(&n, c, stream).complete)))}),
                    ComponentKind::Bolt => json!({"id": c.id, "emitted": emitted, "transferred": transferred,
                        "acked": inputs(&|t| json!(t.acked)), "failed": inputs(&|t| json!(t.failed)), "executed": inputs(&|t| json!(t.executed)),
                        "executed_ms_avg": inputs(&|t| json!(each(t.busy_ns, t.executed))),
                        "process_ms_avg": inputs(&|t| json!(each(t.busy_ns, t.executed)))}),
                }
            })
            .collect::<Vec<_>>()
    };
    Ok(Json(
        json!({"window": window, "window-hint": hint, "spouts": lines(ComponentKind::Spout), "bolts": lines(ComponentKind::Bolt)}),
    ))
}

/// Storm's answer for a topology without Kafka spouts of its own.
pub(super) async fn lag(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    nimbus.look(|w| w.find(&id)).map_err(Failed::from)?;
    Ok(Json(json!({})))
}
