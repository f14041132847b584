//! An estimator per target: `MultiOutputRegressor` and `MultiOutputClassifier`.
//!
//! The classes of several targets are no one list of labels: they are told as `targets`.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::super::{Estimator, Family, Methods, Outline, Scorer};
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind};

pub(crate) const TARGETS: Family =
    Family { op: "targets", classes: &["MultiOutputClassifier", "MultiOutputRegressor"], import, load };

struct Targets {
    members: Vec<Scorer>,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
    kind: Kind,
    /// Of each target, if all are classes.
    targets: Option<Vec<Classes>>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(TARGETS.op, object.class());
    let classifier = object.name() == "MultiOutputClassifier";
    node.set_kind(if classifier { Kind::Classifier } else { Kind::Regressor });
    super::import_list(object, "estimators_", builder, &mut node)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let members = super::children(node, store)?;
    let n_features = super::common_features(node, &members)?;
    let one = |m: &Scorer| m.outline().methods.predict && (m.classes().is_some() || m.outline().n_outputs == 1);
    let kind = node.kind()?;
    let targets = members.iter().map(|m| m.classes().cloned()).collect::<Option<Vec<_>>>();
    let targets = targets.filter(|_| kind == Kind::Classifier);
    let texts = members.iter().any(|m| matches!(m.classes(), Some(Classes::Str(_))));
    if !members.iter().all(one) || (targets.is_none() && texts) {
        return Err(node.broken("a member gives something else than one number"));
    }
    let takes = super::common_columns(node, &members)?;
    Ok(Box::new(Targets { members, n_features, takes, kind, targets }))
}

impl Targets {
    fn has_proba(&self) -> bool {
        self.targets.is_some() && self.members.iter().all(|m| m.outline().methods.proba)
    }
}

impl Estimator for Targets {
    fn outline(&self) -> Outline {
        Outline {
            kind: self.kind,
            n_features: self.n_features,
            n_outputs: self.members.len(),
            methods: Methods { predict: true, proba: self.has_proba(), ..Methods::default() },
            // Each member checks for itself.
            takes_nan: true,
        }
    }

    fn takes_missing(&self) -> bool {
        self.members.iter().all(Scorer::takes_missing)
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn targets(&self) -> Option<&[Classes]> {
        self.targets.as_deref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let (start, width) = (out.len(), self.members.len());
        out.resize(start + x.nrows() * width, 0);
        let mut indices = Vec::new();
        for (target, member) in self.members.iter().enumerate() {
            indices.clear();
            member.indices(x, &mut indices)?;
            for (row, index) in out[start..].chunks_exact_mut(width).zip(&indices) {
                row[target] = *index;
            }
        }
        Ok(())
    }

    /// The probabilities of all targets side by side, which scikit-learn gives as a list.
    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let parts = self.members.iter().map(|member| member.proba(x)).collect::<Result<Vec<_>, Error>>()?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(1), &views).map_err(|e| Error::Internal(format!("probabilities of several targets: {e}")))
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let (start, width) = (out.len(), self.members.len());
        out.resize(start + x.nrows() * width, 0.0);
        let (mut values, mut indices) = (Vec::new(), Vec::new());
        for (target, member) in self.members.iter().enumerate() {
            values.clear();
            match member.classes() {
                None => member.values(x, &mut values)?,
                Some(classes) => {
                    indices.clear();
                    member.indices(x, &mut indices)?;
                    values.extend(indices.iter().map(|i| classes.number(*i as usize)));
                }
            }
            for (row, value) in out[start..].chunks_exact_mut(width).zip(&values) {
                row[target] = *value;
            }
        }
        Ok(())
    }
}
