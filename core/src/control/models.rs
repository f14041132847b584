//! Between clients and nimbus, about versions of models.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{ModelNumbers, Plan};

/// `POST /v1/topologies/{name}/models/{model}/deploy`
///
/// ```
/// use squall_core::control::Deploy;
/// let d: Deploy = serde_json::from_str(r#"{"artefact": "ab", "source": "cd", "bytes": 10, "file": "digits.pkl"}"#).unwrap();
/// assert_eq!(d.file, "digits.pkl");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// SHA-256 of the artefact, which must have been uploaded.
    pub artefact: String,
    /// SHA-256 of the file it was imported from.
    pub source: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// The name of the file it was imported from, for people.
    pub file: String,
    /// The labels that its classes were given, where its file keeps none; none: those of the version in use stay the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// The question of nimbus to `squall model fits`, as JSON on its standard input: whether a version of a model fits a topology.
///
/// ```
/// let fit: squall_core::control::ModelFit =
///     serde_json::from_str(r#"{"plan": {"name": "digits"}, "model": "m", "file": "new.pkl", "artefacts": {"m": "/blobs/ab"}}"#).unwrap();
/// assert_eq!(fit.artefacts.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFit {
    /// The topology's plan.
    pub plan: Plan,
    /// The model.
    pub model: String,
    /// The name of the file that the version was imported from, for people.
    pub file: String,
    /// The artefact files of all the topology's models by name: of this one the new version, of the others those in use.
    pub artefacts: BTreeMap<String, PathBuf>,
}

/// What `POST /v1/models/import` answers: a model file became a blob, which may be deployed.
///
/// ```
/// use squall_core::control::ImportedModel;
/// fn f(m: ImportedModel) -> (String, u64) { (m.artefact, m.bytes) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedModel {
    /// SHA-256 of the artefact.
    pub artefact: String,
    /// SHA-256 of the file it was imported from.
    pub source: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// One line for people: `Pipeline(PCA, LogisticRegression), 64 features, 10 classes`.
    pub summary: String,
    /// What was left out or may surprise.
    pub warnings: Vec<String>,
}

/// `POST /v1/topologies/{name}/models/{model}/rollback`
///
/// ```
/// let r: squall_core::control::Rollback = serde_json::from_str("{}").unwrap();
/// assert_eq!(r.version, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollback {
    /// The version to go back to; none: the one that was in use before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// How a version came to a topology.
///
/// ```
/// use squall_core::control::{Deployment, DeploymentState};
/// fn f(d: &Deployment) -> bool { d.state == DeploymentState::Current }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number among the model's deployments, from 1; higher is later.
    pub serial: u64,
    /// The version, from 1; the same bytes always have the same number.
    pub version: u64,
    /// SHA-256 of the artefact.
    pub artefact: String,
    /// SHA-256 of the file it was imported from.
    pub source: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// The name of the file it was imported from.
    pub file: String,
    /// The labels of the model's classes, for files that keep none: its own, or those of a version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// When it was asked for, unix time in milliseconds.
    pub unix_ms: u64,
    /// Whether it was a rollback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback: bool,
    /// What became of it.
    pub state: DeploymentState,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What became of a deployment.
///
/// ```
/// assert_eq!(serde_json::to_string(&squall_core::control::DeploymentState::Current).unwrap(), "\"current\"");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentState {
    /// Workers fetch it, open it and try it; the version before is in use.
    Preparing,
    /// It is in use.
    Current,
    /// It was in use, and a later one took its place.
    Replaced,
    /// It could not be used; the version before stayed in use.
    Failed,
}

/// A model of a topology, in `GET /v1/topologies/{name}/models`.
///
/// ```
/// use squall_core::control::ModelStatus;
/// fn f(m: &ModelStatus) -> Option<u64> { m.current().map(|d| d.version) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Its name in the topology.
    pub name: String,
    /// Its deployments, newest first; the oldest are forgotten.
    pub history: Vec<Deployment>,
    /// What its workers have.
    pub workers: Vec<ModelOnWorker>,
    /// What was scored since the submit, by version.
    pub numbers: Vec<ModelNumbers>,
}

impl ModelStatus {
    /// The deployment that is in use.
    ///
    /// ```
    /// use squall_core::control::ModelStatus;
    /// let m = ModelStatus { name: "m".into(), history: vec![], workers: vec![], numbers: vec![] };
    /// assert!(m.current().is_none());
    /// ```
    pub fn current(&self) -> Option<&Deployment> {
        self.history.iter().find(|d| d.state == DeploymentState::Current)
    }
}

/// What a worker has of a model.
///
/// ```
/// assert_eq!(squall_core::control::ModelOnWorker::default().current, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelOnWorker {
    /// The worker.
    pub worker: u32,
    /// The serial of the deployment that its batches are scored with from now on; 0: not known yet.
    pub current: u64,
    /// The serial of one that it has ready; 0: none.
    pub ready: u64,
}

/// `GET /v1/topologies/{name}/models?after=&wait_ms=`
///
/// ```
/// assert!(squall_core::control::TopologyModels::default().models.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TopologyModels {
    /// Grows with every change; for `?after=`.
    pub revision: u64,
    /// The models by name.
    pub models: Vec<ModelStatus>,
}
