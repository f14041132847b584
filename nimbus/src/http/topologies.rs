//! Topologies, for clients.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use squall_core::Plan;
use squall_core::control::{Accepted, Kill, Rebalance, Submit, TopologySummary};

use super::answer::{Path, body, maybe, query};
use super::{Shared, Wait};
use crate::admit::unknown_key;
use crate::denied::{Denied, Kind};

const LONGEST_PLAN: usize = 16 << 20;
const LONGEST_COMMAND: usize = 64 << 10;

pub(super) async fn cluster(State(nimbus): Shared, uri: Uri) -> Result<Response, Denied> {
    let wait: Wait = query(&uri)?;
    let found = wait.for_change(&nimbus, |w| Ok((w.revision(), w.cluster_status()))).await?;
    Ok(maybe(found))
}

pub(super) async fn list(State(nimbus): Shared) -> Result<Json<Vec<TopologySummary>>, Denied> {
    nimbus.look(|w| Ok(Json(w.summaries())))
}

pub(super) async fn status(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Response, Denied> {
    let wait: Wait = query(&uri)?;
    // A name is looked up once: what takes its place later is another topology.
    let id = nimbus.look(|w| w.find(&name))?;
    let found = wait.for_change(&nimbus, |w| w.topology_status(&id).map(|s| (s.revision, s))).await?;
    Ok(maybe(found))
}

pub(super) async fn plan(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Plan>, Denied> {
    nimbus.look(|w| w.find(&name).and_then(|id| w.plan(&id))).map(Json)
}

pub(super) async fn submit(State(nimbus): Shared, request: Request) -> Result<(StatusCode, Json<Accepted>), Denied> {
    let given: serde_json::Value = body(request, LONGEST_PLAN).await?;
    let submit: Submit = super::answer::json(&serde_json::to_vec(&given).map_err(squall_core::Error::from)?)?;
    let understood = serde_json::to_value(&submit).map_err(squall_core::Error::from)?;
    if let Some(key) = unknown_key(&given, &understood) {
        let shown: String = key.escape_debug().take(200).collect();
        let remedy = "take it out, or use a client of nimbus's version";
        return Err(Denied::new(Kind::Unreadable, format!("unknown key `{shown}`"), remedy));
    }
    let accepted = nimbus.change(|w| w.submit(submit))?;
    Ok((StatusCode::CREATED, Json(accepted)))
}

pub(super) async fn activate(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Accepted>, Denied> {
    nimbus.change(|w| w.find(&name).and_then(|id| w.activate(&id))).map(Json)
}

pub(super) async fn deactivate(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Accepted>, Denied> {
    nimbus.change(|w| w.find(&name).and_then(|id| w.deactivate(&id))).map(Json)
}

pub(super) async fn rebalance(State(nimbus): Shared, Path(name): Path<String>, request: Request) -> Result<Response, Denied> {
    let change: Rebalance = body(request, LONGEST_COMMAND).await?;
    nimbus.change(|w| w.find(&name).and_then(|id| w.rebalance(&id, change))).map(|a| Json(a).into_response())
}

pub(super) async fn kill(State(nimbus): Shared, Path(name): Path<String>, request: Request) -> Result<Response, Denied> {
    let kill: Kill = body(request, LONGEST_COMMAND).await?;
    nimbus.change(|w| w.find(&name).and_then(|id| w.kill(&id, kill))).map(|a| Json(a).into_response())
}

pub(super) async fn restart(State(nimbus): Shared, Path((name, worker)): Path<(String, u32)>) -> Result<Response, Denied> {
    nimbus.change(|w| w.find(&name).and_then(|id| w.restart(&id, worker))).map(|a| Json(a).into_response())
}
