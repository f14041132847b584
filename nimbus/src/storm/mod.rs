//! Storm's UI REST, so that tools made for Storm can read Squall: the same paths, methods and fields, filled with real values. What
//! Squall has not got answers with Storm's neutral values. Every window is exact to its edge: 10 min to a second, 3 h to a minute,
//! 1 d to ten minutes.

mod actions;
mod cluster;
mod component;
mod debug;
mod logconfig;
mod pretty;
mod profiling;
mod topology;
mod view;
mod visualization;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, http};
use serde_json::json;

use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

/// Everything below `/api/v1`.
pub(crate) fn router() -> Router<Arc<Nimbus>> {
    Router::new()
        .route("/api/v1/cluster/configuration", get(cluster::configuration))
        .route("/api/v1/cluster/summary", get(cluster::summary))
        .route("/api/v1/nimbus/summary", get(cluster::nimbuses))
        .route("/api/v1/supervisor/summary", get(cluster::supervisors))
        .route("/api/v1/supervisor", get(cluster::supervisor))
        .route("/api/v1/history/summary", get(cluster::history))
        .route("/api/v1/owner-resources", get(cluster::owners))
        .route("/api/v1/owner-resources/{owner}", get(cluster::owner))
        .route("/api/v1/topology/summary", get(topology::summary))
        .route("/api/v1/topology-workers/{id}", get(topology::workers))
        .route("/api/v1/topology/{id}", get(topology::page))
        .route("/api/v1/topology/{id}/metrics", get(topology::metrics))
        .route("/api/v1/topology/{id}/lag", get(topology::lag))
        .route("/api/v1/topology/{id}/logconfig", get(logconfig::get).post(logconfig::set))
        .route("/api/v1/topology/{id}/visualization", get(visualization::boxes))
        .route("/api/v1/topology/{id}/visualization-init", get(visualization::streams))
        .route("/api/v1/topology/{id}/component/{component}", get(component::page))
        .route("/api/v1/topology/{id}/activate", post(actions::activate))
        .route("/api/v1/topology/{id}/deactivate", post(actions::deactivate))
        .route("/api/v1/topology/{id}/rebalance/{wait}", post(actions::rebalance))
        .route("/api/v1/topology/{id}/kill/{wait}", post(actions::kill))
        .route("/api/v1/topology/{id}/debug/{action}/{percent}", post(debug::whole))
        .route("/api/v1/topology/{id}/component/{component}/debug/{action}/{percent}", post(debug::component))
        .route(
            "/api/v1/topology/{id}/profiling/restartworker/{worker}",
            get(profiling::restart_worker).post(profiling::restart_worker),
        )
        .route("/api/v1/topology/{id}/profiling/{*rest}", get(profiling::unknown).post(profiling::unknown))
}

/// A refusal in Storm's form.
pub(crate) struct Failed(Denied);

impl From<Denied> for Failed {
    fn from(denied: Denied) -> Self {
        Failed(denied)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let problem = self.0.problem;
        if self.0.kind == Kind::Failed {
            log::error!(error = problem.error.as_str(); "a call failed");
        }
        let message = [problem.error, problem.remedy].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("; ");
        let body = json!({"error": "Internal Server Error", "errorMessage": message});
        (http::StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
    }
}

type Answer = Result<Json<serde_json::Value>, Failed>;
