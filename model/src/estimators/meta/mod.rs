//! Estimators made of others.

mod adaboost;
mod calibrate;
mod columns;
mod constant;
mod pairs;
mod pipeline;
mod stack;
mod targets;
mod vote;

pub(crate) use adaboost::{ADA_CLASSIFIER, ADA_REGRESSOR};
pub(crate) use calibrate::CALIBRATED;
pub(crate) use columns::{COLUMNS, UNION};
pub(crate) use constant::CONSTANT;
pub(crate) use pairs::{ONE_VERSUS_ONE, ONE_VERSUS_REST};
pub(crate) use pipeline::{PIPELINE, SEARCH};
pub(crate) use stack::STACKING;
pub(crate) use targets::TARGETS;
pub(crate) use vote::{BAGGING, VOTING};

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};

use super::Scorer;
use crate::artefact::{Builder, Child, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Label};

/// Loads the estimators inside a node; there is at least one.
fn children(node: &Node, store: &Store) -> Result<Vec<Scorer>, Error> {
    let children: Result<Vec<Scorer>, Error> = node.children.iter().map(|c| super::load(&c.node, store)).collect();
    let children = children?;
    if children.is_empty() {
        return Err(node.broken("it has no members"));
    }
    Ok(children)
}

/// Imports the estimators of a list attribute; there is at least one.
fn import_list(object: &Obj<'_>, attribute: &str, builder: &mut Builder, node: &mut Node) -> Result<(), Error> {
    import_list_by(object, attribute, builder, node, super::import)
}

/// The same where `import` makes the node of each.
fn import_list_by(
    object: &Obj<'_>,
    attribute: &str,
    builder: &mut Builder,
    node: &mut Node,
    import: impl Fn(&Obj<'_>, &mut Builder) -> Result<Node, Error>,
) -> Result<(), Error> {
    for (i, member) in object.list(attribute)?.iter().enumerate() {
        let Some(member) = member.object() else {
            return Err(object.wrong(attribute, format!("holds {}, no estimator", member.type_name())));
        };
        let inner = import(&member, builder)?;
        node.children.push(Child { name: i.to_string(), node: inner });
    }
    if node.children.is_empty() {
        return Err(object.wrong(attribute, "is empty"));
    }
    Ok(())
}

/// The number of features that all members agree on.
fn common_features(node: &Node, members: &[Scorer]) -> Result<Option<usize>, Error> {
    let mut known = node.n_features;
    for n in members.iter().filter_map(|m| m.outline().n_features) {
        if known.is_some_and(|k| k != n) {
            return Err(node.broken("its members take rows of different widths"));
        }
        known = Some(n);
    }
    Ok(known)
}

/// What members that see the same rows take in each column; none where that is numbers in all of them.
fn common_columns<'m>(node: &Node, members: impl IntoIterator<Item = &'m Scorer>) -> Result<Option<Vec<Column>>, Error> {
    let takes: Vec<Option<&[Column]>> = members.into_iter().map(Scorer::columns).collect();
    let Some(width) = takes.iter().flatten().map(|t| t.len()).next() else { return Ok(None) };
    let mut common = vec![Column::Unused; width];
    for takes in takes {
        for (i, place) in common.iter_mut().enumerate() {
            let one = takes.map_or(Some(Column::Number), |t| t.get(i).copied());
            let both = one.and_then(|one| place.and(one));
            *place = both.ok_or_else(|| node.broken("its members take a column as text and as number"))?;
        }
    }
    Ok(Some(common).filter(|c| c.iter().any(|one| *one != Column::Number)))
}

/// The position of each of a member's classes among those of the whole.
///
/// `encoded` members were trained on positions instead of labels.
fn positions(node: &Node, member: &Scorer, whole: &Classes, encoded: bool) -> Result<Vec<usize>, Error> {
    let wrong = || node.broken("a member has classes that the whole has not");
    let classes = member.classes().ok_or_else(|| node.broken("a member is no classifier"))?;
    let find = |label: Label<'_>| match (encoded, label) {
        (true, Label::Int(v)) => usize::try_from(v).ok().filter(|i| *i < whole.len()),
        (true, Label::Float(v)) if v.fract() == 0.0 && v >= 0.0 => Some(v as usize).filter(|i| *i < whole.len()),
        (true, _) => None,
        (false, label) => (0..whole.len()).find(|i| whole.label(*i) == Some(label)),
    };
    (0..classes.len()).map(|i| classes.label(i).and_then(find).ok_or_else(wrong)).collect()
}

/// Some columns of the rows, or all of them.
fn select<'x>(x: ArrayView2<'x, f64>, columns: &Option<Vec<usize>>) -> CowArray<'x, f64, Ix2> {
    match columns {
        Some(columns) => CowArray::from(x.select(Axis(1), columns)),
        None => CowArray::from(x),
    }
}

/// Columns stored as the tensor `role`, checked against the width of the rows.
fn load_columns(node: &Node, store: &Store, role: &str) -> Result<Option<Vec<usize>>, Error> {
    if !node.tensors.contains_key(role) {
        return Ok(None);
    }
    let n = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let columns = store.i64(node, role)?;
    let columns = columns.slice().iter().map(|c| usize::try_from(*c).ok().filter(|c| *c < n));
    let columns: Option<Vec<usize>> = columns.collect();
    columns.map(Some).ok_or_else(|| node.broken("it chooses a column that is not there"))
}

/// The score by which a binary member speaks for its second class: the decision function where it has
/// one, else the probability (which decides at a half).
fn binary_score(member: &Scorer, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, Error> {
    let scores: Array2<f64> = if member.outline().methods.decision { member.decision(x)? } else { member.proba(x)? };
    let last = scores.ncols().saturating_sub(1);
    Ok(scores.column(last).to_vec())
}

/// Where [`binary_score`] turns from the first to the second class.
fn binary_threshold(member: &Scorer) -> f64 {
    if member.outline().methods.decision { 0.0 } else { 0.5 }
}
