//! `squall bench model`: how fast a model scores.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use ndarray::Array2;
use serde_json::json;
use squall_bench::{Method, time_model};
use squall_model::Model;

use super::model::{RowReader, Shape, open};
use crate::exit::{Failure, Outcome};
use crate::models;
use crate::show::{Align, Show};

/// Rows made up where none are given.
const MADE_UP: usize = 4096;

/// Measures how fast a model scores, one row at a time and in batches.
///
/// The call that is measured is the richest the model has: predict_proba, else decision_function, else predict or
/// transform. Without --rows it gets random ones. bench/models.py compares with other programs on the same rows.
///
/// Examples:
///   squall bench model digits.pkl
///   squall bench model digits.pkl --rows digits.csv --batch 1,256 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A model file or an imported one.
    file: PathBuf,
    /// The rows: a CSV file of numbers, as for `squall model predict`.
    #[arg(long, value_name = "FILE.csv")]
    rows: Option<PathBuf>,
    /// Rows in a call; several sizes separated by commas.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 64, 1024])]
    batch: Vec<usize>,
    /// Milliseconds for each size in each round.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    ms: u64,
    /// How often each size is measured, in turn.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

pub(super) fn run(args: &Args, show: &Show) -> Outcome {
    let model = open(&args.file, show)?;
    if model.takes_texts() || model.takes_tables() {
        return Err(Failure::Usage("the model takes texts; only models of numbers are measured".into()));
    }
    let rows = match &args.rows {
        None => made_up(&model)?,
        Some(path) => {
            let file = File::open(path).map_err(|e| Failure::NotFound(format!("cannot read `{}`: {e}", path.display())))?;
            let mut values = Vec::new();
            let width = RowReader::new(BufReader::new(file), models::file_name(path), Shape::of(&model))
                .batch(usize::MAX, &mut values)?;
            let width = width.ok_or_else(|| Failure::Usage(format!("`{}` has no rows", path.display())))?;
            if let Some(takes) = model.n_features().filter(|takes| *takes != width) {
                let what = format!("`{}`: the model takes {takes} values a row, and here are {width}", path.display());
                return Err(Failure::Usage(what));
            }
            Array2::from_shape_vec((values.len() / width, width), values)
                .map_err(|e| Failure::Failed(format!("rows of one width do not fit together: {e}")))?
        }
    };
    let timings = time_model(&model, rows.view(), &args.batch, Duration::from_millis(args.ms), args.rounds)?;
    let method = Method::of(&model).name();
    if show.json {
        return show.json(&json!({
            "file": args.file, "method": method, "rows": rows.nrows(), "features": rows.ncols(), "timings": timings,
        }));
    }
    show.note(&format!("{method} of {} rows by {} features, one thread", rows.nrows(), rows.ncols()));
    let line = |t: &squall_bench::Timing| {
        let call = t.call_us;
        vec![
            t.batch.to_string(),
            format!("{:.2}", call.median),
            format!("{:.2}–{:.2}", call.min, call.max),
            format!("{:.3}", call.median / t.batch as f64),
            format!("{:.0}", t.rows_per_second),
        ]
    };
    let columns = ["batch", "µs a call", "min–max", "µs a row", "rows/s"].map(|title| (title, Align::Right));
    show.table(&columns, &timings.iter().map(line).collect::<Vec<_>>())
}

/// Rows of numbers between -2 and 2, the same every time.
fn made_up(model: &Model) -> Outcome<Array2<f64>> {
    let Some(width) = model.n_features() else {
        return Err(Failure::Usage("the model takes any number of features: give rows with --rows".into()));
    };
    // Xorshift by Marsaglia, 2003.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    Ok(Array2::from_shape_simple_fn((MADE_UP, width), || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0
    }))
}
