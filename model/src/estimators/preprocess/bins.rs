//! `KBinsDiscretizer`: the number of the interval a value lies in, or a column for each interval.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use super::starts;
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

pub(crate) const BINS: Family = Family { op: "bins", classes: &["KBinsDiscretizer"], import, load };

struct Bins {
    /// Inner edges of all features, one after the other; a value on an edge belongs above it.
    edges: View<f64>,
    /// Where each feature's edges begin, and the end of the last.
    starts: Vec<usize>,
    /// A column for each interval.
    one_hot: bool,
    /// Before scikit-learn 1.1 values just below an edge counted as on it: absolute and relative.
    near: (f64, f64),
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(BINS.op, object.class());
    let (mut edges, mut counts) = (Vec::new(), Vec::new());
    for feature in object.list("bin_edges_")? {
        let Some(all) = feature.floats().filter(|f| f.len() >= 2) else {
            return Err(object.wrong("bin_edges_", "holds something that is no list of edges"));
        };
        let inner = all.iter().copied().take(all.len() - 1).skip(1);
        let before = edges.len();
        edges.extend(inner);
        counts.push((edges.len() - before) as i64);
    }
    node.n_features = Some(counts.len());
    node.set("one_hot", object.word("encode", "onehot") != "ordinal");
    node.set("tolerant", object.version().is_some_and(|v| v < (1, 1)));
    builder.vec(&mut node, "edges", edges)?;
    builder.i64(&mut node, "counts", counts)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let edges = store.f64(node, "edges")?;
    let starts = starts(store.i64(node, "counts")?.slice(), edges.len());
    let starts = starts.ok_or_else(|| node.broken("its edges do not add up"))?;
    let near = if node.flag("tolerant") { (1e-8, 1e-5) } else { (0.0, 0.0) };
    Ok(Box::new(Bins { edges, starts, one_hot: node.flag("one_hot"), near }))
}

impl Estimator for Bins {
    fn outline(&self) -> Outline {
        let n = self.starts.len() - 1;
        super::transformer(Some(n), if self.one_hot { self.edges.len() + n } else { n }, false)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.outline().n_outputs));
        for ((row, column), value) in x.indexed_iter() {
            let (start, end) = (self.starts[column], self.starts[column + 1]);
            let value = value + self.near.0 + self.near.1 * value.abs();
            let bin = self.edges.slice()[start..end].partition_point(|edge| *edge <= value);
            // A feature has one interval more than inner edges.
            match self.one_hot {
                true => out[[row, start + column + bin]] = 1.0,
                false => out[[row, column]] = bin as f64,
            }
        }
        Ok(out)
    }
}
