//! Blobs by their hash.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Channel};
use tokio::io::AsyncReadExt;

use super::Shared;
use super::answer::Path;
use crate::blobs::Pieces;
use crate::denied::{Denied, Kind};

const PIECE: usize = 256 << 10;

/// A body as it comes.
pub(super) struct Upload(pub(super) Body);

impl Pieces for Upload {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            match self.0.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    // Trailers say nothing here.
                    Err(_) => continue,
                },
                Err(e) => return Some(Err(e.to_string())),
            }
        }
    }
}

pub(super) async fn receive(State(nimbus): Shared, Path(hash): Path<String>, request: Request) -> Result<StatusCode, Denied> {
    let new = nimbus.blobs().receive(&hash, Upload(request.into_body())).await?;
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
