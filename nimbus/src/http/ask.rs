//! Calls to supervisors.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::supervisors::address;

/// The longest answer that is read as a whole: that of a search.
const LONGEST_ANSWER: usize = 128 << 20;

/// Calls a supervisor; answers with the head, and the body as it comes.
pub(super) async fn open(token: &str, url: &str, path: &str, patience: Duration) -> Result<hyper::Response<Incoming>, String> {
    let address: SocketAddr = address(url).ok_or("its address is not on loopback")?;
    let call = async {
        let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let request = hyper::Request::get(path)
            .header("host", address.to_string())
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        // Ends with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|e| e.to_string())
    };
    tokio::time::timeout(patience, call).await.map_err(|_| "no answer in time".to_owned())?
}

/// Calls a supervisor and reads the answer.
pub(super) async fn ask(
    token: &str,
    url: &str,
    path: &str,
    patience: Duration,
) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let read = async {
        let (head, body) = open(token, url, path, patience).await?.into_parts();
        let bytes = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|e| e.to_string())?.to_bytes();
        Ok((head.status, head.headers, bytes))
    };
    tokio::time::timeout(patience, read).await.map_err(|_| "no answer in time".to_owned())?
}
