//! ONNX files against what ONNX Runtime itself answered, where the library is installed; else the answer is how to get it.
//!
//! A file of its own: which library a process takes is decided once.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value;
use squall_model::{Domain, Error, Kind, Model, Rows, import};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)
}

fn matrix(json: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(json.clone()).unwrap();
    let width = rows[0].len();
    Array2::from_shape_vec((rows.len(), width), rows.concat()).unwrap()
}

/// The model, or none where there is no library: then the refusal has to say what to do.
fn open(folder: &Path, name: &str) -> Option<std::sync::Arc<Model>> {
    let out = folder.join(format!("{name}.safetensors"));
    match import(&fixture(&format!("{name}.onnx")), &out, &mut |_, _| {}) {
        Ok(_) => Some(Model::open(&out).unwrap()),
        Err(e @ Error::Unavailable { .. }) => {
            assert_eq!(e.domain(), Domain::External);
            assert!(e.to_string().contains("pip install onnxruntime") && e.to_string().contains("SQUALL_ONNXRUNTIME"), "{e}");
            assert!(!out.exists());
            None
        }
        Err(e) => panic!("{name}: {e}"),
    }
}

#[test]
fn onnx_models_score_as_the_runtime_does() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["logistic-maps", "forest-names", "ridge", "inputs", "picture"] {
        let Some(model) = open(folder.path(), name) else { return };
        let json: Value = serde_json::from_str(&std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap()).unwrap();
        let (x, expected) = (matrix(&json["x"]), matrix(&json["scores"]));
        let rows = Rows::F64(x.view());
        let ours = match model.kind() {
            Kind::Classifier => model.predict_proba(rows).unwrap(),
            _ => {
                let mut values = Vec::new();
                model.predict_values(rows, &mut values).unwrap();
                Array2::from_shape_vec(expected.dim(), values).unwrap()
            }
        };
        assert_eq!(model.n_features(), Some(x.ncols()));
        assert_eq!(model.n_outputs(), expected.ncols(), "{name}");
        assert!((&ours - &expected).iter().all(|d| d.abs() < 1e-5), "{name}");
        if let Some(labels) = json["label"].as_array() {
            let mut indices = Vec::new();
            model.predict_indices(rows, &mut indices).unwrap();
            for (index, label) in indices.iter().zip(labels) {
                let ours = model.classes().unwrap().label(*index as usize).unwrap().to_string();
                assert_eq!(ours, label.as_str().unwrap(), "{name}");
            }
        }
        assert!(matches!(
            model.predict_proba(Rows::F64(Array2::zeros((1, 99)).view())),
            Err(Error::Width { .. } | Error::NoMethod { .. })
        ));
    }
}

#[test]
fn whole_numbers_are_asked_for_where_the_model_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = open(folder.path(), "inputs") else { return };
    let mut x = Array2::<f64>::zeros((3, 4));
    x[[2, 1]] = 0.5;
    let error = model.predict_values(Rows::F64(x.view()), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Value { row: 2, column: 1, .. }), "{error}");
    for wrong in [f64::NAN, f64::INFINITY, 9_223_372_036_854_775_808.0, -1e19] {
        x[[2, 1]] = wrong;
        let error = model.predict_values(Rows::F64(x.view()), &mut Vec::new()).unwrap_err();
        assert_eq!(error.row(), Some(2));
        let error = error.to_string();
        assert!(
            error.contains(&format!("is {wrong:?}; the model's input `")) && error.contains("whole numbers of 64 bits"),
            "{error}"
        );
    }
}

#[test]
fn files_that_only_begin_like_onnx_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(fixture("ridge.onnx")).unwrap();
    for n in [2, 10, 100, whole.len() / 2, whole.len() - 1] {
        let (source, out) = (folder.path().join("cut.onnx"), folder.path().join("cut.safetensors"));
        std::fs::write(&source, &whole[..n]).unwrap();
        let error = import(&source, &out, &mut |_, _| {}).expect_err("refused");
        assert!(matches!(error.domain(), Domain::User | Domain::External), "{error}");
        assert!(!out.exists());
    }
}
