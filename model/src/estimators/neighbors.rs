//! k nearest neighbours, by comparing with every training row.

use ndarray::{Array2, ArrayView2, s};

use super::{Estimator, Family, Methods, Outline, math, numbers_of};
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
    /// Training rows by targets, of classifiers the places of their classes.
    values: View<f64>,
    width: usize,
    classes: Option<Classes>,
    /// In place of `classes`, where there are several targets.
    targets: Option<Vec<Classes>>,
}

fn import(kind: Kind, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
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
    let mut values = object.floats("_y")?;
    if values.ndim() == 1 {
        values = values.insert_axis(ndarray::Axis(1));
    }
    let targets = object.targets().filter(|_| kind == Kind::Classifier);
    let width = targets.as_ref().map_or(1, Vec::len);
    if values.ndim() != 2 || values.shape()[0] != n || (kind == Kind::Classifier && values.shape()[1] != width) {
        return Err(object.wrong("_y", format!("has shape {:?}, which does not fit {n} rows", values.shape())));
    }
    node.n_features = Some(rows.ncols());
    builder.f64(&mut node, "rows", rows.into_dyn())?;
    builder.f64(&mut node, "targets", values)?;
    match targets {
        Some(targets) => node.set_targets(targets),
        None if kind == Kind::Classifier => node.set_classes(object.classes()?),
        None => {}
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let (rows, values) = (store.f64(node, "rows")?, store.f64(node, "targets")?);
    let ([n, n_features], [m, width]) = (rows.shape(), values.shape()) else {
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
    let classifier = node.op == CLASSIFIER.op;
    let targets = node.targets()?.filter(|_| classifier);
    let classes = match classifier && targets.is_none() {
        true => Some(node.need_classes()?),
        false => None,
    };
    let lists = targets.as_deref().or(classes.as_ref().map(std::slice::from_ref)).unwrap_or_default();
    let inside = |(v, c): (&f64, &Classes)| *v >= 0.0 && (*v as usize) < c.len();
    if classifier && (lists.len() != width || !values.slice().iter().zip(lists.iter().cycle()).all(inside)) {
        return Err(node.broken("a row has a class that is not there"));
    }
    let weighted = node.text("weights")? == "distance";
    Ok(Box::new(Neighbors { metric, k, weighted, rows, n_features, values, width, classes, targets }))
}

impl Neighbors {
    /// The classes of each target.
    fn lists(&self) -> &[Classes] {
        self.targets.as_deref().or(self.classes.as_ref().map(std::slice::from_ref)).unwrap_or_default()
    }

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
        let classifier = self.classes.is_some() || self.targets.is_some();
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

    fn targets(&self) -> Option<&[Classes]> {
        self.targets.as_deref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        math::decide_each(&self.proba(x)?, self.lists(), out);
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let lists = self.lists();
        let mut out = Array2::<f64>::zeros((x.nrows(), lists.iter().map(Classes::len).sum()));
        let values = self.values.slice();
        self.search(x, |i, near| {
            let mut start = 0;
            for (target, classes) in lists.iter().enumerate() {
                let mut row = out.slice_mut(s![i, start..start + classes.len()]);
                near.iter().for_each(|(j, weight)| row[values[j * self.width + target] as usize] += weight);
                let sum = row.sum();
                row /= sum;
                start += classes.len();
            }
        });
        Ok(out)
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        if let Some(targets) = &self.targets {
            return numbers_of(self, targets, x, out);
        }
        let values = self.values.slice();
        self.search(x, |_, near| {
            let total: f64 = near.iter().map(|(_, w)| w).sum();
            for column in 0..self.width {
                let sum: f64 = near.iter().map(|(j, w)| w * values[j * self.width + column]).sum();
                out.push(sum / total);
            }
        });
        Ok(())
    }
}
