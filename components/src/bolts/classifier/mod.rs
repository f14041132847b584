//! `classifier`: labels, probabilities and scores by a model.

mod outputs;
mod ready;

use std::ops::Range;

use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Counter, Error, Field, FieldType, Followed, Output, Result, StreamDecl, StreamId,
    Tuple, ValueRef,
};

use crate::support::features::{Features, Gathered};
use crate::support::{at, models, schemas};
use outputs::{Emit, What};
use ready::{Fit, Ready};

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
    top: Option<u32>,
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    invalid: bool,
    #[serde(skip)]
    scoring: Scoring,
}

/// How scores become outputs.
#[derive(Debug, Clone, Copy, Default)]
struct Scoring {
    /// How many classes `top` has.
    top: usize,
    threshold: Option<f64>,
}

impl Scoring {
    /// Below it a row is an anomaly: scikit-learn's detectors put it at zero.
    fn threshold(self) -> f64 {
        self.threshold.unwrap_or(0.0)
    }
}

/// Classes in `top` unless the configuration says otherwise.
const TOP: u32 = 3;

impl BoltConfig for Config {
    const ABOUT: &'static str = "scores every tuple with a model: the fields passed on, then what `emit` lists";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("model", "the model's name in the topology"),
        ("features", "a vector field, or a list of numeric fields in the model's order; a text field for a model of texts"),
        (
            "emit",
            "a list of label, proba, decision, scores (proba, or decision where there is none), confidence, index, value; \
             anomaly, top, model, version, checksum; or a table that names them, such as { label = \"prediction\" }; label unless \
             given, value for regressors",
        ),
        ("pass", "input fields to pass on before them"),
        ("top", "how many classes `top` lists, each with label and proba; 3 unless given"),
        ("threshold", "a row whose decision value is below it is an anomaly; 0 unless given, as in scikit-learn"),
        ("invalid", "send rows that cannot be scored to the stream `invalid`, instead of failing them; false unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let model = models::check(check, &self.model)?;
        if self.top == Some(0) {
            return Err(at("top", "no class would be listed: expected at least 1"));
        }
        if self.threshold.is_some_and(|t| !t.is_finite()) {
            return Err(at("threshold", "expected a finite number"));
        }
        let width = self.features.check(check, &self.model, &model)?;
        let pass = schemas::passed(check, "pass", &self.pass)?;
        let mut fields = pass.clone();
        let emitted = outputs::resolve(self.emit.as_ref(), &model)?;
        for (key, given, what) in
            [("top", self.top.is_some(), What::Top), ("threshold", self.threshold.is_some(), What::Anomaly)]
        {
            if given && !emitted.iter().any(|(_, w, _)| *w == what) {
                return Err(at(key, format!("nothing uses it: emit `{}` too", what.name())));
            }
        }
        for (key, what, name) in emitted {
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

    fn build(mut self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        self.scoring = Scoring { top: self.top.unwrap_or(TOP) as usize, threshold: self.threshold };
        let (features, pass) = (self.features.clone(), self.pass.clone());
        let invalid = if self.invalid { Some(ctx.stream(INVALID)?) } else { None };
        let (name, fit) = (self.model.clone(), Fit::of(ctx));
        let model = models::follow(ctx, &name, move |model, version| Ready::new(&self, &fit, model, version))?;
        Ok(Box::new(Classifier {
            features,
            pass,
            invalid,
            refused: ctx.metrics.counter("invalid rows"),
            model,
            gathered: Gathered::default(),
            positions: Vec::new(),
        }))
    }
}

struct Classifier {
    features: Features,
    pass: Vec<String>,
    model: Followed<Ready>,
    invalid: Option<StreamId>,
    refused: Counter,
    gathered: Gathered,
    positions: Vec<usize>,
}

impl Classifier {
    /// Scores these rows of a batch at once.
    fn rows(&mut self, batch: &Batch, rows: Range<usize>, out: &mut Output<'_>) -> Result<()> {
        self.model.turn();
        schemas::positions(batch, &self.pass, &mut self.positions)?;
        let asked = rows.len();
        let x = self.features.rows(batch, rows, &self.model.model, &mut self.gathered)?;
        let bad = asked - x.as_ref().map_or(0, squall_model::Rows::nrows);
        self.model.score(x, bad)?;
        let mut row = Vec::with_capacity(self.positions.len() + self.model.what.len());
        let pass = |row: &mut Vec<_>, tuple: &Tuple<'_>| {
            row.clear();
            // The tuple is borrowed from the batch, which outlives the row.
            row.extend(self.positions.iter().map(|i| batch.columns().get(tuple.row(), *i).unwrap_or(ValueRef::Nil)));
        };
        let good = &self.gathered.good;
        for (at, index) in good.iter().enumerate() {
            let Some(tuple) = batch.tuple(*index) else { continue };
            pass(&mut row, &tuple);
            for what in &self.model.what {
                let value = self.model.get(*what, at, good.len());
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
