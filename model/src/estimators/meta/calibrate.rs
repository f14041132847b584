//! `CalibratedClassifierCV`: scores turned into probabilities, averaged over the folds.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline, Scorer, math};
use crate::artefact::{Builder, Child, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind};

pub(crate) const CALIBRATED: Family = Family { op: "calibrated", classes: &["CalibratedClassifierCV"], import, load };

/// From the score of one class to its probability.
enum Curve {
    /// `1 / (1 + exp(a·s + b))`
    Sigmoid { a: f64, b: f64 },
    /// Straight lines between known points, level beyond them.
    Steps { x: View<f64>, y: View<f64> },
}

enum Calibration {
    /// A curve per column of scores, and the class each speaks for.
    Curves(Vec<(Curve, usize)>),
    /// Softmax of the scores over a temperature.
    Temperature(f64),
}

struct Fold {
    scorer: Scorer,
    calibration: Calibration,
}

struct Calibrated {
    folds: Vec<Fold>,
    classes: Classes,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(CALIBRATED.op, object.class());
    node.set_classes(object.classes()?);
    for (i, fold) in object.list("calibrated_classifiers_")?.iter().enumerate() {
        let Some(fold) = fold.object() else {
            return Err(object.wrong("calibrated_classifiers_", "holds something unknown"));
        };
        let name = if fold.some("estimator").is_some() { "estimator" } else { "base_estimator" };
        let inner = super::super::import(&fold.object(name)?, builder)?;
        let name = if fold.some("calibrators").is_some() { "calibrators" } else { "calibrators_" };
        for (j, calibrator) in fold.list(name)?.iter().enumerate() {
            let Some(calibrator) = calibrator.object() else {
                return Err(fold.wrong(name, "holds something unknown"));
            };
            let role = |part: &str| format!("{part}.{i}.{j}");
            match calibrator.name() {
                "_SigmoidCalibration" => {
                    let ab = vec![calibrator.float("a_")?, calibrator.float("b_")?];
                    builder.vec(&mut node, &role("sigmoid"), ab)?;
                }
                "IsotonicRegression" => {
                    let (x, y) = (calibrator.vector("X_thresholds_")?, calibrator.vector("y_thresholds_")?);
                    builder.vec(&mut node, &role("x"), x)?;
                    builder.vec(&mut node, &role("y"), y)?;
                }
                "_TemperatureScaling" => {
                    let beta = vec![calibrator.float("beta_")?];
                    builder.vec(&mut node, &role("temperature"), beta)?;
                }
                other => return Err(Error::unsupported(object.class(), format!("its calibration is a {other}"))),
            }
        }
        node.children.push(Child { name: i.to_string(), node: inner });
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    let scorers = super::children(node, store)?;
    let n_features = super::common_features(node, &scorers)?;
    let mut folds = Vec::new();
    for (i, scorer) in scorers.into_iter().enumerate() {
        let methods = scorer.outline().methods;
        if !methods.decision && !methods.proba {
            return Err(node.broken("a member has no scores"));
        }
        let role = format!("temperature.{i}.0");
        let calibration = match node.tensors.contains_key(&role) {
            true => Calibration::Temperature(store.f64(node, &role)?.expect(node, &role, &[1])?.slice()[0]),
            false => Calibration::Curves(curves(node, store, i, &scorer, &classes)?),
        };
        folds.push(Fold { scorer, calibration });
    }
    let takes = super::common_columns(node, folds.iter().map(|fold| &fold.scorer))?;
    Ok(Box::new(Calibrated { folds, classes, n_features, takes }))
}

fn curves(node: &Node, store: &Store, i: usize, scorer: &Scorer, classes: &Classes) -> Result<Vec<(Curve, usize)>, Error> {
    let positions = super::positions(node, scorer, classes, false)?;
    // Of two classes only the second has a score.
    let targets = if classes.len() == 2 { vec![1] } else { positions };
    let mut out = Vec::new();
    for (j, target) in targets.into_iter().enumerate() {
        let sigmoid = format!("sigmoid.{i}.{j}");
        let curve = if node.tensors.contains_key(&sigmoid) {
            let ab = store.f64(node, &sigmoid)?.expect(node, &sigmoid, &[2])?;
            Curve::Sigmoid { a: ab.slice()[0], b: ab.slice()[1] }
        } else {
            let x = store.f64(node, &format!("x.{i}.{j}"))?;
            let y = store.f64(node, &format!("y.{i}.{j}"))?;
            if x.len() == 0 || x.len() != y.len() {
                return Err(node.broken("a curve has no points"));
            }
            Curve::Steps { x, y }
        };
        out.push((curve, target));
    }
    Ok(out)
}

impl Curve {
    fn at(&self, score: f64) -> f64 {
        match self {
            Curve::Sigmoid { a, b } => math::expit(-(a * score + b)),
            Curve::Steps { x, y } => interpolate(x.slice(), y.slice(), score),
        }
    }
}

fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let after = x.partition_point(|v| *v < at);
    match (after.checked_sub(1), x.get(after)) {
        (None, _) => y[0],
        (Some(before), None) => y[before],
        (Some(before), Some(next)) => {
            let slope = (y[after] - y[before]) / (next - x[before]);
            slope * (at - x[before]) + y[before]
        }
    }
}

impl Fold {
    fn proba(&self, x: ArrayView2<'_, f64>, n: usize) -> Result<Array2<f64>, Error> {
        let decides = self.scorer.outline().methods.decision;
        let scores = if decides { self.scorer.decision(x)? } else { self.scorer.proba(x)? };
        let mut out = Array2::zeros((x.nrows(), n));
        match &self.calibration {
            Calibration::Curves(curves) => {
                // Probabilities of two classes come in two columns, of which the second is meant.
                let skip = scores.ncols().saturating_sub(curves.len());
                for (row, mut out) in scores.outer_iter().zip(out.outer_iter_mut()) {
                    for ((curve, class), score) in curves.iter().zip(row.iter().skip(skip)) {
                        out[*class] = curve.at(*score);
                    }
                    if n == 2 {
                        out[0] = 1.0 - out[1];
                    } else {
                        let sum = out.sum();
                        if sum == 0.0 { out.fill(1.0 / n as f64) } else { out /= sum }
                    }
                }
            }
            Calibration::Temperature(beta) => {
                for (row, mut out) in scores.outer_iter().zip(out.outer_iter_mut()) {
                    // Probabilities are taken as logarithms, and one score stands for two classes.
                    let logit = |v: f64| if decides { v } else { (v + 1e-12).ln() };
                    if row.len() == 1 {
                        out[0] = -beta * logit(row[0]);
                        out[1] = beta * logit(row[0]);
                    } else {
                        out.iter_mut().zip(row).for_each(|(out, v)| *out = beta * logit(*v));
                    }
                }
                math::softmax_rows(&mut out);
            }
        }
        out.mapv_inplace(|p| if p > 1.0 && p <= 1.0 + 1e-5 { 1.0 } else { p });
        Ok(out)
    }
}

impl Estimator for Calibrated {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Classifier,
            n_features: self.n_features,
            n_outputs: self.classes.len(),
            methods: Methods { predict: true, proba: true, ..Methods::default() },
            takes_nan: true,
        }
    }

    fn takes_missing(&self) -> bool {
        self.folds.iter().all(|f| f.scorer.takes_missing())
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.extend(self.proba(x)?.outer_iter().map(math::argmax));
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let n = self.classes.len();
        let mut out = Array2::zeros((x.nrows(), n));
        for fold in &self.folds {
            out += &fold.proba(x, n)?;
        }
        Ok(out / self.folds.len() as f64)
    }
}
