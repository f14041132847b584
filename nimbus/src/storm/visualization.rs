//! What Storm draws a topology from.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Map, Value, json};
use squall_core::{ComponentKind, Grouping, PlannedComponent};

use super::pretty::{WINDOWS, millis};
use super::view::{View, port};
use super::{Answer, Failed};
use crate::history::Point;
use crate::http::{Path, Shared};

/// A stream's name as it can be part of an element's id, by Storm's rule: no digits either.
fn sane(stream: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphabetic() || "_-.".contains(c) { c } else { '_' };
    let name: String = stream.chars().map(fine).collect();
    if stream.starts_with(char::is_alphabetic) { name } else { format!("_s{name}") }
}

/// A grouping's name in Storm's Thrift interface, where there is one.
fn grouping(g: &Grouping) -> String {
    g.name().replace('-', "_")
}

pub(super) async fn boxes(State(nimbus): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let v = View::of(&nimbus, &id, &uri).await?;
    let mut found = Map::new();
    for (at, c) in v.plan.components.iter().enumerate() {
        let sums = v.sums(&c.id);
        let n = &sums.numbers;
        let (spout, tasks) = (c.kind == ComponentKind::Spout, v.plan.tasks(at));
        let latency = if spout { &n.complete } else { &n.execute };
        let stats = tasks.clone().filter_map(|task| {
            let worker = v.status.workers.iter().find(|w| w.tasks.contains(&task))?;
            Some(json!({":host": worker.host, ":port": port(worker), ":uptime_secs": worker.uptime_ms / 1000,
                ":transferred": by_window(&v, c, task - tasks.start)}))
        });
        let inputs = c.inputs.iter().map(|i| {
            json!({":component": i.from, ":stream": i.stream, ":sani-stream": sane(&i.stream), ":grouping": grouping(&i.grouping)})
        });
        found.insert(
            c.id.clone(),
            json!({
                ":type": c.kind.to_string(), ":capacity": f64::from(sums.capacity),
                ":latency": millis(latency.mean().unwrap_or(0.0) / 1e6), ":transferred": n.transferred,
                ":stats": stats.collect::<Vec<_>>(), ":link": format!("/#/t/{}/c/{}", v.status.name, c.id),
                ":inputs": inputs.collect::<Vec<_>>(),
            }),
        );
    }
    Ok(Json(Value::Object(found)))
}

/// What a task sent on in each window. Workers tell a task's streams together: of several, none is told.
fn by_window(v: &View, c: &PlannedComponent, place: u32) -> Value {
    let of = |point: &Point| match c.outputs.as_slice() {
        [one] => json!({&one.name: point.tasks.get(&c.id).and_then(|t| t.get(&place)).map_or(0, |t| t.transferred)}),
        _ => json!({}),
    };
    Value::Object(WINDOWS.iter().zip(&v.windows).map(|(w, point)| (w.1.to_owned(), of(point))).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_in_storm() {
        assert_eq!(["default", "a b2", "2nd", "__ack"].map(sane), ["default", "a_b_", "_s_nd", "_s__ack"]);
        assert_eq!([grouping(&Grouping::LocalOrShuffle), grouping(&Grouping::All)], ["local_or_shuffle", "all"]);
    }
}
