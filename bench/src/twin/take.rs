//! What a twin does with the rows it takes in.

use foldhash::{HashMap, HashMapExt};
use squall_core::{Columns, ValueRef};

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is dropped; it came this many times.
    Copies(u64),
    /// Its rows are appended to another batch, and both are dropped.
    Copy,
    /// Its words are counted; lines are split before.
    Count {
        /// Whether rows are lines.
        split: bool,
    },
}

/// A receiver.
pub(crate) struct Taker {
    take: Take,
    counts: HashMap<Box<str>, i64>,
}

impl Taker {
    pub(crate) fn new(take: Take) -> Taker {
        Taker { take, counts: HashMap::new() }
    }

    /// Takes a batch in; how many tuples that were.
    pub(crate) fn take(&mut self, columns: &Columns) -> u64 {
        match self.take {
            Take::Copies(_) => columns.len() as u64,
            Take::Copy => {
                let mut copy = Columns::new(columns.schema().clone());
                let width = columns.schema().len();
                let mut row = Vec::with_capacity(width);
                for r in 0..columns.len() {
                    row.clear();
                    row.extend((0..width).filter_map(|c| columns.get(r, c)));
                    // Of one schema, so they fit.
                    let _ = copy.push(&row);
                }
                copy.len() as u64
            }
            Take::Count { split } => {
                let mut taken = 0;
                for row in 0..columns.len() {
                    let Some(ValueRef::Str(text)) = columns.get(row, 0) else { continue };
                    if split {
                        text.split_whitespace().for_each(|word| taken += self.count(word));
                    } else {
                        taken += self.count(text);
                    }
                }
                taken
            }
        }
    }

    fn count(&mut self, word: &str) -> u64 {
        match self.counts.get_mut(word) {
            Some(n) => *n += 1,
            None => drop(self.counts.insert(word.into(), 1)),
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fill, Row};
    use super::*;

    #[test]
    fn tuples_are_counted_as_the_scenario_counts_them() {
        let batch = |row| {
            let mut fill = Fill::new(row);
            let mut columns = Columns::new(fill.schema.clone());
            fill.fill(&mut columns).unwrap();
            columns
        };
        let lines = batch(Row::Lines);
        assert_eq!(Taker::new(Take::Copies(8)).take(&lines), 256);
        assert_eq!(Taker::new(Take::Copy).take(&lines), 256);
        let mut counter = Taker::new(Take::Count { split: true });
        let words = counter.take(&lines);
        assert!((256 * 7 - 8..=256 * 7 + 8).contains(&words), "{words}");
        assert_eq!(counter.counts.values().sum::<i64>() as u64, words);
        assert_eq!(Taker::new(Take::Count { split: false }).take(&batch(Row::Words)), 256);
    }
}
