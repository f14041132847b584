//! What nimbus has running workers do beside their tasks. It travels to them as a part of their [`Orders`](super::Orders), and what
//! comes of it travels back in their [`Report`](super::Report)s. Orders tell how things are to be, not what to do next: whoever
//! misses some, or starts anew, does the same as the others once it has the newest.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a topology's workers are to be, beside running their tasks.
///
/// ```
/// use squall_core::control::Instructions;
/// assert_eq!(serde_json::to_string(&Instructions::default()).unwrap(), "{}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Instructions {
    /// Levels of loggers, each for a time; without any, the topology's own `log` counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLevel>,
    /// Streams that somebody watches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taps: Vec<Tap>,
    /// What of the tuples that a component emits is written to the log, in percent by component; of all under the empty name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub debug: BTreeMap<String, u8>,
    /// Versions of models by the models' names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelOrder>,
}

impl Instructions {
    /// What of a component's tuples is written to the log, in percent; of all components under the empty name.
    ///
    /// ```
    /// use squall_core::control::Instructions;
    /// let debug = [("".to_owned(), 3), ("sum".to_owned(), 40)].into();
    /// assert_eq!(["count", "sum"].map(|c| Instructions::share(&debug, c)), [Some(3), Some(40)]);
    /// ```
    pub fn share(debug: &BTreeMap<String, u8>, component: &str) -> Option<u8> {
        debug.get(component).or_else(|| debug.get("")).copied()
    }
}

/// A logger's level for a time.
///
/// ```
/// use squall_core::control::{Level, LogLevel};
/// let l = LogLevel { logger: "squall_worker::link".into(), level: Level::Debug, until_unix_ms: 1_700_000_000_000 };
/// assert_eq!(l.level.to_string(), "debug");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevel {
    /// The beginning of the loggers' names, such as `squall_worker::link`; empty for all.
    #[serde(default)]
    pub logger: String,
    /// What it logs at most.
    pub level: Level,
    /// When it ends, unix time in milliseconds.
    pub until_unix_ms: u64,
}

/// How much is logged.
///
/// ```
/// use squall_core::control::Level;
/// assert_eq!("WARN".parse(), Ok(Level::Warn));
/// assert!("loud".parse::<Level>().unwrap_err().contains("expected off, error, warn, info, debug or trace"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What is odd, too.
    Warn,
    /// What happens, too.
    Info,
    /// What is of use to find a fault, too.
    Debug,
    /// Everything.
    Trace,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Off => "off",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
        let found = all.into_iter().find(|l| l.to_string() == text.to_ascii_lowercase());
        found.ok_or_else(|| format!("unknown level `{text}`: expected off, error, warn, info, debug or trace"))
    }
}

/// A stream to be watched: now and then a tuple of it is copied into a [`Sample`]. The flow does not notice.
///
/// ```
/// let t = squall_core::control::Tap { id: 1, component: "classify".into(), stream: "default".into(), per_second: 10 };
/// assert_eq!(t.per_second, 10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tap {
    /// Which tap it is; unique for a nimbus.
    pub id: u64,
    /// The component that emits the stream.
    pub component: String,
    /// The stream.
    pub stream: String,
    /// Samples a second at most, of each worker.
    pub per_second: u32,
}

/// A tuple that a [`Tap`] caught.
///
/// ```
/// let s = squall_core::control::Sample { tap: 1, task: 3, unix_ms: 0, tuple: serde_json::json!({"word": "a"}), cut: false };
/// assert_eq!(s.tuple["word"], "a");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The tap.
    pub tap: u64,
    /// The task that emitted it.
    pub task: u32,
    /// When it was caught, by the clock of the worker's machine, unix time in milliseconds.
    pub unix_ms: u64,
    /// Its fields by name.
    pub tuple: serde_json::Value,
    /// Whether long values in it were cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A version of a model.
///
/// ```
/// use squall_core::control::ModelVersion;
/// assert_eq!(ModelVersion::default().version, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelVersion {
    /// Which deployment it came with; every later one has a higher number, a rollback too.
    pub serial: u64,
    /// Which version it is, from 1. The same bytes always have the same number.
    pub version: u64,
    /// SHA-256 of the artefact.
    pub artefact: String,
    /// The name of the file it was imported from, for people.
    pub file: String,
    /// The artefact on this machine; filled in by the supervisor when it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Why the supervisor cannot get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Which versions of a model a worker is to have.
///
/// A worker opens `next` and tries it, and reports that it is ready; when all workers are, `next` becomes `current`, and
/// every task takes it up at its next batch. So either all switch or none does.
///
/// ```
/// assert!(squall_core::control::ModelOrder::default().next.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelOrder {
    /// What to score with.
    pub current: ModelVersion,
    /// What to have ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<ModelVersion>,
}

/// What a worker has of a model, by serials of [`ModelVersion`]s; 0 for none.
///
/// ```
/// assert_eq!(squall_core::control::ModelState::default().ready, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelState {
    /// What batches are scored with from now on.
    pub current: u64,
    /// What was opened and tried, and can be switched to.
    pub ready: u64,
    /// What cannot be used.
    pub refused: u64,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
