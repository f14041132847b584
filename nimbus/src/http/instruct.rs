//! Log levels and taps of running topologies.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use squall_core::control::{LogLevel, OpenTap, SetLog, TapOpened};

use super::answer::{Path, body, maybe, query};
use super::{LONGEST_WAIT, Shared, Wait};
use crate::denied::Denied;

const LONGEST: usize = 64 << 10;

pub(super) async fn log(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Vec<LogLevel>>, Denied> {
    nimbus.look(|w| w.find(&name).and_then(|id| w.log_levels(&id))).map(Json)
}

pub(super) async fn set_log(
    State(nimbus): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Vec<LogLevel>>, Denied> {
    let set: SetLog = body(request, LONGEST).await?;
    nimbus.change(|w| w.find(&name).and_then(|id| w.set_log(&id, vec![set]))).map(Json)
}

pub(super) async fn open_tap(
    State(nimbus): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<TapOpened>), Denied> {
    let open: OpenTap = body(request, LONGEST).await?;
    let opened = nimbus.change(|w| w.find(&name).and_then(|id| w.open_tap(&id, open)))?;
    Ok((StatusCode::CREATED, Json(opened)))
}

pub(super) async fn samples(
    State(nimbus): Shared,
    Path((name, tap)): Path<(String, u64)>,
    uri: Uri,
) -> Result<Response, Denied> {
    let wait: Wait = query(&uri)?;
    let id = nimbus.look(|w| w.find(&name))?;
    // Whoever asks still watches. A wait is shorter than the lease.
    nimbus.change(|w| w.renew_tap(&id, tap))?;
    let after = wait.after.unwrap_or(0);
    // Without a wait it is told at once that there is nothing.
    let wait =
        Wait { after: (wait.wait_ms > 0).then_some(after), wait_ms: wait.wait_ms.min(LONGEST_WAIT.as_millis() as u64 / 4) };
    let found = wait.for_change(&nimbus, |w| w.samples(&id, tap, after).map(|s| (s.next.max(after), s))).await?;
    Ok(maybe(found))
}

pub(super) async fn close_tap(State(nimbus): Shared, Path((name, tap)): Path<(String, u64)>) -> Result<StatusCode, Denied> {
    nimbus.change(|w| w.find(&name).and_then(|id| w.close_tap(&id, tap)))?;
    Ok(StatusCode::NO_CONTENT)
}
