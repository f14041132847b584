//! What a topology did over time, for clients of nimbus.

use serde::{Deserialize, Serialize};

/// `GET /v1/topologies/{name}/history`
///
/// ```
/// use squall_core::control::History;
/// assert!(History::default().points.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// The length of a point in seconds: 1, 10, 60 or 600.
    pub step_s: u64,
    /// The points, oldest first. What was counted adds up to the totals; the newest seconds come when all reports of them are here.
    pub points: Vec<HistoryPoint>,
    /// What happened in that time, oldest first.
    pub events: Vec<TimelineEvent>,
}

/// What was counted in one stretch of time.
///
/// ```
/// use squall_core::control::HistoryPoint;
/// let p = HistoryPoint { ms: 2000, emitted: 10, ..HistoryPoint::default() };
/// assert_eq!(p.emitted as f64 * 1000.0 / p.ms as f64, 5.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryPoint {
    /// When it begins, unix time in milliseconds.
    pub unix_ms: u64,
    /// The time it covers in milliseconds; more than its length after nimbus was away.
    pub ms: u64,
    /// Tuples emitted; of a topology, by its spouts.
    pub emitted: u64,
    /// Tuples delivered.
    pub transferred: u64,
    /// Tuples taken in.
    pub executed: u64,
    /// Bolts: tuples acked. Spouts and topologies: trees done.
    pub acked: u64,
    /// Bolts: tuples failed. Spouts and topologies: trees failed.
    pub failed: u64,
    /// Errors.
    pub errors: u64,
    /// The most tuples that waited.
    pub queued: u64,
    /// The most trees under way.
    pub pending: u64,
    /// The share of the time that the busiest task was in its own code.
    pub capacity: f64,
    /// The share of the time that the most held-up task could not run because those it feeds were full.
    pub blocked: f64,
    /// Time in `execute` a tuple in milliseconds: p50, p99, p99.9; none where nothing was measured. Of one task in a point longer than
    /// a second: that of its worst second.
    pub execute_ms: Option<[f64; 3]>,
    /// From emit to ack of whole trees in milliseconds: p50, p99, p99.9; none where nothing was measured.
    pub complete_ms: Option<[f64; 3]>,
}

/// The kinds of [`TimelineEvent`].
///
/// ```
/// use squall_core::control::TimelineKind;
/// assert_eq!(serde_json::to_string(&TimelineKind::WorkerUp).unwrap(), "\"worker-up\"");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimelineKind {
    /// The topology came, its state changed, or a version of a model came into use.
    #[default]
    State,
    /// Its tasks have moved.
    Rebalanced,
    /// A worker is up.
    WorkerUp,
    /// A worker's process has ended by itself.
    WorkerEnded,
    /// A component had an error that was not there before.
    Error,
    /// Nimbus has something to say.
    Note,
}

/// Something that happened to a topology.
///
/// ```
/// use squall_core::control::TimelineEvent;
/// assert_eq!(TimelineEvent::default().worker, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TimelineEvent {
    /// The how-manyeth event of the topology it is.
    pub number: u64,
    /// When nimbus heard of it, unix time in milliseconds.
    pub unix_ms: u64,
    /// What kind of event it is.
    pub kind: TimelineKind,
    /// What happened, for people.
    pub text: String,
    /// The component; empty where none is meant.
    pub component: String,
    /// The worker.
    pub worker: Option<u32>,
    /// The host; empty where none is meant.
    pub host: String,
}
