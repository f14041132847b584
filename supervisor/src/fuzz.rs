//! A supervisor under whatever is asked of it, by workers and by nimbus, for fuzzers, and for nobody else: roster and door are the real
//! ones; nothing is started, and nothing is on a network.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use squall_core::control::{Desired, Exit};

use crate::http;
use crate::layout::Layout;
use crate::options::Options;
use crate::roster::Kept;
use crate::supervisor::Supervisor;

const TOKEN: &str = "0123456789abcdef";
/// What every worker has logged.
const LOG: &str = "[2026-01-01T00:00:00.000Z INFO  a] begins\n[2026-01-01T00:00:00.001Z WARN  a] \u{e4}nd\n  goes on\n";
/// An answer is no longer than this, whatever was asked.
const LONGEST_ANSWER: usize = 64 << 20;

/// Makes calls to a new supervisor in an empty folder: each a line of method and path, then the body; a zero byte ends it.
/// `WANT /` is nimbus saying what it wants: the workers it names count as started from then on, with incarnation 1. `END /` ends
/// all that run. The answers' statuses.
///
/// # Panics
/// The supervisor answers that it failed: whatever is asked, that is not the caller's to bring about. Or it does not answer.
pub fn calls(bytes: &[u8], dir: &Path) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = Options::new(dir, "http://127.0.0.1:1", TOKEN, Vec::new());
    let layout = Layout::open(dir).expect("an empty folder");
    let supervisor = Supervisor::new(options, layout, SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).expect("fine options");
    let supervisor = Arc::new(supervisor);
    // Nobody waits for a change: all calls are made by one.
    supervisor.close();
    let door = TowerToHyperService::new(http::router(supervisor.clone()));
    let mut statuses = Vec::new();
    for call in bytes.split(|b| *b == 0) {
        let end = call.iter().position(|b| *b == b'\n').unwrap_or(call.len());
        let body = call.get(end + 1..).unwrap_or_default();
        match std::str::from_utf8(&call[..end]).ok().and_then(|line| line.split_once(' ')) {
            Some(("WANT", _)) => want(&supervisor, body),
            Some(("END", _)) => supervisor.with(|r| {
                let keys: Vec<_> = r.entries.keys().cloned().collect();
                let exit = || Exit { unix_ms: 0, incarnation: 1, how: "signal: 9".to_owned(), output: String::new() };
                keys.iter().for_each(|key| r.ended(key, Some(exit())));
            }),
            Some((method, path)) => {
                let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"));
                if let Ok(request) = request.body(Body::from(body.to_vec())) {
                    statuses.push(runtime.block_on(answer(&door, request)));
                }
            }
            None => {}
        }
        // As it is told nimbus, who has got it.
        let heartbeat = supervisor.heartbeat();
        serde_json::to_vec(&heartbeat).expect("a heartbeat is JSON");
        supervisor.with(|r| r.sent(&heartbeat.workers));
    }
    statuses
}

fn want(supervisor: &Supervisor, body: &[u8]) {
    let Ok(desired) = serde_json::from_slice::<Desired>(body) else { return };
    supervisor.with(|r| {
        for key in r.want(desired) {
            if let Ok(dir) = supervisor.layout.worker(&key) {
                ["worker.log", "worker.out"]
                    .iter()
                    .for_each(|f| std::fs::write(dir.join(f), LOG).expect("a folder of its own"));
            }
            let wanted = r.entries.get(&key).and_then(|entry| entry.want.borrow().clone());
            if let Some(wanted) = wanted {
                r.starts(&key, Kept::new(wanted, 1));
            }
        }
    });
}

async fn answer(door: &TowerToHyperService<Router>, request: Request<Body>) -> u16 {
    let about = format!("{} {}", request.method(), request.uri());
    let Ok(answer) = door.call(request).await;
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, LONGEST_ANSWER).await.unwrap_or_else(|e| panic!("{about}: {e}"));
    assert!(head.status != 500, "{about}: {}", String::from_utf8_lossy(&body));
    head.status.as_u16()
}
