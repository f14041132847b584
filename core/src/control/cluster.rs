//! Between clients and nimbus. `docs/api.md` lists the paths; what supervisors and nimbus say to each other is in
//! [`Heartbeat`](super::Heartbeat) and [`Desired`](super::Desired).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Exit, MachineUsage, ModelUse, Phase, ProcessUsage, Taken};
use crate::{ComponentKind, Plan};

/// The body of every answer that is not 2xx.
///
/// ```
/// use squall_core::control::Problem;
/// let p: Problem = serde_json::from_str(r#"{"error": "no topology `digts`", "remedy": "did you mean `digits`?"}"#).unwrap();
/// assert!(p.details.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub error: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub remedy: String,
    /// One line for each thing that is wrong, where there are several; for missing blobs their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// Where nimbus is; written by nimbus, mode 0600, for clients of the same user.
///
/// ```
/// use squall_core::control::Discovery;
/// let d = Discovery { url: "http://127.0.0.1:6700".into(), token_file: "/var/lib/squall/token".into(), pid: 1 };
/// assert!(d.url.starts_with("http://"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// Its address.
    pub url: String,
    /// The file with the token, absolute.
    pub token_file: PathBuf,
    /// Its process id.
    pub pid: u32,
}

/// Storm's states of a topology.
///
/// ```
/// use squall_core::control::TopologyState;
/// assert_eq!(TopologyState::Active.to_string(), "ACTIVE");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TopologyState {
    /// Spouts emit.
    Active,
    /// Spouts pause.
    Inactive,
    /// Spouts pause until the wait is over and tasks have moved; then the state before comes back.
    Rebalancing,
    /// Spouts pause until the wait is over; then workers stop and the topology is gone.
    Killed,
}

impl std::fmt::Display for TopologyState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TopologyState::Active => "ACTIVE",
            TopologyState::Inactive => "INACTIVE",
            TopologyState::Rebalancing => "REBALANCING",
            TopologyState::Killed => "KILLED",
        })
    }
}

/// `POST /v1/topologies`
///
/// ```
/// use squall_core::control::Submit;
/// let s: Submit = serde_json::from_str(r#"{"plan": {"name": "digits"}}"#).unwrap();
/// assert!(!s.inactive);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The topology. Its models' artefacts and its worker binary must have been uploaded.
    pub plan: Plan,
    /// Whether it starts INACTIVE.
    #[serde(default)]
    pub inactive: bool,
}

/// `POST /v1/topologies/{name}/kill`; every key may be missing.
///
/// ```
/// let k: squall_core::control::Kill = serde_json::from_str("{}").unwrap();
/// assert_eq!(k.wait_ms, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kill {
    /// How long tuples under way may take, in milliseconds; none: the topology's message timeout; 0: stop at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// `POST /v1/topologies/{name}/rebalance`; every key may be missing.
///
/// ```
/// let r: squall_core::control::Rebalance = serde_json::from_str(r#"{"workers": 3}"#).unwrap();
/// assert!(r.parallelism.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rebalance {
    /// How long tuples under way may take, in milliseconds; none: the topology's message timeout; 0: move at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// The new number of workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// New numbers of tasks by component.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parallelism: BTreeMap<String, u32>,
}

/// The answer to submit, activate, deactivate, rebalance and kill.
///
/// ```
/// use squall_core::control::{Accepted, TopologyState};
/// let a = Accepted { id: "digits-1-1700000000".into(), name: "digits".into(), state: TopologyState::Active };
/// assert!(a.id.starts_with(&a.name));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The topology's id: name, counter, unix seconds; unique for ever.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The state it is in now.
    pub state: TopologyState,
}

/// `GET /v1/cluster`
///
/// ```
/// assert_eq!(squall_core::control::ClusterStatus::default().slots_free, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    /// Nimbus's version.
    pub version: String,
    /// Nimbus's process id.
    pub pid: u32,
    /// Milliseconds since nimbus started.
    pub uptime_ms: u64,
    /// Grows with every change; for `?after=`.
    pub revision: u64,
    /// Slots of supervisors that are alive.
    pub slots_total: u32,
    /// Slots of those that hold a worker.
    pub slots_used: u32,
    /// Slots of those that are free.
    pub slots_free: u32,
    /// All supervisors.
    pub supervisors: Vec<SupervisorStatus>,
    /// All topologies.
    pub topologies: Vec<TopologySummary>,
}

/// A supervisor in [`ClusterStatus`].
///
/// ```
/// assert!(!squall_core::control::SupervisorStatus::default().alive);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SupervisorStatus {
    /// Its id.
    pub id: String,
    /// The machine it is on; several supervisors may share one.
    pub machine: String,
    /// The machine's host name.
    pub host: String,
    /// Its HTTP address.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Whether its lease runs.
    pub alive: bool,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Its slots.
    pub slots: u32,
    /// Its slots that hold a worker.
    pub slots_used: u32,
    /// The processor cores it deals out.
    pub cores: u32,
    /// The machine's memory in bytes.
    pub memory_bytes: u64,
    /// Models that its workers have mapped.
    pub models: Vec<ModelUse>,
    /// What of the machine is in use.
    pub usage: MachineUsage,
}

/// A topology in a list.
///
/// ```
/// use squall_core::control::TopologySummary;
/// fn f(t: &TopologySummary) -> String { format!("{} {}", t.name, t.state) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopologySummary {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: TopologyState,
    /// Milliseconds since it was submitted.
    pub uptime_ms: u64,
    /// Workers that are assigned.
    pub workers: u32,
    /// Tasks.
    pub tasks: u32,
    /// Whether its spouts have ended and nothing is under way.
    pub finished: bool,
    /// Why it is not (wholly) running, such as `needs 4 slots, 2 are free`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

/// `GET /v1/topologies/{name}`
///
/// ```
/// use squall_core::control::TopologyStatus;
/// fn emitted(t: &TopologyStatus) -> u64 { t.components.iter().map(|c| c.emitted).sum() }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopologyStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: TopologyState,
    /// Milliseconds since it was submitted.
    pub uptime_ms: u64,
    /// Grows with every change; for `?after=`.
    pub revision: u64,
    /// The assignment's epoch.
    pub epoch: u64,
    /// Why it is not (wholly) running, such as `needs 4 slots, 2 are free`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Milliseconds until a kill or rebalance goes on at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_left_ms: Option<u64>,
    /// Whether its spouts have ended and nothing is under way.
    pub finished: bool,
    /// Milliseconds from submit until nimbus first heard of an emitted tuple; at most a report's interval too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_tuple_ms: Option<u64>,
    /// Its workers by index.
    pub workers: Vec<WorkerSummary>,
    /// Its components in the plan's order. Totals count since submit, dead workers included.
    pub components: Vec<ComponentStatus>,
    /// What went wrong, newest first.
    pub errors: Vec<ErrorEntry>,
    /// Its models, as mapped on each machine.
    pub models: Vec<ModelOnMachine>,
    /// Frames and handshakes that workers ignored because they did not fit.
    pub ignored_frames: u64,
    /// Bytes received over links.
    pub link_bytes_in: u64,
    /// Bytes sent over links.
    pub link_bytes_out: u64,
}

/// A worker in [`TopologyStatus`].
///
/// ```
/// assert_eq!(squall_core::control::WorkerSummary::default().restarts, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerSummary {
    /// Its place among the workers.
    pub worker: u32,
    /// The supervisor it is assigned to.
    pub supervisor: String,
    /// That supervisor's machine.
    pub machine: String,
    /// That machine's host name.
    pub host: String,
    /// Its slot.
    pub slot: u32,
    /// Its process id; none while there is no process.
    pub pid: Option<u32>,
    /// Where it listens for tuples; none while it is not up.
    pub endpoint: Option<String>,
    /// Where it stands; none while there is no process.
    pub phase: Option<Phase>,
    /// Which start it is; 0 while there was none.
    pub incarnation: u64,
    /// Milliseconds since this incarnation started.
    pub uptime_ms: u64,
    /// How often it was started again after it died.
    pub restarts: u64,
    /// Its tasks.
    pub tasks: Vec<u32>,
    /// How it ended last.
    pub last_exit: Option<Exit>,
    /// Why it cannot be started.
    pub problem: Option<String>,
    /// Whether nothing is heard of its supervisor: all of this is what was heard last.
    pub silent: bool,
    /// What its process takes.
    pub usage: ProcessUsage,
}

/// Times of many calls, in milliseconds.
///
/// ```
/// assert_eq!(squall_core::control::Latency::default().count, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// Half of them took at most this long.
    pub p50_ms: f64,
    /// 99 of 100 took at most this long.
    pub p99_ms: f64,
    /// 999 of 1,000 took at most this long.
    pub p999_ms: f64,
}

/// A component in [`TopologyStatus`]: the sums over its tasks since the topology was submitted.
///
/// ```
/// use squall_core::control::ComponentStatus;
/// fn f(c: &ComponentStatus) -> f64 { c.emitted_per_s }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its id.
    pub id: String,
    /// A spout or a bolt.
    pub kind: ComponentKind,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its tasks.
    pub tasks: u32,
    /// Tuples emitted.
    pub emitted: u64,
    /// Tuples delivered: one for each receiving task.
    pub transferred: u64,
    /// Tuples taken in.
    pub executed: u64,
    /// Bolts: tuples acked. Spouts: trees done.
    pub acked: u64,
    /// Bolts: tuples failed. Spouts: trees failed.
    pub failed: u64,
    /// Spouts: trees under way now.
    pub pending: u64,
    /// Tuples waiting for it now.
    pub queued: u64,
    /// Spout tasks that will never emit again.
    pub ended_tasks: u32,
    /// Emitted in a second, over the last 10 s or so.
    pub emitted_per_s: f64,
    /// Taken in in a second, over the last 10 s or so.
    pub executed_per_s: f64,
    /// The share of the time its busiest task was in its own code, over the last 10 s or so; near 1: it is the bottleneck.
    pub capacity: f64,
    /// The share of the time it could not run because those it feeds were full, over the last 10 s or so.
    pub blocked: f64,
    /// Time in `execute` a tuple.
    pub execute: Latency,
    /// Spouts: time from emit to ack of the whole tree.
    pub complete: Latency,
    /// Emitted by stream; only for components with more than one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub streams: BTreeMap<String, u64>,
    /// Taken in by stream; only for bolts that subscribe to more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Taken>,
    /// What became of the tuples of each stream, adding up to `acked` and `failed`; only for spouts with more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<StreamSettled>,
    /// The component's own counters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// Errors so far.
    pub errors: u64,
}

/// What became of the tuples of one of a spout's streams, in [`ComponentStatus`].
///
/// ```
/// assert_eq!(squall_core::control::StreamSettled::default().acked, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamSettled {
    /// The stream.
    pub stream: String,
    /// Trees done.
    pub acked: u64,
    /// Trees failed.
    pub failed: u64,
    /// Time from emit to ack of the whole tree.
    pub complete: Latency,
}

/// An error in [`TopologyStatus`].
///
/// ```
/// use squall_core::control::ErrorEntry;
/// fn f(e: &ErrorEntry) -> &str { &e.message }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// When nimbus heard of it, unix time in milliseconds.
    pub unix_ms: u64,
    /// The component.
    pub component: String,
    /// The task.
    pub task: u32,
    /// The worker.
    pub worker: u32,
    /// Its host.
    pub host: String,
    /// The message.
    pub message: String,
    /// How often, counted since it was first heard.
    pub count: u64,
    /// Whether it was a panic.
    pub panic: bool,
    /// What stands behind the message: of a panic its place, and the component's calls that led there where they were looked up; of
    /// an error its causes, a line each.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
}

/// A model in [`TopologyStatus`], on one machine.
///
/// ```
/// use squall_core::control::ModelOnMachine;
/// fn f(m: &ModelOnMachine) -> u64 { m.memory.pss_bytes }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOnMachine {
    /// The model's name in the topology.
    pub name: String,
    /// The name of the file it was imported from.
    pub source_file: String,
    /// The supervisor whose workers map it.
    pub supervisor: String,
    /// The machine.
    pub machine: String,
    /// What it takes.
    pub memory: ModelUse,
}

/// A worker's log, in the list of `GET /v1/topologies/{name}/logs`.
///
/// ```
/// use squall_core::control::LogFile;
/// fn f(l: &LogFile) -> u64 { l.bytes }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The topology's id.
    pub topology: String,
    /// The worker.
    pub worker: u32,
    /// The supervisor that has it; filled in by nimbus.
    #[serde(default)]
    pub supervisor: String,
    /// The host; filled in by nimbus.
    #[serde(default)]
    pub host: String,
    /// How long the log is, in bytes.
    pub bytes: u64,
    /// How much the worker wrote to stdout and stderr, in bytes.
    pub output_bytes: u64,
}
