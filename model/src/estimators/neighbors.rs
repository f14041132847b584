//! k nearest neighbours, by comparing with every training row.

use ndarray::{Array2, ArrayView2};

use super::meta::per_target;
use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const CLASSIFIER: Family =
    Family { op: "knn_classifier", classes: &["KNeighborsClassifier"], import: |o, b| import(Kind::Classifier, o, b), load };

pub(crate) const REGRESSOR: Family =
    Family { op: "knn_regressor", classes: &["KNeighborsRegressor"], import: |o, b| import(Kind::Regressor, o, b), load };

#[derive(Debug, Clone, Copy)]
enum Metric {
    Euclidean,
    Manhattan,
    Chebyshev,
    Minkowski(f64),
}

struct Neighbors {
    metric: Metric,
    k: usize,
    /// Near neighbours count for more: the inverse of their distance.
    weighted: bool,
    rows: View<f64>,
    n_features: usize,
    /// Targets by training rows, or their classes as numbers in one column.
    targets: View<f64>,
    width: usize,
    classes: Option<Classes>,
}

fn import(kind: Kind, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let Some(targets) = object.targets().filter(|_| kind == Kind::Classifier) else {
        return one(kind, object, builder, None);
    };
    let mut rows: Option<String> = None;
    per_target(object, targets, builder, |builder, i, classes| {
        let node = one(kind, object, builder, Some((i, classes, rows.as_deref())))?;
        rows = node.tensors.get("rows").cloned();
        Ok(node)
    })
}

/// All targets, or one of them with its classes; the targets share their training rows.
fn one(
    kind: Kind,
    object: &Obj<'_>,
    builder: &mut Builder,
    target: Option<(usize, Classes, Option<&str>)>,
) -> Result<Node, Error> {
    let mut node = Node::new(if kind == Kind::Classifier { CLASSIFIER.op } else { REGRESSOR.op }, object.class());
    let rows = object.matrix("_fit_X")?;
    let n = rows.nrows();
    let k = object.size("n_neighbors")?;
    if k == 0 || k > n {
        return Err(object.wrong("n_neighbors", format!("is {k}, and there are {n} training rows")));
    }
    node.set("k", k);
    let Some(weights) = object.need("weights")?.text().or(object.some("weights").is_none().then_some("uniform".into())) else {
        return Err(Error::unsupported(object.class(), "its weights are a Python function"));
    };
    node.set("weights", &*weights);
    let metric = object.word("effective_metric_", "");
    if metric.is_empty() {
        return Err(Error::unsupported(object.class(), "its metric is a Python function"));
    }
    let p = object.some("effective_metric_params_").and_then(|m| m.entry("p")).and_then(|p| p.float());
    node.set("metric", &*metric);
    node.set_f64("p", p.or(object.some("p").and_then(|p| p.float())).unwrap_or(2.0));
    if object.some("effective_metric_params_").is_some_and(|m| m.entry("w").is_some_and(|w| !w.is_none())) {
        return Err(Error::unsupported(object.class(), "its metric weighs the features"));
    }
    let mut targets = object.floats("_y")?;
    if targets.ndim() == 1 {
        targets = targets.insert_axis(ndarray::Axis(1));
    }
    if let Some((i, ..)) = target.as_ref().filter(|(i, ..)| targets.ndim() == 2 && *i < targets.shape()[1]) {
        targets = targets.select(ndarray::Axis(1), &[*i]);
    }
    if targets.ndim() != 2 || targets.shape()[0] != n || (kind == Kind::Classifier && targets.shape()[1] != 1) {
        return Err(object.wrong("_y", format!("has shape {:?}, which does not fit {n} rows", targets.shape())));
    }
    node.n_features = Some(rows.ncols());
    match &target {
        Some((_, _, Some(rows))) => drop(node.tensors.insert("rows".to_owned(), (*rows).to_owned())),
        _ => builder.f64(&mut node, "rows", rows.into_dyn())?,
    }
    builder.f64(&mut node, "targets", targets)?;
    match target {
        Some((_, classes, _)) => node.set_classes(classes),
        None if kind == Kind::Classifier => node.set_classes(object.classes()?),
        None => {}
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let (rows, targets) = (store.f64(node, "rows")?, store.f64(node, "targets")?);
    let ([n, n_features], [m, width]) = (rows.shape(), targets.shape()) else {
        return Err(node.broken("its rows are no matrix"));
    };
    let (n, n_features, width, k) = (*n, *n_features, *width, node.usize("k")?);
    if n != *m || n_features == 0 || k == 0 || k > n {
        return Err(node.broken("its rows do not fit its targets"));
    }
    let metric = match (node.text("metric")?, node.f64("p")?) {
        ("euclidean" | "l2", _) | ("minkowski", 2.0) => Metric::Euclidean,
        ("manhattan" | "l1" | "cityblock", _) | ("minkowski", 1.0) => Metric::Manhattan,
        ("chebyshev", _) => Metric::Chebyshev,
        ("minkowski", p) if p > 0.0 => Metric::Minkowski(p),
        _ => return Err(node.broken("its metric is unknown")),
    };
    let classes = match node.op == CLASSIFIER.op {
        true => Some(node.need_classes()?),
        false => None,
    };
    let inside = |c: &Classes| width == 1 && targets.slice().iter().all(|t| *t >= 0.0 && (*t as usize) < c.len());
    if !classes.as_ref().is_none_or(inside) {
        return Err(node.broken("a row has a class that is not there"));
    }
    let weighted = node.text("weights")? == "distance";
    Ok(Box::new(Neighbors { metric, k, weighted, rows, n_features, targets, width, classes }))
}

impl Neighbors {
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
        match self.metric {
            // Its root is taken when it is needed: the order is the same.
            Metric::Euclidean => math::squared_distance(a, b),
            Metric::Manhattan => math::manhattan(a, b),
            Metric::Chebyshev => pairs().fold(0.0, f64::max),
            Metric::Minkowski(p) => pairs().map(|d| d.powf(p)).sum::<f64>().powf(1.0 / p),
        }
    }

    /// Calls `each` with every row's number and its neighbours as (training row, weight).
    fn search(&self, x: ArrayView2<'_, f64>, mut each: impl FnMut(usize, &[(usize, f64)])) {
        let x = x.as_standard_layout();
        let mut order: Vec<(f64, usize)> = Vec::new();
        let mut near: Vec<(usize, f64)> = Vec::new();
        for (i, row) in x.outer_iter().enumerate() {
            let row = row.to_slice().unwrap_or_default();
            order.clear();
            let trained = self.rows.slice().chunks_exact(self.n_features).enumerate();
            order.extend(trained.map(|(j, other)| (self.distance(row, other), j)));
            order.select_nth_unstable_by(self.k - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.clear();
            let here = order[..self.k].iter().any(|(d, _)| *d == 0.0);
            near.extend(order[..self.k].iter().map(|(d, j)| {
                let d = if matches!(self.metric, Metric::Euclidean) { d.sqrt() } else { *d };
                // A row that was trained on speaks for itself alone.
                let weight = match (self.weighted, here) {
                    (false, _) => 1.0,
                    (true, true) => f64::from(u8::from(d == 0.0)),
                    (true, false) => 1.0 / d,
                };
                (*j, weight)
            }));
            each(i, &near);
        }
    }
}

impl Estimator for Neighbors {
    fn outline(&self) -> Outline {
        let classifier = self.classes.is_some();
        Outline {
            kind: if classifier { Kind::Classifier } else { Kind::Regressor },
            n_features: Some(self.n_features),
            n_outputs: self.classes.as_ref().map_or(self.width, Classes::len),
            methods: Methods { predict: true, proba: classifier, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.extend(self.proba(x)?.outer_iter().map(math::argmax));
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::<f64>::zeros((x.nrows(), self.classes.as_ref().map_or(0, Classes::len)));
        let targets = self.targets.slice();
        self.search(x, |i, near| {
            let mut row = out.row_mut(i);
            near.iter().for_each(|(j, weight)| row[targets[*j] as usize] += weight);
            let sum = row.sum();
            row /= sum;
        });
        Ok(out)
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let targets = self.targets.slice();
        self.search(x, |_, near| {
            let total: f64 = near.iter().map(|(_, w)| w).sum();
            for column in 0..self.width {
                let sum: f64 = near.iter().map(|(j, w)| w * targets[j * self.width + column]).sum();
                out.push(sum / total);
            }
        });
        Ok(())
    }
}
