//! A topology as the cluster runs it: checked, resolved, numbered. Made by the client from a TOML file, kept by nimbus,
//! read by workers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::duration_text;
use crate::{ComponentKind, InputStream, StreamDecl};

/// A checked topology.
///
/// ```
/// use squall_core::Plan;
/// let plan: Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
/// assert_eq!(plan.task_count(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The topology's name.
    pub name: String,
    /// Its `[config]`.
    #[serde(default)]
    pub settings: Settings,
    /// Spouts first, every bolt after what it subscribes to.
    #[serde(default)]
    pub components: Vec<PlannedComponent>,
    /// Its models by name.
    #[serde(default)]
    pub models: BTreeMap<String, PlannedModel>,
    /// The custom worker binary, by SHA-256; none for Squall's own.
    #[serde(default)]
    pub worker: Option<String>,
    /// The TOML it was made from, secrets masked, for people to look at.
    #[serde(default)]
    pub source: String,
}

/// `[config]` of a topology.
///
/// ```
/// let s = squall_core::Settings::default();
/// assert!(s.acking);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Worker processes.
    pub workers: u32,
    /// Tracked tuples of one spout task that may be under way.
    pub max_spout_pending: u32,
    /// After this long without progress a tracked tuple fails.
    #[serde(with = "duration_text")]
    pub message_timeout: Duration,
    /// A tracked tuple that failed so often is let go: counted, written to `dead_letters`, and never replayed again. None: it is
    /// replayed until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// The file for tuples that are let go; relative to the topology's state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<PathBuf>,
    /// Whether trees are tracked; without it every tuple counts as done when it is emitted.
    pub acking: bool,
    /// Tuples that may wait for one task before those who feed it pause.
    pub queue_tuples: u32,
    /// Bytes that may wait for one task before those who feed it pause.
    pub queue_bytes: u64,
    /// Log level of the workers: error, warn, info, debug, trace, or env_logger's per-module form.
    pub log: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: 1,
            max_spout_pending: 10_000,
            message_timeout: Duration::from_secs(30),
            max_failures: None,
            dead_letters: None,
            acking: true,
            queue_tuples: 8192,
            queue_bytes: 8 << 20,
            log: "info".to_owned(),
        }
    }
}

/// A spout or a bolt of a [`Plan`].
///
/// ```
/// use squall_core::{ComponentKind, PlannedComponent};
/// let c = PlannedComponent {
///     id: "words".into(), kind: ComponentKind::Spout, type_name: "file".into(), config: serde_json::json!({}),
///     parallelism: 2, tick: None, blocking: false, inputs: vec![], outputs: vec![], secrets: vec![],
/// };
/// assert_eq!(c.parallelism, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedComponent {
    /// Its id in the topology.
    pub id: String,
    /// A spout or a bolt.
    pub kind: ComponentKind,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its configuration.
    pub config: serde_json::Value,
    /// How many tasks it has.
    pub parallelism: u32,
    /// How often its bolts tick.
    #[serde(default, with = "duration_text::option", skip_serializing_if = "Option::is_none")]
    pub tick: Option<Duration>,
    /// Whether its tasks get threads of their own.
    #[serde(default)]
    pub blocking: bool,
    /// The streams it subscribes to.
    #[serde(default)]
    pub inputs: Vec<InputStream>,
    /// The streams it may emit on.
    #[serde(default)]
    pub outputs: Vec<StreamDecl>,
    /// The places under `config` whose values are secret, as JSON pointers (`/auth/password`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

impl PlannedComponent {
    /// Whether it scores with a model of this name, by its configuration: under a key that begins with `model`, alone or in a list.
    ///
    /// ```
    /// # let c: squall_core::PlannedComponent = serde_json::from_str(
    /// #     r#"{"id": "a", "kind": "bolt", "type": "classifier", "config": {"models": ["old", "new"]}, "parallelism": 1}"#).unwrap();
    /// assert!(c.uses_model("new") && !c.uses_model("models"));
    /// ```
    pub fn uses_model(&self, model: &str) -> bool {
        names(&self.config, model)
    }

    /// The configuration as it may be shown to people: secret values are `***`.
    ///
    /// ```
    /// # let mut c: squall_core::PlannedComponent = serde_json::from_str(
    /// #     r#"{"id": "a", "kind": "spout", "type": "http", "config": {"token": "t0p"}, "parallelism": 1}"#).unwrap();
    /// c.secrets = vec!["/token".into()];
    /// assert_eq!(c.shown_config(), serde_json::json!({"token": "***"}));
    /// ```
    pub fn shown_config(&self) -> serde_json::Value {
        let mut shown = self.config.clone();
        for place in &self.secrets {
            if let Some(value) = shown.pointer_mut(place) {
                *value = "***".into();
            }
        }
        shown
    }
}

/// Whether a configuration names a model: under a key that begins with `model`, alone or in a list.
fn names(config: &serde_json::Value, model: &str) -> bool {
    match config {
        serde_json::Value::Object(map) => map.iter().any(|(key, value)| match value {
            serde_json::Value::String(text) => key.starts_with("model") && text == model,
            serde_json::Value::Array(list) if key.starts_with("model") => list.iter().any(|v| v == model || names(v, model)),
            value => names(value, model),
        }),
        serde_json::Value::Array(list) => list.iter().any(|v| names(v, model)),
        _ => false,
    }
}

/// A model of a [`Plan`]: an artefact that was imported and uploaded.
///
/// ```
/// let m: squall_core::PlannedModel =
///     serde_json::from_str(r#"{"artefact": "ab12", "source": "cd34", "bytes": 1024, "file": "digits.pkl"}"#).unwrap();
/// assert_eq!(m.bytes, 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedModel {
    /// SHA-256 of the artefact, by which it is fetched.
    pub artefact: String,
    /// SHA-256 of the file it was imported from.
    pub source: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// The name of the file it was imported from, for people.
    pub file: String,
    /// The labels that the topology gives the classes of files that keep none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

impl Plan {
    /// How many tasks there are. Task ids are 1 up to this number, component after component.
    ///
    /// ```
    /// # let plan: squall_core::Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
    /// assert_eq!(plan.task_count(), 0);
    /// ```
    pub fn task_count(&self) -> u32 {
        self.components.iter().map(|c| c.parallelism).sum()
    }

    /// The task ids of the component at this position.
    ///
    /// ```
    /// # let plan: squall_core::Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
    /// assert!(plan.tasks(0).is_empty());
    /// ```
    pub fn tasks(&self, component: usize) -> Range<u32> {
        let Some(c) = self.components.get(component) else { return 0..0 };
        let first = 1 + self.components[..component].iter().map(|c| c.parallelism).sum::<u32>();
        first..first + c.parallelism
    }

    /// The position of the component that has this task.
    ///
    /// ```
    /// # let plan: squall_core::Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
    /// assert_eq!(plan.component_of(1), None);
    /// ```
    pub fn component_of(&self, task: u32) -> Option<usize> {
        (0..self.components.len()).find(|c| self.tasks(*c).contains(&task))
    }

    /// The position of the component with this id.
    ///
    /// ```
    /// # let plan: squall_core::Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
    /// assert_eq!(plan.position("words"), None);
    /// ```
    pub fn position(&self, id: &str) -> Option<usize> {
        self.components.iter().position(|c| c.id == id)
    }

    /// All streams as (component, position among its outputs); a stream's place in this list is its number on the wire.
    ///
    /// ```
    /// # let plan: squall_core::Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
    /// assert_eq!(plan.streams().count(), 0);
    /// ```
    pub fn streams(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.components.iter().enumerate().flat_map(|(c, component)| (0..component.outputs.len()).map(move |s| (c, s)))
    }
}
