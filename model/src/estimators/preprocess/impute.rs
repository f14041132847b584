//! `SimpleImputer`: gaps are filled by a value per feature.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::super::text::codes;
use super::super::{Estimator, Family, Outline};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Column, Error};

pub(crate) const IMPUTER: Family = Family { op: "simple_imputer", classes: &["SimpleImputer", "Imputer"], import, load };

struct Imputer {
    missing: f64,
    /// What fills the gaps; NaN for a feature that was all gaps in training.
    fill: View<f64>,
    /// Which features are texts, if any is.
    takes: Option<Vec<Column>>,
    /// Columns that remain, where some were all gaps.
    kept: Option<Vec<usize>>,
    /// Features of whose gaps a column of its own tells, after all others.
    told: Vec<usize>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(IMPUTER.op, object.class());
    let missing = object.need("missing_values")?;
    let marked = missing.text();
    let missing = match (&marked, missing.float()) {
        // As `Imputer`, before 0.22, says NaN.
        (Some(text), _) if object.name() == "Imputer" && text == "NaN" => f64::NAN,
        (Some(text), _) => builder.code(text)?,
        (None, Some(number)) => number,
        (None, None) if missing.is_none() => f64::NAN,
        (None, None) => return Err(object.wrong("missing_values", "is no number, no text and not None")),
    };
    node.set_f64("missing", missing);
    let keep = object.word("strategy", "mean") == "constant" || object.flag("keep_empty_features", false);
    node.set("drop_empty", !keep);
    let statistics = object.need("statistics_")?;
    let fill = codes::coded_each(&statistics, builder)?;
    let (fill, texts) = fill.ok_or_else(|| object.wrong("statistics_", "holds something that is no number and no text"))?;
    node.n_features = Some(fill.len());
    // A mark of what is missing in numbers is a number.
    let texts = texts
        .into_iter()
        .zip(&fill)
        .map(|(text, fill)| text || (!missing.is_nan() && marked.is_some() && fill.is_nan()))
        .collect();
    codes::set_texts(&mut node, texts);
    if object.flag("add_indicator", false) {
        let indicator = object.object("indicator_")?;
        let told = indicator.ints("features_")?.iter().copied().collect();
        builder.i64(&mut node, "told", told)?;
    }
    builder.vec(&mut node, "fill", fill)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let fill = store.f64(node, "fill")?;
    let kept: Vec<usize> = fill.slice().iter().enumerate().filter_map(|(i, v)| (!v.is_nan()).then_some(i)).collect();
    let drop = node.flag("drop_empty") && kept.len() < fill.len();
    let takes = codes::takes(node, fill.len())?;
    let told = match node.tensors.contains_key("told") {
        false => Vec::new(),
        true => {
            let told = store.i64(node, "told")?;
            let told = told.slice().iter().map(|c| usize::try_from(*c).ok().filter(|c| *c < fill.len()));
            told.collect::<Option<_>>().ok_or_else(|| node.broken("it tells of the gaps of a feature that is not there"))?
        }
    };
    Ok(Box::new(Imputer { missing: node.f64("missing")?, takes, kept: drop.then_some(kept), told, fill }))
}

impl Estimator for Imputer {
    fn outline(&self) -> Outline {
        let n = self.fill.len();
        super::transformer(Some(n), self.kept.as_ref().map_or(n, Vec::len) + self.told.len(), true)
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let missing = |value: f64| value == self.missing || (value.is_nan() && self.missing.is_nan());
        let mut out = x.to_owned();
        for mut row in out.outer_iter_mut() {
            for (value, fill) in row.iter_mut().zip(self.fill.slice()) {
                if missing(*value) {
                    *value = *fill;
                }
            }
        }
        if let Some(kept) = &self.kept {
            out = out.select(Axis(1), kept);
        }
        if self.told.is_empty() {
            return Ok(out);
        }
        let told = x.select(Axis(1), &self.told).mapv(|value| f64::from(u8::from(missing(value))));
        concatenate(Axis(1), &[out.view(), told.view()]).map_err(|e| Error::Internal(format!("columns of gaps: {e}")))
    }
}
