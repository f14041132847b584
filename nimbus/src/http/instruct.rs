//! Log levels and taps of running topologies.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use squall_core::control::{LogLevel, OpenTap, SetLog, TapOpened};

use super::answer::{body, query};
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
    nimbus.change(|w| w.find(&name).and_then(|id| w.set_log(&id, set))).map(Json)
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
    let deadline = tokio::time::Instant::now() + Duration::from_millis(wait.wait_ms).min(LONGEST_WAIT / 4);
    let (mut changes, mut closing) = (nimbus.changes(), nimbus.closing());
    // Whoever asks still watches. A wait is shorter than the lease.
    nimbus.change(|w| w.renew_tap(&id, tap))?;
    loop {
        changes.borrow_and_update();
        let found = nimbus.look(|w| w.samples(&id, tap, wait.after.unwrap_or(0)))?;
        if !found.samples.is_empty() || wait.wait_ms == 0 {
            return Ok(Json(found).into_response());
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            _ = closing.wait_for(|c| *c) => break,
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn close_tap(State(nimbus): Shared, Path((name, tap)): Path<(String, u64)>) -> Result<StatusCode, Denied> {
    nimbus.change(|w| w.find(&name).and_then(|id| w.close_tap(&id, tap)))?;
    Ok(StatusCode::NO_CONTENT)
}
