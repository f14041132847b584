//! New versions of models, fetched while workers run on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::blobs::Use;
use crate::roster::{Roster, artefacts};
use crate::supervisor::Supervisor;

/// After a fetch that failed, the next try. Nimbus may have been away for a moment.
const AGAIN: Duration = Duration::from_secs(2);
/// How often it is tried before workers are told.
const TRIES: u32 = 3;

/// Fetches every version that orders name and that is not here, once for all workers, and tells them where it is.
pub(crate) async fn fetch(supervisor: Arc<Supervisor>) {
    let mut changes = supervisor.changes();
    loop {
        changes.borrow_and_update();
        let Some(wanted) = supervisor.look(missing) else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut tries = 0;
        let found = loop {
            match supervisor.blobs.get(&wanted, Use::Model).await {
                Ok(path) => break Ok(path),
                Err(e) => {
                    tries += 1;
                    log::warn!(artefact = wanted.as_str(), error:display = e; "cannot fetch a version of a model");
                    if tries >= TRIES {
                        break Err(e.to_string());
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        supervisor.with(|r| {
            r.artefacts.insert(wanted, found);
            r.refresh();
        });
    }
}

/// One that is named and not known.
fn missing(roster: &Roster) -> Option<String> {
    named(roster).into_iter().find(|a| !roster.artefacts.contains_key(a))
}

/// All artefacts that orders name.
pub(crate) fn named(roster: &Roster) -> BTreeSet<String> {
    let wants = roster.entries.values().filter_map(|e| e.want.borrow().clone());
    wants.flat_map(|w| artefacts(&w).map(str::to_owned).collect::<Vec<_>>()).collect()
}
