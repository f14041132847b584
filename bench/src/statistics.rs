//! Medians and spreads; no means, which one outlier moves.

use serde::{Deserialize, Serialize};

/// The median of several runs, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` if there are none or one is no number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, min: values[0], max: values[values.len() - 1] })
    }

    /// Whether all of one lies beyond all of the other: then they differ by more than their noise.
    pub(crate) fn is_apart_from(&self, other: &Spread) -> bool {
        self.max < other.min || other.max < self.min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn apart_means_that_nothing_overlaps() {
        let spread = |min, max| Spread { median: (min + max) / 2.0, min, max };
        assert!(spread(1.0, 2.0).is_apart_from(&spread(2.5, 3.0)));
        assert!(spread(2.5, 3.0).is_apart_from(&spread(1.0, 2.0)));
        assert!(!spread(1.0, 2.6).is_apart_from(&spread(2.5, 3.0)));
    }
}
