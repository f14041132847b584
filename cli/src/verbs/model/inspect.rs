//! `squall model inspect`: what is in a model file.

use std::path::PathBuf;

use serde_json::{Value, json};
use squall_model::{Classes, Column, Model};

use super::open;
use crate::exit::Outcome;
use crate::show::{Show, size};

/// Describes a model: its estimators, their parameters and shapes, what goes in and what comes out.
///
/// Examples:
///   squall model inspect digits.pkl
///   squall model inspect digits.safetensors --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A model file or an imported one.
    file: PathBuf,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let model = open(&args.file, show)?;
    let labels = |c: &Classes| (0..c.len()).filter_map(|i| c.label(i)).map(|l| l.to_string()).collect::<Vec<_>>();
    let classes = model.classes().map(labels);
    let targets = model.targets().map(|targets| targets.iter().map(labels).collect::<Vec<_>>());
    let methods: Vec<&str> = [
        ("predict", model.has_predict()),
        ("predict_proba", model.has_proba()),
        ("decision_function", model.has_decision()),
        ("transform", model.has_transform()),
    ]
    .into_iter()
    .filter_map(|(name, has)| has.then_some(name))
    .collect();
    if show.json {
        return show.json(&json!({
            "file": args.file,
            "kind": model.kind(),
            "features": model.n_features(),
            "takes": match (model.takes_texts(), model.takes_tables()) {
                (true, _) => "texts",
                (_, true) => "numbers and texts",
                _ => "numbers",
            },
            "columns": model.columns(),
            "outputs": model.n_outputs(),
            "classes": classes,
            "targets": targets,
            "feature_names": model.feature_names(),
            "methods": methods,
            "bytes": model.mapped_bytes(),
            "sha256": model.checksum(),
            "source_sha256": model.source_checksum(),
            "tree": model.describe(),
        }));
    }
    let features = match (model.n_features(), model.takes_texts()) {
        (_, true) => "texts".to_owned(),
        (Some(n), _) => n.to_string(),
        (None, _) => "any number".to_owned(),
    };
    show.line(&format!("kind      {}", model.kind()))?;
    show.line(&format!("features  {features}"))?;
    if let Some(columns) = columns(&model) {
        show.line(&format!("columns   {columns}"))?;
    }
    show.line(&format!("outputs   {}", model.n_outputs()))?;
    if let Some(classes) = classes {
        show.line(&format!("classes   {}", classes.join(", ")))?;
    }
    if let Some(targets) = targets {
        let targets: Vec<String> = targets.iter().map(|labels| labels.join(", ")).collect();
        show.line(&format!("targets   {}", targets.join(" | ")))?;
    }
    show.line(&format!("methods   {}", methods.join(", ")))?;
    show.line(&format!("size      {}", size(model.mapped_bytes())))?;
    show.line(&format!("sha256    {}", model.checksum()))?;
    show.line(&format!("source    {}", model.source_checksum()))?;
    let mut text = String::new();
    outline(&model.describe(), 0, &mut text);
    show.line(text.trim_end())
}

/// Columns told before the line would grow too long.
const SHOWN: usize = 20;

/// The columns of a row, where they have names or are not all numbers: `age, town (text), id (unused)`.
fn columns(model: &Model) -> Option<String> {
    if model.columns().is_none() && model.feature_names().is_none() {
        return None;
    }
    let n = model.n_features()?;
    let one = |i: usize| {
        let name = model.feature_names().and_then(|names| names.get(i).cloned()).unwrap_or_else(|| i.to_string());
        match model.columns().and_then(|columns| columns.get(i)) {
            None | Some(Column::Number) => name,
            Some(other) => format!("{name} ({other})"),
        }
    };
    let mut list: Vec<String> = (0..n.min(SHOWN)).map(one).collect();
    if n > SHOWN {
        list.push(format!("{} more", n - SHOWN));
    }
    Some(list.join(", "))
}

/// A JSON tree as indented lines; what has a name in a list stands below it.
fn outline(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let entry = |key: &str, value: &Value, text: &mut String| match value {
        Value::Object(_) => {
            text.push_str(&format!("{indent}{key}:\n"));
            outline(value, depth + 1, text);
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            text.push_str(&format!("{indent}{key}:\n"));
            outline(value, depth + 1, text);
        }
        Value::String(s) => text.push_str(&format!("{indent}{key}: {s}\n")),
        other => text.push_str(&format!("{indent}{key}: {other}\n")),
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| entry(key, value, text)),
        Value::Array(items) => {
            items.iter().for_each(|item| match (item.get("name").and_then(Value::as_str), item.as_object()) {
                (Some(name), Some(map)) => {
                    let map = map.iter().filter(|(key, _)| *key != "name");
                    entry(name, &map.map(|(key, value)| (key.clone(), value.clone())).collect(), text);
                }
                _ => entry("-", item, text),
            })
        }
        other => text.push_str(&format!("{indent}{other}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_indented_lines() {
        let mut text = String::new();
        let steps = json!([{"class": "PCA", "shape": [3, 64]}, {"class": "SVC", "name": "svc"}]);
        outline(&json!({"class": "Pipeline", "steps": steps}), 0, &mut text);
        assert_eq!(text, "class: Pipeline\nsteps:\n  -:\n    class: PCA\n    shape: [3,64]\n  svc:\n    class: SVC\n");
    }
}
