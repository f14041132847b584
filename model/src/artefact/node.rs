//! The description of one estimator, as the artefact holds it in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Classes, Error, Kind};

/// One estimator of the tree.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Node {
    /// What computes it: a name in the list of `estimators/mod.rs`.
    pub(crate) op: String,
    /// The class it came from, for people.
    pub(crate) class: String,
    /// Numbers and words that steer the computation.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) params: Map<String, Value>,
    /// Role to name of the tensor that plays it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tensors: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<Labels>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) n_features: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) feature_names: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Child>,
}

/// An estimator inside another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) node: Node,
}

/// [`Classes`] in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Labels {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Str(Vec<String>),
    Bool(Vec<bool>),
}

impl From<Classes> for Labels {
    fn from(classes: Classes) -> Labels {
        match classes {
            Classes::Int(v) => Labels::Int(v),
            Classes::Float(v) => Labels::Float(v),
            Classes::Str(v) => Labels::Str(v),
            Classes::Bool(v) => Labels::Bool(v),
        }
    }
}

impl From<Labels> for Classes {
    fn from(labels: Labels) -> Classes {
        match labels {
            Labels::Int(v) => Classes::Int(v),
            Labels::Float(v) => Classes::Float(v),
            Labels::Str(v) => Classes::Str(v),
            Labels::Bool(v) => Classes::Bool(v),
        }
    }
}

impl Node {
    pub(crate) fn new(op: &str, class: &str) -> Node {
        Node { op: op.to_owned(), class: class.to_owned(), ..Node::default() }
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.params.insert(key.to_owned(), value.into());
    }

    /// A float of any value; JSON has no infinities, so they are words.
    pub(crate) fn set_f64(&mut self, key: &str, value: f64) {
        let value = if value.is_finite() { json!(value) } else { json!(value.to_string()) };
        self.params.insert(key.to_owned(), value);
    }

    pub(crate) fn f64(&self, key: &str) -> Result<f64, Error> {
        match self.params.get(key) {
            Some(Value::Number(n)) => n.as_f64(),
            Some(Value::String(s)) => s.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.broken(&format!("parameter `{key}` is no number")))
    }

    pub(crate) fn usize(&self, key: &str) -> Result<usize, Error> {
        self.params
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|v| usize::try_from(v).ok())
            .ok_or_else(|| self.broken(&format!("parameter `{key}` is no count")))
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, Error> {
        self.params.get(key).and_then(Value::as_str).ok_or_else(|| self.broken(&format!("parameter `{key}` is no text")))
    }

    /// Whether a flag is set; an absent one is not.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.params.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn set_classes(&mut self, classes: Classes) {
        self.classes = Some(classes.into());
    }

    pub(crate) fn set_targets(&mut self, targets: Vec<Classes>) {
        self.targets = targets.into_iter().map(Labels::from).collect();
    }

    pub(crate) fn classes(&self) -> Option<Classes> {
        self.classes.clone().map(Classes::from)
    }

    /// The classes of each target, of a classifier of several; each has at least one.
    pub(crate) fn targets(&self) -> Result<Option<Vec<Classes>>, Error> {
        let targets: Vec<Classes> = self.targets.iter().cloned().map(Classes::from).collect();
        match targets.iter().any(Classes::is_empty) {
            true => Err(self.broken("a target has no classes")),
            false => Ok(Some(targets).filter(|targets| !targets.is_empty())),
        }
    }

    /// The classes of a classifier, which has at least one.
    pub(crate) fn need_classes(&self) -> Result<Classes, Error> {
        self.classes().filter(|c| !c.is_empty()).ok_or_else(|| self.broken("it has no classes"))
    }

    /// The description does not fit itself: the artefact is damaged. `Store::open` puts the path in.
    pub(crate) fn broken(&self, what: &str) -> Error {
        Error::Artefact { path: Default::default(), what: format!("in the {} `{}`, {what}", self.op, self.class) }
    }

    /// The kind recorded at import, for estimators that serve as several.
    pub(crate) fn kind(&self) -> Result<Kind, Error> {
        let kind = self.params.get("kind").cloned().unwrap_or_default();
        serde_json::from_value(kind).map_err(|_| self.broken("its kind is unknown"))
    }

    pub(crate) fn set_kind(&mut self, kind: Kind) {
        self.set("kind", kind.to_string());
    }
}
