//! Workers' logs, a piece at a time. Which files there are is found by looking; no path comes from a request.

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Channel;
use serde::Deserialize;
use squall_core::control::{LogFile, LogStream};
use tokio::io::AsyncReadExt;

use super::answer::{Denied, Path, query};
use super::rotated::{Parts, Position, files};
use super::{LONGEST_WAIT, Shared};
use crate::layout::Key;
use crate::supervisor::Supervisor;

const LONGEST_PIECE: u64 = 1 << 20;
const PIECE: usize = 256 << 10;
/// How often a log that is followed is looked at.
const GLANCE: Duration = Duration::from_millis(50);

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
pub(super) fn file(stream: LogStream, dir: &FilePath) -> PathBuf {
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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ask {
    file: Option<u64>,
    offset: Option<u64>,
    tail: Option<u64>,
    limit: Option<u64>,
    follow_ms: u64,
    stream: LogStream,
}

pub(super) async fn piece(State(supervisor): Shared, Path(key): Path<Key>, uri: Uri) -> Result<Response, Denied> {
    let ask: Ask = query(&uri)?;
    let file = log_of(&supervisor, &key, ask.stream)?;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(ask.follow_ms).min(LONGEST_WAIT);
    let limit = ask.limit.unwrap_or(LONGEST_PIECE).min(LONGEST_PIECE);
    let mut closing = supervisor.closing();
    let mut from: Option<Position> = None;
    loop {
        let path = file.clone();
        let (at, size, bytes) = tokio::task::spawn_blocking(move || {
            let parts = Parts::open(&path)?;
            let at = match (from, ask.offset, ask.tail) {
                (Some(from), ..) => parts.after(Some(from.file), from.offset),
                (None, Some(offset), _) => parts.after(ask.file, offset),
                (None, None, Some(tail)) => parts.tail(tail),
                (None, None, None) => parts.after(None, 0),
            };
            Ok::<_, std::io::Error>((at, parts.size(at.file), parts.read(at, limit)?))
        })
        .await
        .map_err(std::io::Error::other)
        .and_then(|read| read)
        .map_err(Denied::failed)?;
        if !bytes.is_empty() || limit == 0 || tokio::time::Instant::now() >= deadline || *closing.borrow() {
            let headers = [
                (CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
                ("squall-file", at.file.to_string()),
                ("squall-offset", at.offset.to_string()),
                ("squall-next", (at.offset + bytes.len() as u64).to_string()),
                ("squall-size", size.to_string()),
            ];
            return Ok((headers, bytes).into_response());
        }
        from = Some(at);
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => {}
            _ = closing.wait_for(|c| *c) => {}
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whole {
    stream: LogStream,
}

/// A whole log, files that were put aside first.
pub(super) async fn download(State(supervisor): Shared, Path(key): Path<Key>, uri: Uri) -> Result<Response, Denied> {
    let Whole { stream } = query(&uri)?;
    let log = log_of(&supervisor, &key, stream)?;
    let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(async move {
        for path in files(&log) {
            // One that was put aside meanwhile is sent under its new name or was sent already.
            let Ok(mut file) = tokio::fs::File::open(path).await else { continue };
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
                    Ok(0) => break,
                    Ok(_) => {
                        if sender.send_data(piece.into()).await.is_err() {
                            return;
                        }
                    }
                    Err(e) => return sender.abort(e),
                }
            }
        }
    });
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], Body::new(channel)).into_response())
}
