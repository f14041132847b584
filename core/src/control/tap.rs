//! Between clients and nimbus, about what running workers do beside their tasks: what they log, and taps.

use serde::{Deserialize, Serialize};

use super::{Level, Sample};

/// `POST /v1/topologies/{name}/log`: a logger's level for a time. The same logger again replaces it.
///
/// ```
/// use squall_core::control::{Level, SetLog};
/// let s: SetLog = serde_json::from_str(r#"{"level": "debug", "for_ms": 60000}"#).unwrap();
/// assert_eq!((s.logger.as_str(), s.level), ("", Some(Level::Debug)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLog {
    /// The beginning of the loggers' names; empty for all.
    #[serde(default)]
    pub logger: String,
    /// What it logs at most; none: as before.
    #[serde(default)]
    pub level: Option<Level>,
    /// For so long, in milliseconds.
    #[serde(default)]
    pub for_ms: u64,
}

/// `POST /v1/topologies/{name}/taps`
///
/// ```
/// use squall_core::control::OpenTap;
/// let t: OpenTap = serde_json::from_str(r#"{"component": "classify"}"#).unwrap();
/// assert_eq!((t.stream.as_str(), t.per_second), ("default", 10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenTap {
    /// The component that emits.
    pub component: String,
    /// The stream.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// Samples a second at most, of each worker; 1 to 1,000.
    #[serde(default = "ten")]
    pub per_second: u32,
}

fn default_stream() -> String {
    crate::DEFAULT_STREAM.to_owned()
}

fn ten() -> u32 {
    10
}

/// The answer to [`OpenTap`]. A tap that nobody asks for [`Samples`] for a while is closed.
///
/// ```
/// assert_eq!(squall_core::control::TapOpened { id: 3 }.id, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapOpened {
    /// What to ask for samples with.
    pub id: u64,
}

/// `GET /v1/topologies/{name}/taps/{id}?after=&wait_ms=`: what a tap caught.
///
/// ```
/// assert!(squall_core::control::Samples::default().samples.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Samples {
    /// What to ask with as `after` next.
    pub next: u64,
    /// The samples since `after`, in the order nimbus heard of them; of those that came too fast for the asker the newest.
    pub samples: Vec<Sample>,
}
