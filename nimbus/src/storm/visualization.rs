//! What Storm draws a topology from.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Map, Value, json};
use squall_core::ComponentKind;

use super::pretty::millis;
use super::view::{View, port};
use super::{Answer, Failed};
use crate::cluster::emitted;
use crate::http::{Path, Shared};

/// A stream's name as it can be part of an element's id.
fn sane(stream: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("s{}", stream.chars().map(fine).collect::<String>())
}

pub(super) async fn boxes(State(nimbus): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let v = View::of(&nimbus, &id, &uri).await?;
    let mut found = Map::new();
    for (at, c) in v.plan.components.iter().enumerate() {
        let sums = v.sums(&c.id);
        let n = &sums.numbers;
        let (spout, tasks) = (c.kind == ComponentKind::Spout, v.plan.tasks(at));
        let latency = if spout { &n.complete } else { &n.execute };
        let by_stream = |all: u64| {
            let of = |name: &str| if c.outputs.len() == 1 { all } else { emitted(n, c, name) };
            c.outputs.iter().map(|o| (o.name.clone(), json!(of(&o.name)))).collect::<Map<String, Value>>()
        };
        let stats = tasks.clone().filter_map(|task| {
            let worker = v.status.workers.iter().find(|w| w.tasks.contains(&task))?;
            let of = v.point().tasks.get(&c.id).and_then(|t| t.get(&(task - tasks.start)));
            Some(json!({":host": worker.host, ":port": port(worker), ":uptime_secs": worker.uptime_ms / 1000,
                ":transferred": by_stream(of.map_or(0, |t| t.transferred))}))
        });
        let inputs = c.inputs.iter().map(|i| {
            json!({":component": i.from, ":stream": i.stream, ":sani-stream": sane(&i.stream), ":grouping": i.grouping.name()})
        });
        found.insert(
            c.id.clone(),
            json!({
                ":type": c.kind.to_string(), ":capacity": f64::from(sums.capacity),
                ":latency": millis(latency.mean().unwrap_or(0.0) / 1e6), ":transferred": by_stream(n.transferred),
                ":stats": stats.collect::<Vec<_>>(), ":link": format!("/#/t/{}/c/{}", v.status.name, c.id),
                ":inputs": inputs.collect::<Vec<_>>(),
            }),
        );
    }
    Ok(Json(Value::Object(found)))
}

/// The streams in rows of four, all of them chosen but the system's, of which there are none.
pub(super) async fn streams(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    let plan = nimbus.look(|w| w.find(&id).and_then(|id| w.plan(&id))).map_err(Failed::from)?;
    let mut names: Vec<&str> = plan.components.iter().flat_map(|c| &c.outputs).map(|o| o.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let boxes: Vec<Value> = names.iter().map(|s| json!({"stream": s, "sani-stream": sane(s), "checked": true})).collect();
    let rows: Vec<Value> = boxes.chunks(4).map(|row| json!({":row": row})).collect();
    Ok(Json(json!({"visualizationTable": rows})))
}
