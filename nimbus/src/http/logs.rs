//! Logs of topologies: nimbus has none of them, it asks the supervisors.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use squall_core::control::{LogFile, LogSearch, LogStream};

use super::Shared;
use super::answer::{Path, query};
use super::ask::ask;
use super::follow::{Follow, follow_all};
use super::log_search::{Lines, search_all};
use super::log_source::{Whose, no_supervisor, pass_on, pass_on_whole};
use crate::denied::{Denied, Kind};

/// The logs of a topology on all machines that answer.
pub(super) async fn list(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Vec<LogFile>>, Denied> {
    let id = nimbus.look(|w| w.find(&name))?;
    let sources = nimbus.look(|w| Ok(w.log_sources()))?;
    let mut files: Vec<LogFile> = Vec::new();
    for (supervisor, url, host) in sources {
        match ask(nimbus.token(), &url, "/v1/logs", Duration::from_secs(3)).await {
            Ok((StatusCode::OK, _, bytes)) => {
                let found: Vec<LogFile> = super::answer::json(&bytes)?;
                let ours = found.into_iter().filter(|f| f.topology == id);
                files.extend(ours.map(|f| LogFile { supervisor: supervisor.clone(), host: host.clone(), ..f }));
            }
            // The other machines' logs are worth showing all the same.
            Ok((status, ..)) => log::warn!(supervisor = supervisor.as_str(), status = status.as_u16(); "no list of logs"),
            Err(e) => log::warn!(supervisor = supervisor.as_str(), error = e.as_str(); "no list of logs"),
        }
    }
    files.sort_by_key(|f| f.worker);
    Ok(Json(files))
}

pub(super) async fn piece(
    State(nimbus): Shared,
    Path((name, worker)): Path<(String, u32)>,
    uri: Uri,
) -> Result<Response, Denied> {
    let (id, url) = nimbus.look(|w| {
        let id = w.find(&name)?;
        let url = w.log_source(&id, worker).ok_or_else(|| no_worker(&name, worker))?;
        Ok((id, url))
    })?;
    pass_on(&nimbus, &url, &format!("/v1/logs/{id}/{worker}"), uri.query()).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Download {
    stream: LogStream,
    supervisor: Option<String>,
}

/// A whole log as a file.
pub(super) async fn download(
    State(nimbus): Shared,
    Path((name, worker)): Path<(String, u32)>,
    uri: Uri,
) -> Result<Response, Denied> {
    let asked: Download = query(&uri)?;
    let (id, url) = nimbus.look(|w| {
        let id = w.find(&name)?;
        let url = match &asked.supervisor {
            Some(supervisor) => w.reach(supervisor).ok_or_else(|| no_supervisor(supervisor))?.0,
            None => w.log_source(&id, worker).ok_or_else(|| no_worker(&name, worker))?,
        };
        Ok((id, url))
    })?;
    let stream = asked.stream.name();
    let body = pass_on_whole(&nimbus, &url, &format!("/v1/logs/{id}/{worker}/download?stream={stream}")).await?;
    // The id of a topology holds nothing that could end the name.
    let file = format!("attachment; filename=\"{id}-{worker}.{stream}\"");
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, body).into_response())
}

pub(super) async fn search(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Json<LogSearch>, Denied> {
    let lines: Lines = query(&uri)?;
    let id = nimbus.look(|w| w.find(&name))?;
    search_all(&nimbus, &Whose::Topology(id), &lines, lines.limit).await.map(|found| Json(found.0))
}

/// The newest lines, then every new one, as server-sent events.
pub(super) async fn follow(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Response, Denied> {
    let lines: Lines = query(&uri)?;
    let whose = Whose::Topology(nimbus.look(|w| w.find(&name))?);
    follow_all(Follow { nimbus, whose, lines }).await
}

fn no_worker(name: &str, worker: u32) -> Denied {
    let shown: String = name.escape_debug().take(128).collect();
    Denied::new(Kind::Unknown, format!("topology `{shown}` has no worker {worker}"), "list its logs")
}
