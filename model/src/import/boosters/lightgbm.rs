//! LightGBM's text format (`Booster.save_model`).

use std::collections::HashMap;

use crate::artefact::{Builder, Node};
use crate::estimators::trees::{FlatBuilder, Link, Side, Step};
use crate::{Classes, Error, Kind};

const CLASS: &str = "lightgbm.Booster";

/// Lines `key=value` of one section.
type Section<'a> = HashMap<&'a str, &'a str>;

pub(crate) fn import(bytes: &[u8], builder: &mut Builder) -> Result<Node, Error> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::damaged(e.valid_up_to(), "it is no text"))?;
    let (header, sections) = sections(text)?;
    let number = |key: &'static str| -> Result<usize, Error> {
        header.get(key).and_then(|v| v.trim().parse().ok()).ok_or_else(|| missing(key))
    };
    let columns = number("num_tree_per_iteration")?;
    let n_features = number("max_feature_idx")?.saturating_add(1);
    let objective = header.get("objective").copied().unwrap_or("custom");
    let mut words = objective.split_whitespace();
    let name = words.next().unwrap_or_default();
    let factor = words.clone().find_map(|w| w.strip_prefix("sigmoid:")?.parse::<f64>().ok()).unwrap_or(1.0);
    let unknown = || Error::unsupported(CLASS, format!("its objective `{objective}` is not known"));
    if words.any(|w| w == "sqrt") {
        return Err(unknown());
    }
    let (kind, mut link) = match name {
        "binary" => (Kind::Classifier, Link::Logistic { factor }),
        "multiclass" if columns > 1 => (Kind::Classifier, Link::Softmax),
        "multiclassova" if columns > 1 => (Kind::Classifier, Link::Sigmoid { factor }),
        "cross_entropy" | "xentropy" => (Kind::Regressor, Link::Sigmoid { factor: 1.0 }),
        "poisson" | "gamma" | "tweedie" => (Kind::Regressor, Link::Exp),
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg" => {
            (Kind::Regressor, Link::Identity)
        }
        _ => return Err(unknown()),
    };
    // A forest (boosting=rf) averages its trees, and only then asks its objective.
    if header.contains_key("average_output") {
        link = match link {
            Link::Identity if columns == 1 => Link::Mean,
            // Its decision stays the sum, as LightGBM's raw score does.
            Link::Logistic { factor } => Link::Logistic { factor: factor / sections.len().max(1) as f64 },
            _ => return Err(Error::unsupported(CLASS, "it averages its trees (boosting=rf)")),
        };
    }

    let mut node = Node::new("trees", CLASS);
    node.n_features = Some(n_features);
    node.set_kind(kind);
    node.set("objective", objective);
    node.set("takes_nan", true);
    link.store(&mut node);
    if kind == Kind::Classifier {
        node.set_classes(Classes::Int((0..columns.max(2) as i64).collect()));
    }
    let names: Vec<String> = header.get("feature_names").map(|n| n.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    // Trained on an array, it gives its columns these names.
    let made_up = names.iter().enumerate().all(|(i, name)| *name == format!("Column_{i}"));
    node.feature_names = Some(names).filter(|n| n.len() == n_features && !made_up);
    let mut flat = FlatBuilder::new(1);
    for section in &sections {
        push(section, &mut flat)?;
    }
    if columns == 0 || sections.is_empty() || !sections.len().is_multiple_of(columns) {
        return Err(missing("trees for every class"));
    }
    builder.vec(&mut node, "base", vec![0.0; columns])?;
    flat.store(builder, &mut node)?;
    Ok(node)
}

fn missing(what: &str) -> Error {
    Error::damaged(0, format!("the LightGBM model has no {what}"))
}

/// The header and the trees; what follows them (importances, parameters) is of no use here.
fn sections(text: &str) -> Result<(Section<'_>, Vec<Section<'_>>), Error> {
    let mut header = Section::new();
    let mut trees: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        if line == "end of trees" {
            return Ok((header, trees));
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key == "Tree" {
            trees.push(Section::new());
        } else if !key.is_empty() {
            trees.last_mut().unwrap_or(&mut header).insert(key, value);
        }
    }
    let (offset, what) = (text.len() as u64, "the line `end of trees`".to_owned());
    Err(Error::Truncated { offset, what, needed: 12, left: 0 })
}

fn list<T: std::str::FromStr>(section: &Section<'_>, key: &str, n: usize) -> Result<Vec<T>, Error> {
    let text = section.get(key).copied().unwrap_or_default();
    let values: Result<Vec<T>, _> = text.split_whitespace().map(str::parse).collect();
    values.ok().filter(|v| v.len() == n).ok_or_else(|| missing(&format!("proper `{key}`")))
}

fn push(section: &Section<'_>, flat: &mut FlatBuilder) -> Result<(), Error> {
    let leaves: usize = section.get("num_leaves").and_then(|n| n.parse().ok()).ok_or_else(|| missing("num_leaves"))?;
    if section.get("is_linear").is_some_and(|v| *v != "0") {
        return Err(Error::unsupported(CLASS, "its leaves are linear models"));
    }
    let splits = leaves.checked_sub(1).ok_or_else(|| missing("leaves in a tree"))?;
    let values: Vec<f64> = list(section, "leaf_value", leaves)?;
    let feature: Vec<usize> = list(section, "split_feature", splits)?;
    let threshold: Vec<f64> = list(section, "threshold", splits)?;
    let decision: Vec<u8> = list(section, "decision_type", splits)?;
    let left: Vec<i64> = list(section, "left_child", splits)?;
    let right: Vec<i64> = list(section, "right_child", splits)?;
    let mut missing_left = Vec::with_capacity(splits);
    for (decision, threshold) in decision.iter().zip(&threshold) {
        let default_left = decision & 2 != 0;
        let zero_left = 0.0 <= *threshold;
        missing_left.push(match decision >> 2 & 3 {
            // A missing value counts as zero,
            0 => zero_left,
            // or zero counts as missing, which must go where its value would send it,
            1 if default_left == zero_left => default_left,
            1 => return Err(Error::unsupported(CLASS, "zero counts as missing; train with zero_as_missing=false")),
            // or it goes its own way.
            _ => default_left,
        });
    }
    let keys = categories(section, &decision, &threshold, flat)?;
    // Leaves are numbered apart, as -1 - leaf; here they come after the splits.
    let child = |c: i64| if c < 0 { splits.saturating_add(!c as usize) } else { c as usize };
    let step = |i: usize| match (i < splits, keys.get(i).copied().flatten()) {
        (true, None) => Step::Split {
            feature: feature[i],
            threshold: threshold[i],
            left: child(left[i]),
            right: child(right[i]),
            missing_left: missing_left[i],
        },
        // A missing category goes right, like all that are not in the set.
        (true, Some(key)) => {
            Step::Categories { feature: feature[i], key, left: child(left[i]), right: child(right[i]), missing_left: false }
        }
        (false, _) => Step::Leaf,
    };
    let leaf = |i: usize, out: &mut Vec<f64>| out.push(values[i - splits]);
    flat.push(splits + leaves, step, leaf).map_err(|what| Error::damaged(0, what))
}

/// The keys of the splits by category: such a split's threshold is the number of its set, and the bits of
/// set `n` are the words from `cat_boundaries[n]` on of `cat_threshold`.
fn categories(
    section: &Section<'_>,
    decision: &[u8],
    threshold: &[f64],
    flat: &mut FlatBuilder,
) -> Result<Vec<Option<u64>>, Error> {
    let sets: usize = section.get("num_cat").and_then(|n| n.trim().parse().ok()).unwrap_or(0);
    if sets == 0 {
        return match decision.iter().any(|d| d & 1 != 0) {
            true => Err(missing("categories for a split")),
            false => Ok(Vec::new()),
        };
    }
    let bounds: Vec<usize> = list(section, "cat_boundaries", sets.saturating_add(1))?;
    let words: Vec<u32> = list(section, "cat_threshold", bounds.last().copied().unwrap_or(0))?;
    let mut out = Vec::with_capacity(decision.len());
    for (decision, threshold) in decision.iter().zip(threshold) {
        if decision & 1 == 0 {
            out.push(None);
            continue;
        }
        let set = *threshold as usize;
        let ends = (bounds.get(set), bounds.get(set.saturating_add(1)));
        let words = match ends {
            (Some(start), Some(end)) => words.get(*start..*end),
            _ => None,
        };
        let words = words.ok_or_else(|| missing("categories for a split"))?;
        let side = |i: usize| if words[i / 32] >> (i % 32) & 1 == 1 { Side::Left } else { Side::Right };
        let sides: Vec<Side> = (0..words.len() * 32).map(side).collect();
        out.push(Some(flat.categories(&sides, false).map_err(|what| Error::damaged(0, what))?));
    }
    Ok(out)
}
