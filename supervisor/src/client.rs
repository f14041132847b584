//! Calls to nimbus.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use squall_core::control::{Problem, loopback_only};
use squall_core::{Error, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Nimbus sends nothing longer but blobs.
const LONGEST_ANSWER: usize = 64 << 20;
/// Between two pieces of a blob.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nimbus's address and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    /// The address calls come from: a machine has one, by which it is reached or not.
    from: IpAddr,
    token: String,
}

impl Client {
    pub(crate) fn new(url: &str, token: &str, from: IpAddr) -> Result<Self> {
        let wrong = || Error::user(format!("`{url}` is no address of a nimbus: expected one such as http://127.0.0.1:6700"));
        let address: SocketAddr =
            url.strip_prefix("http://").map(|a| a.trim_end_matches('/')).and_then(|a| a.parse().ok()).ok_or_else(wrong)?;
        // The token would travel in the clear.
        loopback_only(address)?;
        Ok(Client { address, from, token: token.to_owned() })
    }

    /// Sends JSON, gets JSON; `None` for 204.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        (method, path): (Method, &str),
        body: Option<&(impl Serialize + Sync)>,
        patience: Duration,
    ) -> Result<Option<T>, Failed> {
        let body = body.map_or(Ok(Vec::new()), serde_json::to_vec).map_err(Error::from)?;
        let call = async {
            let answer = self.send(method, path, body).await?;
            let status = answer.status();
            let bytes = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await.map_err(broken)?.to_bytes();
            match status {
                StatusCode::NO_CONTENT => Ok(None),
                s if s.is_success() => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
                    Failed::Error(Error::external(format!("cannot understand nimbus's answer to {path}")).because(e))
                }),
                _ => Err(refused(status, &bytes)),
            }
        };
        let late = || Failed::Error(Error::external(format!("nimbus at {} does not answer", self.address)));
        tokio::time::timeout(patience, call).await.unwrap_or_else(|_| Err(late()))
    }

    /// Copies what is at a path to a writer, and shows each piece to `see`.
    pub(crate) async fn download(
        &self,
        path: &str,
        to: &mut (impl AsyncWrite + Unpin),
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), Failed> {
        let answer = self.send(Method::GET, path, Vec::new()).await?;
        let (head, mut body) = answer.into_parts();
        if head.status != StatusCode::OK {
            let bytes = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(broken)?.to_bytes();
            return Err(refused(head.status, &bytes));
        }
        loop {
            let late = |_| Failed::Error(Error::external(format!("nimbus stopped sending {path}")));
            match tokio::time::timeout(PATIENCE, body.frame()).await.map_err(late)? {
                None => break,
                Some(frame) => {
                    if let Ok(data) = frame.map_err(|e| broken(e.into()))?.into_data() {
                        see(&data);
                        to.write_all(&data).await.map_err(Error::from)?;
                    }
                }
            }
        }
        to.flush().await.map_err(Error::from)?;
        Ok(())
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if self.from.is_ipv4() == self.address.is_ipv4() {
            socket.bind(SocketAddr::new(self.from, 0))?;
        }
        socket.connect(self.address).await
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, Failed> {
        let connect = |e| Failed::Error(Error::external(format!("cannot reach nimbus at {}", self.address)).because(e));
        let stream = tokio::time::timeout(PATIENCE, self.connect()).await.unwrap_or_else(|e| Err(e.into())).map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(e.into()))?;
        // Ends when the answer was read or given up.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| Failed::Error(Error::internal(format!("cannot call {path}")).because(e)))?;
        sender.send_request(request).await.map_err(|e| broken(e.into()))
    }
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nimbus said no.
    Refused(StatusCode, Problem),
    /// It could not be asked.
    Error(Error),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Refused(status, p) if p.remedy.is_empty() => write!(f, "nimbus refuses ({status}): {}", p.error),
            Failed::Refused(status, p) => write!(f, "nimbus refuses ({status}): {}; {}", p.error, p.remedy),
            Failed::Error(e) => e.fmt(f),
        }
    }
}

impl From<Error> for Failed {
    fn from(e: Error) -> Self {
        Failed::Error(e)
    }
}

fn broken(e: Box<dyn std::error::Error + Send + Sync>) -> Failed {
    Failed::Error(Error::external("the call to nimbus broke off").because(e))
}

fn refused(status: StatusCode, bytes: &[u8]) -> Failed {
    let unknown = || Problem { error: "it does not say why".to_owned(), ..Problem::default() };
    Failed::Refused(status, serde_json::from_slice(bytes).unwrap_or_else(|_| unknown()))
}
