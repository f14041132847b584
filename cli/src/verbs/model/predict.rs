//! `squall model predict`: scores the rows of a file, without a cluster.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use ndarray::{Array2, ArrayView2, Axis};
use serde_json::{Value, json};
use squall_model::{Classes, Kind, Label, Model, Rows, Table, Texts};

use super::open;
use super::rows::{RowReader, Shape, TextReader};
use crate::exit::{Failure, Outcome};
use crate::models;
use crate::show::{Show, written};

/// Rows scored at a time.
const BATCH: usize = 256;

/// Scores the rows of a CSV file: label and probabilities of a classifier, else what the model gives.
///
/// The file holds one row a line: numbers, and texts where the model takes them. Where it has a header and the model
/// knows the names of its features, columns are found by name, and others are passed over; without, they stand in the
/// model's order. An empty cell is a missing value. For a model of texts the file holds one text a line. `-` is stdin.
/// The result is CSV, or with --json one JSON object a line. A classifier of several targets has a label for each, then the
/// probabilities of the first target's classes, of the second's, and so on.
///
/// Examples:
///   squall model predict iris.pkl flowers.csv
///   squall model predict iris.safetensors - --json < flowers.csv
///   squall model predict spam.pkl messages.txt
///   squall model predict churn.pkl customers.csv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A model file or an imported one.
    model: PathBuf,
    /// The rows.
    #[arg(value_name = "FILE.csv")]
    rows: PathBuf,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let model = open(&args.model, show)?;
    let name = models::file_name(&args.rows);
    let input: Box<dyn BufRead> = if args.rows.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file =
            File::open(&args.rows).map_err(|e| Failure::NotFound(format!("cannot read `{}`: {e}", args.rows.display())))?;
        Box::new(BufReader::new(file))
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let names = columns(&model)?;
    if !show.json {
        writeln!(out, "{}", names.join(",")).map_err(written)?;
    }
    let mut write = |scored: Vec<Vec<Value>>| -> Outcome {
        for row in scored {
            let line = if show.json { object(&names, row) } else { csv(&row) };
            writeln!(out, "{line}").map_err(written)?;
        }
        Ok(())
    };
    if model.takes_texts() {
        let mut rows = TextReader::new(input, name);
        let (mut text, mut ends) = (String::new(), Vec::new());
        while rows.texts(BATCH, &mut text, &mut ends)? {
            let texts = Texts::new(&text, &ends).ok_or_else(|| Failure::Failed("lines do not fit together".into()))?;
            write(score(&model, Rows::Texts(texts))?)?;
        }
    } else if model.columns().is_some() {
        let mut rows = RowReader::new(input, name, Shape::of(&model));
        let mut table = Table::default();
        while rows.table(BATCH, &mut table)? {
            write(score(&model, Rows::Table(&table)).map_err(|e| placed(e, &model, &rows))?)?;
        }
    } else {
        let mut rows = RowReader::new(input, name, Shape::of(&model));
        let mut values = Vec::new();
        while let Some(width) = rows.batch(BATCH, &mut values)? {
            let batch = ArrayView2::from_shape((values.len() / width, width), &values)
                .map_err(|e| Failure::Failed(format!("rows of one width do not fit together: {e}")))?;
            write(score(&model, Rows::from(batch)).map_err(|e| placed(e, &model, &rows))?)?;
        }
    }
    out.flush().map_err(written)
}

/// The names of what is printed of a row.
fn columns(model: &Model) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    if let Some(classes) = model.classes() {
        names.push("label".to_owned());
        if model.has_proba() {
            names.extend((0..classes.len()).filter_map(|i| classes.label(i)).map(|label| format!("proba_{label}")));
        }
    } else if let Some(targets) = model.targets() {
        names.extend((0..targets.len()).map(|i| if i == 0 { "label".to_owned() } else { format!("label_{i}") }));
        if model.has_proba() {
            // Of all classes of each target, or of labels that are there or not only that they are.
            match proba_columns(model)? == targets.len() {
                true => names.extend((0..targets.len()).map(|i| format!("proba_{i}"))),
                false => names.extend(targets.iter().enumerate().flat_map(|(i, classes)| {
                    (0..classes.len()).filter_map(|c| classes.label(c)).map(move |label| format!("proba_{i}_{label}"))
                })),
            }
        }
    } else if model.kind() == Kind::Transformer {
        names.extend((0..model.n_outputs()).map(|i| format!("x{i}")));
    } else {
        names.extend((0..model.n_outputs()).map(|i| if i == 0 { "value".to_owned() } else { format!("value_{i}") }));
    }
    Ok(names)
}

/// How many probabilities a row has.
fn proba_columns(model: &Model) -> Outcome<usize> {
    let none = Array2::zeros((0, model.n_features().unwrap_or(0)));
    let rows = match (model.takes_texts(), model.columns()) {
        (true, _) => Rows::Texts(Texts::new("", &[]).ok_or_else(|| Failure::Failed("no texts are none".into()))?),
        (_, Some(_)) => Rows::Table(&Table::default()),
        _ => Rows::F64(none.view()),
    };
    Ok(model.predict_proba(rows)?.ncols())
}

/// What the model says of each row, as [`columns`] names it.
fn score(model: &Model, rows: Rows<'_>) -> Result<Vec<Vec<Value>>, squall_model::Error> {
    let mut result = vec![Vec::new(); rows.nrows()];
    if let Some(classes) = model.classes() {
        let mut indices = Vec::new();
        model.predict_indices(rows, &mut indices)?;
        for (row, index) in result.iter_mut().zip(&indices) {
            row.push(label(classes, *index));
        }
        if model.has_proba() {
            append(&mut result, model.predict_proba(rows)?.view());
        }
    } else if let Some(targets) = model.targets() {
        let mut indices = Vec::new();
        model.predict_indices(rows, &mut indices)?;
        for (row, indices) in result.iter_mut().zip(indices.chunks(targets.len().max(1))) {
            row.extend(targets.iter().zip(indices).map(|(classes, index)| label(classes, *index)));
        }
        if model.has_proba() {
            append(&mut result, model.predict_proba(rows)?.view());
        }
    } else if model.kind() == Kind::Transformer {
        append(&mut result, model.transform(rows)?.view());
    } else {
        let mut values = Vec::new();
        model.predict_values(rows, &mut values)?;
        let width = values.len() / rows.nrows().max(1);
        for (row, values) in result.iter_mut().zip(values.chunks(width.max(1))) {
            row.extend(values.iter().map(|v| json!(v)));
        }
    }
    Ok(result)
}

fn label(classes: &Classes, index: u32) -> Value {
    match classes.label(index as usize) {
        Some(Label::Int(v)) => json!(v),
        Some(Label::Float(v)) => json!(v),
        Some(Label::Str(v)) => json!(v),
        Some(Label::Bool(v)) => json!(v),
        None => Value::Null,
    }
}

/// What is wrong with a row, and where it stands.
fn placed<R: BufRead>(error: squall_model::Error, model: &Model, rows: &RowReader<R>) -> Failure {
    match (&error, error.row()) {
        (_, Some(row)) => Failure::Usage(format!("{}: {}", rows.place(row), error.of_row(model.feature_names()))),
        (squall_model::Error::Width { expected, found }, _) => {
            Failure::Usage(format!("{}: the model takes {expected} values a row, and here are {found}", rows.place(0)))
        }
        _ => error.into(),
    }
}

fn append(result: &mut [Vec<Value>], columns: ArrayView2<'_, f64>) {
    for (row, values) in result.iter_mut().zip(columns.axis_iter(Axis(0))) {
        row.extend(values.iter().map(|v| json!(v)));
    }
}

fn object(names: &[String], row: Vec<Value>) -> String {
    Value::Object(names.iter().cloned().zip(row).collect()).to_string()
}

fn csv(row: &[Value]) -> String {
    let cell = |value: &Value| match value {
        Value::String(s) if s.contains([',', '"', '\n']) => format!("\"{}\"", s.replace('"', "\"\"")),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    row.iter().map(cell).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(csv(&[json!("a,\"b"), json!(0.5), json!(3)]), "\"a,\"\"b\",0.5,3");
    }
}
