//! Isolation forests: outliers are the rows that few random splits set apart (Liu, Ting and Zhou,
//! "Isolation forest", 2008).

use super::super::{Family, n_features};
use super::ensemble::{ENSEMBLE, Link};
use super::flat::FlatBuilder;
use super::sklearn::Tree;
use crate::artefact::{Builder, Node};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const ISOLATION: Family =
    Family { op: "isolation_forest", classes: &["IsolationForest"], import, load: ENSEMBLE.load };

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    if object.word("behaviour", "new") == "old" {
        return Err(Error::unsupported(object.class(), "behaviour=\"old\" is not supported; train it again"));
    }
    let mut node = Node::new(ENSEMBLE.op, object.class());
    node.n_features = Some(n_features(object)?);
    node.set_kind(Kind::Outlier);
    node.set("narrow", true);
    let members = super::forest::members(object)?;
    let columns = object.list("estimators_features_")?;
    if columns.len() != members.len() {
        return Err(object.wrong("estimators_features_", "does not fit `estimators_`"));
    }
    let mut flat = FlatBuilder::new(1);
    let mut takes_nan = true;
    for (member, columns) in members.iter().zip(&columns) {
        let tree = Tree::of(member)?;
        let Some(columns) = columns.ints() else {
            return Err(object.wrong("estimators_features_", "holds something that is no list of columns"));
        };
        let columns: Vec<i64> = columns.iter().copied().collect();
        let depths = tree.depths();
        let leaf = |i: usize, out: &mut Vec<f64>| {
            out.push(depths[i] as f64 + average_path(tree.samples[i] as f64));
        };
        takes_nan &= tree.takes_missing;
        tree.flatten(&mut flat, Some(&columns), leaf).map_err(|what| object.wrong("estimators_", what))?;
    }
    node.set("takes_nan", takes_nan);
    let samples = if object.some("_max_samples").is_some() { "_max_samples" } else { "max_samples_" };
    Link::Isolation {
        denominator: members.len() as f64 * average_path(object.float(samples)?),
        offset: object.float("offset_")?,
    }
    .store(&mut node);
    builder.vec(&mut node, "base", vec![0.0])?;
    flat.store(builder, &mut node)?;
    Ok(node)
}

/// Expected depth of a row in a random tree over `n` rows.
fn average_path(n: f64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if n <= 1.0 {
        0.0
    } else if n == 2.0 {
        1.0
    } else {
        2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n
    }
}
