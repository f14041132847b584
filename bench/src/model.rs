//! How fast a model scores rows, one at a time and in batches: nothing but the call.

use std::time::Duration;

use ndarray::{ArrayView2, s};
use serde::Serialize;
use squall_model::{Error, Model, Rows};

use crate::{Spread, clock};

/// What of a model is measured: what a bolt would most likely emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Probabilities, of models that have them.
    PredictProba,
    /// Scores of classifiers without probabilities.
    DecisionFunction,
    /// Values of regressors and others.
    Predict,
    /// New features.
    Transform,
}

impl Method {
    /// Its name in scikit-learn.
    pub fn name(self) -> &'static str {
        match self {
            Method::PredictProba => "predict_proba",
            Method::DecisionFunction => "decision_function",
            Method::Predict => "predict",
            Method::Transform => "transform",
        }
    }

    /// The richest answer a model has.
    pub fn of(model: &Model) -> Method {
        match () {
            () if model.has_proba() => Method::PredictProba,
            () if model.classes().is_some() && model.has_decision() => Method::DecisionFunction,
            () if model.has_predict() => Method::Predict,
            () => Method::Transform,
        }
    }
}

/// How long batches of one size take.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// Rows in a batch.
    pub batch: usize,
    /// Microseconds for a call, over the rounds.
    pub call_us: Spread,
    /// Rows in a second, in the median round.
    pub rows_per_second: f64,
}

/// Scores `rows` in batches of each size, the sizes in turn, `rounds` times.
///
/// A round scores for `time`, after a tenth of it to warm up, and counts whole batches: rows that do not fill one are
/// left out. The time is that of the processor for this thread, so that what else runs on the machine counts as little as it
/// can.
///
/// # Errors
/// What the model says of the rows; a batch that is larger than there are rows.
pub fn time_model(
    model: &Model,
    rows: ArrayView2<'_, f64>,
    batches: &[usize],
    time: Duration,
    rounds: u32,
) -> squall_core::Result<Vec<Timing>> {
    let method = Method::of(model);
    let mut calls = vec![Vec::new(); batches.len()];
    for _ in 0..rounds {
        for (batch, calls) in batches.iter().zip(&mut calls) {
            if *batch == 0 || *batch > rows.nrows() {
                let what = format!("a batch of {batch} rows, and there are {}: give more, or a smaller --batch", rows.nrows());
                return Err(squall_core::Error::user(what));
            }
            let parts: Vec<ArrayView2<'_, f64>> =
                (0..rows.nrows() / batch).map(|i| rows.slice_move(s![i * batch..(i + 1) * batch, ..])).collect();
            let score = |time: Duration| -> Result<f64, Error> {
                let (begun, mut done) = (clock::of_thread(), 0u64);
                loop {
                    for part in &parts {
                        call(model, method, Rows::F64(*part))?;
                        done += 1;
                        // The clock is cheap beside all but the smallest calls, and those are looked at in bulk.
                        if (*batch > 8 || done.is_multiple_of(64)) && clock::of_thread() - begun >= time {
                            return Ok((clock::of_thread() - begun).as_secs_f64() / done as f64);
                        }
                    }
                }
            };
            let failed = |e: Error| squall_core::Error::user("the model does not take the rows").because(e);
            score(time / 10).map_err(failed)?;
            calls.push(score(time).map_err(failed)? * 1e6);
        }
    }
    let timings = batches.iter().zip(calls).filter_map(|(batch, calls)| {
        let call_us = Spread::of(calls)?;
        Some(Timing { batch: *batch, call_us, rows_per_second: *batch as f64 * 1e6 / call_us.median })
    });
    Ok(timings.collect())
}

fn call(model: &Model, method: Method, rows: Rows<'_>) -> Result<(), Error> {
    match method {
        Method::PredictProba => drop(std::hint::black_box(model.predict_proba(rows)?)),
        Method::DecisionFunction => drop(std::hint::black_box(model.decision_function(rows)?)),
        Method::Transform => drop(std::hint::black_box(model.transform(rows)?)),
        Method::Predict => {
            let mut values = Vec::new();
            match model.classes() {
                Some(_) => model.predict_indices(rows, &mut Vec::new())?,
                None => model.predict_values(rows, &mut values)?,
            }
            drop(std::hint::black_box(values));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::data;

    #[test]
    fn every_batch_size_is_timed() {
        let dir = tempfile::tempdir().unwrap();
        data::write(dir.path()).unwrap();
        let artefact = dir.path().join("digits.safetensors");
        squall_model::import(&dir.path().join("digits.pkl"), &artefact, &mut |_, _| {}).unwrap();
        let model = Model::open(&artefact).unwrap();
        assert_eq!(Method::of(&model), Method::PredictProba);
        let rows = Array2::from_elem((20, 64), 3.0);
        let timings = time_model(&model, rows.view(), &[1, 16], Duration::from_millis(5), 2).unwrap();
        assert_eq!(timings.iter().map(|t| t.batch).collect::<Vec<_>>(), [1, 16]);
        assert!(timings.iter().all(|t| t.call_us.min > 0.0 && t.rows_per_second > 0.0));
        let error = time_model(&model, rows.view(), &[21], Duration::from_millis(5), 1).unwrap_err();
        assert!(error.to_string().contains("a batch of 21 rows, and there are 20"), "{error}");
    }
}
