//! What is counted of each version of a model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// What a version of a model has scored.
///
/// ```
/// assert_eq!(squall_core::ModelNumbers::default().rows, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelNumbers {
    /// The model's name in the topology.
    pub model: String,
    /// The version.
    pub version: u64,
    /// Rows scored.
    pub rows: u64,
    /// Batches scored.
    pub batches: u64,
    /// Rows that could not be scored.
    pub errors: u64,
    /// Nanoseconds to score a batch.
    pub latency: Histogram,
    /// The scores given: the highest probability of each row; of models without probabilities the highest decision value, or what they
    /// predict. Of some rows only where no scores are emitted: the others are not computed only to be counted.
    pub scores: Scores,
}

impl ModelNumbers {
    /// Adds what somebody else counted of the same version.
    ///
    /// ```
    /// use squall_core::ModelNumbers;
    /// let mut sum = ModelNumbers::default();
    /// sum.merge(&ModelNumbers { rows: 3, ..ModelNumbers::default() });
    /// assert_eq!(sum.rows, 3);
    /// ```
    pub fn merge(&mut self, other: &ModelNumbers) {
        self.rows = self.rows.saturating_add(other.rows);
        self.batches = self.batches.saturating_add(other.batches);
        self.errors = self.errors.saturating_add(other.errors);
        self.latency.merge(&other.latency);
        self.scores.merge(&other.scores);
    }
}

/// How many scores fell into each range. Ranges are 0.05 wide between -1 and 1; beyond, they widen by a tenth of the number.
///
/// ```
/// use squall_core::Scores;
/// let mut scores = Scores::default();
/// [0.97, 0.99, 0.31, -250.0].into_iter().for_each(|x| scores.record(x));
/// let ranges: Vec<(f64, f64, u64)> = scores.ranges().collect();
/// assert_eq!(ranges.last(), Some(&(0.95, 1.0, 2)));
/// assert!(ranges[0].0 <= -250.0 && -250.0 <= ranges[0].1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scores(BTreeMap<i32, u64>);

/// Ranges between 0 and 1.
const FINE: i32 = 20;
/// Beyond 1 each range is so many times as wide as the one before.
const GROWTH: f64 = 1.1;

impl Scores {
    /// Counts a score; what is no number is not counted.
    ///
    /// ```
    /// let mut scores = squall_core::Scores::default();
    /// scores.record(f64::NAN);
    /// assert!(scores.is_empty());
    /// ```
    pub fn record(&mut self, score: f64) {
        if !score.is_nan() {
            *self.0.entry(range_of(score)).or_default() += 1;
        }
    }

    /// Whether nothing was counted.
    ///
    /// ```
    /// assert!(squall_core::Scores::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges that hold something, each as (from, to, how many), in order.
    ///
    /// ```
    /// assert_eq!(squall_core::Scores::default().ranges().count(), 0);
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        self.0.iter().map(|(range, n)| (edge(*range), edge(range.saturating_add(1)), *n))
    }

    fn merge(&mut self, other: &Scores) {
        for (range, n) in &other.0 {
            let sum = self.0.entry(*range).or_default();
            *sum = sum.saturating_add(*n);
        }
    }
}

/// The range of a score: 0 begins at 0; exactly 1 belongs to the last of the fine ones.
fn range_of(score: f64) -> i32 {
    let magnitude = score.abs();
    let steps = if magnitude <= 1.0 {
        (magnitude * f64::from(FINE)).min(f64::from(FINE) - 0.5)
    } else {
        f64::from(FINE) + (magnitude.ln() / GROWTH.ln()).min(1e6)
    };
    // Below zero a range is named by the edge that is further from it.
    if score < 0.0 { -(steps.floor() as i32) - 1 } else { steps.floor() as i32 }
}

/// Where a range begins.
fn edge(range: i32) -> f64 {
    let steps = range.unsigned_abs();
    let magnitude = match steps.checked_sub(FINE as u32) {
        None | Some(0) => f64::from(steps) / f64::from(FINE),
        Some(beyond) => GROWTH.powf(f64::from(beyond)),
    };
    if range < 0 { -magnitude } else { magnitude }
}

/// Counts for one task and one version. Cheap to clone; all clones count together.
///
/// ```
/// let meter = squall_core::Metrics::default().model("digits", 1);
/// meter.batch(10, 0, 5_000);
/// assert_eq!(meter.read().batches, 1);
/// ```
#[derive(Debug, Clone)]
pub struct ModelMeter(Arc<Mutex<ModelNumbers>>);

impl ModelMeter {
    pub(crate) fn new(model: &str, version: u64) -> Self {
        let numbers = ModelNumbers { model: model.to_owned(), version, ..ModelNumbers::default() };
        ModelMeter(Arc::new(Mutex::new(numbers)))
    }

    fn numbers(&self) -> MutexGuard<'_, ModelNumbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch: rows that were scored, rows that could not be, and the nanoseconds it took.
    ///
    /// ```
    /// fn f(meter: &squall_core::ModelMeter) { meter.batch(256, 0, 40_000) }
    /// ```
    pub fn batch(&self, rows: u64, errors: u64, took_ns: u64) {
        let mut numbers = self.numbers();
        numbers.rows += rows;
        numbers.errors += errors;
        if rows > 0 {
            numbers.batches += 1;
            numbers.latency.record(took_ns, 1);
        }
    }

    /// Scores that were given.
    ///
    /// ```
    /// fn f(meter: &squall_core::ModelMeter) { meter.scores([0.9, 0.4]) }
    /// ```
    pub fn scores(&self, scores: impl IntoIterator<Item = f64>) {
        let mut numbers = self.numbers();
        scores.into_iter().for_each(|s| numbers.scores.record(s));
    }

    /// What it has counted.
    ///
    /// ```
    /// fn f(meter: &squall_core::ModelMeter) -> u64 { meter.read().errors }
    /// ```
    pub fn read(&self) -> ModelNumbers {
        self.numbers().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_score_lies_in_its_range(score in prop_oneof![-2.0f64..2.0, -1e9f64..1e9, Just(1.0), Just(-1.0), Just(0.0)]) {
            let range = range_of(score);
            let (from, to) = (edge(range), edge(range + 1));
            let slack = 1e-9 * score.abs().max(1.0);
            prop_assert!(from - slack <= score && score <= to + slack, "{score} in {from}..{to}");
            prop_assert!(to - from <= 0.05f64.max(score.abs() * 0.11) + slack);
        }
    }

    #[test]
    fn infinities_and_strange_ranges_do_no_harm() {
        let mut scores = Scores::default();
        scores.record(f64::INFINITY);
        scores.record(f64::NEG_INFINITY);
        assert_eq!(scores.ranges().map(|(.., n)| n).sum::<u64>(), 2);
        let foreign: Scores = serde_json::from_str("{\"-2147483648\": 1, \"2147483647\": 18446744073709551615}").unwrap();
        assert!(foreign.ranges().all(|(from, to, _)| !from.is_nan() && !to.is_nan()));
        scores.merge(&foreign);
        scores.merge(&foreign);
    }
}
