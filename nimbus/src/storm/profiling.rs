//! What Storm's UI does to single workers.

use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::view::port;
use super::{Answer, Failed};
use crate::denied::{Denied, Kind};
use crate::http::{Path, Shared};

/// Of a worker by its host and port.
pub(super) async fn restart_worker(State(nimbus): Shared, Path((id, worker)): Path<(String, String)>) -> Answer {
    nimbus.change(|w| {
        let id = w.find(&id)?;
        let status = w.topology_status(&id)?;
        let is_it = |w: &&squall_core::control::WorkerSummary| format!("{}:{}", w.host, port(w)) == worker;
        let index = status.workers.iter().find(is_it).map(|w| w.worker).ok_or_else(|| {
            let shown: String = worker.escape_debug().take(128).collect();
            Denied::new(Kind::Unknown, format!("there is no worker `{shown}`"), "`topology-workers/{id}` lists hosts and ports")
        })?;
        w.restart(&id, index)
    })?;
    Ok(Json(json!({"status": "ok", "id": worker})))
}

/// What cannot be done is not said to be done.
pub(super) async fn unknown() -> Failed {
    let remedy = "of a worker's pid, `perf record -p` profiles it and `gdb -p` shows its stacks";
    Failed::from(Denied::new(Kind::Wrong, "there is no Java machine to profile or dump", remedy))
}
