//! Logs over HTTP: pieces by position, and whole ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Channel;
use serde::Deserialize;
use squall_core::control::LogStream;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use crate::parts::{Parts, Position, files};

const LONGEST_PIECE: u64 = 1 << 20;
const READ: usize = 256 << 10;
/// How often a log that is followed is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// The longest wait for more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What piece of a log somebody asks for, as it stands behind the `?`.
///
/// ```
/// assert_eq!(squall_logs::Ask::default().follow_ms, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// The file that `offset` is in, as an answer before named it; none: the newest.
    pub file: Option<u64>,
    /// Where to begin, in bytes.
    pub offset: Option<u64>,
    /// Begin so many bytes before the end instead.
    pub tail: Option<u64>,
    /// At most so many bytes.
    pub limit: Option<u64>,
    /// How long to wait where there is nothing yet, in milliseconds.
    pub follow_ms: u64,
    /// Which of a worker's two logs.
    pub stream: LogStream,
}

/// A piece of a log.
///
/// ```
/// fn f(p: &squall_logs::Piece) -> u64 { p.offset + p.bytes.len() as u64 }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which of the log's files it is in; 0 where there is no log yet.
    pub file: u64,
    /// Where in that file it begins.
    pub offset: u64,
    /// How long that file is now.
    pub size: u64,
    /// What is there.
    pub bytes: Bytes,
}

impl IntoResponse for Piece {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
            ("squall-file", self.file.to_string()),
            ("squall-offset", self.offset.to_string()),
            ("squall-next", (self.offset + self.bytes.len() as u64).to_string()),
            ("squall-size", self.size.to_string()),
        ];
        (headers, self.bytes).into_response()
    }
}

/// The piece that is asked for; an empty one when there is nothing in time, or when the daemon closes.
///
/// ```
/// # async fn f(closing: tokio::sync::watch::Receiver<bool>) -> std::io::Result<()> {
/// let ask = squall_logs::Ask { tail: Some(1000), ..Default::default() };
/// let end = squall_logs::piece("nimbus.log".as_ref(), &ask, closing).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The files cannot be read; none is no error.
pub async fn piece(log: &Path, ask: &Ask, mut closing: watch::Receiver<bool>) -> std::io::Result<Piece> {
    let deadline = tokio::time::Instant::now() + Duration::from_millis(ask.follow_ms).min(LONGEST_WAIT);
    let limit = ask.limit.unwrap_or(LONGEST_PIECE).min(LONGEST_PIECE);
    let mut from: Option<Position> = None;
    loop {
        let (path, ask) = (log.to_owned(), *ask);
        let read = tokio::task::spawn_blocking(move || {
            let parts = Parts::open(&path)?;
            let at = match (from, ask.offset, ask.tail) {
                (Some(from), ..) => parts.after(Some(from.file), from.offset),
                (None, Some(offset), _) => parts.after(ask.file, offset),
                (None, None, Some(tail)) => parts.tail(tail),
                (None, None, None) => parts.after(None, 0),
            };
            Ok::<_, std::io::Error>((at, parts.size(at.file), parts.read(at, limit)?))
        });
        let (at, size, bytes) = read.await.map_err(std::io::Error::other)??;
        if !bytes.is_empty() || limit == 0 || tokio::time::Instant::now() >= deadline || *closing.borrow() {
            return Ok(Piece { file: at.file, offset: at.offset, size, bytes: bytes.into() });
        }
        from = Some(at);
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => {}
            _ = closing.wait_for(|c| *c) => {}
        }
    }
}

/// A whole log as it is read, files that were put aside first.
///
/// ```
/// # async fn f() {
/// let body = squall_logs::download("nimbus.log".into());
/// # }
/// ```
pub fn download(log: PathBuf) -> Body {
    let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(async move {
        for path in files(&log) {
            // One that was put aside meanwhile is sent under its new name or was sent already.
            let Ok(mut file) = tokio::fs::File::open(path).await else { continue };
            loop {
                let mut piece = Vec::with_capacity(READ);
                match (&mut file).take(READ as u64).read_to_end(&mut piece).await {
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
    Body::new(channel)
}
