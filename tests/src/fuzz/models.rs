//! Model files of all formats: what can be imported can be opened and scored with.

use std::path::{Path, PathBuf};

use squall_model::{Column, Model, Rows, Table, Texts, import};

use super::files;
use crate::repository;

/// The largest files to begin with: from larger ones a fuzzer learns slowly.
const LARGEST: usize = 8 << 10;

/// A model file.
pub(super) fn import_and_score(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (done, out) = imported(folder.path(), bytes);
    assert_eq!(done, out.exists(), "an artefact appears exactly when the import succeeds");
    if done {
        score(&Model::open(&out).expect("what was imported can be opened"));
    }
}

fn imported(folder: &Path, bytes: &[u8]) -> (bool, PathBuf) {
    let (source, out) = (folder.join("model"), folder.join("model.safetensors"));
    std::fs::write(&source, bytes).expect("the folder can be written to");
    (import(&source, &out, &mut |_, _| {}).is_ok(), out)
}

fn score(model: &Model) {
    let width = model.n_features().unwrap_or(4).min(1 << 12);
    let numbers: Vec<f64> = (0..3 * width).map(|i| [0.0, 1.5, -3.0, 1e9, f64::NAN][i % 5]).collect();
    let Ok(x) = ndarray::ArrayView2::from_shape((3, width), &numbers) else { return };
    let table = table(width, model.columns().unwrap_or_default());
    let rows = match Texts::new("win  cash", &[3, 3, 9]) {
        Some(texts) if model.takes_texts() => Rows::Texts(texts),
        _ if model.takes_tables() => Rows::Table(&table),
        _ => Rows::F64(x),
    };
    // That it says no is fine.
    let _ = model.predict_indices(rows, &mut Vec::new());
    let _ = model.predict_values(rows, &mut Vec::new());
    let _ = model.predict_proba(rows);
    let _ = model.decision_function(rows);
    let _ = model.transform(rows);
    assert!(model.describe().is_object());
}

/// Rows of what the columns take, of gaps, and one of what they do not take.
fn table(width: usize, columns: &[Column]) -> Table {
    let mut table = Table::new(width);
    for row in 0..4 {
        for at in 0..width {
            let is_text = columns.get(at) == Some(&Column::Text);
            match row {
                _ if (row + at) % 4 == 2 => table.missing(),
                0 | 1 if is_text => table.text(["a", "win  cash", "", "\u{e4}\u{1f980}"][(row + at) % 4]),
                3 if !is_text => table.text("no number"),
                _ => table.number([0.0, 1.5, -3.0, 1e9][(row + at) % 4]),
            }
        }
    }
    table
}

fn fixtures(such: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let mut all = files(&repository().join("model/tests/fixtures/cases"), such);
    all.retain(|bytes| bytes.len() <= LARGEST);
    all
}

pub(super) fn pickles() -> Vec<Vec<u8>> {
    let mut seeds = fixtures(|name| name.ends_with(".pkl") || name.contains(".joblib"));
    seeds.push(b"cos\nsystem\n(S'true'\ntR.".to_vec());
    seeds
}

/// XGBoost's JSON and UBJ, LightGBM's text.
pub(super) fn boosters() -> Vec<Vec<u8>> {
    fixtures(|name| name.ends_with(".xgb") || name.ends_with(".lgb.txt"))
}

/// Our own safetensors, one of each few.
pub(super) fn artefacts() -> Vec<Vec<u8>> {
    let sources = pickles().into_iter().step_by(9).chain(boosters().into_iter().step_by(3));
    let artefact = |source: Vec<u8>| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (done, out) = imported(folder.path(), &source);
        done.then(|| std::fs::read(out).expect("an artefact can be read"))
    };
    sources.filter_map(artefact).collect()
}
