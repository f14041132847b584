//! Stacking: the answers of the members are the features of a last estimator.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::super::{Estimator, Family, Outline, Scorer};
use crate::artefact::{Builder, Child, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind};

pub(crate) const STACKING: Family =
    Family { op: "stacking", classes: &["StackingClassifier", "StackingRegressor"], import, load };

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Proba,
    Decision,
    Predict,
}

struct Stack {
    members: Vec<(Scorer, Method)>,
    last: Scorer,
    passthrough: bool,
    n_features: Option<usize>,
    takes: Option<Vec<Column>>,
    classes: Option<Classes>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(STACKING.op, object.class());
    super::import_list(object, "estimators_", builder, &mut node)?;
    let methods: Vec<String> = object.list("stack_method_")?.iter().filter_map(|m| m.text()).map(|m| m.into_owned()).collect();
    if methods.len() != node.children.len() {
        return Err(object.wrong("stack_method_", "does not fit `estimators_`"));
    }
    node.set("methods", methods);
    node.set("passthrough", object.flag("passthrough", false));
    node.set_kind(Kind::Regressor);
    if object.name() == "StackingClassifier" {
        node.set_kind(Kind::Classifier);
        node.set_classes(object.classes()?);
    }
    let last = super::super::import(&object.object("final_estimator_")?, builder)?;
    node.children.push(Child { name: "final".into(), node: last });
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let classes = match node.kind()? {
        Kind::Classifier => Some(node.need_classes()?),
        _ => None,
    };
    let mut members = super::children(node, store)?;
    let last = members.pop().ok_or_else(|| node.broken("it has no members"))?;
    let n_features = super::common_features(node, &members)?;
    let methods = node.params.get("methods").and_then(|m| m.as_array()).cloned().unwrap_or_default();
    if methods.len() != members.len() {
        return Err(node.broken("its methods do not fit its members"));
    }
    let mut pairs = Vec::new();
    for (member, method) in members.into_iter().zip(&methods) {
        let has = member.outline().methods;
        let method = match method.as_str() {
            Some("predict_proba") if has.proba => Method::Proba,
            Some("decision_function") if has.decision => Method::Decision,
            Some("predict") if has.predict => Method::Predict,
            _ => return Err(node.broken("a member has not the method it should have")),
        };
        pairs.push((member, method));
    }
    if let Some(classes) = &classes {
        // The last estimator was trained on positions: its classes are 0, 1, 2 …
        let positions = super::positions(node, &last, classes, true)?;
        if !positions.into_iter().eq(0..classes.len()) {
            return Err(node.broken("its last estimator has other classes"));
        }
    } else if last.classes().is_some() {
        return Err(node.broken("its last estimator is a classifier"));
    }
    let takes = super::common_columns(node, pairs.iter().map(|(member, _)| member))?;
    Ok(Box::new(Stack { members: pairs, last, passthrough: node.flag("passthrough"), n_features, takes, classes }))
}

impl Stack {
    fn features(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut parts = Vec::new();
        for (member, method) in &self.members {
            parts.push(match method {
                Method::Proba => {
                    let proba = member.proba(x)?;
                    // Of two probabilities that add up to 1, one is enough.
                    let skip = usize::from(self.classes.as_ref().is_some_and(|c| c.len() == 2));
                    proba.slice_move(s![.., skip..])
                }
                Method::Decision => member.decision(x)?,
                Method::Predict => predictions(member, x)?,
            });
        }
        if self.passthrough {
            parts.push(x.to_owned());
        }
        let views: Vec<ArrayView2<'_, f64>> = parts.iter().map(|p| p.view()).collect();
        let joined = concatenate(Axis(1), &views).map_err(|e| Error::Internal(e.to_string()))?;
        Ok(joined.as_standard_layout().into_owned())
    }
}

/// What `predict` gives as a column: values, or labels that are numbers.
fn predictions(member: &Scorer, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
    let mut values = Vec::new();
    match member.classes() {
        None => member.values(x, &mut values)?,
        Some(classes) => {
            let mut indices = Vec::new();
            member.indices(x, &mut indices)?;
            values.extend(indices.iter().map(|i| match classes.label(*i as usize) {
                Some(crate::Label::Int(v)) => v as f64,
                Some(crate::Label::Float(v)) => v,
                Some(crate::Label::Bool(v)) => f64::from(u8::from(v)),
                _ => f64::NAN,
            }));
        }
    }
    let columns = values.len() / x.nrows().max(1);
    Array2::from_shape_vec((x.nrows(), columns), values).map_err(|e| Error::Internal(e.to_string()))
}

impl Estimator for Stack {
    fn outline(&self) -> Outline {
        let mut outline = Outline { n_features: self.n_features, takes_nan: true, ..*self.last.outline() };
        outline.methods.transform = false;
        outline
    }

    fn takes_missing(&self) -> bool {
        self.members.iter().all(|(m, _)| m.takes_missing())
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        self.last.indices(self.features(x)?.view(), out)
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        self.last.values(self.features(x)?.view(), out)
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.last.proba(self.features(x)?.view())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.last.decision(self.features(x)?.view())
    }
}
