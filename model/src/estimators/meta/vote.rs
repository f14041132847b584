//! Voting and bagging: the mean of what the members say, or the majority of their votes.

use ndarray::{Array2, ArrayView2, Axis};

use super::super::{Estimator, Family, Methods, Outline, Scorer, math, n_features};
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind};

pub(crate) const VOTING: Family =
    Family { op: "voting", classes: &["VotingClassifier", "VotingRegressor"], import: import_voting, load };

pub(crate) const BAGGING: Family =
    Family { op: "bagging", classes: &["BaggingClassifier", "BaggingRegressor"], import: import_bagging, load };

struct Member {
    scorer: Scorer,
    weight: f64,
    columns: Option<Vec<usize>>,
    /// Where its classes are among those of the whole.
    positions: Vec<usize>,
}

struct Vote {
    members: Vec<Member>,
    total: f64,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
    classes: Option<Classes>,
    /// Members vote with their class and not with their probabilities.
    hard: bool,
    /// Whether the shares of the votes count as probabilities.
    shares: bool,
}

fn import_voting(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(VOTING.op, object.class());
    super::import_list(object, "estimators_", builder, &mut node)?;
    if object.name() == "VotingClassifier" {
        node.set_kind(Kind::Classifier);
        node.set_classes(object.classes()?);
        node.set("hard", object.word("voting", "hard") == "hard");
    } else {
        node.set_kind(Kind::Regressor);
    }
    let weights = match object.some("weights") {
        None => vec![1.0; node.children.len()],
        Some(_) => {
            // Those of dropped members do not count.
            let all = object.vector("weights")?;
            let listed = object.list("estimators")?;
            let dropped = |i: usize| {
                let entry = listed.get(i).and_then(|e| e.list());
                entry.and_then(|e| e.get(1).copied()).is_some_and(|e| e.text().is_some_and(|t| t == "drop"))
            };
            all.into_iter().enumerate().filter(|(i, _)| !dropped(*i)).map(|(_, w)| w).collect()
        }
    };
    builder.vec(&mut node, "weights", weights)?;
    Ok(node)
}

fn import_bagging(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(BAGGING.op, object.class());
    super::import_list(object, "estimators_", builder, &mut node)?;
    let width = n_features(object)?;
    node.n_features = Some(width);
    if object.name() == "BaggingClassifier" {
        node.set_kind(Kind::Classifier);
        node.set_classes(object.classes()?);
        node.set("shares", true);
    } else {
        node.set_kind(Kind::Regressor);
    }
    let weights = vec![1.0; node.children.len()];
    builder.vec(&mut node, "weights", weights)?;
    for (i, columns) in object.list("estimators_features_")?.iter().enumerate() {
        let Some(columns) = columns.ints() else {
            return Err(object.wrong("estimators_features_", "holds something that is no list of columns"));
        };
        if !columns.iter().copied().eq(0..width as i64) {
            builder.i64(&mut node, &format!("columns.{i}"), columns.iter().copied().collect())?;
        }
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let kind = node.kind()?;
    let classes = match kind {
        Kind::Classifier => Some(node.need_classes()?),
        _ => None,
    };
    let scorers = super::children(node, store)?;
    let weights = store.f64(node, "weights")?.expect(node, "weights", &[scorers.len()])?;
    let mut n_features = node.n_features;
    let mut members = Vec::new();
    let mut soft = true;
    for (i, (scorer, weight)) in scorers.into_iter().zip(weights.slice()).enumerate() {
        let columns = super::load_columns(node, store, &format!("columns.{i}"))?;
        let given = columns.as_ref().map(Vec::len).or(n_features);
        let outline = *scorer.outline();
        if matches!((given, outline.n_features), (Some(a), Some(b)) if a != b) || !outline.methods.predict {
            return Err(node.broken("a member does not take what it is given"));
        }
        if columns.is_none() {
            n_features = n_features.or(outline.n_features);
        }
        let positions = match &classes {
            Some(classes) => super::positions(node, &scorer, classes, true)?,
            None if scorer.classes().is_some() || outline.n_outputs != 1 => {
                return Err(node.broken("a member gives something else than one value"));
            }
            None => Vec::new(),
        };
        soft &= outline.methods.proba;
        members.push(Member { scorer, weight: *weight, columns, positions });
    }
    let shares = node.flag("shares");
    if classes.is_some() && !soft && !shares && !node.flag("hard") {
        return Err(node.broken("a member has no probabilities"));
    }
    // Bagging takes numbers, of which each member may see others.
    let takes = match node.op == VOTING.op {
        true => super::common_columns(node, members.iter().map(|m| &m.scorer))?,
        false => None,
    };
    let (total, hard) = (weights.slice().iter().sum(), node.flag("hard"));
    Ok(Box::new(Vote { total, members, n_features, takes, classes, hard, shares }))
}

impl Vote {
    /// Summed weights of probabilities or votes, a column per class.
    fn tally(&self, x: ArrayView2<'_, f64>, n: usize) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), n));
        let mut votes = Vec::new();
        for member in &self.members {
            let rows = super::select(x, &member.columns);
            if self.hard || !member.scorer.outline().methods.proba {
                votes.clear();
                member.scorer.indices(rows.view(), &mut votes)?;
                for (mut row, vote) in out.outer_iter_mut().zip(&votes) {
                    row[member.positions[*vote as usize]] += member.weight;
                }
            } else {
                let proba = member.scorer.proba(rows.view())?;
                for (column, position) in proba.axis_iter(Axis(1)).zip(&member.positions) {
                    out.column_mut(*position).scaled_add(member.weight, &column);
                }
            }
        }
        Ok(out)
    }
}

impl Member {
    /// Whether it has scores for all classes of the whole, in their order.
    fn decides(&self) -> bool {
        self.scorer.outline().methods.decision && self.positions.iter().copied().eq(0..self.positions.len())
    }
}

impl Estimator for Vote {
    fn outline(&self) -> Outline {
        Outline {
            kind: if self.classes.is_some() { Kind::Classifier } else { Kind::Regressor },
            n_features: self.n_features,
            n_outputs: self.classes.as_ref().map_or(1, Classes::len),
            methods: Methods {
                predict: true,
                proba: self.classes.is_some() && (self.shares || !self.hard),
                decision: self.shares && self.members.iter().all(Member::decides),
                ..Methods::default()
            },
            takes_nan: true,
        }
    }

    fn takes_missing(&self) -> bool {
        self.members.iter().all(|m| m.scorer.takes_missing())
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let n = self.classes.as_ref().map_or(0, Classes::len);
        out.extend(self.tally(x, n)?.outer_iter().map(math::argmax));
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let n = self.classes.as_ref().map_or(0, Classes::len);
        Ok(self.tally(x, n)? / self.total)
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut sums: Option<Array2<f64>> = None;
        for member in &self.members {
            let scores = member.scorer.decision(super::select(x, &member.columns).view())?;
            sums = Some(match sums {
                None => scores,
                Some(sums) if sums.dim() == scores.dim() => sums + scores,
                Some(_) => return Err(Error::Internal("members with scores of different widths".into())),
            });
        }
        Ok(sums.unwrap_or_default() / self.total)
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let mut sums = vec![0.0; x.nrows()];
        let mut values = Vec::new();
        for member in &self.members {
            values.clear();
            member.scorer.values(super::select(x, &member.columns).view(), &mut values)?;
            sums.iter_mut().zip(&values).for_each(|(sum, v)| *sum += member.weight * v);
        }
        out.extend(sums.iter().map(|sum| sum / self.total));
        Ok(())
    }
}
