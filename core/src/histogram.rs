//! A histogram of times: log-linear buckets, 16 to an octave, so a value read back is at most 6.25 % too large.
//! Merging is addition, and what is empty costs nothing to send.

use serde::{Deserialize, Serialize};

const SUB: u32 = 4;
const WIDTH: u64 = 1 << SUB;

/// Times in nanoseconds (or any other whole numbers), counted in buckets.
///
/// ```
/// use squall_core::Histogram;
/// let mut h = Histogram::default();
/// (1..=1000).for_each(|us| h.record(us * 1000, 1));
/// let p50 = h.quantile(0.5).unwrap();
/// assert!((500_000..=540_000).contains(&p50), "{p50}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u64)>", into = "Vec<(u32, u64)>")]
pub struct Histogram {
    /// Allocated when first used, as far as used.
    buckets: Vec<u64>,
    count: u64,
}

/// Highest bucket there can be; what comes from the network must not set an allocation.
const LAST: u32 = (64 - SUB) * WIDTH as u32 + WIDTH as u32 - 1;

impl Histogram {
    /// Counts a value `times` times.
    ///
    /// ```
    /// # let mut h = squall_core::Histogram::default();
    /// h.record(1500, 64);
    /// assert_eq!(h.count(), 64);
    /// ```
    #[inline]
    pub fn record(&mut self, value: u64, times: u64) {
        let bucket = bucket(value) as usize;
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += times;
        self.count += times;
    }

    /// The number of the bucket that a value is counted in; as JSON has it, for those who count buckets by themselves.
    ///
    /// ```
    /// use squall_core::Histogram;
    /// let h = Histogram::from(vec![(Histogram::bucket_of(9), 2)]);
    /// assert_eq!((h.count(), h.quantile(0.5)), (2, Some(9)));
    /// ```
    pub fn bucket_of(value: u64) -> u32 {
        bucket(value)
    }

    /// How many values were counted.
    ///
    /// ```
    /// assert_eq!(squall_core::Histogram::default().count(), 0);
    /// ```
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was counted.
    ///
    /// ```
    /// assert!(squall_core::Histogram::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value that this share (0 to 1) of all values does not exceed; `None` while there is none.
    ///
    /// ```
    /// assert_eq!(squall_core::Histogram::default().quantile(0.99), None);
    /// ```
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0u64;
        let found = self.buckets.iter().position(|n| {
            seen = n.saturating_add(seen);
            seen >= wanted
        });
        found.filter(|_| self.count > 0).map(|b| highest(b as u32))
    }

    /// The mean, about; `None` while there is no value.
    ///
    /// ```
    /// # let mut h = squall_core::Histogram::default();
    /// h.record(10, 3);
    /// assert_eq!(h.mean(), Some(10.0));
    /// ```
    pub fn mean(&self) -> Option<f64> {
        let middle = |b: u32| (highest(b) as f64 + if b == 0 { 0.0 } else { highest(b - 1) as f64 + 1.0 }) / 2.0;
        let sum: f64 = self.buckets.iter().enumerate().map(|(b, n)| *n as f64 * middle(b as u32)).sum();
        (self.count > 0).then(|| sum / self.count as f64)
    }

    /// What was counted since an earlier state of the same histogram.
    ///
    /// ```
    /// # let mut h = squall_core::Histogram::default();
    /// h.record(5, 3);
    /// let before = h.clone();
    /// h.record(7, 1);
    /// assert_eq!(h.since(&before).buckets().collect::<Vec<_>>(), [(7, 1)]);
    /// ```
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let before = earlier.buckets.iter().chain(std::iter::repeat(&0));
        Histogram::of(self.buckets.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect())
    }

    /// The same histogram with another count in each bucket.
    ///
    /// ```
    /// # let mut h = squall_core::Histogram::default();
    /// h.record(5, 4);
    /// assert_eq!(h.map(|n| n / 2).count(), 2);
    /// ```
    #[must_use]
    pub fn map(&self, count: impl Fn(u64) -> u64) -> Histogram {
        Histogram::of(self.buckets.iter().map(|n| count(*n)).collect())
    }

    /// The buckets that are not empty, as (their largest value, how many were counted), in order.
    ///
    /// ```
    /// # let mut h = squall_core::Histogram::default();
    /// h.record(3, 2);
    /// assert_eq!(h.buckets().next(), Some((3, 2)));
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().enumerate().filter(|(_, n)| **n > 0).map(|(b, n)| (highest(b as u32), *n))
    }

    fn of(mut buckets: Vec<u64>) -> Histogram {
        let used = buckets.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
        buckets.truncate(used);
        let count = buckets.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
        Histogram { buckets, count }
    }

    /// Adds what another histogram counted.
    ///
    /// ```
    /// # let (mut a, mut b) = (squall_core::Histogram::default(), squall_core::Histogram::default());
    /// b.record(1, 1);
    /// a.merge(&b);
    /// assert_eq!(a.count(), 1);
    /// ```
    pub fn merge(&mut self, other: &Histogram) {
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        // What came from the network may be any number.
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        self.count = self.count.saturating_add(other.count);
    }
}

/// The bucket of a value: exact below 16, then 16 to each doubling.
#[inline]
fn bucket(value: u64) -> u32 {
    if value < WIDTH {
        return value as u32;
    }
    let octave = 63 - value.leading_zeros() - SUB;
    (octave + 1) * WIDTH as u32 + ((value >> octave) - WIDTH) as u32
}

/// The largest value of a bucket.
fn highest(bucket: u32) -> u64 {
    let (octave, place) = (bucket / WIDTH as u32, u64::from(bucket) % WIDTH);
    match octave {
        0 => place,
        octave => (((WIDTH + place + 1) as u128) << (octave - 1)).saturating_sub(1).min(u64::MAX as u128) as u64,
    }
}

impl From<Vec<(u32, u64)>> for Histogram {
    fn from(pairs: Vec<(u32, u64)>) -> Self {
        let mut h = Histogram::default();
        for (bucket, n) in pairs.into_iter().filter(|(b, _)| *b <= LAST) {
            h.merge(&Histogram { buckets: [vec![0; bucket as usize], vec![n]].concat(), count: n });
        }
        h
    }
}

impl From<Histogram> for Vec<(u32, u64)> {
    fn from(h: Histogram) -> Self {
        h.buckets.iter().enumerate().filter(|(_, n)| **n > 0).map(|(b, n)| (b as u32, *n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_is_found_again_within_a_sixteenth(value: u64) {
            let read = highest(bucket(value));
            prop_assert!(read >= value);
            prop_assert!((read - value) as f64 <= value as f64 / 16.0);
            prop_assert!(bucket(value) <= LAST);
        }

        #[test]
        fn no_number_from_elsewhere_is_too_large(pairs: Vec<(u32, u64)>) {
            let mut h = Histogram::from(vec![(5, u64::MAX), (5, 1), (9, u64::MAX)]);
            h.merge(&Histogram::from(pairs));
            prop_assert_eq!(h.count(), u64::MAX);
        }

        #[test]
        fn json_gives_back_the_same(values in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut h = Histogram::default();
            values.iter().for_each(|v| h.record(*v, 1));
            let back: Histogram = serde_json::from_str(&serde_json::to_string(&h).unwrap()).unwrap();
            prop_assert_eq!(back, h);
        }
    }
}
