//! Several classes from binary classifiers: one per class against the rest, or one per pair.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline, Scorer, math};
use super::constant::{self, CONSTANT};
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind};

pub(crate) const ONE_VERSUS_REST: Family =
    Family { op: "one_versus_rest", classes: &["OneVsRestClassifier"], import: import_rest, load: load_rest };

pub(crate) const ONE_VERSUS_ONE: Family =
    Family { op: "one_versus_one", classes: &["OneVsOneClassifier"], import: import_one, load: load_one };

struct Rest {
    members: Vec<Scorer>,
    classes: Classes,
    /// Every class is there or not, by itself: its score is above the first number.
    several: Option<(f64, Vec<Classes>)>,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
}

fn import_rest(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(ONE_VERSUS_REST.op, object.class());
    let encoder = object.object("label_binarizer_")?;
    let kind = encoder.word("y_type_", "multiclass");
    match &*kind {
        "multiclass" | "binary" => {}
        "multilabel-indicator" => node.set("several", true),
        _ => return Err(Error::unsupported(object.class(), format!("its target is {kind}"))),
    }
    node.set_classes(encoder.classes()?);
    super::import_list_by(object, "estimators_", builder, &mut node, |member, builder| match member.name() {
        constant::CLASS => builder.spend(256).and_then(|()| constant::node(member)),
        _ => super::super::import(member, builder),
    })?;
    if node.children.first().is_some_and(|first| first.node.op == CONSTANT.op) {
        // scikit-learn asks the first member for the threshold, and takes this one for no classifier.
        node.set("half", true);
    }
    Ok(node)
}

fn load_rest(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    let members = binary(node, store)?;
    let several = node.flag("several");
    if members.len() != classes.len() && (several || members.len() != 1 || classes.len() != 2) {
        return Err(node.broken("its members do not fit its classes"));
    }
    let several = several.then(|| {
        let threshold = if node.flag("half") { 0.5 } else { members.first().map_or(0.5, super::binary_threshold) };
        (threshold, vec![Classes::Int(vec![0, 1]); members.len()])
    });
    let n_features = super::common_features(node, &members)?;
    let takes = super::common_columns(node, &members)?;
    Ok(Box::new(Rest { members, classes, several, n_features, takes }))
}

/// Members that tell two classes apart and can say how sure they are.
fn binary(node: &Node, store: &Store) -> Result<Vec<Scorer>, Error> {
    let members = super::children(node, store)?;
    let fits = |m: &Scorer| {
        let methods = m.outline().methods;
        m.classes().is_some_and(|c| c.len() == 2) && (methods.decision || methods.proba)
    };
    if members.iter().all(fits) { Ok(members) } else { Err(node.broken("a member is no binary classifier with scores")) }
}

impl Rest {
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.members.len()));
        for (member, mut column) in self.members.iter().zip(out.columns_mut()) {
            column.iter_mut().zip(super::binary_score(member, x)?).for_each(|(out, score)| *out = score);
        }
        Ok(out)
    }

    fn all(&self, has: impl Fn(&Methods) -> bool) -> bool {
        self.members.iter().all(|m| has(&m.outline().methods))
    }
}

impl Estimator for Rest {
    fn outline(&self) -> Outline {
        let proba = self.all(|m| m.proba);
        Outline {
            kind: Kind::Classifier,
            n_features: self.n_features,
            n_outputs: if proba { self.classes.len() } else { self.members.len() },
            methods: Methods { predict: true, proba, decision: self.all(|m| m.decision), transform: false },
            takes_nan: true,
        }
    }

    fn takes_missing(&self) -> bool {
        self.members.iter().all(Scorer::takes_missing)
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes).filter(|_| self.several.is_none())
    }

    fn targets(&self) -> Option<&[Classes]> {
        self.several.as_ref().map(|(_, targets)| targets.as_slice())
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let scores = self.scores(x)?;
        if let Some((threshold, _)) = self.several {
            out.extend(scores.iter().map(|s| u32::from(*s > threshold)));
        } else if let [only] = &self.members[..] {
            let threshold = super::binary_threshold(only);
            out.extend(scores.iter().map(|s| u32::from(*s > threshold)));
        } else {
            out.extend(scores.outer_iter().map(math::argmax));
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.scores(x)
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.classes.len()));
        let single = self.members.len() == 1 && self.several.is_none();
        for (i, member) in self.members.iter().enumerate() {
            let proba = member.proba(x)?;
            for (mut row, p) in out.outer_iter_mut().zip(proba.column(1)) {
                if single {
                    row[0] = 1.0 - p;
                    row[1] = *p;
                } else {
                    row[i] = *p;
                }
            }
        }
        for mut row in out.outer_iter_mut().filter(|_| self.several.is_none()) {
            let sum = row.sum();
            if sum != 0.0 {
                row /= sum;
            }
        }
        Ok(out)
    }
}

struct One {
    /// For classes (0,1), (0,2) … (1,2) …
    members: Vec<Scorer>,
    classes: Classes,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
}

fn import_one(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(ONE_VERSUS_ONE.op, object.class());
    if object.some("pairwise_indices_").is_some() {
        return Err(Error::unsupported(object.class(), "members with precomputed kernels are not supported"));
    }
    node.set_classes(object.classes()?);
    super::import_list(object, "estimators_", builder, &mut node)?;
    Ok(node)
}

fn load_one(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = node.need_classes()?;
    let members = binary(node, store)?;
    if members.len() != classes.len().saturating_mul(classes.len() - 1) / 2 {
        return Err(node.broken("its members do not fit its classes"));
    }
    let n_features = super::common_features(node, &members)?;
    let takes = super::common_columns(node, &members)?;
    Ok(Box::new(One { members, classes, n_features, takes }))
}

impl One {
    /// Votes per class, parted by their summed confidences squeezed below a third.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let n = self.classes.len();
        let mut votes = Array2::<f64>::zeros((x.nrows(), n));
        let mut sums = Array2::<f64>::zeros((x.nrows(), n));
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let mut winners = Vec::new();
        for (member, (i, j)) in self.members.iter().zip(pairs) {
            winners.clear();
            member.indices(x, &mut winners)?;
            let confidence = super::binary_score(member, x)?;
            for (row, (winner, confidence)) in winners.iter().zip(&confidence).enumerate() {
                votes[[row, if *winner == 0 { i } else { j }]] += 1.0;
                sums[[row, i]] -= confidence;
                sums[[row, j]] += confidence;
            }
        }
        sums.mapv_inplace(|sum| sum / (3.0 * (sum.abs() + 1.0)));
        Ok(votes + sums)
    }
}

impl Estimator for One {
    fn outline(&self) -> Outline {
        let n = self.classes.len();
        Outline {
            kind: Kind::Classifier,
            n_features: self.n_features,
            n_outputs: if n == 2 { 1 } else { n },
            methods: Methods { predict: true, decision: true, ..Methods::default() },
            takes_nan: true,
        }
    }

    fn takes_missing(&self) -> bool {
        self.members.iter().all(Scorer::takes_missing)
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let scores = self.decision(x)?;
        if let ([only], 1) = (&self.members[..], scores.ncols()) {
            let threshold = super::binary_threshold(only);
            out.extend(scores.iter().map(|s| u32::from(*s > threshold)));
        } else {
            math::decide(&scores, out);
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let scores = self.scores(x)?;
        Ok(match self.classes.len() {
            2 => scores.slice_move(ndarray::s![.., 1..]),
            _ => scores,
        })
    }
}
