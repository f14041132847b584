//! The HTTP door: who may come in, what they may ask for. `docs/api.md` is its table.

mod answer;
mod ask;
mod blobs;
mod daemon_logs;
mod follow;
mod history;
mod instruct;
mod live;
mod log_search;
mod log_source;
mod logs;
mod metrics;
mod models;
mod openapi;
mod page;
mod session;
mod sse;
mod supervisors;
mod topologies;

pub(crate) use answer::{Path, body, query};
pub(crate) use session::Sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use squall_core::control::bearer_matches;

use crate::cluster::World;
use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

pub(crate) type Shared = State<Arc<Nimbus>>;

/// The longest a call may wait for a change.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(crate) fn router(nimbus: Arc<Nimbus>) -> Router {
    // What needs no token: the page's own files, and the two ways to a session.
    let open = Router::new()
        .route("/", get(page::index))
        .route("/ui/{*path}", get(page::file))
        .route("/enter", get(page::enter_by_link))
        .route("/v1/page/session", post(page::enter).delete(page::leave));
    guarded(&nimbus).merge(open).layer(from_fn(page::with_headers)).with_state(nimbus)
}

fn guarded(nimbus: &Arc<Nimbus>) -> Router<Arc<Nimbus>> {
    Router::new()
        .route("/v1/cluster", get(topologies::cluster))
        .route("/v1/live", get(live::cluster))
        .route("/v1/topologies", get(topologies::list).post(topologies::submit))
        .route("/v1/topologies/{name}", get(topologies::status))
        .route("/v1/topologies/{name}/plan", get(topologies::plan))
        .route("/v1/topologies/{name}/history", get(history::history))
        .route("/v1/topologies/{name}/graph", get(live::graph))
        .route("/v1/topologies/{name}/live", get(live::topology))
        .route("/v1/topologies/{name}/components/{component}", get(live::component_once))
        .route("/v1/topologies/{name}/components/{component}/live", get(live::component))
        .route("/v1/topologies/{name}/activate", post(topologies::activate))
        .route("/v1/topologies/{name}/deactivate", post(topologies::deactivate))
        .route("/v1/topologies/{name}/rebalance", post(topologies::rebalance))
        .route("/v1/topologies/{name}/kill", post(topologies::kill))
        .route("/v1/topologies/{name}/workers/{worker}/restart", post(topologies::restart))
        .route("/v1/topologies/{name}/models", get(models::list))
        .route("/v1/topologies/{name}/models/{model}/deploy", post(models::deploy))
        .route("/v1/topologies/{name}/models/{model}/rollback", post(models::rollback))
        .route("/v1/topologies/{name}/log", get(instruct::log).post(instruct::set_log))
        .route("/v1/topologies/{name}/taps", post(instruct::open_tap))
        .route("/v1/topologies/{name}/taps/{tap}", get(instruct::samples).delete(instruct::close_tap))
        .route("/v1/topologies/{name}/logs", get(logs::list))
        .route("/v1/topologies/{name}/logs/search", get(logs::search))
        .route("/v1/topologies/{name}/logs/follow", get(logs::follow))
        .route("/v1/topologies/{name}/logs/{worker}", get(logs::piece))
        .route("/v1/topologies/{name}/logs/{worker}/download", get(logs::download))
        .route("/v1/logs", get(daemon_logs::list))
        .route("/v1/logs/search", get(daemon_logs::search))
        .route("/v1/logs/follow", get(daemon_logs::follow))
        .route("/v1/logs/{daemon}", get(daemon_logs::piece))
        .route("/v1/logs/{daemon}/download", get(daemon_logs::download))
        .route("/metrics", get(metrics::metrics))
        .route("/api/openapi.json", get(openapi::document))
        .route("/v1/models", get(models::overview))
        .route("/v1/models/import", post(models::import))
        .route("/v1/page/links", post(page::link))
        .route("/v1/blobs/{sha256}", put(blobs::receive).get(blobs::send).head(blobs::size))
        .route("/v1/supervisors/{id}/heartbeat", post(supervisors::heartbeat))
        .route("/v1/supervisors/{id}/desired", get(supervisors::desired))
        .route("/v1/supervisors/{id}/positions/{topology}", get(supervisors::positions))
        .merge(crate::storm::router())
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(nimbus.clone(), needs_token))
}

async fn needs_token(State(nimbus): Shared, request: Request, next: Next) -> Response {
    let admitted = {
        let (method, headers) = (request.method(), request.headers());
        let header = headers.get("authorization").map(|h| h.as_bytes());
        bearer_matches(header, nimbus.token()) || nimbus.sessions().admits(method, headers, nimbus.unix_ms())
    };
    if admitted {
        let counts = |path: &str| !["/v1/supervisors/", "/v1/blobs/"].iter().any(|of| path.starts_with(of));
        if request.method() == Method::GET && counts(request.uri().path()) {
            nimbus.caught_up().await;
        }
        return next.run(request).await;
    }
    let remedy = "send `authorization: Bearer TOKEN` with the content of the file `token` in nimbus's folder";
    Denied::new(Kind::NoToken, "the token is missing or wrong", remedy).into_response()
}

async fn nowhere(request: Request) -> Denied {
    let path: String = request.uri().path().escape_debug().take(128).collect();
    Denied::new(Kind::Unknown, format!("there is nothing at `{path}`"), "docs/api.md lists the paths")
}

async fn no_method(request: Request) -> Denied {
    let error = format!("{} is not possible here", request.method());
    Denied::new(Kind::NoMethod, error, "docs/api.md lists the paths and their methods")
}

/// What a long poll asks with.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wait {
    after: Option<u64>,
    wait_ms: u64,
}

impl Wait {
    /// What is seen as soon as its revision is another than the caller knows; none when it was not in time.
    async fn for_change<T>(
        self,
        nimbus: &Nimbus,
        look: impl Fn(&World) -> Result<(u64, T), Denied>,
    ) -> Result<Option<T>, Denied> {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(self.wait_ms).min(LONGEST_WAIT);
        let (mut changes, mut closing) = (nimbus.changes(), nimbus.closing());
        loop {
            changes.borrow_and_update();
            let (revision, seen) = nimbus.look(&look)?;
            if self.after != Some(revision) {
                return Ok(Some(seen));
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(None) },
                _ = closing.wait_for(|c| *c) => return Ok(None),
                () = tokio::time::sleep_until(deadline) => return Ok(None),
            }
        }
    }
}
