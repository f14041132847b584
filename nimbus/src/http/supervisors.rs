//! Supervisors.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use squall_core::control::{Heartbeat, HeartbeatAnswer, Position};

use super::answer::{Path, body, maybe, query};
use super::{Shared, Wait};
use crate::denied::{Denied, Kind};

const LONGEST_HEARTBEAT: usize = 64 << 20;
/// More slots than any machine has; what comes from the network must not set how long a loop runs.
const MOST_SLOTS: u32 = 4096;

pub(super) async fn heartbeat(
    State(nimbus): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<HeartbeatAnswer>, Denied> {
    let wrong = |error: String| Err(Denied::new(Kind::Wrong, error, "use a supervisor of nimbus's version"));
    if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return wrong("a supervisor's id is 32 hex digits".to_owned());
    }
    let heartbeat: Heartbeat = body(request, LONGEST_HEARTBEAT).await?;
    if heartbeat.slots > MOST_SLOTS {
        return wrong(format!("{} slots are more than {MOST_SLOTS}", heartbeat.slots));
    }
    if address(&heartbeat.url).is_none() {
        return wrong("`url` is no http address on loopback".to_owned());
    }
    nimbus.change(|w| w.heartbeat(&id, heartbeat).map_err(Denied::from)).map(Json)
}

/// The address in a supervisor's url. Nimbus calls nothing else: the token goes with the call.
pub(super) fn address(url: &str) -> Option<SocketAddr> {
    let address: SocketAddr = url.strip_prefix("http://")?.parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

pub(super) async fn positions(
    State(nimbus): Shared,
    Path((id, topology)): Path<(String, String)>,
) -> Result<Json<Vec<Position>>, Denied> {
    nimbus.look(|w| Ok(w.positions(&id, &topology))).map(Json)
}

pub(super) async fn desired(State(nimbus): Shared, Path(id): Path<String>, uri: Uri) -> Result<Response, Denied> {
    let wait: Wait = query(&uri)?;
    let found = wait.for_change(&nimbus, |w| w.desired(&id).map(|d| (d.revision, d.clone()))).await?;
    Ok(maybe(found))
}
