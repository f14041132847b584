//! The model alone, over the rows of the digits.

use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::ArrayView2;
use squall_core::{Error, Result};
use squall_model::{Model, Rows};

use super::ROWS;
use crate::data;

/// Rows that a thread scores in a second.
pub(super) fn score(dir: &Path, time: Duration) -> Result<f64> {
    let artefact = dir.join("digits.safetensors");
    let failed = |e: squall_model::Error| Error::internal(format!("the model of the digits: {e}"));
    squall_model::import(&dir.join("digits.pkl"), &artefact, &mut |_, _| {}).map_err(failed)?;
    let model = Model::open(&artefact).map_err(failed)?;
    let pixels = pixels();
    let width = model.n_features().unwrap_or(64);
    let batches: Vec<ArrayView2<'_, f64>> = pixels
        .chunks(ROWS * width)
        .filter_map(|chunk| ArrayView2::from_shape((chunk.len() / width, width), chunk).ok())
        .collect();
    let mut labels = Vec::new();
    let (mut rows, mut begun) = (0, Instant::now());
    let mut warm = false;
    loop {
        for batch in &batches {
            model.predict_indices(Rows::F64(*batch), &mut labels).map_err(failed)?;
            rows += std::hint::black_box(&labels).len();
        }
        if !warm && begun.elapsed() >= time / 5 {
            (warm, rows, begun) = (true, 0, Instant::now());
        } else if warm && begun.elapsed() >= time {
            return Ok(rows as f64 / begun.elapsed().as_secs_f64());
        }
    }
}

/// The first 64 columns of each row.
fn pixels() -> Vec<f64> {
    let row = |line: &'static str| line.split(',').take(64).filter_map(|n| n.parse().ok());
    data::DIGITS.lines().skip(1).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_are_scored() {
        assert_eq!(pixels().len(), 1797 * 64);
        let dir = tempfile::tempdir().unwrap();
        data::write(dir.path()).unwrap();
        assert!(score(dir.path(), Duration::from_millis(10)).unwrap() > 0.0);
    }
}
