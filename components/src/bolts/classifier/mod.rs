//! `classifier`: labels, probabilities and scores by a model.

mod outputs;

use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Counter, Error, Field, FieldType, Output, Result, StreamDecl, StreamId, Tuple,
    ValueRef,
};
use squall_model::{Classes, Label, Model, Rows};

use crate::support::features::{Features, Gathered};
use crate::support::{at, models, schemas};
use outputs::{Emit, What};

/// The stream of rows that cannot be scored.
const INVALID: &str = "invalid";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    model: String,
    features: Features,
    #[serde(default)]
    emit: Option<Emit>,
    #[serde(default)]
    pass: Vec<String>,
    #[serde(default)]
    invalid: bool,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "scores every tuple with a model: the fields passed on, then what `emit` lists";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("model", "the model's name in the topology"),
        ("features", "a vector field, or a list of numeric fields in the model's order; a text field for a model of texts"),
        (
            "emit",
            "a list of label, proba, decision, scores (proba, or decision where there is none), confidence, index, value; \
             or a table that names them, such as { label = \"prediction\" }; label unless given, value for regressors",
        ),
        ("pass", "input fields to pass on before them"),
        ("invalid", "send rows that cannot be scored to the stream `invalid`, instead of failing them; false unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let model = models::check(check, &self.model)?;
        let width = self.features.check(check, &self.model, &model)?;
        let pass = schemas::passed(check, "pass", &self.pass)?;
        let mut fields = pass.clone();
        for (key, what, name) in outputs::resolve(self.emit.as_ref(), &model)? {
            let kind = what.kind(&model, &self.model, width).map_err(|e| at(&key, e))?;
            fields.push(Field::new(name, kind));
        }
        let remedy = "name what is emitted, such as emit = { label = \"prediction\" }";
        let mut streams = vec![StreamDecl::default_stream(schemas::distinct(fields, remedy)?)];
        if self.invalid {
            let fields = pass.into_iter().chain([Field::new("error", FieldType::Str)]).collect();
            streams.push(StreamDecl::named(INVALID, schemas::distinct(fields, "do not pass `error` on")?));
        }
        Ok(streams)
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let model = models::of(ctx, &self.model)?;
        let what = outputs::resolve(self.emit.as_ref(), &model)?.into_iter().map(|(_, what, _)| what).collect();
        Ok(Box::new(Classifier {
            what,
            invalid: if self.invalid { Some(ctx.stream(INVALID)?) } else { None },
            refused: ctx.metrics.counter("invalid rows"),
            config: self,
            model,
            gathered: Gathered::default(),
            positions: Vec::new(),
            scores: Scores::default(),
        }))
    }
}

struct Classifier {
    config: Config,
    model: Arc<Model>,
    what: Vec<What>,
    invalid: Option<StreamId>,
    refused: Counter,
    gathered: Gathered,
    positions: Vec<usize>,
    scores: Scores,
}

/// What the model says of a batch; only what is emitted is computed.
#[derive(Default)]
struct Scores {
    indices: Vec<u32>,
    values: Vec<f64>,
    proba: Option<Array2<f64>>,
    decision: Option<Array2<f64>>,
}

impl Scores {
    fn compute(&mut self, model: &Model, what: &[What], x: Rows<'_>) -> Result<(), squall_model::Error> {
        let any = |wanted: &[What]| what.iter().any(|w| wanted.contains(w));
        if any(&[What::Label, What::Index]) {
            model.predict_indices(x, &mut self.indices)?;
        }
        if any(&[What::Value]) {
            model.predict_values(x, &mut self.values)?;
        }
        if any(&[What::Proba, What::Confidence]) || (any(&[What::Scores]) && model.has_proba()) {
            self.proba = Some(row_major(model.predict_proba(x)?));
        }
        if any(&[What::Decision]) || (any(&[What::Scores]) && !model.has_proba()) {
            self.decision = Some(row_major(model.decision_function(x)?));
        }
        Ok(())
    }

    /// One output of the row at this place in the matrix.
    fn get<'s>(&'s self, what: What, at: usize, rows: usize, classes: Option<&'s Classes>) -> Option<ValueRef<'s>> {
        let vector = |matrix: &'s Option<Array2<f64>>| {
            let matrix = matrix.as_ref()?;
            matrix.as_slice()?.chunks_exact(matrix.ncols().max(1)).nth(at)
        };
        Some(match what {
            What::Index => ValueRef::Int(i64::from(*self.indices.get(at)?)),
            What::Label => match classes?.label(*self.indices.get(at)? as usize)? {
                Label::Int(v) => ValueRef::Int(v),
                Label::Float(v) => ValueRef::Float(v),
                Label::Str(v) => ValueRef::Str(v),
                Label::Bool(v) => ValueRef::Bool(v),
            },
            What::Value => match *self.values.chunks_exact((self.values.len() / rows).max(1)).nth(at)? {
                [value] => ValueRef::Float(value),
                ref several => ValueRef::F64s(several),
            },
            What::Proba => ValueRef::F64s(vector(&self.proba)?),
            What::Decision => ValueRef::F64s(vector(&self.decision)?),
            What::Scores => ValueRef::F64s(vector(&self.proba).or_else(|| vector(&self.decision))?),
            What::Confidence => ValueRef::Float(vector(&self.proba)?.iter().copied().fold(0.0, f64::max)),
        })
    }
}

/// Rows one after the other in memory, as they are emitted.
fn row_major(matrix: Array2<f64>) -> Array2<f64> {
    if matrix.is_standard_layout() { matrix } else { matrix.as_standard_layout().into_owned() }
}

impl Classifier {
    /// Scores these rows of a batch at once.
    fn rows(&mut self, batch: &Batch, rows: Range<usize>, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(batch, &self.config.pass, &mut self.positions)?;
        let x = match self.model.takes_texts() {
            true => self.config.features.gather_texts(batch, rows, &mut self.gathered)?,
            false => self.config.features.gather(batch, rows, self.model.n_features(), &mut self.gathered)?,
        };
        if let Some(x) = x {
            self.scores.compute(&self.model, &self.what, x).map_err(models::failed)?;
        }
        let mut row = Vec::with_capacity(self.positions.len() + self.what.len());
        let pass = |row: &mut Vec<_>, tuple: &Tuple<'_>| {
            row.clear();
            // The tuple is borrowed from the batch, which outlives the row.
            row.extend(self.positions.iter().map(|i| batch.columns().get(tuple.row(), *i).unwrap_or(ValueRef::Nil)));
        };
        let good = &self.gathered.good;
        for (at, index) in good.iter().enumerate() {
            let Some(tuple) = batch.tuple(*index) else { continue };
            pass(&mut row, &tuple);
            for what in &self.what {
                let value = self.scores.get(*what, at, good.len(), self.model.classes());
                row.push(value.ok_or_else(|| Error::internal(format!("the model gave no {}", what.name())))?);
            }
            out.emit_for(&tuple, &row[..])?;
        }
        self.refused.add(self.gathered.bad.len() as u64);
        for (index, reason) in &self.gathered.bad {
            let Some(tuple) = batch.tuple(*index) else { continue };
            match self.invalid {
                None => out.fail_tuple(&tuple, &Error::user(reason.as_str())),
                Some(stream) => {
                    pass(&mut row, &tuple);
                    row.push(ValueRef::Str(reason));
                    out.on(stream).anchored_to(&tuple).row(&row[..])?;
                }
            }
        }
        Ok(())
    }
}

impl Bolt for Classifier {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        self.rows(tuple.batch(), tuple.row()..tuple.row() + 1, out)
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        self.rows(batch, 0..batch.len(), out)
    }
}

#[cfg(test)]
mod tests;
