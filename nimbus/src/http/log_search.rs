//! Lines of many logs at once: nimbus asks all machines.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use squall_core::control::{LineFilter, LineLevel, LogSearch, LogStream, in_order_of_time};
use tokio::task::JoinSet;

use super::ask::ask;
use super::log_source::{Log, NIMBUS, Whose};
use crate::denied::Denied;
use crate::nimbus::Nimbus;

/// Reading all files of all workers of a machine takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// What lines of workers' logs are wanted.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) level: LineLevel,
    pub(super) worker: Option<u32>,
    pub(super) stream: LogStream,
    pub(super) limit: usize,
    pub(super) tail: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { text: String::new(), level: LineLevel::Trace, worker: None, stream: LogStream::Log, limit: 1000, tail: 100 }
    }
}

/// What lines of daemons' logs are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DaemonLines {
    text: String,
    level: LineLevel,
    daemon: Option<String>,
    limit: Option<usize>,
    tail: Option<usize>,
}

impl DaemonLines {
    pub(super) fn daemon(&self) -> Option<&str> {
        self.daemon.as_deref()
    }

    pub(super) fn split(self) -> (Whose, Lines) {
        let usual = Lines::default();
        let (limit, tail) = (self.limit.unwrap_or(usual.limit), self.tail.unwrap_or(usual.tail));
        (Whose::Daemons(self.daemon), Lines { text: self.text, level: self.level, limit, tail, ..usual })
    }
}

impl Lines {
    pub(super) fn filter(&self) -> LineFilter {
        LineFilter::new(self.level, &self.text)
    }

    fn query(&self, limit: usize) -> String {
        let worker = self.worker.map_or_else(String::new, |w| format!("&worker={w}"));
        let text: String = self.text.bytes().map(|b| format!("%{b:02X}")).collect();
        let level = self.level.name();
        format!("?limit={limit}&level={level}&stream={}{worker}&text={text}", self.stream.name())
    }
}

/// Where a log was read to: a byte of its newest file.
pub(super) type End = (Log, u64);

/// Searches on all machines at once.
pub(super) async fn search_all(
    nimbus: &Nimbus,
    whose: &Whose,
    lines: &Lines,
    limit: usize,
) -> Result<(LogSearch, Vec<End>), Denied> {
    let mut asked = JoinSet::new();
    for (supervisor, url, host) in nimbus.look(|w| Ok(w.log_sources()))? {
        let Some(path) = whose.search_path(&supervisor) else { continue };
        let (token, path) = (nimbus.token().to_owned(), path + &lines.query(limit));
        asked.spawn(async move {
            let answer = ask(&token, &url, &path, PATIENCE).await;
            let found = match answer {
                Ok((StatusCode::OK, _, bytes)) => serde_json::from_slice(&bytes).map_err(|e| e.to_string()),
                // It has no such log.
                Ok((StatusCode::NOT_FOUND, ..)) => Ok(LogSearch { complete: true, ..LogSearch::default() }),
                Ok((status, ..)) => Err(status.to_string()),
                Err(e) => Err(e),
            };
            (supervisor, host, found)
        });
    }
    if let Some(file) = nimbus.log_file().filter(|_| whose.has_nimbus()) {
        let (file, level, text) = (file.to_owned(), lines.level, lines.text.clone());
        asked.spawn_blocking(move || {
            let found = squall_logs::search(&[(None, file)], (level, &text), limit);
            (NIMBUS.to_owned(), String::new(), found.map_err(|e| e.to_string()))
        });
    }
    let silent = whose.silent(nimbus)?;
    let mut all = LogSearch { complete: true, silent, ..LogSearch::default() };
    let (mut found, mut ends) = (Vec::new(), Vec::new());
    while let Some(answer) = asked.join_next().await {
        let Ok((daemon, host, answer)) = answer else { continue };
        match answer {
            Ok(mut part) => {
                let supervisor = if daemon == NIMBUS { "" } else { &daemon };
                for line in &mut part.lines {
                    supervisor.clone_into(&mut line.supervisor);
                    line.host.clone_from(&host);
                }
                all.complete &= part.complete;
                all.bytes += part.bytes;
                ends.extend(part.ends.into_iter().map(|(worker, at)| (log_of(whose, &daemon, worker), at)));
                found.push(part.lines);
            }
            Err(e) => {
                log::warn!(daemon = daemon.as_str(), error = e.as_str(); "no search of logs");
                all.silent.push(daemon);
            }
        }
    }
    all.lines = in_order_of_time(found);
    let too_many = all.lines.len().saturating_sub(limit);
    all.complete &= too_many == 0;
    all.lines.drain(..too_many);
    Ok((all, ends))
}

fn log_of(whose: &Whose, daemon: &str, worker: u32) -> Log {
    match whose {
        Whose::Topology(id) => Log::Worker { topology: id.clone(), worker, supervisor: daemon.to_owned() },
        Whose::Daemons(_) if daemon == NIMBUS => Log::Nimbus,
        Whose::Daemons(_) => Log::Supervisor(daemon.to_owned()),
    }
}
