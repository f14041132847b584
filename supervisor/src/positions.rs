//! How far spouts have come: what they write into their topologies' state directories goes to nimbus, and what others wrote
//! comes from there before a worker starts here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use squall_core::control::{LONGEST_POSITION, Position, position_of};

use crate::layout::write;
use crate::supervisor::Supervisor;

/// How long nimbus may take to answer: workers wait for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of positions in one heartbeat; what is left goes with the next.
const MOST_AT_ONCE: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// What nimbus has got, by topology and file.
    told: Mutex<BTreeMap<(String, String), String>>,
    /// Assignments whose positions were fetched: a topology's id, a worker, the epoch that gave it to this supervisor.
    fetched: Mutex<BTreeSet<(String, u32, u64)>>,
}

impl Positions {
    /// Nimbus has got these.
    pub(crate) fn sent(&self, positions: &[Position]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(positions.iter().map(|p| ((p.topology.clone(), p.file.clone()), p.content.clone())));
    }

    /// Nimbus wants all of them again.
    pub(crate) fn send_all(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Those of a topology that nimbus has not got.
    fn news(&self, topology: &str, state: &Path) -> Vec<Position> {
        let mut found = read(topology, state);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|p| told.get(&(p.topology.clone(), p.file.clone())) != Some(&p.content));
        found
    }

    /// Forgets all but these topologies: the others have no worker here any more.
    fn keep(&self, topologies: &BTreeSet<String>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|(t, _), _| topologies.contains(t));
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).retain(|(t, ..)| topologies.contains(t));
    }
}

impl Supervisor {
    /// Positions that nimbus has not got.
    pub(crate) fn new_positions(&self) -> Vec<Position> {
        let topologies: BTreeSet<String> = self.look(|r| r.entries.keys().map(|(t, _)| t.clone()).collect());
        self.positions.keep(&topologies);
        let of = |t: &String| self.layout.state(t).map_or_else(|_| Vec::new(), |dir| self.positions.news(t, &dir));
        let mut bytes = 0;
        let fits = |p: &Position| {
            bytes += p.content.len();
            bytes <= MOST_AT_ONCE
        };
        topologies.iter().flat_map(of).take_while(fits).collect()
    }

    /// Takes over what other supervisors told nimbus of the spouts of a topology, once for each assignment. Without an answer
    /// spouts go on from what is here, or begin again: that repeats, and loses nothing.
    pub(crate) async fn fetch_positions(&self, topology: &str, worker: u32, since: u64) {
        let assignment = (topology.to_owned(), worker, since);
        if self.positions.fetched.lock().unwrap_or_else(PoisonError::into_inner).contains(&assignment) {
            return;
        }
        let path = format!("/v1/supervisors/{}/positions/{topology}", self.id);
        let asked = self.client.call::<Vec<Position>>((Method::GET, &path), None::<&()>, PATIENCE).await;
        let written = match asked {
            Ok(positions) => self.layout.state(topology).and_then(|dir| {
                let others = positions.unwrap_or_default();
                let fine = others.iter().filter(|p| p.topology == topology && position_of(&p.file).is_some());
                fine.clone().try_for_each(|p| write(&dir.join(&p.file), p.content.as_bytes(), 0o600)).map(|()| fine.count())
            }),
            Err(e) => {
                log::warn!(topology = topology, error:display = e; "nimbus does not say how far spouts have come");
                return;
            }
        };
        match written {
            Ok(n) => {
                if n > 0 {
                    log::info!(topology = topology, positions = n; "positions of spouts taken over");
                }
                self.positions.fetched.lock().unwrap_or_else(PoisonError::into_inner).insert(assignment);
            }
            Err(e) => log::warn!(topology = topology, error:display = e; "cannot take over how far spouts have come"),
        }
    }
}

/// The positions in a state directory; none for what is no position, or too long.
fn read(topology: &str, state: &Path) -> Vec<Position> {
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
    let position = |entry: std::fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        position_of(&file)?;
        if entry.metadata().ok()?.len() > LONGEST_POSITION as u64 {
            return None;
        }
        let content = std::fs::read_to_string(entry.path()).ok()?;
        Some(Position { topology: topology.to_owned(), file, content })
    };
    entries.filter_map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("lines.0-of-1.position"), "7").unwrap();
        std::fs::write(dir.path().join("out.jsonl"), "{}").unwrap();
        std::fs::write(dir.path().join("long.0-of-1.position"), vec![b'1'; LONGEST_POSITION + 1]).unwrap();
        let positions = Positions::default();
        let first = positions.news("t", dir.path());
        assert_eq!(first, [Position { topology: "t".into(), file: "lines.0-of-1.position".into(), content: "7".into() }]);
        assert_eq!(positions.news("t", dir.path()), first, "nimbus may not have got it");
        positions.sent(&first);
        assert_eq!(positions.news("t", dir.path()), []);
        std::fs::write(dir.path().join("lines.0-of-1.position"), "8").unwrap();
        assert_eq!(positions.news("t", dir.path())[0].content, "8");
        positions.send_all();
        let news = positions.news("t", dir.path());
        assert_eq!(news.len(), 1);
        positions.sent(&news);
        positions.keep(&BTreeSet::from(["t".to_owned()]));
        assert_eq!(positions.news("t", dir.path()), []);
        positions.keep(&BTreeSet::new());
        assert_eq!(positions.news("t", dir.path()), news, "a topology that was gone is told again");
    }
}
