//! Logs of workers and of the supervisor itself. Which files there are is found by looking; no path comes from a request.

use std::path::{Path as FilePath, PathBuf};

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use squall_core::control::{LineLevel, LogFile, LogSearch, LogStream};
use squall_logs::Ask;

use super::Shared;
use super::answer::{Denied, Path, query};
use crate::layout::Key;
use crate::supervisor::Supervisor;

pub(super) async fn list(State(supervisor): Shared) -> Json<Vec<LogFile>> {
    let length = |dir: &FilePath, stream: LogStream| std::fs::metadata(file(stream, dir)).map_or(0, |m| m.len());
    let log = |((topology, worker), dir): (Key, PathBuf)| LogFile {
        topology,
        worker,
        supervisor: supervisor.id.clone(),
        host: String::new(),
        bytes: length(&dir, LogStream::Log),
        output_bytes: length(&dir, LogStream::Out),
    };
    Json(supervisor.layout.workers().into_iter().map(log).collect())
}

/// The file of a log in a worker's folder.
fn file(stream: LogStream, dir: &FilePath) -> PathBuf {
    dir.join(match stream {
        LogStream::Log => "worker.log",
        LogStream::Out => "worker.out",
    })
}

/// The file of a worker's log; refused for a worker that never was here.
fn log_of(supervisor: &Supervisor, key: &Key, stream: LogStream) -> Result<PathBuf, Denied> {
    let found = supervisor.layout.workers().into_iter().find(|(k, _)| k == key);
    found.map(|(_, dir)| file(stream, &dir)).ok_or_else(|| Denied::unknown("there is no such worker here, and was none"))
}

/// The file of the supervisor's own log.
fn own(supervisor: &Supervisor) -> Result<PathBuf, Denied> {
    let file = supervisor.options.log_file.clone();
    file.ok_or_else(|| Denied::unknown("this supervisor logs to no file"))
}

pub(super) async fn piece(State(supervisor): Shared, Path(key): Path<Key>, uri: Uri) -> Result<Response, Denied> {
    let ask: Ask = query(&uri)?;
    read(&supervisor, log_of(&supervisor, &key, ask.stream)?, ask).await
}

pub(super) async fn own_piece(State(supervisor): Shared, uri: Uri) -> Result<Response, Denied> {
    read(&supervisor, own(&supervisor)?, query(&uri)?).await
}

async fn read(supervisor: &Supervisor, log: PathBuf, ask: Ask) -> Result<Response, Denied> {
    squall_logs::piece(&log, &ask, supervisor.closing()).await.map(IntoResponse::into_response).map_err(Denied::failed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whole {
    stream: LogStream,
}

/// A whole log, files that were put aside first.
pub(super) async fn download(State(supervisor): Shared, Path(key): Path<Key>, uri: Uri) -> Result<Response, Denied> {
    let Whole { stream } = query(&uri)?;
    Ok(whole(log_of(&supervisor, &key, stream)?))
}

pub(super) async fn own_download(State(supervisor): Shared) -> Result<Response, Denied> {
    own(&supervisor).map(whole)
}

fn whole(log: PathBuf) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], squall_logs::download(log)).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    text: String,
    level: LineLevel,
    worker: Option<u32>,
    stream: LogStream,
    limit: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { text: String::new(), level: LineLevel::Trace, worker: None, stream: LogStream::Log, limit: 1000 }
    }
}

/// Lines of all of a topology's logs on this machine.
pub(super) async fn search(
    State(supervisor): Shared,
    Path(topology): Path<String>,
    uri: Uri,
) -> Result<Json<LogSearch>, Denied> {
    let wanted: Wanted = query(&uri)?;
    let ours = |(t, w): &Key| *t == topology && wanted.worker.is_none_or(|only| only == *w);
    let workers = supervisor.layout.workers().into_iter().filter(|(key, _)| ours(key));
    let logs = workers.map(|((_, w), dir)| (Some(w), file(wanted.stream, &dir))).collect();
    find(logs, wanted).await
}

/// Lines of the supervisor's own log.
pub(super) async fn own_search(State(supervisor): Shared, uri: Uri) -> Result<Json<LogSearch>, Denied> {
    find(vec![(None, own(&supervisor)?)], query(&uri)?).await
}

async fn find(logs: Vec<(Option<u32>, PathBuf)>, wanted: Wanted) -> Result<Json<LogSearch>, Denied> {
    let find = move || squall_logs::search(&logs, (wanted.level, &wanted.text), wanted.limit);
    let found = tokio::task::spawn_blocking(find).await.map_err(Denied::failed)?;
    found.map(Json).map_err(Denied::failed)
}
