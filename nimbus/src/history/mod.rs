//! What topologies did, second by second: counters and latency histograms of each component and task, kept for days in a
//! store of its own (`statistics.redb`), and events on the same time line. Nothing is sampled: the points of a topology add up to its totals.

mod numbers;
mod point;
mod series;
mod share;
mod store;
mod timeline;

pub(crate) use numbers::{Numbers, latency, sum_up};
pub(crate) use point::{Point, Sums, TaskSums};
pub(crate) use series::{Counted, Series};
pub(crate) use share::difference;
pub(crate) use store::{Book, Written};
pub(crate) use timeline::{Happening, Kind, Timeline};

use std::time::Duration;

/// How fine a point is, and how long points so fine are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    pub(crate) number: u8,
    /// A point covers so many seconds.
    pub(crate) step_s: u64,
    /// Points are kept so long.
    pub(crate) kept: Duration,
}

/// One point a second for ten minutes, coarser for a week.
pub(crate) const TIERS: [Tier; 4] =
    [tier(0, 1, 600), tier(1, 10, 3 * 3600), tier(2, 60, 24 * 3600), tier(3, 600, 7 * 24 * 3600)];

const fn tier(number: u8, step_s: u64, kept_s: u64) -> Tier {
    Tier { number, step_s, kept: Duration::from_secs(kept_s) }
}

/// The finest tier that reaches back so far; the coarsest for what no tier reaches.
pub(crate) fn tier_for(seconds: u64) -> Tier {
    TIERS.into_iter().find(|t| t.kept.as_secs() >= seconds).unwrap_or(TIERS[TIERS.len() - 1])
}
