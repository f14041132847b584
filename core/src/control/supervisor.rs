//! Between a supervisor and nimbus. The supervisor asks; nimbus calls a supervisor only to read logs.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /v1/supervisors/{id}/heartbeat` | [`Heartbeat`] | [`HeartbeatAnswer`] |
//! | `GET /v1/supervisors/{id}/positions/{topology}` | | a list of [`Position`]: what others reported last |
//! | `GET /v1/supervisors/{id}/desired?after=R&wait_ms=T` | | [`Desired`] of another revision than R, or 204 after T ms |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Orders, Phase, Report};

/// A supervisor is alive, and what its workers do: every half second, and at once when a worker came up, died or
/// changed its phase.
///
/// ```
/// assert!(squall_core::control::Heartbeat::default().workers.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its version.
    pub version: String,
    /// The machine it is on; several supervisors may share one.
    pub machine: String,
    /// The machine's host name.
    pub host: String,
    /// Its HTTP address.
    pub url: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, unix time in milliseconds.
    pub started_unix_ms: u64,
    /// Which start of this supervisor it is from, from 1; 0 from versions that do not count.
    #[serde(default)]
    pub life: u32,
    /// Which heartbeat of that start it is, from 1. One that is heard after its successor tells of what is no more.
    #[serde(default)]
    pub number: u64,
    /// How many workers it will run.
    pub slots: u32,
    /// The processor cores it deals out.
    pub cores: u32,
    /// The machine's memory in bytes.
    pub memory_bytes: u64,
    /// Whether it is leaving in good order: nothing new is to be given to it.
    #[serde(default)]
    pub leaving: bool,
    /// All its workers, those that are stopping included.
    pub workers: Vec<WorkerStatus>,
    /// The models its workers have mapped.
    #[serde(default)]
    pub models: Vec<ModelUse>,
    /// Positions of spouts that are others than nimbus has got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<Position>,
    /// What of the machine is in use, by whatever process.
    #[serde(default)]
    pub usage: MachineUsage,
}

/// What of a machine is in use.
///
/// ```
/// assert_eq!(squall_core::control::MachineUsage::default().cores_busy, 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineUsage {
    /// Processor cores that were busy, over the last second or so.
    pub cores_busy: f64,
    /// Memory that is not available, in bytes.
    pub memory_used_bytes: u64,
}

/// What a process takes.
///
/// ```
/// assert_eq!(squall_core::control::ProcessUsage::default().rss_bytes, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessUsage {
    /// Processor cores that it kept busy, over the last second or so.
    pub cores_busy: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
}

/// How far a spout's task has come, as it wrote it down for the next process: a small file in the topology's state directory
/// with a name by [`position_file`]. Nimbus keeps it, so that a task that is moved takes it along.
///
/// ```
/// use squall_core::control::Position;
/// let p = Position { topology: "t-1-17".into(), file: "lines.0-of-1.position".into(), content: "{}".into() };
/// assert!(p.content.len() <= squall_core::control::LONGEST_POSITION);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The topology's id.
    pub topology: String,
    /// The file's name.
    pub file: String,
    /// What is in it.
    pub content: String,
}

/// Longer positions, in bytes, stay where they are.
pub const LONGEST_POSITION: usize = 64 << 10;

const POSITION: &str = "position";

/// The name of the file for the position of task `index` of the `tasks` of a component.
///
/// ```
/// use squall_core::control::{position_file, position_of};
/// let name = position_file("lines", 2, 4);
/// assert_eq!(name, "lines.2-of-4.position");
/// assert_eq!(position_of(&name), Some(("lines", 2, 4)));
/// assert_eq!(position_of("../lines.2-of-4.position"), None);
/// ```
pub fn position_file(component: &str, index: u32, tasks: u32) -> String {
    format!("{component}.{index}-of-{tasks}.{POSITION}")
}

/// Component, index and tasks of such a name; none if it is another, or leads out of its directory.
///
/// ```
/// assert_eq!(squall_core::control::position_of("a.b.0-of-1.position"), Some(("a.b", 0, 1)));
/// ```
pub fn position_of(file: &str) -> Option<(&str, u32, u32)> {
    let (component, which) = file.strip_suffix(POSITION)?.strip_suffix('.')?.rsplit_once('.')?;
    let (index, tasks) = which.split_once("-of-")?;
    let (index, tasks) = (index.parse().ok()?, tasks.parse().ok()?);
    let fine =
        file.len() <= 255 && !component.is_empty() && !file.contains('/') && position_file(component, index, tasks) == file;
    (fine && index < tasks).then_some((component, index, tasks))
}

/// A worker in a [`Heartbeat`].
///
/// ```
/// assert_eq!(squall_core::control::WorkerStatus::default().restarts, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// The topology's id.
    pub topology: String,
    /// Its place among the topology's workers.
    pub worker: u32,
    /// The plan it was started with, by SHA-256.
    pub plan: String,
    /// The tasks it was started for.
    pub tasks: Vec<u32>,
    /// Which start it is; 0 while there was none.
    pub incarnation: u64,
    /// When this incarnation was started, unix time in milliseconds.
    pub started_unix_ms: u64,
    /// Its process; none while there is none.
    pub pid: Option<u32>,
    /// Where it listens; none before its hello.
    pub endpoint: Option<String>,
    /// Where it stands; none while there is no process.
    pub phase: Option<Phase>,
    /// How often it was started again after it died.
    pub restarts: u64,
    /// What its process takes.
    #[serde(default)]
    pub usage: ProcessUsage,
    /// Whether it is being stopped.
    #[serde(default)]
    pub stopping: bool,
    /// Grows with every report that this incarnation makes.
    pub reports: u64,
    /// The newest report, if nimbus has not got it yet; with all errors since the last one that nimbus got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// How its process ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<Exit>,
    /// Why it cannot be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The last reports of incarnations that died, if nimbus has not got them yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub died: Vec<LastReport>,
}

/// What an incarnation that is no more reported last.
///
/// ```
/// use squall_core::control::{LastReport, Report};
/// let l = LastReport { plan: "ab".into(), report: Report::default() };
/// assert_eq!(l.report.incarnation, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastReport {
    /// The plan it was started with, by SHA-256.
    pub plan: String,
    /// Its last report.
    pub report: Report,
}

/// How a process ended.
///
/// ```
/// let e = squall_core::control::Exit { unix_ms: 0, incarnation: 1, how: "signal 9".into(), output: String::new() };
/// assert_eq!(e.how, "signal 9");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When, unix time in milliseconds.
    pub unix_ms: u64,
    /// Which incarnation.
    pub incarnation: u64,
    /// How: `exit status: 1`, `signal: 9`; or that it is not known, for a process that an earlier supervisor started.
    pub how: String,
    /// The end of what this incarnation wrote to stdout and stderr.
    pub output: String,
}

/// A model file and the memory it takes in this supervisor's workers.
///
/// ```
/// assert_eq!(squall_core::control::ModelUse::default().mapped_by, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelUse {
    /// SHA-256 of the file.
    pub artefact: String,
    /// The file on that machine.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many processes have mapped it.
    pub mapped_by: u32,
    /// Resident bytes of the mappings, summed over the processes: what is shared is counted in each.
    pub rss_bytes: u64,
    /// Proportional bytes, summed: what is shared by n processes is counted once in all.
    pub pss_bytes: u64,
    /// Private bytes, summed.
    pub private_bytes: u64,
}

/// The answer to a [`Heartbeat`].
///
/// ```
/// assert!(!squall_core::control::HeartbeatAnswer::default().send_all);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// Nimbus does not know this supervisor yet (either is new): it wants the newest report of every worker again.
    pub send_all: bool,
    /// The heartbeat was not taken in, because it is from another start than the last one, and not from a later one: this is
    /// [`Heartbeat::life`] of the last one. Only a supervisor whose folder is not what it was ever hears this. It counts on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<u32>,
}

/// Everything a supervisor is to run; what is not in it is to be stopped.
///
/// ```
/// assert!(squall_core::control::Desired::default().workers.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// What to ask with next.
    pub revision: u64,
    /// The workers.
    pub workers: Vec<WantedWorker>,
    /// Topologies that nimbus knows; the folders of others can be removed.
    pub topologies: Vec<String>,
}

/// A worker that a supervisor is to run.
///
/// ```
/// use squall_core::control::WantedWorker;
/// fn f(w: &WantedWorker) -> bool { w.binary.is_none() }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedWorker {
    /// The topology's id.
    pub topology: String,
    /// Its place among the topology's workers.
    pub worker: u32,
    /// The supervisor's slot it takes.
    pub slot: u32,
    /// The plan, by SHA-256 of its blob.
    pub plan: String,
    /// The worker binary, by SHA-256; none: Squall's own.
    pub binary: Option<String>,
    /// The models' artefacts by their names in the topology.
    pub models: BTreeMap<String, String>,
    /// Its tasks.
    pub tasks: Vec<u32>,
    /// What the worker is told; the supervisor numbers it anew.
    pub orders: Orders,
}
