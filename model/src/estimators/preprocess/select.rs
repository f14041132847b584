//! Feature selection: some of the columns, in their order.

use ndarray::{Array2, ArrayView2, Axis};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;

pub(crate) const SELECTOR: Family = Family {
    op: "selector",
    classes: &[
        "RFE",
        "RFECV",
        "SelectFromModel",
        "SelectKBest",
        "SelectPercentile",
        "SequentialFeatureSelector",
        "VarianceThreshold",
    ],
    import,
    load,
};

struct Selector {
    columns: Vec<usize>,
    n_features: usize,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(SELECTOR.op, object.class());
    let chosen: Vec<bool> = match object.name() {
        "VarianceThreshold" => {
            let threshold = object.float("threshold")?;
            object.vector("variances_")?.iter().map(|v| *v > threshold).collect()
        }
        "SelectKBest" if object.word("k", "") == "all" => vec![true; object.vector("scores_")?.len()],
        "SelectKBest" => {
            let scores = scores(object)?;
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
            let mut chosen = vec![false; scores.len()];
            order.iter().rev().take(object.size("k")?).for_each(|i| chosen[*i] = true);
            chosen
        }
        "SelectFromModel" => super::importance::chosen(object)?,
        "SelectPercentile" => percentile(&scores(object)?, object.float("percentile")?),
        _ => object.ints("support_")?.iter().map(|v| *v != 0).collect(),
    };
    node.n_features = Some(chosen.len());
    let columns = chosen.iter().enumerate().filter_map(|(i, chosen)| chosen.then_some(i as i64));
    builder.i64(&mut node, "columns", columns.collect())?;
    Ok(node)
}

/// Scores that could not be computed are the worst.
fn scores(object: &Obj<'_>) -> Result<Vec<f64>, Error> {
    let scores = object.vector("scores_")?;
    Ok(scores.iter().map(|v| if v.is_nan() { f64::MIN } else { *v }).collect())
}

/// Scores above the percentile, and of those that equal it as many as there is room for.
fn percentile(scores: &[f64], percentile: f64) -> Vec<bool> {
    let n = scores.len();
    if percentile >= 100.0 || n == 0 {
        return vec![true; n];
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (100.0 - percentile.max(0.0)) / 100.0 * (n - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let threshold = sorted[low] + (sorted[(low + 1).min(n - 1)] - sorted[low]) * part;
    let mut chosen: Vec<bool> = scores.iter().map(|s| *s > threshold).collect();
    let room = (n as f64 * percentile / 100.0) as usize;
    let mut left = room.saturating_sub(chosen.iter().filter(|c| **c).count());
    for (score, chosen) in scores.iter().zip(&mut chosen) {
        if *score == threshold && left > 0 {
            *chosen = true;
            left -= 1;
        }
    }
    chosen
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let columns = store.i64(node, "columns")?;
    let columns: Option<Vec<usize>> =
        columns.slice().iter().map(|c| usize::try_from(*c).ok().filter(|c| *c < n_features)).collect();
    let columns = columns.ok_or_else(|| node.broken("it chooses a column that is not there"))?;
    Ok(Box::new(Selector { columns, n_features }))
}

impl Estimator for Selector {
    fn outline(&self) -> Outline {
        super::transformer(Some(self.n_features), self.columns.len(), true)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(x.select(Axis(1), &self.columns))
    }
}
