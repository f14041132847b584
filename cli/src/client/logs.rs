//! Pieces of logs of workers and daemons.

use std::time::Duration;

use squall_core::control::{DaemonLog, LogFile, LogStream};
use ureq::SendBody;
use ureq::http::{Method, Response};

use super::{Client, PATIENCE, topology};
use crate::exit::Outcome;

/// A piece of a log.
#[derive(Debug)]
pub(crate) struct Piece {
    /// In which of the log's files it is: a log is rotated.
    pub(crate) file: Option<u64>,
    /// Where in this file it begins.
    pub(crate) offset: u64,
    /// Where the next piece begins.
    pub(crate) next: u64,
    /// The text.
    pub(crate) bytes: Vec<u8>,
}

/// Where a piece is to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    /// Behind what was read of this file; at its end, in the next one.
    After(Option<u64>, u64),
    /// This many bytes before the end.
    Tail(u64),
}

/// Which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Log {
    /// That of a topology's worker.
    Worker(String, u32),
    /// That of a daemon itself: `nimbus`, or a supervisor's id.
    Daemon(String),
}

impl Client {
    /// The logs of a topology's workers.
    pub(crate) fn logs(&self, name: &str) -> Outcome<Vec<LogFile>> {
        self.get(&topology(name, "/logs")?)
    }

    /// The logs of the daemons themselves.
    pub(crate) fn daemon_logs(&self) -> Outcome<Vec<DaemonLog>> {
        self.get("/v1/logs")
    }

    /// A piece of a log; where there is nothing yet, waits up to `follow` for more.
    pub(crate) fn log(&self, log: &Log, stream: LogStream, from: From, follow: Duration) -> Outcome<Piece> {
        let begin = match from {
            From::After(None, offset) => format!("offset={offset}"),
            From::After(Some(file), offset) => format!("file={file}&offset={offset}"),
            From::Tail(bytes) => format!("tail={bytes}"),
        };
        let query = format!("{begin}&stream={}", stream.name());
        let mut path = match log {
            Log::Worker(name, worker) => topology(name, &format!("/logs/{worker}?{query}"))?,
            Log::Daemon(id) => format!("/v1/logs/{id}?{query}"),
        };
        if !follow.is_zero() {
            path.push_str(&format!("&follow_ms={}", follow.as_millis()));
        }
        let mut response = self.call(Method::GET, &path, SendBody::none(), PATIENCE + follow)?;
        let file = number(&response, "squall-file");
        let (offset, next) = (number(&response, "squall-offset"), number(&response, "squall-next"));
        let bytes = response.body_mut().with_config().limit(8 << 20).read_to_vec().map_err(|e| self.unreachable(&e))?;
        let offset = offset.unwrap_or(0);
        Ok(Piece { file, offset, next: next.unwrap_or(offset + bytes.len() as u64), bytes })
    }
}

fn number<B>(response: &Response<B>, header: &str) -> Option<u64> {
    response.headers().get(header)?.to_str().ok()?.parse().ok()
}
