//! Logs: nimbus has none of its own to show, it asks the supervisors.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use squall_core::control::LogFile;
use tokio::net::TcpStream;

use super::Shared;
use super::supervisors::address;
use crate::denied::{Denied, Kind};

/// No supervisor sends more at once.
const LONGEST_ANSWER: usize = 2 << 20;
const HEADERS: [&str; 4] = ["content-type", "squall-offset", "squall-next", "squall-size"];

pub(super) async fn list(State(nimbus): Shared, Path(name): Path<String>) -> Result<Json<Vec<LogFile>>, Denied> {
    let (id, sources) = nimbus.look(|w| w.find(&name).map(|id| (id, w.log_sources())))?;
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
    let (id, source) = nimbus.look(|w| w.find(&name).map(|id| (w.log_source(&id, worker), id)).map(|(s, id)| (id, s)))?;
    let Some(url) = source else {
        return Err(Denied::new(Kind::Unknown, format!("topology `{name}` has no worker {worker}"), "list its logs"));
    };
    let query = uri.query().map_or_else(String::new, |q| format!("?{q}"));
    let path = format!("/v1/logs/{id}/{worker}{query}");
    let (status, headers, bytes) = ask(nimbus.token(), &url, &path, super::LONGEST_WAIT + Duration::from_secs(5))
        .await
        .map_err(|e| Denied::new(Kind::NoAnswer, format!("supervisor {url} does not answer: {e}"), "is it running?"))?;
    let mut passed = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = headers.get(name) {
            passed.insert(name, value.clone());
        }
    }
    Ok((status, passed, Body::from(bytes)).into_response())
}

/// Calls a supervisor.
async fn ask(token: &str, url: &str, path: &str, patience: Duration) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let address = address(url).ok_or("its address is not on loopback")?;
    let call = async {
        let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let request = hyper::Request::get(path)
            .header("host", address.to_string())
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let (head, body) = answer.into_parts();
            let bytes = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|e| e.to_string())?.to_bytes();
            Ok((head.status, head.headers, bytes))
        };
        // The connection lives as long as the answer needs it.
        tokio::pin!(answer, connection);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(e) => Err(e.to_string()),
            },
        }
    };
    tokio::time::timeout(patience, call).await.map_err(|_| "no answer in time".to_owned())?
}
