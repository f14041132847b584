//! Nimbus under whatever is asked of it, for fuzzers, and for nobody else: everything behind the door is the real thing; stores are in
//! memory, nothing is on a network, and a second goes by with every call, so that the same bytes always do the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::blobs::Blobs;
use crate::clock::HandSet;
use crate::cluster::World;
use crate::denied::Denied;
use crate::history::Book;
use crate::http;
use crate::imports::Imports;
use crate::nimbus::Nimbus;
use crate::store::Embedded;

const TOKEN: &str = "0123456789abcdef";
const BLOB_LIMIT: u64 = 1 << 20;
const BLOB_GRACE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(3);
/// An answer is no longer than this, whatever was asked.
const LONGEST_ANSWER: usize = 64 << 20;

/// Makes calls to a new nimbus in an empty folder: each a line of method and path, then the body; a zero byte ends it. The
/// answers' statuses.
///
/// # Panics
/// Nimbus answers that it failed: whatever is asked, that is not the caller's to bring about. Or it does not answer.
pub fn calls(bytes: &[u8], dir: &Path) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Arc::new(HandSet::default());
    let blobs = Arc::new(Blobs::open(dir.join("blobs"), BLOB_LIMIT).expect("an empty folder"));
    let imports = Imports::open(dir.join("imports"), None, BLOB_LIMIT).expect("an empty folder");
    let (store, book) = (Arc::new(Embedded::in_memory()), Arc::new(Book::in_memory()));
    let world = World::open(store, book, blobs.clone(), clock.clone(), (LEASE, BLOB_GRACE)).expect("an empty store");
    let nimbus = Arc::new(Nimbus::new(world, (TOKEN.to_owned(), 1), (blobs, imports), None, clock.clone()));
    // Nobody waits for a change: all calls are made by one.
    nimbus.close();
    let door = TowerToHyperService::new(http::router(nimbus.clone()));
    let (mut statuses, mut second) = (Vec::new(), 0);
    for call in bytes.split(|b| *b == 0) {
        if let Some(request) = request(call) {
            statuses.push(runtime.block_on(answer(&door, request)));
        }
        second += 1;
        clock.set(Duration::from_secs(second));
        nimbus.change(|w| w.due().map_err(Denied::from)).expect("what is due can be done");
    }
    statuses
}

fn request(call: &[u8]) -> Option<Request<Body>> {
    let end = call.iter().position(|b| *b == b'\n').unwrap_or(call.len());
    let (method, path) = std::str::from_utf8(&call[..end]).ok()?.split_once(' ')?;
    // Those are on the machines of supervisors, and nothing is to be on a network.
    if path.contains("/logs") {
        return None;
    }
    let body = call.get(end + 1..).unwrap_or_default().to_vec();
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"));
    request.body(Body::from(body)).ok()
}

async fn answer(door: &TowerToHyperService<Router>, request: Request<Body>) -> u16 {
    let about = format!("{} {}", request.method(), request.uri());
    let Ok(answer) = door.call(request).await;
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, LONGEST_ANSWER).await.unwrap_or_else(|e| panic!("{about}: {e}"));
    // Storm's own API answers so to whatever it does not know.
    assert!(head.status != 500 || about.contains("/api/v1/"), "{about}: {}", String::from_utf8_lossy(&body));
    head.status.as_u16()
}
