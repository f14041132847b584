//! What became of trees, until their spout is told.

use squall_core::Root;

/// What became of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All done: the spout's id and the time since the emit.
    Done { id: u64, took_ns: u64 },
    /// Not to be done.
    Failed(Failed),
}

/// A tree that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The spout's id.
    pub(crate) id: u64,
    pub(crate) root: Root,
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
    /// The time since the emit, and how many of `done`: neighbours mostly left together and were done together.
    pub(crate) took: Vec<(u64, u64)>,
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

    /// The same for many that were emitted together.
    pub(crate) fn done_all(&mut self, ids: &[u64], took_ns: u64) {
        self.done.extend_from_slice(ids);
        self.took.push((took_ns, ids.len() as u64));
    }

    pub(crate) fn push(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done { id, took_ns } => self.done(id, took_ns),
            Outcome::Failed(failed) => self.failed.push(failed),
        }
    }

    /// All have been told.
    pub(crate) fn clear(&mut self) {
        self.done.clear();
        self.took.clear();
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
    fn times_are_counted_by_neighbours() {
        let mut outcomes = Outcomes::default();
        assert!(outcomes.is_empty());
        for (id, took_ns) in [(1, 5), (2, 5), (3, 6), (4, 5)] {
            outcomes.push(Outcome::Done { id, took_ns });
        }
        assert_eq!((&outcomes.done[..], &outcomes.took[..]), (&[1, 2, 3, 4][..], &[(5, 2), (6, 1), (5, 1)][..]));
        assert!(!outcomes.is_empty());
    }
}
