//! Workers, as `squall_core::control` says.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use squall_core::control::{Hello, Report};

use super::answer::{Denied, Path, body, query};
use super::{LONGEST_WAIT, Shared};
use crate::layout::Key;

const LONGEST_HELLO: usize = 64 << 10;
const LONGEST_REPORT: usize = 16 << 20;
/// As long as an endpoint can be.
const LONGEST_ENDPOINT: usize = 512;

pub(super) async fn hello(State(supervisor): Shared, Path(key): Path<Key>, request: Request) -> Result<StatusCode, Denied> {
    let hello: Hello = body(request, LONGEST_HELLO).await?;
    if hello.endpoint.len() > LONGEST_ENDPOINT {
        return Err(Denied::wrong(format!("the endpoint is longer than {LONGEST_ENDPOINT} bytes")));
    }
    supervisor.with(|r| r.hello(&key, hello)).map_err(|_| Denied::gone())?;
    supervisor.beat();
    // After the others were told: none of them waits for the disk.
    supervisor.keep(&key);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn report(State(supervisor): Shared, Path(key): Path<Key>, request: Request) -> Result<StatusCode, Denied> {
    let report: Report = body(request, LONGEST_REPORT).await?;
    if supervisor.with(|r| r.report(&key, report)).map_err(|_| Denied::gone())? {
        // Nimbus hears of a new phase with the memory that models take in it: a short topology has no other.
        supervisor.measure_models().await;
        supervisor.beat();
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    incarnation: u64,
    after: Option<u64>,
    #[serde(default)]
    wait_ms: u64,
}

pub(super) async fn orders(State(supervisor): Shared, Path(key): Path<Key>, uri: Uri) -> Result<Response, Denied> {
    let ask: Ask = query(&uri)?;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(ask.wait_ms).min(LONGEST_WAIT);
    let (mut changes, mut closing) = (supervisor.changes(), supervisor.closing());
    loop {
        changes.borrow_and_update();
        let orders = supervisor.look(|r| r.orders(&key, ask.incarnation).map(|o| o.cloned())).map_err(|_| Denied::gone())?;
        if let Some(orders) = orders.filter(|o| Some(o.revision) != ask.after) {
            return Ok(Json(orders).into_response());
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            _ = closing.wait_for(|c| *c) => break,
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
