//! What happened to a topology, on the time line of its points.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

pub(crate) use squall_core::control::{TimelineEvent as Happening, TimelineKind as Kind};

/// Of more the oldest go, errors first while these are more than half.
const MOST: usize = 500;
const LONGEST: usize = 500;
/// A component's errors are an event at most so often; all of them are counted in the points.
const PAUSE_MS: u64 = 1000;

/// The newest events of a topology.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Timeline {
    events: VecDeque<Happening>,
    /// Events there were so far.
    count: u64,
    /// The newest end of each worker's process that is an event, by incarnation.
    exits: BTreeMap<u32, u64>,
    /// When each component last had an error as event.
    errors: BTreeMap<String, u64>,
}

impl Timeline {
    /// Something happened.
    pub(crate) fn add(&mut self, mut event: Happening) {
        if let Some((cut, _)) = event.text.char_indices().nth(LONGEST) {
            event.text.truncate(cut);
            event.text.push('…');
        }
        self.count += 1;
        event.number = self.count;
        self.events.push_back(event);
        while self.events.len() > MOST {
            let is_error = |e: &Happening| e.kind == Kind::Error;
            let too_many = self.events.iter().filter(|e| is_error(e)).count() > MOST / 2;
            let oldest = self.events.iter().position(|e| !too_many || is_error(e)).unwrap_or(0);
            self.events.remove(oldest);
        }
    }

    /// A process has ended, if that is news.
    pub(crate) fn ended(&mut self, worker: u32, incarnation: u64, event: impl FnOnce() -> Happening) {
        if self.exits.get(&worker).is_none_or(|seen| *seen < incarnation) {
            self.exits.insert(worker, incarnation);
            self.add(event());
        }
    }

    /// A component had an error that is not one of many.
    pub(crate) fn erred(&mut self, event: Happening) {
        let last = self.errors.entry(event.component.clone()).or_default();
        if event.unix_ms >= last.saturating_add(PAUSE_MS) || event.unix_ms < *last {
            *last = event.unix_ms;
            self.add(event);
        }
    }

    /// The newest events, oldest first.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Happening> {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(component: &str, unix_ms: u64) -> Happening {
        Happening { component: component.into(), unix_ms, kind: Kind::Error, ..Happening::default() }
    }

    #[test]
    fn a_flood_of_errors_is_few_events_and_an_end_is_told_once() {
        let mut t = Timeline::default();
        (0..5000).for_each(|ms| t.erred(error("a", 1_000_000 + ms)));
        t.erred(error("b", 1_000_000));
        assert_eq!(t.events().count(), 6);
        (0..3).for_each(|_| t.ended(0, 7, || Happening { kind: Kind::WorkerEnded, ..Happening::default() }));
        assert_eq!(t.events().filter(|e| e.kind == Kind::WorkerEnded).count(), 1);
        (0..9999).for_each(|s| t.erred(error("a", 2_000_000 + s * 1000)));
        let errors = t.events().filter(|e| e.kind == Kind::Error).count();
        assert_eq!((errors, t.events().count()), (MOST - 1, MOST), "of what else there was nothing goes for them");
        t.add(Happening { text: "ä".repeat(9000), ..Happening::default() });
        assert!(t.events().next_back().unwrap().text.chars().count() <= LONGEST + 1);
        (0..9999).for_each(|_| t.add(Happening::default()));
        assert_eq!(t.events().count(), MOST);
    }
}
