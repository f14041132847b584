//! The models of the ready-to-run topologies, over their whole data, against scikit-learn's answers.

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use squall_model::{Model, Rows, import};

fn topologies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies")
}

/// The cells of a CSV file without its header.
fn cells(path: PathBuf) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn numbers(rows: &[Vec<String>], columns: std::ops::Range<usize>) -> Array2<f64> {
    let flat: Vec<f64> = rows.iter().flat_map(|r| r[columns.clone()].iter().map(|c| c.parse::<f64>().unwrap())).collect();
    Array2::from_shape_vec((rows.len(), columns.len()), flat).unwrap()
}

fn open(folder: &Path, name: &str) -> std::sync::Arc<Model> {
    let out = folder.join(name);
    import(&topologies().join("models").join(name), &out, &mut |_, _| {}).unwrap();
    Model::open(&out).unwrap()
}

fn agree(model: &Model, x: &Array2<f64>, expected: &[Vec<String>]) {
    let n = model.n_outputs();
    let probabilities = numbers(expected, 1..1 + n);
    let ours = model.predict_proba(Rows::F64(x.view())).unwrap();
    let worst = (&ours - &probabilities).mapv(f64::abs).iter().copied().fold(0.0, f64::max);
    assert!(worst < 1e-9, "probabilities differ by {worst}");
    let mut classes = Vec::new();
    model.predict_indices(Rows::F64(x.view()), &mut classes).unwrap();
    for (row, (class, expected)) in classes.iter().zip(expected).enumerate() {
        let label = model.classes().unwrap().label(*class as usize).unwrap().to_string();
        assert_eq!(label, expected[0], "row {row}");
    }
    // 32-bit rows, as tuples carry them, give the same classes.
    let narrow = x.mapv(|v| v as f32);
    let mut again = Vec::new();
    model.predict_indices(Rows::F32(narrow.view()), &mut again).unwrap();
    assert_eq!(classes, again);
}

#[test]
fn digits_in_one_model_and_in_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let data = cells(topologies().join("data/digits.csv"));
    assert_eq!(data.len(), 1797);
    let x = numbers(&data, 0..64);
    let expected = cells(topologies().join("models/expected/digits.csv"));
    agree(&open(folder.path(), "digits.pkl"), &x, &expected);

    let pca = open(folder.path(), "digits-pca.pkl");
    let features = pca.transform(Rows::F64(x.view())).unwrap();
    let some = cells(topologies().join("models/expected/digits-pca.csv"));
    let theirs = numbers(&some, 0..pca.n_outputs());
    let worst = (&features.slice(s![..;10, ..]) - &theirs).mapv(f64::abs);
    assert!(worst.iter().all(|d| *d < 1e-9));
    agree(&open(folder.path(), "digits-logistic.pkl"), &features, &expected);
}

#[test]
fn iris() {
    let folder = tempfile::tempdir().unwrap();
    let x = numbers(&cells(topologies().join("data/iris.csv")), 0..4);
    let expected = cells(topologies().join("models/expected/iris.csv"));
    agree(&open(folder.path(), "iris.pkl"), &x, &expected);
}
