//! An estimator with a guard before it: width, NaN and missing methods are told apart here, once.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use super::text::Reads;
use super::{Estimator, Outline};
use crate::{Classes, Column, Error, Table, Texts};

pub(crate) struct Scorer {
    class: String,
    outline: Outline,
    estimator: Box<dyn Estimator>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer").field("class", &self.class).field("outline", &self.outline).finish_non_exhaustive()
    }
}

impl Scorer {
    pub(crate) fn new(class: String, estimator: Box<dyn Estimator>) -> Scorer {
        Scorer { class, outline: estimator.outline(), estimator }
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    pub(crate) fn classes(&self) -> Option<&Classes> {
        self.estimator.classes()
    }

    pub(crate) fn targets(&self) -> Option<&[Classes]> {
        self.estimator.targets()
    }

    pub(crate) fn reads(&self) -> Reads {
        self.estimator.reads()
    }

    pub(crate) fn reads_text(&self) -> bool {
        self.reads() == Reads::Texts
    }

    pub(crate) fn columns(&self) -> Option<&[Column]> {
        self.estimator.columns()
    }

    pub(crate) fn takes_missing(&self) -> bool {
        self.estimator.takes_missing()
    }

    pub(crate) fn passes(&self) -> bool {
        self.estimator.passes()
    }

    pub(crate) fn read(&self, texts: Texts<'_>) -> Result<Array2<f64>, Error> {
        self.estimator.read(texts)
    }

    pub(crate) fn read_table(&self, x: Array2<f64>, table: &Table, rows: Range<usize>) -> Result<Array2<f64>, Error> {
        self.estimator.read_table(x, table, rows)
    }

    pub(crate) fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let labels = self.classes().is_some() || self.targets().is_some();
        self.check(x, "predict of classes", self.outline.methods.predict && labels)?;
        if x.nrows() == 0 {
            return Ok(());
        }
        self.estimator.indices(x, out)
    }

    pub(crate) fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let texts = self.targets().is_some_and(|targets| targets.iter().any(|c| matches!(c, Classes::Str(_))));
        self.check(x, "predict of values", self.outline.methods.predict && self.classes().is_none() && !texts)?;
        if x.nrows() == 0 {
            return Ok(());
        }
        self.estimator.values(x, out)
    }

    pub(crate) fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.check(x, "predict_proba", self.outline.methods.proba)?;
        self.estimator.proba(x)
    }

    pub(crate) fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.check(x, "decision_function", self.outline.methods.decision)?;
        self.estimator.decision(x)
    }

    pub(crate) fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.check(x, "transform", self.outline.methods.transform)?;
        self.estimator.transform(x)
    }

    fn check(&self, x: ArrayView2<'_, f64>, method: &'static str, offered: bool) -> Result<(), Error> {
        if !offered {
            return Err(self.no_method(method));
        }
        if let Some(expected) = self.outline.n_features
            && expected != x.ncols()
        {
            return Err(Error::Width { expected, found: x.ncols() });
        }
        if self.outline.takes_nan {
            return Ok(());
        }
        // A sum is finite unless a value is not, or many are huge: then look at each.
        if x.sum().is_finite() {
            return Ok(());
        }
        match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
            Some(((row, column), value)) => Err(Error::NotFinite { row, column, value: *value }),
            None => Ok(()),
        }
    }

    fn no_method(&self, method: &'static str) -> Error {
        let methods = self.outline.methods;
        let predict =
            if self.classes().is_some() || self.targets().is_some() { "predict of classes" } else { "predict of values" };
        let has: Vec<&str> = [
            (methods.predict, predict),
            (methods.proba, "predict_proba"),
            (methods.decision, "decision_function"),
            (methods.transform, "transform"),
        ]
        .into_iter()
        .filter_map(|(has, name)| has.then_some(name))
        .collect();
        let has = if has.is_empty() { Cow::Borrowed("nothing") } else { Cow::Owned(has.join(", ")) };
        Error::NoMethod { class: self.class.clone(), method, has: has.into_owned() }
    }
}
