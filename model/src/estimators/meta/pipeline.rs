//! Estimators made of others: pipelines, and searches that found one.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, CowArray, Ix2};

use super::super::text::Reads;
use super::super::{Estimator, Family, Methods, Outline, Scorer};
use crate::artefact::{Builder, Child, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Table, Texts};

pub(crate) const PIPELINE: Family =
    Family { op: "pipeline", classes: &["Pipeline"], import: import_pipeline, load: load_pipeline };

/// A search is its best estimator: it leaves no node of its own.
pub(crate) const SEARCH: Family = Family {
    op: "search",
    classes: &["GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"],
    import: import_search,
    load: |node, _| Err(node.broken("a search holds no model")),
};

fn import_search(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    if object.some("best_estimator_").is_none() {
        return Err(object.wrong("best_estimator_", "is missing: fit the search with refit=True"));
    }
    super::super::import(&object.object("best_estimator_")?, builder)
}

fn import_pipeline(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(PIPELINE.op, object.class());
    for step in object.list("steps")? {
        let step = step.list().unwrap_or_default();
        let [name, estimator] = step[..] else {
            return Err(object.wrong("steps", "holds something that is no (name, estimator)"));
        };
        let name = name.text().unwrap_or_default().into_owned();
        if estimator.is_none() || estimator.text().is_some_and(|t| t == "passthrough") {
            continue;
        }
        let Some(estimator) = estimator.object() else {
            return Err(object.wrong("steps", format!("holds {} as `{name}`", estimator.type_name())));
        };
        let child = super::super::import(&estimator, builder)?;
        if node.children.is_empty() {
            node.feature_names = child.feature_names.clone();
        }
        node.children.push(Child { name, node: child });
    }
    if node.children.is_empty() {
        return Err(object.wrong("steps", "has no step that does anything"));
    }
    Ok(node)
}

struct Pipeline {
    transformers: Vec<Scorer>,
    last: Scorer,
}

fn load_pipeline(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let mut steps = Vec::new();
    for child in &node.children {
        steps.push(super::super::load(&child.node, store)?);
    }
    let last = steps.pop().ok_or_else(|| node.broken("it has no steps"))?;
    for (before, after) in steps.iter().zip(steps.iter().skip(1).chain([&last])) {
        let gives = before.outline().n_outputs;
        if !before.outline().methods.transform {
            return Err(node.broken("a step before the last does not transform"));
        }
        if after.outline().n_features.is_some_and(|takes| takes != gives && gives != 0) {
            return Err(node.broken("the widths of its steps do not fit"));
        }
    }
    Ok(Box::new(Pipeline { transformers: steps, last }))
}

impl Pipeline {
    fn first(&self) -> &Scorer {
        self.transformers.first().unwrap_or(&self.last)
    }

    /// The rows as the last step sees them.
    fn features<'x>(&self, x: ArrayView2<'x, f64>) -> Result<CowArray<'x, f64, Ix2>, Error> {
        let mut rows = CowArray::from(x);
        for step in self.transformers.iter().filter(|step| !step.passes()) {
            rows = CowArray::from(step.transform(rows.view())?);
        }
        Ok(rows)
    }
}

impl Estimator for Pipeline {
    fn outline(&self) -> Outline {
        let first = self.first().outline();
        Outline {
            n_features: first.n_features,
            // Each step checks for itself.
            takes_nan: true,
            methods: Methods { ..self.last.outline().methods },
            ..*self.last.outline()
        }
    }

    fn classes(&self) -> Option<&Classes> {
        self.last.classes()
    }

    fn targets(&self) -> Option<&[Classes]> {
        self.last.targets()
    }

    fn reads(&self) -> Reads {
        self.first().reads()
    }

    fn takes_missing(&self) -> bool {
        self.first().takes_missing()
    }

    fn columns(&self) -> Option<&[Column]> {
        self.transformers.iter().find(|step| !step.passes()).unwrap_or(&self.last).columns()
    }

    fn read(&self, texts: Texts<'_>) -> Result<Array2<f64>, Error> {
        self.first().read(texts)
    }

    fn read_table(&self, x: Array2<f64>, table: &Table, rows: Range<usize>) -> Result<Array2<f64>, Error> {
        self.first().read_table(x, table, rows)
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

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.last.transform(self.features(x)?.view())
    }
}
