//! A model told to people: as a tree in JSON, and in one line.

use serde_json::{Map, Value, json};

use crate::Classes;
use crate::artefact::{Node, Store};
use crate::estimators::Scorer;

/// Class, parameters, array shapes and children of each estimator.
pub(crate) fn tree(node: &Node, store: &Store) -> Value {
    let mut out = Map::new();
    out.insert("class".into(), json!(node.class));
    out.insert("op".into(), json!(node.op));
    if !node.params.is_empty() {
        out.insert("params".into(), json!(node.params));
    }
    if let Some(n) = node.n_features {
        out.insert("n_features".into(), json!(n));
    }
    let labels = |classes: &Classes| -> Vec<String> {
        (0..classes.len()).filter_map(|i| classes.label(i)).map(|l| l.to_string()).collect()
    };
    if let Some(classes) = node.classes() {
        out.insert("classes".into(), json!(labels(&classes)));
    }
    if let Ok(Some(targets)) = node.targets() {
        out.insert("targets".into(), json!(targets.iter().map(labels).collect::<Vec<_>>()));
    }
    if !node.tensors.is_empty() {
        let shapes = node.tensors.iter().map(|(role, name)| (role.clone(), json!(store.shape(name).unwrap_or_default())));
        out.insert("arrays".into(), Value::Object(shapes.collect()));
    }
    if !node.children.is_empty() {
        let children = node.children.iter().map(|child| {
            let mut inner = tree(&child.node, store);
            if let Value::Object(map) = &mut inner {
                map.insert("name".into(), json!(child.name));
            }
            inner
        });
        out.insert("steps".into(), children.collect());
    }
    Value::Object(out)
}

/// `Pipeline(PCA, LogisticRegression), 64 features, 10 classes`.
pub(crate) fn summary(node: &Node, scorer: &Scorer) -> String {
    let mut out = name(node);
    let outline = scorer.outline();
    match scorer.columns().map(<[_]>::len).or(outline.n_features) {
        _ if scorer.reads_text() => out += ", texts",
        Some(n) => out += &format!(", {n} features"),
        None => {}
    }
    out += &match (scorer.classes(), scorer.targets()) {
        (Some(classes), _) => format!(", {} classes", classes.len()),
        (None, Some(targets)) => format!(", {} targets", targets.len()),
        (None, None) if outline.n_outputs == 1 => ", 1 output".to_owned(),
        (None, None) => format!(", {} outputs", outline.n_outputs),
    };
    out
}

/// How many parts are named before the line would grow too long.
const SHOWN: usize = 6;

fn name(node: &Node) -> String {
    let class = node.class.rsplit('.').next().unwrap_or_default();
    if node.children.is_empty() {
        return class.to_owned();
    }
    let mut parts: Vec<String> = node.children.iter().take(SHOWN).map(|c| name(&c.node)).collect();
    if node.children.len() > SHOWN {
        parts.push(format!("{} more", node.children.len() - SHOWN));
    }
    format!("{class}({})", parts.join(", "))
}
