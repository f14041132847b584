//! One component.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};
use squall_core::ComponentKind;

use super::Answer;
use super::pretty::{WINDOWS, each, mean, uptime};
use super::view::{View, numbers, object, port, task_numbers, transferred};
use crate::cluster::{emitted, settled, taken};
use crate::http::{Path, Shared};

pub(super) async fn page(State(nimbus): Shared, Path((id, component)): Path<(String, String)>, uri: Uri) -> Answer {
    let found = nimbus.look(|w| w.find(&id).and_then(|id| w.component(&id, &component).map(|_| id)))?;
    let v = View::of(&nimbus, &found, &uri).await?;
    let at = v.plan.position(&component).unwrap_or(0);
    let (c, tasks) = (&v.plan.components[at], v.plan.tasks(at));
    let spout = c.kind == ComponentKind::Spout;
    let (window, hint) = v.window();
    let (debug, percent) = v.debug(&c.id);
    let events = format!("/v1/topologies/{}/logs/search?text=squall::events]%20{}/", v.status.id, c.id);
    let sums = v.sums(&c.id);

    let by_window = v.windows.iter().zip(WINDOWS).map(|(p, w)| {
        let mut line = object(json!({"window": w.1, "windowPretty": w.2}));
        line.append(&mut object(numbers(&p.components.get(&c.id).cloned().unwrap_or_default(), c.kind)));
        Value::Object(line)
    });
    let n = &sums.numbers;
    let inputs = c.inputs.iter().map(|i| {
        let t = taken(n, c, i);
        let latency = each(t.busy_ns, t.executed);
        json!({"component": i.from, "encodedComponentId": i.from, "stream": i.stream, "executeLatency": latency,
            "processLatency": latency, "executed": t.executed, "acked": t.acked, "failed": t.failed})
    });
    let outputs = c.outputs.iter().map(|o| {
        let mut line = object(json!({"stream": o.name, "emitted": emitted(n, c, &o.name),
            "transferred": transferred(&v.plan, n, c, &o.name)}));
        if spout {
            let s = settled(n, c, &o.name);
            line.append(&mut object(json!({"completeLatency": mean(&s.complete), "acked": s.acked, "failed": s.failed})));
        }
        Value::Object(line)
    });
    let executors = tasks.clone().map(|task| {
        let sums = v.point().tasks.get(&c.id).and_then(|t| t.get(&(task - tasks.start))).cloned().unwrap_or_default();
        let worker = v.status.workers.iter().find(|w| w.tasks.contains(&task));
        let mut line = object(json!({
            "id": format!("[{task}-{task}]"), "encodedId": format!("%5B{task}-{task}%5D"),
            "uptime": uptime(worker.map_or(0, |w| w.uptime_ms)), "uptimeSeconds": worker.map_or(0, |w| w.uptime_ms) / 1000,
            "host": worker.map_or("", |w| w.host.as_str()), "port": worker.map_or(0, port),
            "workerLogLink": worker.map_or_else(String::new, |w| v.log_link(w.worker)),
        }));
        line.append(&mut object(task_numbers(&sums, v.point().ms, c.kind)));
        Value::Object(line)
    });
    let errors = v.status.errors.iter().filter(|e| e.component == c.id).map(|e| v.error(e));
    let mut page = object(json!({
        "user": null, "id": c.id, "encodedId": c.id, "name": v.status.name, "topologyName": v.status.name,
        "componentType": c.kind.to_string(), "executors": c.parallelism, "tasks": c.parallelism,
        "requestedMemOnHeap": 0.0, "requestedMemOffHeap": 0.0, "requestedCpu": 0.0, "requestedGenericResources": "",
        "topologyId": v.status.id, "encodedTopologyId": v.status.id, "topologyStatus": v.status.state.to_string(),
        "window": window, "windowHint": hint, "debug": debug, "samplingPct": percent,
        "eventLogLink": if debug { events.as_str() } else { "" },
        "schedulerDisplayResource": false,
        "inputStats": inputs.collect::<Vec<_>>(), "outputStats": outputs.collect::<Vec<_>>(),
        "executorStats": executors.collect::<Vec<_>>(), "componentErrors": errors.collect::<Vec<_>>(),
        "profilingAndDebuggingCapable": true, "profileActionEnabled": false, "profilerActive": [],
    }));
    page.insert(if spout { "spoutSummary" } else { "boltStats" }.to_owned(), json!(by_window.collect::<Vec<_>>()));
    Ok(Json(Value::Object(page)))
}
