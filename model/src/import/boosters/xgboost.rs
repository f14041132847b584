//! XGBoost's own format, as JSON or universal binary JSON (`Booster.save_model`).

use std::collections::HashMap;

use serde_json::Value;

use super::ubj;
use crate::artefact::{Builder, Node};
use crate::estimators::trees::{FlatBuilder, Link, Side, Step};
use crate::{Classes, Error, Kind};

const CLASS: &str = "xgboost.Booster";

pub(crate) fn import_json(bytes: &[u8], builder: &mut Builder) -> Result<Node, Error> {
    let model: Value = serde_json::from_slice(bytes)
        .map_err(|e| Error::damaged(0, format!("its JSON is broken in line {}, column {}", e.line(), e.column())))?;
    import(&model, builder)
}

pub(crate) fn import_ubj(bytes: &[u8], builder: &mut Builder) -> Result<Node, Error> {
    import(&ubj::parse(bytes)?, builder)
}

/// What an objective means for the kind of the model and for its sums.
fn objective(name: &str, classes: usize) -> Option<(Kind, Link)> {
    Some(match name {
        "binary:logistic" => (Kind::Classifier, Link::Logistic { factor: 1.0 }),
        "multi:softprob" | "multi:softmax" if classes > 1 => (Kind::Classifier, Link::Softmax),
        "reg:logistic" => (Kind::Regressor, Link::Sigmoid { factor: 1.0 }),
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => (Kind::Regressor, Link::Exp),
        "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:quantileerror"
        | "binary:logitraw"
        | "rank:pairwise"
        | "rank:ndcg"
        | "rank:map" => (Kind::Regressor, Link::Identity),
        _ => return None,
    })
}

fn import(model: &Value, builder: &mut Builder) -> Result<Node, Error> {
    let learner = &model["learner"];
    let params = &learner["learner_model_param"];
    let mut booster = &learner["gradient_booster"];
    let mut dropped = None;
    match booster["name"].as_str() {
        Some("gbtree") => {}
        Some("dart") => {
            dropped = booster["weight_drop"].as_array();
            booster = &booster["gbtree"];
        }
        other => {
            let what = format!("its booster is {}; gbtree and dart are known", other.unwrap_or("missing"));
            return Err(Error::unsupported(CLASS, what));
        }
    }
    let n_features = count(params, "num_feature")?;
    let columns = count(params, "num_class")?.max(1);
    if params.get("num_target").is_some() && count(params, "num_target")? > 1 {
        return Err(Error::unsupported(CLASS, "it has several targets"));
    }
    let name = learner["objective"]["name"].as_str().unwrap_or_default();
    let Some((kind, link)) = objective(name, columns) else {
        return Err(Error::unsupported(CLASS, format!("its objective `{name}` is not known")));
    };

    let mut node = Node::new("trees", CLASS);
    node.n_features = Some(n_features);
    node.set_kind(kind);
    node.set("objective", name);
    node.set("narrow", true);
    node.set("takes_nan", true);
    link.store(&mut node);
    if kind == Kind::Classifier {
        node.set_classes(Classes::Int((0..columns.max(2) as i64).collect()));
    }
    let names: Option<Vec<String>> =
        learner["feature_names"].as_array().map(|names| names.iter().filter_map(|n| n.as_str()).map(str::to_owned).collect());
    node.feature_names = names.filter(|n| n.len() == n_features);
    builder.vec(&mut node, "base", base(params, link, columns)?)?;

    let trees = booster["model"]["trees"].as_array().ok_or_else(|| missing("trees"))?;
    let groups = ints(&booster["model"]["tree_info"]).ok_or_else(|| missing("tree_info"))?;
    if groups.len() != trees.len() {
        return Err(missing("a group for every tree"));
    }
    let mut order = in_rounds(&groups, columns)?;
    if let Some(rounds) = stopped(learner, booster) {
        builder.warn(format!("training stopped early: the first {rounds} rounds are used, as scikit-learn's interface does"));
        order.truncate(rounds.saturating_mul(columns).saturating_mul(parallel(booster)));
    }
    let mut flat = FlatBuilder::new(1);
    for i in order {
        let weight = dropped.and_then(|d| d.get(i)).and_then(Value::as_f64).unwrap_or(1.0);
        push(&trees[i], weight, &mut flat)?;
    }
    flat.store(builder, &mut node)?;
    Ok(node)
}

fn missing(what: &str) -> Error {
    Error::damaged(0, format!("the XGBoost model has no {what}"))
}

/// Numbers of the learner are kept as text.
fn count(params: &Value, key: &str) -> Result<usize, Error> {
    params[key].as_str().and_then(|t| t.parse().ok()).ok_or_else(|| missing(key))
}

fn parallel(booster: &Value) -> usize {
    count(&booster["model"]["gbtree_model_param"], "num_parallel_tree").unwrap_or(1).max(1)
}

/// How many rounds scikit-learn's interface uses after early stopping.
fn stopped(learner: &Value, _: &Value) -> Option<usize> {
    let attributes = &learner["attributes"];
    attributes.get("scikit_learn")?;
    attributes["best_iteration"].as_str()?.parse::<usize>().ok()?.checked_add(1)
}

/// The trees so ordered that tree `t` belongs to group `t % groups`.
fn in_rounds(group_of: &[i64], groups: usize) -> Result<Vec<usize>, Error> {
    let mut lists = vec![Vec::new(); groups.min(group_of.len())];
    for (tree, group) in group_of.iter().enumerate() {
        let list = usize::try_from(*group).ok().and_then(|g| lists.get_mut(g));
        list.ok_or_else(|| missing("group for a tree"))?.push(tree);
    }
    let rounds = lists.first().map_or(0, Vec::len);
    if rounds == 0 || lists.len() != groups || lists.iter().any(|l| l.len() != rounds) {
        return Err(missing("trees for every class"));
    }
    Ok((0..rounds).flat_map(|r| lists.iter().map(move |l| l[r])).collect())
}

/// What sums begin with: the base score, brought from the scale of answers to that of sums.
fn base(params: &Value, link: Link, columns: usize) -> Result<Vec<f64>, Error> {
    let text = params["base_score"].as_str().ok_or_else(|| missing("base_score"))?;
    let scores: Option<Vec<f64>> =
        text.trim_matches(['[', ']']).split(',').map(|s| s.trim().parse::<f32>().ok().map(f64::from)).collect();
    let mut scores = scores.ok_or_else(|| missing("base_score"))?;
    if let [one] = scores[..] {
        scores = vec![one; columns];
    }
    if scores.len() != columns {
        return Err(missing("base_score for every class"));
    }
    let inverse = |v: f64| match link {
        Link::Logistic { .. } | Link::Sigmoid { .. } => (v / (1.0 - v)).ln(),
        Link::Exp => v.ln(),
        _ => v,
    };
    Ok(scores.into_iter().map(inverse).collect())
}

fn ints(list: &Value) -> Option<Vec<i64>> {
    list.as_array()?.iter().map(|v| v.as_i64().or_else(|| v.as_bool().map(i64::from))).collect()
}

fn push(tree: &Value, weight: f64, flat: &mut FlatBuilder) -> Result<(), Error> {
    let column = |key: &'static str| ints(&tree[key]).ok_or_else(|| missing(key));
    let (left, right) = (column("left_children")?, column("right_children")?);
    let (feature, default_left) = (column("split_indices")?, column("default_left")?);
    let conditions: Option<Vec<f64>> = tree["split_conditions"].as_array().and_then(|l| l.iter().map(Value::as_f64).collect());
    let conditions = conditions.ok_or_else(|| missing("split_conditions"))?;
    let n = left.len();
    if [right.len(), feature.len(), default_left.len(), conditions.len()].iter().any(|m| *m != n) {
        return Err(missing("columns of one length in a tree"));
    }
    let keys = categories(tree, flat)?;
    if count(&tree["tree_param"], "size_leaf_vector").is_ok_and(|n| n > 1) {
        return Err(Error::unsupported(CLASS, "its leaves hold several values"));
    }
    let at = |v: i64| usize::try_from(v).unwrap_or(usize::MAX);
    let step = |i: usize| match (left[i], keys.get(&(i as i64))) {
        (-1, _) => Step::Leaf,
        (child, Some(key)) => Step::Categories {
            feature: at(feature[i]),
            key: *key,
            left: at(child),
            right: at(right[i]),
            missing_left: default_left[i] != 0,
        },
        (child, None) => Step::Split {
            feature: at(feature[i]),
            // Less than this goes left: up to the next smaller 32-bit number, that is.
            threshold: f64::from((conditions[i] as f32).next_down()),
            left: at(child),
            right: at(right[i]),
            missing_left: default_left[i] != 0,
        },
    };
    let leaf = |i: usize, out: &mut Vec<f64>| out.push(f64::from(conditions[i] as f32) * weight);
    flat.push(n, step, leaf).map_err(|what| Error::damaged(0, what))
}

/// The keys of the splits by category, by node. What is listed goes right, all other categories left.
fn categories(tree: &Value, flat: &mut FlatBuilder) -> Result<HashMap<i64, u64>, Error> {
    let column = |key: &'static str| ints(&tree[key]).ok_or_else(|| missing(key));
    let mut out = HashMap::new();
    let types = ints(&tree["split_type"]).unwrap_or_default();
    if types.iter().all(|t| *t == 0) {
        return Ok(out);
    }
    let (nodes, starts) = (column("categories_nodes")?, column("categories_segments")?);
    let (counts, listed) = (column("categories_sizes")?, column("categories")?);
    for ((node, start), count) in nodes.iter().zip(&starts).zip(&counts) {
        let range = usize::try_from(*start).ok().zip(usize::try_from(*count).ok());
        let range = range.and_then(|(start, count)| listed.get(start..start.checked_add(count)?));
        let range = range.ok_or_else(|| missing("categories for a split"))?;
        let most = range.iter().copied().max().unwrap_or(0);
        // As many as XGBoost itself can tell apart in 32-bit floats.
        if range.iter().any(|c| *c < 0) || most >= 1 << 24 {
            return Err(missing("sound categories for a split"));
        }
        let mut sides = vec![Side::Left; most as usize + 1];
        range.iter().for_each(|c| sides[*c as usize] = Side::Right);
        out.insert(*node, flat.categories(&sides, true).map_err(|what| Error::damaged(0, what))?);
    }
    if (0i64..).zip(&types).any(|(node, t)| *t != 0 && !out.contains_key(&node)) {
        return Err(missing("categories for a split"));
    }
    Ok(out)
}
