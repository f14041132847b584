//! The supervisor's HTTP door: for its workers, and for who reads logs. `docs/api.md` is its table.

mod answer;
mod logs;
mod metrics;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use squall_core::control::bearer_matches;

use crate::supervisor::Supervisor;
use answer::Denied;

type Shared = State<Arc<Supervisor>>;

/// The longest a call may wait for a change.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) fn router(supervisor: Arc<Supervisor>) -> Router {
    Router::new()
        .route("/v1/workers/{topology}/{worker}/hello", post(workers::hello))
        .route("/v1/workers/{topology}/{worker}/orders", get(workers::orders))
        .route("/v1/workers/{topology}/{worker}/report", post(workers::report))
        .route("/v1/logs", get(logs::list))
        .route("/v1/logs/{topology}/{worker}", get(logs::piece))
        .route("/v1/logs/{topology}/{worker}/download", get(logs::download))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/search/{topology}", get(logs::search))
        .route("/v1/log", get(logs::own_piece))
        .route("/v1/log/download", get(logs::own_download))
        .route("/v1/log/search", get(logs::own_search))
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(supervisor.clone(), needs_token))
        .with_state(supervisor)
}

async fn needs_token(State(supervisor): Shared, request: Request, next: Next) -> Response {
    let header = request.headers().get("authorization").map(|h| h.as_bytes());
    if bearer_matches(header, &supervisor.options.token) {
        return next.run(request).await;
    }
    Denied::no_token().into_response()
}

async fn nowhere(request: Request) -> Denied {
    let path: String = request.uri().path().escape_debug().take(128).collect();
    Denied::unknown(format!("there is nothing at `{path}`"))
}

async fn no_method(request: Request) -> Denied {
    Denied::no_method(request.method())
}
