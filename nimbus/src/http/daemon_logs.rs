//! Logs of the daemons themselves: nimbus and the supervisors.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use squall_core::control::{DaemonLog, LogSearch};
use squall_logs::Ask;

use super::Shared;
use super::answer::{Path, query};
use super::follow::{Follow, follow_all};
use super::log_search::{DaemonLines, search_all};
use super::log_source::{NIMBUS, Whose, no_supervisor, pass_on, pass_on_whole};
use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

/// Nimbus first, where it logs to a file, then all supervisors; 0 bytes where one has no file or does not answer.
pub(super) async fn list(State(nimbus): Shared) -> Result<Json<Vec<DaemonLog>>, Denied> {
    let mut logs = Vec::new();
    // No bytes are asked for, only how many there are.
    let nothing = Ask { limit: Some(0), tail: Some(0), ..Ask::default() };
    let supervisors = nimbus.look(|w| Ok(w.cluster_status()))?.supervisors;
    let of =
        |id: &str| supervisors.iter().find(|s| s.id == id).map(|s| (s.machine.clone(), s.host.clone())).unwrap_or_default();
    for log in Whose::Daemons(None).logs(&nimbus)? {
        let (machine, host) = of(log.daemon());
        let bytes = log.piece(&nimbus, &nothing).await.map_or(0, |(piece, _)| piece.size);
        logs.push(DaemonLog { daemon: log.daemon().to_owned(), machine, host, bytes, silent: false });
    }
    for daemon in Whose::Daemons(None).silent(&nimbus)? {
        let (machine, host) = of(&daemon);
        logs.push(DaemonLog { daemon, machine, host, bytes: 0, silent: true });
    }
    Ok(Json(logs))
}

pub(super) async fn piece(State(nimbus): Shared, Path(daemon): Path<String>, uri: Uri) -> Result<Response, Denied> {
    if daemon == NIMBUS {
        let ask: Ask = query(&uri)?;
        let piece = squall_logs::piece(own(&nimbus)?, &ask, nimbus.closing()).await.map_err(squall_core::Error::from)?;
        return Ok(piece.into_response());
    }
    pass_on(&nimbus, &reach(&nimbus, &daemon)?, "/v1/log", uri.query()).await
}

pub(super) async fn download(State(nimbus): Shared, Path(daemon): Path<String>) -> Result<Response, Denied> {
    let body = if daemon == NIMBUS {
        squall_logs::download(own(&nimbus)?.to_owned())
    } else {
        pass_on_whole(&nimbus, &reach(&nimbus, &daemon)?, "/v1/log/download").await?
    };
    // It is the name of a daemon that there is.
    let file = format!("attachment; filename=\"{daemon}.log\"");
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, body).into_response())
}

pub(super) async fn search(State(nimbus): Shared, uri: Uri) -> Result<Json<LogSearch>, Denied> {
    let (whose, lines) = wanted(&nimbus, &uri)?.split();
    search_all(&nimbus, &whose, &lines, lines.limit).await.map(|found| Json(found.0))
}

/// The newest lines, then every new one, as server-sent events.
pub(super) async fn follow(State(nimbus): Shared, uri: Uri) -> Result<Response, Denied> {
    let (whose, lines) = wanted(&nimbus, &uri)?.split();
    follow_all(Follow { nimbus, whose, lines }).await
}

fn wanted(nimbus: &Nimbus, uri: &Uri) -> Result<DaemonLines, Denied> {
    let wanted: DaemonLines = query(uri)?;
    match wanted.daemon() {
        None => {}
        Some(NIMBUS) => drop(own(nimbus)?),
        Some(supervisor) => drop(reach(nimbus, supervisor)?),
    }
    Ok(wanted)
}

fn own(nimbus: &Nimbus) -> Result<&std::path::Path, Denied> {
    nimbus.log_file().ok_or_else(|| Denied::new(Kind::Unknown, "this nimbus logs to no file", "look at its stderr"))
}

fn reach(nimbus: &Nimbus, supervisor: &str) -> Result<String, Denied> {
    let found = nimbus.look(|w| Ok(w.reach(supervisor)))?;
    found.map(|(url, _)| url).ok_or_else(|| no_supervisor(supervisor))
}
