//! Logs that nimbus can read: its own from its file, all others from their supervisors.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use squall_core::control::LogLine;
use squall_logs::{Ask, Piece};

use super::ask::ask;
use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

/// The name of nimbus among the daemons.
pub(super) const NIMBUS: &str = "nimbus";

const HEADERS: [&str; 5] = ["content-type", "squall-file", "squall-offset", "squall-next", "squall-size"];

/// One log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Log {
    /// Nimbus's own.
    Nimbus,
    /// A supervisor's own, by its id.
    Supervisor(String),
    /// That of a worker on a supervisor.
    Worker { topology: String, worker: u32, supervisor: String },
}

/// Whose logs.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// Those of a topology's workers, by its id.
    Topology(String),
    /// Those of the daemons, or of one of them by its name.
    Daemons(Option<String>),
}

impl Whose {
    /// The logs that there are now.
    pub(super) fn logs(&self, nimbus: &Nimbus) -> Result<Vec<Log>, Denied> {
        match self {
            Whose::Topology(id) => {
                let seats = nimbus.look(|w| w.seats(id))?.into_iter();
                Ok(seats.map(|(worker, supervisor)| Log::Worker { topology: id.clone(), worker, supervisor }).collect())
            }
            Whose::Daemons(only) => {
                let supervisors = nimbus.look(|w| Ok(w.log_sources()))?.into_iter().map(|(id, ..)| Log::Supervisor(id));
                let own = nimbus.log_file().map(|_| Log::Nimbus);
                let all = own.into_iter().chain(supervisors);
                Ok(all.filter(|log| only.as_ref().is_none_or(|only| only == log.daemon())).collect())
            }
        }
    }

    /// Supervisors that may have some of these, and cannot be asked.
    pub(super) fn silent(&self, nimbus: &Nimbus) -> Result<Vec<String>, Denied> {
        nimbus.look(|w| {
            let mut silent = w.silent_sources(match self {
                Whose::Topology(id) => Some(id),
                Whose::Daemons(_) => None,
            });
            if let Whose::Daemons(Some(only)) = self {
                silent.retain(|s| s == only);
            }
            Ok(silent)
        })
    }

    /// Where a supervisor searches these logs; nothing where it has none of them.
    pub(super) fn search_path(&self, supervisor: &str) -> Option<String> {
        match self {
            Whose::Topology(id) => Some(format!("/v1/search/{id}")),
            Whose::Daemons(only) => only.as_ref().is_none_or(|only| only == supervisor).then(|| "/v1/log/search".to_owned()),
        }
    }

    /// Whether nimbus's own log is one of these.
    pub(super) fn has_nimbus(&self) -> bool {
        matches!(self, Whose::Daemons(only) if only.as_ref().is_none_or(|only| only == NIMBUS))
    }
}

impl Log {
    /// The daemon that has it.
    pub(super) fn daemon(&self) -> &str {
        match self {
            Log::Nimbus => NIMBUS,
            Log::Supervisor(id) | Log::Worker { supervisor: id, .. } => id,
        }
    }

    pub(super) fn worker(&self) -> Option<u32> {
        match self {
            Log::Worker { worker, .. } => Some(*worker),
            Log::Nimbus | Log::Supervisor(_) => None,
        }
    }

    /// A line of it.
    pub(super) fn line(&self, host: &str, offset: u64, text: String) -> LogLine {
        let supervisor = if *self == Log::Nimbus { String::new() } else { self.daemon().to_owned() };
        LogLine { worker: self.worker(), supervisor, host: host.to_owned(), file: 0, offset, text }
    }

    /// Where its supervisor serves it.
    fn path(&self) -> String {
        match self {
            Log::Nimbus | Log::Supervisor(_) => "/v1/log".to_owned(),
            Log::Worker { topology, worker, .. } => format!("/v1/logs/{topology}/{worker}"),
        }
    }

    /// A piece of it and the host it is on; none where it cannot be had now.
    pub(super) async fn piece(&self, nimbus: &Nimbus, wanted: &Ask) -> Option<(Piece, String)> {
        if *self == Log::Nimbus {
            let piece = squall_logs::piece(nimbus.log_file()?, wanted, nimbus.closing()).await.ok()?;
            return Some((piece, String::new()));
        }
        let (url, host) = nimbus.look(|w| Ok(w.reach(self.daemon()))).ok()??;
        let number = |name: &str, value: Option<u64>| value.map_or_else(String::new, |n| format!("&{name}={n}"));
        let path = format!(
            "{}?follow_ms={}&stream={}{}{}{}{}",
            self.path(),
            wanted.follow_ms,
            wanted.stream.name(),
            number("file", wanted.file),
            number("offset", wanted.offset),
            number("tail", wanted.tail),
            number("limit", wanted.limit)
        );
        let patience = Duration::from_millis(wanted.follow_ms) + Duration::from_secs(1);
        let (status, headers, bytes) = ask(nimbus.token(), &url, &path, patience).await.ok()?;
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let piece =
            Piece { file: number("squall-file")?, offset: number("squall-offset")?, size: number("squall-size")?, bytes };
        status.is_success().then_some((piece, host))
    }
}

/// A piece of a log as its supervisor answers; `query` is what stands behind the `?`.
pub(super) async fn pass_on(nimbus: &Nimbus, url: &str, path: &str, query: Option<&str>) -> Result<Response, Denied> {
    let path = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let patience = super::LONGEST_WAIT + Duration::from_secs(5);
    let (status, headers, bytes) = ask(nimbus.token(), url, &path, patience).await.map_err(|e| no_answer(url, &e))?;
    let mut passed = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = headers.get(name) {
            passed.insert(name, value.clone());
        }
    }
    Ok((status, passed, Body::from(bytes)).into_response())
}

/// A whole log as its supervisor sends it.
pub(super) async fn pass_on_whole(nimbus: &Nimbus, url: &str, path: &str) -> Result<Body, Denied> {
    let answer = super::ask::open(nimbus.token(), url, path, Duration::from_secs(60)).await;
    let answer = answer.map_err(|e| no_answer(url, &e))?;
    if answer.status() != StatusCode::OK {
        return Err(Denied::new(Kind::Unknown, "the supervisor has no such log", "list the logs"));
    }
    Ok(Body::new(answer.into_body()))
}

pub(super) fn no_supervisor(id: &str) -> Denied {
    let shown: String = id.escape_debug().take(128).collect();
    Denied::new(Kind::Unknown, format!("no supervisor `{shown}` is alive"), "`squall cluster` lists them")
}

fn no_answer(url: &str, error: &str) -> Denied {
    Denied::new(Kind::NoAnswer, format!("supervisor {url} does not answer: {error}"), "is it running?")
}
