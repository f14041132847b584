//! Blobs by their hash.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Channel};
use tokio::io::AsyncReadExt;

use super::Shared;
use super::answer::Path;
use crate::blobs::Pieces;
use crate::denied::{Denied, Kind};

const PIECE: usize = 256 << 10;

/// A body of which nothing comes for so long will not go on.
const SILENCE: Duration = Duration::from_secs(60);
/// What is not wanted is taken in for so long at most.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// A body as it comes.
pub(super) struct Upload {
    body: Body,
    length: Option<u64>,
    /// Who sends it waits for a word before its first byte.
    waits: bool,
}

impl Upload {
    pub(super) fn of(request: Request) -> Upload {
        let header = |name| request.headers().get(name).and_then(|h| h.to_str().ok());
        let length = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let waits = header(EXPECT).is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
        Upload { body: request.into_body(), length, waits }
    }

    /// What has come of it. The rest is taken in and thrown away before that is told: who still sends would hear no refusal, only that
    /// the connection is closed.
    pub(super) async fn end<T>(mut self, done: Result<T, Denied>) -> Result<T, Denied> {
        if !self.waits {
            let rest = async { while let Some(Ok(_)) = self.next().await {} };
            // Who sends for longer learns it in the other way.
            let _ = tokio::time::timeout(LONGEST_REST, rest).await;
        }
        done
    }
}

impl Pieces for Upload {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        self.waits = false;
        loop {
            let Ok(frame) = tokio::time::timeout(SILENCE, self.body.frame()).await else {
                return Some(Err(format!("nothing came for {} s", SILENCE.as_secs())));
            };
            match frame? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    // Trailers say nothing here.
                    Err(_) => continue,
                },
                Err(e) => return Some(Err(e.to_string())),
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}

pub(super) async fn receive(State(nimbus): Shared, Path(hash): Path<String>, request: Request) -> Result<StatusCode, Denied> {
    let mut upload = Upload::of(request);
    let received = nimbus.blobs().receive(&hash, &mut upload).await;
    let new = upload.end(received).await?;
    Ok(if new { StatusCode::CREATED } else { StatusCode::OK })
}

pub(super) async fn size(State(nimbus): Shared, Path(hash): Path<String>) -> Result<Response, Denied> {
    let size = nimbus.blobs().size(&hash).ok_or_else(|| unknown(&hash))?;
    Ok([(CONTENT_LENGTH, size)].into_response())
}

pub(super) async fn send(State(nimbus): Shared, Path(hash): Path<String>) -> Result<Response, Denied> {
    let path = nimbus.blobs().path(&hash).ok_or_else(|| unknown(&hash))?;
    let mut file = tokio::fs::File::open(path).await.map_err(|_| unknown(&hash))?;
    let size = file.metadata().await.map_err(squall_core::Error::from)?.len();
    let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
                Ok(0) => return,
                Ok(_) => {
                    if sender.send_data(piece.into()).await.is_err() {
                        return;
                    }
                }
                Err(e) => return sender.abort(e),
            }
        }
    });
    let headers = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, size.to_string())];
    Ok((headers, Body::new(channel)).into_response())
}

fn unknown(hash: &str) -> Denied {
    let shown: String = hash.escape_debug().take(64).collect();
    Denied::new(Kind::Unknown, format!("there is no blob `{shown}`"), "upload it with PUT")
}
