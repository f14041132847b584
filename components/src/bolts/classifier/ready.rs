//! A version of the model as one task scores with it: checked against what the topology was checked with, tried, and counted.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use ndarray::Array2;
use squall_core::control::ModelVersion;
use squall_core::{Batch, Check, Context, Error, InputStream, Metrics, ModelMeter, Result, Schema, Value, ValueRef};
use squall_model::{Classes, Domain, Model, Rows, Texts};

use super::outputs::{self, What};
use super::sample::{Sample, highest};
use super::{Config, Scoring, vote};
use crate::support::features::{Gathered, Reader};
use crate::support::models;

/// A version in the hands of a task.
pub(super) struct Ready {
    pub(super) model: Arc<Model>,
    pub(super) what: Vec<What>,
    /// What is computed: what is emitted, and what a vote needs.
    computed: Vec<What>,
    name: String,
    version: i64,
    checksum: String,
    scoring: Scoring,
    meter: ModelMeter,
    scores: Scores,
    sample: Sample,
    reader: Reader,
}

/// What the model says of a batch; only what is emitted or voted with is computed.
#[derive(Default)]
struct Scores {
    indices: Vec<u32>,
    /// The labels of a row with several targets.
    labels: Vec<Value>,
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
    /// The classes between which is voted.
    classes: OnceLock<Classes>,
}

impl Fit {
    pub(super) fn of(ctx: &Context) -> Self {
        let output = ctx.outputs.first().map(|o| o.fields.clone()).unwrap_or_default();
        Fit { inputs: ctx.inputs.clone(), output, metrics: ctx.metrics.clone(), classes: OnceLock::new() }
    }
}

impl Ready {
    /// Checks that the model takes the rows and gives the fields that the topology was checked with, and scores a row of zeros: what
    /// would be slow or go wrong with the first batch does so here.
    pub(super) fn new(config: &Config, name: &str, fit: &Fit, model: Arc<Model>, version: &ModelVersion) -> Result<Ready> {
        let check = Check::new(&fit.inputs, None);
        let width = config.features.check(&check, name, &model)?;
        check.verdict()?;
        let resolved = config.emitted(name, &model)?;
        for (_, what, field) in &resolved {
            let kind = what.kind(&model, name, width).map_err(Error::user)?;
            if let Some(declared) = fit.output.field(field).filter(|f| f.kind != kind) {
                let text = format!("it gives `{field}` as {kind}, but the topology was checked with {}", declared.kind);
                return Err(Error::user(format!("model `{name}`: {text}")));
            }
        }
        let what: Vec<What> = resolved.into_iter().map(|(_, what, _)| what).collect();
        let mut computed = what.clone();
        if let Some(vote) = config.vote {
            vote.needs().kind(&model, name, width).map_err(Error::user)?;
            let others = model.classes().map(|classes| fit.classes.get_or_init(|| classes.clone()));
            if others != model.classes() {
                return Err(Error::user(format!(
                    "model `{name}`: it has other classes than those between which the topology votes"
                )));
            }
            computed.push(vote.needs());
        }
        let scoreless = [What::Label, What::Index, What::Model, What::Version, What::Checksum];
        let mut ready = Ready {
            what,
            sample: Sample::new(computed.iter().all(|what| scoreless.contains(what)), &model),
            computed,
            name: name.to_owned(),
            version: i64::try_from(version.version).unwrap_or(i64::MAX),
            checksum: if version.artefact.is_empty() { model.checksum().to_owned() } else { version.artefact.clone() },
            scoring: config.scoring,
            meter: fit.metrics.model(name, version.version),
            scores: Scores::default(),
            reader: config.features.reader(name, &model)?,
            model,
        };
        ready.warm_up(width)?;
        Ok(ready)
    }

    fn warm_up(&mut self, width: Option<usize>) -> Result<()> {
        let width = self.model.n_features().or(width);
        let zeros = width.map(|width| Array2::<f64>::zeros((2, width)));
        let blank = outputs::blank(&self.model);
        let rows = match &zeros {
            _ if self.model.takes_texts() => Texts::new("", &[0]).map(Rows::Texts),
            _ if self.model.takes_tables() => Some(Rows::Table(&blank)),
            zeros => zeros.as_ref().map(|z| Rows::F64(z.view())),
        };
        let Some(rows) = rows else { return Ok(()) };
        match self.scores.compute(&self.model, &self.computed, self.scoring, rows) {
            // Zeros may be no row that the model knows, a category that was not there in training, say.
            Err(e) if e.domain() == Domain::User => {
                log::debug!("model `{}` does not score zeros: {e}", self.name);
                Ok(())
            }
            tried => tried.map_err(models::failed),
        }
    }

    /// Scores rows of a batch; `gathered` tells which.
    pub(super) fn score(&mut self, batch: &Batch, rows: Range<usize>, gathered: &mut Gathered) -> Result<()> {
        let (begun, asked) = (Instant::now(), rows.len());
        let Ready { model, computed, scoring, scores, sample, meter, .. } = self;
        let mut nanos = 0;
        let scored = self.reader.score(batch, rows, gathered, &mut |x| {
            scores.compute(model, computed, *scoring, x)?;
            nanos = begun.elapsed().as_nanos() as u64;
            if sample.is_due(begun) {
                sample.take(model, x, meter);
            }
            Ok(())
        });
        let good = scored.as_ref().map_or(0, |scored| *scored);
        self.meter.batch(good as u64, (asked - good) as u64, nanos);
        scored?;
        if good > 0 {
            self.scores.count(&self.meter);
        }
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
            if let Some(targets) = model.targets() {
                self.labels.clear();
                self.labels.extend(self.indices.chunks_exact(targets.len().max(1)).map(|row| labels(row, targets)));
            }
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
            meter.scores(highest(proba));
        } else if let Some(decision) = &self.decision {
            meter.scores(highest(decision));
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
            What::Label => match classes {
                Some(classes) => vote::label(classes.label(*self.indices.get(at)? as usize)?),
                None => self.labels.get(at)?.as_ref(),
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

/// The label of each target.
fn labels(row: &[u32], targets: &[Classes]) -> Value {
    let label = |(i, classes): (&u32, &Classes)| classes.label(*i as usize).map(|label| vote::label(label).to_value());
    Value::List(row.iter().zip(targets).filter_map(label).collect())
}

/// The `k` most probable classes, as maps of label and probability; equal ones in the model's order.
fn top(proba: &[f64], classes: &Classes, k: usize) -> Value {
    let mut order: Vec<usize> = (0..proba.len()).collect();
    order.sort_by(|a, b| proba[*b].total_cmp(&proba[*a]));
    let entry = |i: usize| {
        let label = vote::label(classes.label(i)?).to_value();
        Some(Value::Map(vec![("label".into(), label), ("proba".into(), Value::Float(proba[i]))]))
    };
    Value::List(order.into_iter().take(k).filter_map(entry).collect())
}

/// Rows one after the other in memory, as they are emitted.
fn row_major(matrix: Array2<f64>) -> Array2<f64> {
    if matrix.is_standard_layout() { matrix } else { matrix.as_standard_layout().into_owned() }
}
