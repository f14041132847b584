//! What changes from second to second, for whoever watches: answers, and the data of server-sent events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClusterStatus, ComponentStatus, HistoryPoint, Latency, ModelUse, TimelineEvent, TopologyStatus};
use crate::layout::{Line, Place};
use crate::{Grouping, ModelNumbers};

/// `GET /v1/live`, once a second.
///
/// ```
/// use squall_core::control::ClusterLive;
/// fn f(c: &ClusterLive) -> usize { c.topologies.len() }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterLive {
    /// Nimbus's clock, unix time in milliseconds.
    pub unix_ms: u64,
    /// Machines, slots, topologies.
    pub cluster: ClusterStatus,
    /// What each topology does, by id.
    pub topologies: BTreeMap<String, Glance>,
}

/// A topology at a glance, over the newest ten seconds that are complete.
///
/// ```
/// assert_eq!(squall_core::control::Glance::default().failed_per_s, 0.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Glance {
    /// Tuples that its spouts emitted a second.
    pub emitted_per_s: f64,
    /// Trees done a second.
    pub acked_per_s: f64,
    /// Trees failed a second.
    pub failed_per_s: f64,
    /// From emit to ack of whole trees.
    pub complete: Latency,
    /// The share of the time that its busiest task was in its own code.
    pub capacity: f64,
    /// Errors since it was submitted.
    pub errors: u64,
    /// How often its workers were started again after they died.
    pub restarts: u64,
    /// Tuples that its spouts emitted a second, in each of the last sixty seconds; the newest at the end.
    pub trend: Vec<f32>,
}

/// `GET /v1/topologies/{name}/live`, once a second.
///
/// ```
/// use squall_core::control::TopologyLive;
/// fn f(t: &TopologyLive) -> &str { &t.status.name }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopologyLive {
    /// Nimbus's clock, unix time in milliseconds.
    pub unix_ms: u64,
    /// The topology.
    pub status: TopologyStatus,
    /// Points that are new since the last event; the topology's.
    pub points: Vec<HistoryPoint>,
    /// What each component did in the newest ten seconds that are complete.
    pub components: BTreeMap<String, HistoryPoint>,
    /// What flows along each edge, in the order of [`Graph::edges`].
    pub edges: Vec<f64>,
    /// What happened since the last event.
    pub events: Vec<TimelineEvent>,
}

/// `GET /v1/topologies/{name}/components/{component}`; under `…/live` once a second.
///
/// ```
/// use squall_core::control::ComponentDetail;
/// fn f(c: &ComponentDetail) -> usize { c.tasks.len() }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentDetail {
    /// Nimbus's clock, unix time in milliseconds.
    pub unix_ms: u64,
    /// The component.
    pub status: ComponentStatus,
    /// Its tasks.
    pub tasks: Vec<TaskStatus>,
    /// The streams it takes in, with what came in a second lately.
    pub inputs: Vec<EdgeRate>,
    /// The streams it emits on, with those who take them.
    pub outputs: Vec<StreamStatus>,
    /// Times of a spout's whole trees, or of a bolt's tuples in `execute`, since the submit: (at most so many nanoseconds, how many).
    pub histogram: Vec<(u64, u64)>,
    /// Points that are new since the last event; all that are in memory in the first.
    pub points: Vec<HistoryPoint>,
    /// Its configuration, secrets masked.
    pub config: serde_json::Value,
}

/// What flows along an edge.
///
/// ```
/// use squall_core::control::EdgeRate;
/// fn f(e: &EdgeRate) -> f64 { e.per_s }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeRate {
    /// The component that emits.
    pub from: String,
    /// Its stream.
    pub stream: String,
    /// The component that takes it in.
    pub to: String,
    /// How the stream is dealt out.
    pub grouping: Grouping,
    /// Tuples taken in since the submit.
    pub total: u64,
    /// Tuples taken in a second, over the newest ten seconds that are complete.
    pub per_s: f64,
}

/// A stream that a component emits on.
///
/// ```
/// use squall_core::control::StreamStatus;
/// fn f(s: &StreamStatus) -> &str { &s.stream }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Its name.
    pub stream: String,
    /// Its fields with their types, for people.
    pub fields: String,
    /// Tuples emitted since the submit.
    pub emitted: u64,
    /// Tuples emitted a second, over the newest ten seconds that are complete.
    pub per_s: f64,
    /// Spouts: trees done since the submit.
    #[serde(default)]
    pub acked: u64,
    /// Spouts: trees failed since the submit.
    #[serde(default)]
    pub failed: u64,
    /// Spouts: time from emit to ack of the whole tree.
    #[serde(default)]
    pub complete: Latency,
    /// Who takes it in.
    pub to: Vec<String>,
}

/// A task in [`ComponentDetail`]: what its present incarnation counted.
///
/// ```
/// assert_eq!(squall_core::control::TaskStatus::default().task, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskStatus {
    /// Its id.
    pub task: u32,
    /// The worker it runs in; none while it has none that reports.
    pub worker: Option<u32>,
    /// That worker's host.
    pub host: String,
    /// Tuples emitted.
    pub emitted: u64,
    /// Tuples delivered.
    pub transferred: u64,
    /// Tuples taken in.
    pub executed: u64,
    /// Bolts: tuples acked. Spouts: trees done.
    pub acked: u64,
    /// Bolts: tuples failed. Spouts: trees failed.
    pub failed: u64,
    /// Tuples waiting for it now.
    pub queued: u64,
    /// Spouts: trees under way now.
    pub pending: u64,
    /// Spouts: it will never emit again.
    pub ended: bool,
    /// Emitted in a second, over the last 10 s or so.
    pub emitted_per_s: f64,
    /// Taken in in a second, over the last 10 s or so.
    pub executed_per_s: f64,
    /// The share of the time it was in its own code, over the last 10 s or so.
    pub capacity: f64,
    /// The share of the time it could not run because those it feeds were full, over the last 10 s or so.
    pub blocked: f64,
    /// Time in `execute` a tuple.
    pub execute: Latency,
    /// Spouts: time from emit to ack of the whole tree.
    pub complete: Latency,
}

/// `GET /v1/topologies/{name}/graph`: the topology laid out, in pixels.
///
/// ```
/// use squall_core::control::Graph;
/// fn f(g: &Graph) -> f64 { g.width * g.height }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Of the whole.
    pub width: f64,
    /// Of the whole.
    pub height: f64,
    /// The components in the plan's order.
    pub nodes: Vec<GraphNode>,
    /// What flows between them.
    pub edges: Vec<GraphEdge>,
}

/// A component in a [`Graph`].
///
/// ```
/// use squall_core::control::GraphNode;
/// fn f(n: &GraphNode) -> usize { n.place.layer }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its id.
    pub id: String,
    /// `spout` or `bolt`.
    pub kind: crate::ComponentKind,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its tasks.
    pub tasks: u32,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
}

/// All that one component takes from another, in a [`Graph`].
///
/// ```
/// use squall_core::control::GraphEdge;
/// fn f(e: &GraphEdge) -> usize { e.line.points.len() }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The streams, each with its grouping's name.
    pub streams: Vec<(String, String)>,
    /// From which node to which, by their places in the list, and on which way.
    #[serde(flatten)]
    pub line: Line,
}

/// A model of a topology, in the list of `GET /v1/models`.
///
/// ```
/// use squall_core::control::ModelOverview;
/// fn f(m: &ModelOverview) -> usize { m.copies.len() }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelOverview {
    /// Its name in the topology.
    pub name: String,
    /// The topology's name.
    pub topology: String,
    /// The name of the file it was imported from.
    pub source_file: String,
    /// SHA-256 of the artefact.
    pub artefact: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// The version in use.
    pub version: u64,
    /// What was scored with that version, and the scores.
    pub numbers: ModelNumbers,
    /// The components whose configuration names it.
    pub used_by: Vec<ModelUser>,
    /// The machines on which workers have mapped it.
    pub copies: Vec<ModelCopy>,
}

/// A component that scores with a model.
///
/// ```
/// assert_eq!(squall_core::control::ModelUser::default().executed, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelUser {
    /// Its id.
    pub component: String,
    /// Tuples taken in since the submit.
    pub executed: u64,
    /// Taken in in a second, over the last 10 s or so.
    pub executed_per_s: f64,
}

/// A model file as mapped on one machine.
///
/// ```
/// assert_eq!(squall_core::control::ModelCopy::default().memory.mapped_by, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCopy {
    /// The model's name in the topology.
    pub name: String,
    /// SHA-256 of the artefact.
    pub artefact: String,
    /// The supervisor whose workers map it.
    pub supervisor: String,
    /// The machine.
    pub machine: String,
    /// That machine's host name.
    pub host: String,
    /// What it takes.
    pub memory: ModelUse,
}
