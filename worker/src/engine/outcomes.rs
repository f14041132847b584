//! What became of trees, until their spout is told.

use squall_core::{Root, StreamId};

/// What became of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All done: the spout's id, the time since the emit and the stream it was emitted on.
    Done { id: u64, took_ns: u64, stream: StreamId },
    /// Not to be done.
    Failed(Failed),
}

/// A tree that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The spout's id.
    pub(crate) id: u64,
    pub(crate) root: Root,
    /// The stream it was emitted on.
    pub(crate) stream: StreamId,
    pub(crate) why: Why,
}

/// Why a tree failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A bolt said so.
    Bolt,
    /// A worker that it touched died.
    Death,
    /// It took too long.
    TimeOut,
}

/// Outcomes, apart by kind: nearly all are done, and of those the spout wants ids and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) done: Vec<u64>,
    /// Of tuples of the first stream, which mostly is the only one: the time since the emit, and how many of `done`: neighbours mostly
    /// left together and were done together.
    pub(crate) took: Vec<(u64, u64)>,
    /// Of other streams: the same, after the stream.
    pub(crate) others: Vec<(StreamId, u64, u64)>,
    pub(crate) failed: Vec<Failed>,
}

impl Outcomes {
    #[inline(always)]
    pub(crate) fn done(&mut self, id: u64, took_ns: u64) {
        self.done.push(id);
        match self.took.last_mut() {
            Some((last, n)) if *last == took_ns => *n += 1,
            _ => self.took.push((took_ns, 1)),
        }
    }

    /// The same for one of any stream.
    pub(crate) fn done_on(&mut self, stream: StreamId, id: u64, took_ns: u64) {
        if stream == StreamId::DEFAULT {
            return self.done(id, took_ns);
        }
        self.done.push(id);
        match self.others.last_mut() {
            Some((of, last, n)) if (*of, *last) == (stream, took_ns) => *n += 1,
            _ => self.others.push((stream, took_ns, 1)),
        }
    }

    /// The same for many of the first stream that were emitted together.
    pub(crate) fn done_all(&mut self, ids: &[u64], took_ns: u64) {
        self.done.extend_from_slice(ids);
        self.took.push((took_ns, ids.len() as u64));
    }

    pub(crate) fn push(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done { id, took_ns, stream } => self.done_on(stream, id, took_ns),
            Outcome::Failed(failed) => self.failed.push(failed),
        }
    }

    /// All have been told.
    pub(crate) fn clear(&mut self) {
        self.done.clear();
        self.took.clear();
        self.others.clear();
        self.failed.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.done.is_empty() && self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_neighbours_and_by_streams() {
        let mut outcomes = Outcomes::default();
        assert!(outcomes.is_empty());
        for (id, took_ns, stream) in [(1, 5, 0), (2, 5, 0), (3, 6, 2), (4, 6, 0), (5, 6, 2), (6, 6, 1), (7, 5, 1)] {
            outcomes.push(Outcome::Done { id, took_ns, stream: StreamId(stream) });
        }
        assert_eq!((&outcomes.done[..], &outcomes.took[..]), (&[1, 2, 3, 4, 5, 6, 7][..], &[(5, 2), (6, 1)][..]));
        assert_eq!(outcomes.others, [(StreamId(2), 6, 2), (StreamId(1), 6, 1), (StreamId(1), 5, 1)]);
        assert!(!outcomes.is_empty());
        outcomes.clear();
        assert!(outcomes.is_empty() && outcomes.took.is_empty() && outcomes.others.is_empty());
    }
}
