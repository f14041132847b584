//! Where a row of a stream goes: one router for each subscription.

use squall_core::key;
use squall_core::{Grouping, ValueRef};

/// Routes to the tasks of one subscribing bolt. Bundle `first + i` leads to its task `i`; where all tasks get every row
/// there is one bundle for all of them.
pub(crate) struct Router {
    how: How,
    first: usize,
    tasks: Vec<u32>,
}

/// Fewer rows for each are cheaper one by one.
const LEAST_SHARE: usize = 4;

enum How {
    /// Each in turn, of these.
    Turn { among: Vec<usize>, next: usize },
    /// By the key group of these columns.
    Key { columns: Vec<usize> },
    /// The less used of two, by what was sent there.
    PartialKey { columns: Vec<usize>, sent: Vec<u64> },
    /// One bundle for all.
    All,
    /// The first.
    Global,
    /// As the emitter says.
    Direct,
}

impl Router {
    /// `columns` are the positions of the grouping's key; `local` tells which tasks run in this worker; `seed` where
    /// turns begin, so that not all emitters begin with the same task.
    pub(crate) fn new(
        grouping: &Grouping,
        columns: Vec<usize>,
        first: usize,
        tasks: Vec<u32>,
        local: &[bool],
        seed: usize,
    ) -> Self {
        let all: Vec<usize> = (0..tasks.len()).collect();
        let turn = |among: Vec<usize>| How::Turn { next: seed % among.len().max(1), among };
        let how = match grouping {
            Grouping::Shuffle | Grouping::None => turn(all),
            Grouping::LocalOrShuffle => {
                let near: Vec<usize> = all.iter().copied().filter(|i| local[*i]).collect();
                turn(if near.is_empty() { all } else { near })
            }
            Grouping::Fields { .. } => How::Key { columns },
            Grouping::PartialKey { .. } => How::PartialKey { columns, sent: vec![0; tasks.len()] },
            Grouping::All => How::All,
            Grouping::Global => How::Global,
            Grouping::Direct => How::Direct,
        };
        // With one task there is nothing to choose.
        let how = if tasks.len() == 1 && !matches!(how, How::Direct) { How::Global } else { how };
        Router { how, first, tasks }
    }

    /// How the tasks of a subscription are bundled: each for itself, or all together.
    pub(crate) fn bundles(grouping: &Grouping, tasks: &[u32]) -> Vec<Vec<u32>> {
        match grouping {
            Grouping::All => vec![tasks.to_vec()],
            _ => tasks.iter().map(|t| vec![*t]).collect(),
        }
    }

    /// The bundle that a row is appended to; none on a direct stream, where the emitter says it.
    #[inline(always)]
    pub(crate) fn route(&mut self, row: &[ValueRef<'_>], scratch: &mut Vec<u8>) -> Option<usize> {
        let at = match &mut self.how {
            How::Turn { among, next } => {
                let at = among[*next];
                *next += 1;
                if *next == among.len() {
                    *next = 0;
                }
                at
            }
            How::All | How::Global => 0,
            How::Key { .. } | How::PartialKey { .. } => self.by_key(row, scratch),
            How::Direct => return None,
        };
        Some(self.first + at)
    }

    /// How many bundles share `n` rows that come together, if it does not depend on the rows and is worth it: a run of them for each.
    pub(crate) fn deals(&self, n: usize) -> Option<usize> {
        match &self.how {
            How::Turn { among, .. } => (n >= LEAST_SHARE * among.len()).then_some(among.len()),
            How::All | How::Global => Some(1),
            How::Key { .. } | How::PartialKey { .. } | How::Direct => None,
        }
    }

    /// The bundle of the share `nth` of `n` rows, and how many they are. As many for each as row by row.
    pub(crate) fn deal(&self, n: usize, nth: usize) -> (usize, usize) {
        match &self.how {
            How::Turn { among, next } => {
                let share = n / among.len() + usize::from(nth < n % among.len());
                (self.first + among[(next + nth) % among.len()], share)
            }
            _ => (self.first, n),
        }
    }

    /// All shares of `n` rows were dealt.
    pub(crate) fn dealt(&mut self, n: usize) {
        if let How::Turn { among, next } = &mut self.how {
            *next = (*next + n) % among.len();
        }
    }

    fn by_key(&mut self, row: &[ValueRef<'_>], scratch: &mut Vec<u8>) -> usize {
        let tasks = self.tasks.len() as u32;
        match &mut self.how {
            How::Key { columns } => key::task(key::group(hash(row, columns, scratch)), tasks) as usize,
            How::PartialKey { columns, sent } => {
                let hash = hash(row, columns, scratch);
                let (a, b) = (key::task(key::group(hash), tasks) as usize, key::task(key::second(hash), tasks) as usize);
                let at = if sent[b] < sent[a] { b } else { a };
                sent[at] += 1;
                at
            }
            _ => 0,
        }
    }

    /// The bundle of one task, if it subscribes.
    pub(crate) fn direct(&self, task: u32) -> Option<usize> {
        self.tasks.iter().position(|t| *t == task).map(|i| self.first + i)
    }
}

#[inline]
fn hash(row: &[ValueRef<'_>], columns: &[usize], scratch: &mut Vec<u8>) -> u64 {
    // A row narrower than the schema is refused when it is appended; here it must only not panic.
    key::hash(scratch, columns.iter().map(|c| row.get(*c).copied().unwrap_or(ValueRef::Nil)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn router(grouping: &Grouping, tasks: u32, local: &[bool]) -> Router {
        Router::new(grouping, vec![0], 10, (1..=tasks).collect(), local, 0)
    }

    fn go(r: &mut Router, key: i64) -> usize {
        r.route(&[ValueRef::Int(key)], &mut Vec::new()).unwrap() - 10
    }

    #[test]
    fn shuffle_takes_turns_and_prefers_local_tasks_where_asked() {
        let mut shuffle = router(&Grouping::Shuffle, 3, &[false; 3]);
        assert_eq!((0..6).map(|_| go(&mut shuffle, 0)).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        let mut near = router(&Grouping::LocalOrShuffle, 3, &[false, true, false]);
        assert_eq!((0..3).map(|_| go(&mut near, 0)).collect::<Vec<_>>(), [1, 1, 1]);
        let mut far = router(&Grouping::LocalOrShuffle, 2, &[false, false]);
        assert_eq!((0..3).map(|_| go(&mut far, 0)).collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn global_is_the_first_and_direct_what_is_named() {
        assert_eq!(go(&mut router(&Grouping::Global, 3, &[false; 3]), 5), 0);
        let direct = router(&Grouping::Direct, 3, &[false; 3]);
        assert_eq!(direct.direct(2), Some(11));
        assert_eq!(direct.direct(9), None);
    }

    proptest! {
        /// Dealt in runs or row by row, each task has as many rows, and the next turn is the same task's.
        #[test]
        fn runs_are_as_fair_as_rows(blocks in proptest::collection::vec(0usize..90, 1..9), tasks in 1u32..9) {
            let (mut runs, mut single) = (router(&Grouping::Shuffle, tasks, &[]), router(&Grouping::Shuffle, tasks, &[]));
            let (mut dealt, mut one_by_one) = (vec![0; tasks as usize], vec![0; tasks as usize]);
            for n in blocks {
                match runs.deals(n) {
                    Some(shares) => {
                        for (bundle, rows) in (0..shares).map(|nth| runs.deal(n, nth)) {
                            dealt[bundle - 10] += rows;
                        }
                        runs.dealt(n);
                    }
                    None => (0..n).for_each(|_| dealt[go(&mut runs, 0)] += 1),
                }
                (0..n).for_each(|_| one_by_one[go(&mut single, 0)] += 1);
                prop_assert_eq!(&dealt, &one_by_one);
            }
        }

        #[test]
        fn equal_keys_go_to_one_task_and_partial_keys_to_two_at_most(
            keys in proptest::collection::vec(0i64..50, 1..300), tasks in 1u32..40
        ) {
            let fields = Grouping::Fields { fields: vec!["k".into()] };
            let partial = Grouping::PartialKey { fields: vec!["k".into()] };
            let (mut whole, mut split) = (router(&fields, tasks, &[]), router(&partial, tasks, &[]));
            let mut seen = std::collections::BTreeMap::<i64, (Vec<usize>, Vec<usize>)>::new();
            for key in keys {
                let entry = seen.entry(key).or_default();
                entry.0.push(go(&mut whole, key));
                entry.1.push(go(&mut split, key));
            }
            for (one, two) in seen.values_mut() {
                [&mut *one, two].into_iter().for_each(|v| { v.sort_unstable(); v.dedup(); });
                prop_assert_eq!(one.len(), 1);
                prop_assert!(two.len() <= 2);
            }
        }
    }
}
