//! What changes from second to second, as server-sent events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use squall_core::control::{ComponentDetail, Graph};

use super::Shared;
use super::answer::Path;
use super::sse::stream;
use crate::cluster::{Seen, World};
use crate::denied::Denied;
use crate::nimbus::Nimbus;

pub(super) async fn cluster(State(nimbus): Shared) -> Response {
    every_second(nimbus, "cluster", |w| Ok(w.cluster_live()))
}

pub(super) async fn topology(State(nimbus): Shared, Path(name): Path<String>) -> Result<Response, Denied> {
    let id = nimbus.look(|w| w.find(&name))?;
    let mut seen = Seen::default();
    Ok(every_second(nimbus, "topology", move |w| w.topology_live(&id, &mut seen)))
}

pub(super) async fn component(
    State(nimbus): Shared,
    Path((name, component)): Path<(String, String)>,
) -> Result<Response, Denied> {
    let id = nimbus.look(|w| w.find(&name).and_then(|id| w.component(&id, &component).map(|_| id)))?;
    let mut seen = Seen::default();
    Ok(every_second(nimbus, "component", move |w| w.component_detail(&id, &component, &mut seen)))
}

pub(super) async fn component_once(
    State(nimbus): Shared,
    Path((name, component)): Path<(String, String)>,
) -> Result<Json<ComponentDetail>, Denied> {
    nimbus.look(|w| w.find(&name).and_then(|id| w.component_detail(&id, &component, &mut Seen::default()))).map(Json)
}

pub(super) async fn graph(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Graph>, Denied> {
    nimbus.look(|w| w.find(&name).and_then(|id| w.graph(&id))).map(Json)
}

/// Sends what is seen now, and again every second, until it is gone (`event: gone`), nobody listens, or nimbus ends.
fn every_second<T: Serialize + Send + Sync>(
    nimbus: Arc<Nimbus>,
    name: &'static str,
    mut see: impl FnMut(&World) -> Result<T, Denied> + Send + 'static,
) -> Response {
    let (mut events, response) = stream();
    tokio::spawn(async move {
        let (mut ticks, mut closing) = (nimbus.ticks(), nimbus.closing());
        loop {
            ticks.borrow_and_update();
            let sent = match nimbus.look(&mut see) {
                Ok(seen) => events.send(name, &seen).await,
                Err(denied) => return drop(events.send("gone", &denied.problem).await),
            };
            if sent.is_err() {
                return;
            }
            tokio::select! {
                ticked = ticks.changed() => if ticked.is_err() { return },
                _ = closing.wait_for(|c| *c) => return,
            }
        }
    });
    response
}
