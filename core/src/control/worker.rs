//! Between a worker and the supervisor that started it. The worker asks; the supervisor never calls a worker.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /v1/workers/{topology}/{worker}/hello` | [`Hello`] | 204 |
//! | `GET /v1/workers/{topology}/{worker}/orders?incarnation=N&after=R&wait_ms=T` | | [`Orders`] newer than revision R, or 204 after T ms |
//! | `POST /v1/workers/{topology}/{worker}/report` | [`Report`] | 204 |
//!
//! Each with the header `authorization: Bearer TOKEN`. A worker whose incarnation is not the one its supervisor wants
//! gets 410 and stops.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ErrorReport, Instructions, ModelState, ModelVersion, Sample};
use crate::{Histogram, ModelNumbers};

/// The number of a start of a worker: unique within its topology and worker index, and larger is newer. No clock is asked, for those of
/// machines differ: a start by a newer assignment counts more than any by an older one, and within an assignment, which gives
/// a worker to one supervisor, that supervisor counts.
///
/// ```
/// use squall_core::control::incarnation;
/// assert!(incarnation(2, 1) > incarnation(1, 9));
/// assert!(incarnation(2, 2) > incarnation(2, 1));
/// ```
pub const fn incarnation(epoch: u64, start: u32) -> u64 {
    (epoch << 32) | start as u64
}

/// What a worker process is started with: `WORKER --run FILE` with this as JSON in FILE, mode 0600.
///
/// ```
/// fn f(text: &str) -> serde_json::Result<squall_core::control::Launch> { serde_json::from_str(text) }
/// assert!(f("{}").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// The supervisor's address, `http://127.0.0.1:PORT`.
    pub supervisor: String,
    /// For every call, and for HELLO on links: one token for the cluster.
    pub token: String,
    /// The topology's id (name-number), unique for ever.
    pub topology: String,
    /// The worker's place among the topology's workers, from 0.
    pub worker: u32,
    /// Which start of this worker this is, by [`incarnation`].
    pub incarnation: u64,
    /// The file with the [`Plan`](crate::Plan).
    pub plan: PathBuf,
    /// Model artefacts on this machine by their names in the topology.
    pub models: BTreeMap<String, PathBuf>,
    /// Which versions these are.
    #[serde(default)]
    pub versions: BTreeMap<String, ModelVersion>,
    /// A directory of the topology on this machine that outlives workers.
    pub state_dir: PathBuf,
    /// The log file, rotated by the worker; stdout and stderr go there by the supervisor's hand.
    pub log_file: PathBuf,
    /// How many threads run tasks.
    pub threads: u32,
    /// The processor cores that these threads are bound to, each to one, in turn; empty: to none.
    #[serde(default)]
    pub pin: Vec<u32>,
    /// The address to bind the data socket to; the port is chosen by the system.
    pub bind: String,
}

/// A worker is up and listening.
///
/// ```
/// let h = squall_core::control::Hello { incarnation: 1, pid: 2, endpoint: "tcp://127.0.0.1:4000".into() };
/// assert_eq!(h.pid, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The incarnation it was launched with.
    pub incarnation: u64,
    /// Its process id.
    pub pid: u32,
    /// Where other workers reach it.
    pub endpoint: String,
}

/// What a worker is to do, until newer orders.
///
/// ```
/// use squall_core::control::{Orders, RunState};
/// let o = Orders { revision: 1, epoch: 1, state: RunState::Active, workers: vec![], instructions: Default::default() };
/// assert_eq!(o.state, RunState::Active);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Grows with every change; what the worker asks with.
    pub revision: u64,
    /// The assignment's epoch; grows when tasks move.
    pub epoch: u64,
    /// Whether spouts emit.
    pub state: RunState,
    /// All workers of the topology, this one included, by index.
    pub workers: Vec<Peer>,
    /// What to do beside running tasks.
    #[serde(default)]
    pub instructions: Instructions,
}

/// Whether a topology's spouts emit.
///
/// ```
/// assert_ne!(squall_core::control::RunState::Active, squall_core::control::RunState::Inactive);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// They emit.
    Active,
    /// They pause; what is under way is finished.
    Inactive,
    /// They pause, and the worker stops in good order when it has nothing left to do, or when told by SIGTERM.
    Stopping,
}

/// A worker of a topology as the others see it.
///
/// ```
/// let p = squall_core::control::Peer { index: 0, tasks: vec![1, 2], since: 1, endpoint: None, incarnation: 0 };
/// assert!(p.endpoint.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its place among the workers.
    pub index: u32,
    /// Its tasks.
    pub tasks: Vec<u32>,
    /// The epoch of the assignment that gave it to its supervisor: what was started by an older one does not count any more.
    #[serde(default)]
    pub since: u64,
    /// Where it listens; none while it is not up.
    pub endpoint: Option<String>,
    /// Its incarnation; 0 while it is not up.
    pub incarnation: u64,
}

/// How a worker is, once a second and at every change of phase. Counters are totals since the incarnation began.
///
/// ```
/// use squall_core::control::{Phase, Report};
/// assert_eq!(Report::default().phase, Phase::Starting);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The incarnation it was launched with.
    pub incarnation: u64,
    /// The epoch of the orders it follows.
    pub epoch: u64,
    /// When it was made, in milliseconds since the worker began, by its monotonic clock; it may be heard a good deal later.
    #[serde(default)]
    pub at_ms: u64,
    /// Where it stands.
    pub phase: Phase,
    /// Something changed or is about to: nimbus should see this report at once, not with the next heartbeat.
    #[serde(default)]
    pub urgent: bool,
    /// Its tasks.
    pub tasks: Vec<TaskReport>,
    /// What went wrong since the last report; the newest of each component, with how often.
    pub errors: Vec<ErrorReport>,
    /// Frames and handshakes that were ignored because they did not fit.
    pub ignored_frames: u64,
    /// Bytes received and sent over links.
    pub link_bytes: (u64, u64),
    /// Its models by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelState>,
    /// What taps caught since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// Where a worker stands.
///
/// ```
/// assert_eq!(squall_core::control::Phase::default(), squall_core::control::Phase::Starting);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Building and preparing components.
    #[default]
    Starting,
    /// Waiting for links to all other workers.
    Connecting,
    /// Running.
    Running,
    /// Spouts pause and nothing is under way in this worker.
    Drained,
    /// Every spout task here said it will never emit again, and none of its trees is under way.
    Finished,
    /// A component could not be built or prepared; the process is about to exit.
    Failed,
}

/// One task's numbers.
///
/// ```
/// let t = squall_core::control::TaskReport { task: 3, emitted: 10, ..Default::default() };
/// assert_eq!(t.executed, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskReport {
    /// The task.
    pub task: u32,
    /// Tuples emitted, whatever the number of receivers.
    pub emitted: u64,
    /// Tuples delivered: one for each receiving task.
    pub transferred: u64,
    /// Tuples taken in.
    pub executed: u64,
    /// Bolts: tuples acked. Spouts: trees done.
    pub acked: u64,
    /// Bolts: tuples failed. Spouts: trees failed.
    pub failed: u64,
    /// Errors and panics, also those whose texts no report has.
    pub errors: u64,
    /// Emitted by stream; only for components with more than one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub streams: BTreeMap<String, u64>,
    /// Taken in by stream; only for bolts that subscribe to more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Taken>,
    /// What became of the tuples of each stream, adding up to `acked`, `failed` and `complete`; only for spouts with more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Settled>,
    /// Nanoseconds spent in the component's own code.
    pub busy_ns: u64,
    /// Nanoseconds it could not run because those it feeds were full.
    pub blocked_ns: u64,
    /// Tuples waiting for it now.
    pub queued: u64,
    /// Spouts: trees under way now.
    pub pending: u64,
    /// Spouts: it said it will never emit again.
    pub ended: bool,
    /// Nanoseconds in `execute` a tuple.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub execute: Histogram,
    /// Spouts: nanoseconds from emit to ack of the whole tree.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub complete: Histogram,
    /// The component's own counters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<(String, u64)>,
    /// What it scored, by model and version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelNumbers>,
}

/// What a bolt took in of one of its streams.
///
/// ```
/// // In the form it had before, which stores may still have.
/// let t: squall_core::control::Taken = serde_json::from_str(r#"["split", "default", 7]"#).unwrap();
/// assert_eq!((t.stream.as_str(), t.executed, t.failed), ("default", 7, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Taken {
    /// The component that emits the stream.
    pub from: String,
    /// The stream.
    pub stream: String,
    /// Tuples executed.
    pub executed: u64,
    /// Tuples acked while a batch of the stream was executed: those of a bolt that acks later count for the stream that made it.
    pub acked: u64,
    /// Tuples failed, likewise.
    pub failed: u64,
    /// Nanoseconds spent executing them.
    pub busy_ns: u64,
}

impl Taken {
    /// Nothing yet of a stream.
    ///
    /// ```
    /// assert_eq!(squall_core::control::Taken::of("split", "default").executed, 0);
    /// ```
    pub fn of(from: &str, stream: &str) -> Self {
        Taken { from: from.to_owned(), stream: stream.to_owned(), ..Taken::default() }
    }

    /// Whether it is about this stream.
    ///
    /// ```
    /// assert!(squall_core::control::Taken::of("split", "late").is_of("split", "late"));
    /// ```
    pub fn is_of(&self, from: &str, stream: &str) -> bool {
        self.from == from && self.stream == stream
    }

    /// The same stream, each number made of it and the other's.
    ///
    /// ```
    /// use squall_core::control::Taken;
    /// let (a, b) = (Taken { executed: 5, ..Taken::default() }, Taken { executed: 3, ..Taken::default() });
    /// assert_eq!(a.with(&b, u64::saturating_sub).executed, 2);
    /// ```
    pub fn with(&self, other: &Taken, make: impl Fn(u64, u64) -> u64) -> Taken {
        Taken {
            from: self.from.clone(),
            stream: self.stream.clone(),
            executed: make(self.executed, other.executed),
            acked: make(self.acked, other.acked),
            failed: make(self.failed, other.failed),
            busy_ns: make(self.busy_ns, other.busy_ns),
        }
    }
}

/// What became of the tuples that a spout emitted on one of its streams.
///
/// ```
/// let s: squall_core::control::Settled = serde_json::from_str(r#"{"stream": "late", "acked": 7}"#).unwrap();
/// assert_eq!((s.acked, s.failed, s.complete.count()), (7, 0, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settled {
    /// The stream.
    pub stream: String,
    /// Trees done.
    pub acked: u64,
    /// Trees failed.
    pub failed: u64,
    /// Nanoseconds from emit to ack of the whole tree.
    pub complete: Histogram,
}

impl Settled {
    /// Nothing yet of a stream.
    ///
    /// ```
    /// assert_eq!(squall_core::control::Settled::of("late").acked, 0);
    /// ```
    pub fn of(stream: &str) -> Self {
        Settled { stream: stream.to_owned(), ..Settled::default() }
    }

    /// Adds what became of other tuples.
    ///
    /// ```
    /// use squall_core::control::Settled;
    /// let mut sum = Settled { acked: 5, ..Settled::default() };
    /// sum.add(&Settled { acked: 3, failed: 1, ..Settled::default() });
    /// assert_eq!((sum.acked, sum.failed), (8, 1));
    /// ```
    pub fn add(&mut self, other: &Settled) {
        self.acked = self.acked.saturating_add(other.acked);
        self.failed = self.failed.saturating_add(other.failed);
        self.complete.merge(&other.complete);
    }

    /// What was counted since an earlier state of the same.
    ///
    /// ```
    /// use squall_core::control::Settled;
    /// let (now, before) = (Settled { acked: 5, ..Settled::default() }, Settled { acked: 3, ..Settled::default() });
    /// assert_eq!(now.since(&before).acked, 2);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Settled) -> Settled {
        Settled {
            stream: self.stream.clone(),
            acked: self.acked.saturating_sub(earlier.acked),
            failed: self.failed.saturating_sub(earlier.failed),
            complete: self.complete.since(&earlier.complete),
        }
    }

    /// The same with other counts.
    ///
    /// ```
    /// use squall_core::control::Settled;
    /// assert_eq!(Settled { acked: 5, ..Settled::default() }.map(|n| n / 2).acked, 2);
    /// ```
    #[must_use]
    pub fn map(&self, count: impl Fn(u64) -> u64) -> Settled {
        Settled {
            stream: self.stream.clone(),
            acked: count(self.acked),
            failed: count(self.failed),
            complete: self.complete.map(&count),
        }
    }
}
