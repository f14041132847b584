//! Server-sent events (HTML Living Standard, 9.2): a body that goes on.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Channel;
use http_body_util::channel::Sender;
use serde::Serialize;

/// Where events go; an error when nobody listens any more.
pub(super) struct Events(Sender<Bytes, std::convert::Infallible>);

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct NobodyListens;

impl Events {
    /// Sends an event; waits while the listener is slow.
    pub(super) async fn send(&mut self, name: &str, data: &impl Serialize) -> Result<(), NobodyListens> {
        // JSON has no line breaks, so one `data:` is enough.
        let Ok(json) = serde_json::to_string(data) else {
            log::error!(event = name; "an event cannot be encoded");
            return Err(NobodyListens);
        };
        self.0.send_data(format!("event: {name}\ndata: {json}\n\n").into()).await.map_err(|_| NobodyListens)
    }

    /// Shows that the connection lives; for streams on which nothing may happen for long.
    pub(super) async fn pulse(&mut self) -> Result<(), NobodyListens> {
        self.0.send_data(Bytes::from_static(b": still here\n\n")).await.map_err(|_| NobodyListens)
    }
}

/// An answer that goes on, and where to send its events.
pub(super) fn stream() -> (Events, Response) {
    let (sender, channel) = Channel::<Bytes, std::convert::Infallible>::new(4);
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (Events(sender), (headers, Body::new(channel)).into_response())
}
