//! Logs: nimbus has none of its own to show, it asks the supervisors.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use squall_core::control::{LineFilter, LineLevel, LogFile, LogSearch, LogStream, in_order_of_time};
use tokio::task::JoinSet;

use super::Shared;
use super::answer::{Path, query};
use super::ask::{ask, open};
use super::follow::{Follow, follow_all};
use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

const HEADERS: [&str; 5] = ["content-type", "squall-file", "squall-offset", "squall-next", "squall-size"];
/// Reading all files of all workers of a machine takes a while.
const SEARCH: Duration = Duration::from_secs(60);

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
    let query = uri.query().map_or_else(String::new, |q| format!("?{q}"));
    let path = format!("/v1/logs/{id}/{worker}{query}");
    let (status, headers, bytes) = ask(nimbus.token(), &url, &path, super::LONGEST_WAIT + Duration::from_secs(5))
        .await
        .map_err(|e| no_answer(&url, &e))?;
    let mut passed = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = headers.get(name) {
            passed.insert(name, value.clone());
        }
    }
    Ok((status, passed, Body::from(bytes)).into_response())
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
    let path = format!("/v1/logs/{id}/{worker}/download?stream={stream}");
    let answer = open(nimbus.token(), &url, &path, SEARCH).await.map_err(|e| no_answer(&url, &e))?;
    if answer.status() != StatusCode::OK {
        return Err(no_worker(&name, worker));
    }
    // The id of a topology holds nothing that could end the name.
    let file = format!("attachment; filename=\"{id}-{worker}.{stream}\"");
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, Body::new(answer.into_body())).into_response())
}

/// What lines are wanted.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) level: LineLevel,
    pub(super) worker: Option<u32>,
    pub(super) stream: LogStream,
    limit: usize,
    tail: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { text: String::new(), level: LineLevel::Trace, worker: None, stream: LogStream::Log, limit: 1000, tail: 100 }
    }
}

impl Lines {
    pub(super) fn filter(&self) -> LineFilter {
        LineFilter::new(self.level, &self.text)
    }

    fn query(&self, limit: usize) -> String {
        let worker = self.worker.map_or_else(String::new, |w| format!("&worker={w}"));
        let text: String = self.text.bytes().map(|b| format!("%{b:02X}")).collect();
        let level = self.level.name();
        format!("?limit={limit}&level={level}&stream={}{worker}&text={text}", self.stream.name())
    }
}

pub(super) async fn search(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Json<LogSearch>, Denied> {
    let lines: Lines = query(&uri)?;
    let id = nimbus.look(|w| w.find(&name))?;
    search_all(&nimbus, &id, &lines, lines.limit).await.map(|found| Json(found.0))
}

/// Where a log was read to: (supervisor, worker, offset).
pub(super) type End = (String, u32, u64);

/// Searches on all machines at once.
pub(super) async fn search_all(
    nimbus: &Nimbus,
    id: &str,
    lines: &Lines,
    limit: usize,
) -> Result<(LogSearch, Vec<End>), Denied> {
    let sources = nimbus.look(|w| Ok(w.log_sources()))?;
    let mut asked = JoinSet::new();
    for (supervisor, url, host) in sources {
        let (token, path) = (nimbus.token().to_owned(), format!("/v1/search/{id}{}", lines.query(limit)));
        asked.spawn(async move { (supervisor, host, ask(&token, &url, &path, SEARCH).await) });
    }
    let mut all = LogSearch { complete: true, ..LogSearch::default() };
    let (mut found, mut ends) = (Vec::new(), Vec::new());
    while let Some(answer) = asked.join_next().await {
        let Ok((supervisor, host, answer)) = answer else { continue };
        match answer {
            Ok((StatusCode::OK, _, bytes)) => {
                let mut part: LogSearch = super::answer::json(&bytes)?;
                for line in &mut part.lines {
                    line.supervisor.clone_from(&supervisor);
                    line.host.clone_from(&host);
                }
                all.complete &= part.complete;
                all.bytes += part.bytes;
                ends.extend(part.ends.into_iter().map(|(worker, at)| (supervisor.clone(), worker, at)));
                found.push(part.lines);
            }
            Ok((status, ..)) => {
                log::warn!(supervisor = supervisor.as_str(), status = status.as_u16(); "no search of logs");
                all.silent.push(supervisor);
            }
            Err(e) => {
                log::warn!(supervisor = supervisor.as_str(), error = e.as_str(); "no search of logs");
                all.silent.push(supervisor);
            }
        }
    }
    all.lines = in_order_of_time(found);
    let too_many = all.lines.len().saturating_sub(limit);
    all.complete &= too_many == 0;
    all.lines.drain(..too_many);
    Ok((all, ends))
}

/// The newest lines, then every new one, as server-sent events.
pub(super) async fn follow(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Response, Denied> {
    let lines: Lines = query(&uri)?;
    let id = nimbus.look(|w| w.find(&name))?;
    let (newest, ends) = search_all(&nimbus, &id, &lines, lines.tail.min(10_000)).await?;
    let (events, response) = super::sse::stream();
    tokio::spawn(follow_all(Follow { nimbus, id, lines, events }, newest.lines, ends));
    Ok(response)
}

fn no_worker(name: &str, worker: u32) -> Denied {
    let shown: String = name.escape_debug().take(128).collect();
    Denied::new(Kind::Unknown, format!("topology `{shown}` has no worker {worker}"), "list its logs")
}

fn no_supervisor(id: &str) -> Denied {
    let shown: String = id.escape_debug().take(128).collect();
    Denied::new(Kind::Unknown, format!("no supervisor `{shown}` is alive"), "`squall cluster` lists them")
}

fn no_answer(url: &str, error: &str) -> Denied {
    Denied::new(Kind::NoAnswer, format!("supervisor {url} does not answer: {error}"), "is it running?")
}
