//! Versions of models, for clients.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use squall_core::control::{Deploy, Deployment, ImportedModel, ModelOverview, Rollback};

use super::answer::{Path, body, maybe, query};
use super::blobs::Upload;
use super::{Shared, Wait};
use crate::denied::{Denied, Kind};
use crate::imports::Labels;
use crate::nimbus::Nimbus;

const LONGEST: usize = 64 << 10;

/// The models of all topologies.
pub(super) async fn overview(State(nimbus): Shared) -> Result<Json<Vec<ModelOverview>>, Denied> {
    nimbus.look(|w| Ok(Json(w.model_overviews())))
}

/// What an import is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Import {
    /// A JSON list.
    labels: Option<String>,
    topology: Option<String>,
    model: Option<String>,
}

/// A model file becomes a blob that may be deployed.
pub(super) async fn import(State(nimbus): Shared, uri: Uri, request: Request) -> Result<Json<ImportedModel>, Denied> {
    let mut upload = Upload::of(request);
    let imported = async {
        let labels = labels(&nimbus, query(&uri)?)?;
        nimbus.imports().import(&mut upload, labels, nimbus.blobs()).await
    };
    let imported = imported.await;
    upload.end(imported).await.map(Json)
}

fn labels(nimbus: &Nimbus, ask: Import) -> Result<Labels, Denied> {
    let given = ask.labels.map(|text| serde_json::from_str(&text)).transpose().map_err(|e| {
        Denied::new(Kind::Unreadable, format!("`labels` is no JSON list of texts: {e}"), r#"give it as ["ham","spam"]"#)
    })?;
    let in_use = match (&ask.topology, &ask.model) {
        (Some(topology), Some(model)) => nimbus.look(|w| w.find(topology).and_then(|id| w.labels_in_use(&id, model)))?,
        (None, None) => None,
        _ => return Err(Denied::new(Kind::Unreadable, "`topology` and `model` go together", "give both, or none")),
    };
    Ok(Labels { given, in_use })
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
