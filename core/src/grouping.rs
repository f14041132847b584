//! Groupings: which tasks of a subscribing bolt get a tuple.

use serde::{Deserialize, Serialize};

use crate::Schema;

/// How tuples of a stream are dealt out to the tasks of a bolt; Storm's groupings with Storm's meaning.
///
/// ```
/// use squall_core::Grouping;
/// let g: Grouping = serde_json::from_str(r#"{"type": "fields", "fields": ["word"]}"#).unwrap();
/// assert_eq!(g, Grouping::Fields { fields: vec!["word".into()] });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grouping {
    /// Evenly, in turn.
    Shuffle,
    /// By key group of the named fields: equal keys go to the same task.
    Fields {
        /// The key.
        fields: Vec<String>,
    },
    /// By key to one of two tasks, the one this emitter has sent less to.
    PartialKey {
        /// The key.
        fields: Vec<String>,
    },
    /// To every task.
    All,
    /// To the task with the lowest id.
    Global,
    /// Nobody cares; as shuffle.
    None,
    /// To the task that the emitter names; only on direct streams.
    Direct,
    /// To a task in the same worker if there is one, else as shuffle.
    LocalOrShuffle,
}

impl Grouping {
    /// All names, as written in a topology file.
    ///
    /// ```
    /// assert!(squall_core::Grouping::NAMES.contains(&"partial-key"));
    /// ```
    pub const NAMES: [&'static str; 8] =
        ["shuffle", "fields", "partial-key", "all", "global", "none", "direct", "local-or-shuffle"];

    /// The name, as written in a topology file.
    ///
    /// ```
    /// assert_eq!(squall_core::Grouping::LocalOrShuffle.name(), "local-or-shuffle");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Grouping::Shuffle => "shuffle",
            Grouping::Fields { .. } => "fields",
            Grouping::PartialKey { .. } => "partial-key",
            Grouping::All => "all",
            Grouping::Global => "global",
            Grouping::None => "none",
            Grouping::Direct => "direct",
            Grouping::LocalOrShuffle => "local-or-shuffle",
        }
    }

    /// The key of a fields or partial-key grouping, else nothing.
    ///
    /// ```
    /// assert!(squall_core::Grouping::Shuffle.key().is_empty());
    /// ```
    pub fn key(&self) -> &[String] {
        match self {
            Grouping::Fields { fields } | Grouping::PartialKey { fields } => fields,
            _ => &[],
        }
    }
}

/// A stream that a bolt subscribes to.
///
/// ```
/// use squall_core::{Grouping, InputStream, Schema};
/// let i = InputStream { from: "split".into(), stream: "default".into(), fields: Schema::default(), grouping: Grouping::Shuffle };
/// assert_eq!(i.from, "split");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputStream {
    /// The emitting component.
    pub from: String,
    /// Its stream.
    pub stream: String,
    /// What tuples of the stream look like.
    pub fields: Schema,
    /// How they are dealt out.
    pub grouping: Grouping,
}
