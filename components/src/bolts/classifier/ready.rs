//! A version of the model as one task scores with it: checked against what the topology was checked with, tried, and counted.

use std::sync::Arc;
use std::time::Instant;

use ndarray::Array2;
use squall_core::control::ModelVersion;
use squall_core::{Check, Context, Error, InputStream, Metrics, ModelMeter, Result, Schema, Value, ValueRef};
use squall_model::{Classes, Domain, Label, Model, Rows, Texts};

use super::outputs::{self, What};
use super::{Config, Scoring};
use crate::support::models;

/// A version in the hands of a task.
pub(super) struct Ready {
    pub(super) model: Arc<Model>,
    pub(super) what: Vec<What>,
    name: String,
    version: i64,
    checksum: String,
    scoring: Scoring,
    meter: ModelMeter,
    scores: Scores,
}

/// What the model says of a batch; only what is emitted is computed.
#[derive(Default)]
struct Scores {
    indices: Vec<u32>,
    values: Vec<f64>,
    proba: Option<Array2<f64>>,
    decision: Option<Array2<f64>>,
    top: Vec<Value>,
}

/// What a new version must fit.
pub(super) struct Fit {
    inputs: Vec<InputStream>,
    output: Schema,
    metrics: Metrics,
}

impl Fit {
    pub(super) fn of(ctx: &Context) -> Self {
        let output = ctx.outputs.first().map(|o| o.fields.clone()).unwrap_or_default();
        Fit { inputs: ctx.inputs.clone(), output, metrics: ctx.metrics.clone() }
    }
}

impl Ready {
    /// Checks that the model takes the rows and gives the fields that the topology was checked with, and scores a row of zeros: what
    /// would be slow or go wrong with the first batch does so here.
    pub(super) fn new(config: &Config, fit: &Fit, model: Arc<Model>, version: &ModelVersion) -> Result<Ready> {
        let check = Check { inputs: &fit.inputs, models: None };
        let width = config.features.check(&check, &config.model, &model)?;
        let resolved = outputs::resolve(config.emit.as_ref(), &model)?;
        for (_, what, field) in &resolved {
            let kind = what.kind(&model, &config.model, width).map_err(Error::user)?;
            if let Some(declared) = fit.output.field(field).filter(|f| f.kind != kind) {
                let text = format!("it gives `{field}` as {kind}, but the topology was checked with {}", declared.kind);
                return Err(Error::user(format!("model `{}`: {text}", config.model)));
            }
        }
        let mut ready = Ready {
            what: resolved.into_iter().map(|(_, what, _)| what).collect(),
            name: config.model.clone(),
            version: i64::try_from(version.version).unwrap_or(i64::MAX),
            checksum: if version.artefact.is_empty() { model.checksum().to_owned() } else { version.artefact.clone() },
            scoring: config.scoring,
            meter: fit.metrics.model(&config.model, version.version),
            scores: Scores::default(),
            model,
        };
        ready.warm_up(width)?;
        Ok(ready)
    }

    fn warm_up(&mut self, width: Option<usize>) -> Result<()> {
        let width = self.model.n_features().or(width);
        let zeros = width.map(|width| Array2::<f64>::zeros((2, width)));
        let rows = match &zeros {
            _ if self.model.takes_texts() => Texts::new("", &[0]).map(Rows::Texts),
            zeros => zeros.as_ref().map(|z| Rows::F64(z.view())),
        };
        let Some(rows) = rows else { return Ok(()) };
        match self.scores.compute(&self.model, &self.what, self.scoring, rows) {
            // Zeros may be no row that the model knows, a category that was not there in training, say.
            Err(e) if e.domain() == Domain::User => {
                log::debug!("model `{}` does not score zeros: {e}", self.name);
                Ok(())
            }
            tried => tried.map_err(models::failed),
        }
    }

    /// Scores rows; `bad` others could not be gathered.
    pub(super) fn score(&mut self, x: Option<Rows<'_>>, bad: usize) -> Result<()> {
        let begun = Instant::now();
        let Some(x) = x else {
            self.meter.batch(0, bad as u64, 0);
            return Ok(());
        };
        let rows = x.nrows();
        if let Err(e) = self.scores.compute(&self.model, &self.what, self.scoring, x) {
            self.meter.batch(0, (rows + bad) as u64, 0);
            return Err(models::failed(e));
        }
        self.meter.batch(rows as u64, bad as u64, begun.elapsed().as_nanos() as u64);
        self.scores.count(&self.meter);
        Ok(())
    }

    /// One output of the row at this place in the matrix.
    pub(super) fn get(&self, what: What, at: usize, rows: usize) -> Option<ValueRef<'_>> {
        Some(match what {
            What::Model => ValueRef::Str(&self.name),
            What::Version => ValueRef::Int(self.version),
            What::Checksum => ValueRef::Str(&self.checksum),
            What::Anomaly => ValueRef::Bool(*self.scores.decision.as_ref()?.get((at, 0))? < self.scoring.threshold()),
            _ => self.scores.get(what, at, rows, self.model.classes())?,
        })
    }
}

impl Scores {
    fn compute(&mut self, model: &Model, what: &[What], scoring: Scoring, x: Rows<'_>) -> Result<(), squall_model::Error> {
        let any = |wanted: &[What]| what.iter().any(|w| wanted.contains(w));
        if any(&[What::Label, What::Index]) {
            model.predict_indices(x, &mut self.indices)?;
        }
        if any(&[What::Value]) {
            model.predict_values(x, &mut self.values)?;
        }
        if any(&[What::Proba, What::Confidence, What::Top]) || (any(&[What::Scores]) && model.has_proba()) {
            self.proba = Some(row_major(model.predict_proba(x)?));
        }
        if any(&[What::Decision, What::Anomaly]) || (any(&[What::Scores]) && !model.has_proba()) {
            self.decision = Some(row_major(model.decision_function(x)?));
        }
        if let (true, Some(proba), Some(classes)) = (any(&[What::Top]), &self.proba, model.classes()) {
            self.top.clear();
            let rows = proba.rows().into_iter();
            self.top.extend(rows.map(|row| top(row.as_slice().unwrap_or_default(), classes, scoring.top)));
        }
        Ok(())
    }

    fn count(&self, meter: &ModelMeter) {
        if let Some(proba) = &self.proba {
            meter.scores(proba.rows().into_iter().map(|row| row.iter().copied().fold(0.0, f64::max)));
        } else if let Some(decision) = self.decision.as_ref().filter(|d| d.ncols() == 1) {
            meter.scores(decision.iter().copied());
        } else {
            meter.scores(self.values.iter().copied());
        }
    }

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
            What::Top => self.top.get(at)?.as_ref(),
            What::Anomaly | What::Model | What::Version | What::Checksum => return None,
        })
    }
}

/// The `k` most probable classes, as maps of label and probability; equal ones in the model's order.
fn top(proba: &[f64], classes: &Classes, k: usize) -> Value {
    let mut order: Vec<usize> = (0..proba.len()).collect();
    order.sort_by(|a, b| proba[*b].total_cmp(&proba[*a]));
    let entry = |i: usize| {
        let label = match classes.label(i)? {
            Label::Int(v) => Value::Int(v),
            Label::Float(v) => Value::Float(v),
            Label::Str(v) => Value::from(v),
            Label::Bool(v) => Value::Bool(v),
        };
        Some(Value::Map(vec![("label".into(), label), ("proba".into(), Value::Float(proba[i]))]))
    };
    Value::List(order.into_iter().take(k).filter_map(entry).collect())
}

/// Rows one after the other in memory, as they are emitted.
fn row_major(matrix: Array2<f64>) -> Array2<f64> {
    if matrix.is_standard_layout() { matrix } else { matrix.as_standard_layout().into_owned() }
}
