//! Versions of models, for clients.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use squall_core::control::{Deploy, Deployment, ImportedModel, ModelOverview, Rollback};

use super::answer::{Path, body, maybe, query};
use super::blobs::Upload;
use super::{Shared, Wait};
use crate::denied::Denied;

const LONGEST: usize = 64 << 10;

/// The models of all topologies.
pub(super) async fn overview(State(nimbus): Shared) -> Result<Json<Vec<ModelOverview>>, Denied> {
    nimbus.look(|w| Ok(Json(w.model_overviews())))
}

/// A model file becomes a blob that may be deployed.
pub(super) async fn import(State(nimbus): Shared, request: Request) -> Result<Json<ImportedModel>, Denied> {
    nimbus.imports().import(Upload(request.into_body()), nimbus.blobs()).await.map(Json)
}

pub(super) async fn list(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Response, Denied> {
    let wait: Wait = query(&uri)?;
    let id = nimbus.look(|w| w.find(&name))?;
    let found = wait.for_change(&nimbus, |w| w.topology_models(&id).map(|m| (m.revision, m))).await?;
    Ok(maybe(found))
}

pub(super) async fn deploy(
    State(nimbus): Shared,
    Path((name, model)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Deployment>, Denied> {
    let deploy: Deploy = body(request, LONGEST).await?;
    if let Some(fit) = nimbus.look(|w| w.find(&name).and_then(|id| w.fit(&id, &model, &deploy)))? {
        nimbus.imports().fits(&fit).await?;
    }
    nimbus.change(|w| w.find(&name).and_then(|id| w.deploy(&id, &model, deploy))).map(Json)
}

pub(super) async fn rollback(
    State(nimbus): Shared,
    Path((name, model)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Deployment>, Denied> {
    let to: Rollback = body(request, LONGEST).await?;
    nimbus.change(|w| w.find(&name).and_then(|id| w.rollback(&id, &model, &to))).map(Json)
}
