//! Artefacts: how they are written, shared and refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array2;
use squall_model::{Classes, Error, Kind, Model, Options, Rows, import, import_with};

fn imported(folder: &Path, name: &str) -> PathBuf {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    let out = folder.join(format!("{name}.safetensors"));
    import(&cases.join(name), &out, &mut |_, _| {}).unwrap();
    out
}

/// Header and data of a safetensors file.
fn split(bytes: &[u8]) -> (serde_json::Value, usize) {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + n]).unwrap(), 8 + n)
}

fn join(header: &serde_json::Value, data: &[u8]) -> Vec<u8> {
    let text = serde_json::to_string(header).unwrap();
    [&(text.len() as u64).to_le_bytes(), text.as_bytes(), data].concat()
}

#[test]
fn a_model_larger_than_the_memory_is_refused_before_it_is_read_in() {
    const NAME: &str = "a_model_larger_than_the_memory_is_refused_before_it_is_read_in";
    if let Some(path) = std::env::var_os("SQUALL_TEST_MODEL") {
        let model = Model::open(std::path::Path::new(&path)).unwrap();
        println!("told: {:?}", model.prefault().map_err(|e| e.to_string()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases/forest-gaps.pkl");
    let path = folder.path().join("forest.safetensors");
    let bytes = import(&source, &path, &mut |_, _| {}).unwrap().bytes;
    // The limit is that of a process: another one is asked.
    let told = |limit: u64| {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args([NAME, "--exact", "--nocapture"]).env("SQUALL_TEST_MODEL", &path);
        let output = again.env("SQUALL_MODEL_MEMORY", limit.to_string()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told(bytes).contains("told: Ok"), "{}", told(bytes));
    let refused = told(bytes - 1);
    let expected = format!("needs {bytes} bytes of memory, other models of the process 0, and there are {}", bytes - 1);
    assert!(refused.contains(&expected), "{refused}");
}

#[test]
fn files_that_keep_no_labels_are_given_them() {
    let folder = tempfile::tempdir().unwrap();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    let with = |name: &str, labels: &[&str]| {
        let out = folder.path().join("labelled.safetensors");
        let mut options = Options::default();
        options.labels = Some(labels.iter().map(|l| (*l).to_owned()).collect());
        import_with(&cases.join(name), &out, options, &mut |_, _| {}).map(|_| Model::open(&out).unwrap())
    };
    for name in ["lightgbm-many.lgb.txt", "lightgbm-two.lgb.txt"] {
        let plain = Model::open(&imported(folder.path(), name)).unwrap();
        let n = plain.classes().unwrap().len();
        let labels: Vec<String> = (0..n).map(|i| format!("class {i}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let model = with(name, &labels).unwrap();
        assert_eq!(model.classes(), Some(&Classes::Str(labels.iter().map(|l| (*l).to_owned()).collect())), "{name}");
        let rows = Array2::from_shape_fn((40, plain.n_features().unwrap()), |(i, j)| ((i * 7 + j * 3) % 11) as f64 - 5.0);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        plain.predict_indices(Rows::from(rows.view()), &mut a).unwrap();
        model.predict_indices(Rows::from(rows.view()), &mut b).unwrap();
        assert!(a == b && a.iter().any(|i| *i != a[0]), "{name}");
        let few = with(name, &labels[1..]).unwrap_err().to_string();
        assert!(few.contains(&format!("there are {}, and the model has {n} classes", n - 1)), "{few}");
        let twice = with(name, &vec!["a"; n]).unwrap_err().to_string();
        assert!(twice.contains("`a` is there twice"), "{twice}");
    }
    let no_classes = with("lightgbm-regressor.lgb.txt", &["a"]).unwrap_err().to_string();
    assert!(no_classes.contains("no classifier"), "{no_classes}");
    // Those of a version before are given where they matter.
    let if_none = |name: &str, labels: &[&str]| {
        let out = folder.path().join("labelled.safetensors");
        let mut options = Options::default();
        options.labels_if_none = Some(labels.iter().map(|l| (*l).to_owned()).collect());
        import_with(&cases.join(name), &out, options, &mut |_, _| {}).map(|_| Model::open(&out).unwrap())
    };
    let booster = if_none("xgboost-two.ubj.xgb", &["no", "yes"]).unwrap();
    assert_eq!(booster.classes(), Some(&Classes::Str(vec!["no".into(), "yes".into()])));
    let own = if_none("logistic-two.pkl", &["no", "yes"]).unwrap();
    let plain = Model::open(&imported(folder.path(), "logistic-two.pkl")).unwrap();
    assert_eq!(own.classes(), plain.classes());
    assert_eq!(if_none("lightgbm-regressor.lgb.txt", &["no", "yes"]).unwrap().classes(), None);
    let few = if_none("lightgbm-many.lgb.txt", &["no", "yes"]).unwrap_err().to_string();
    assert!(few.contains("there are 2, and the model has"), "{few}");
    let has_some = with("logistic-two.pkl", &["a", "b"]).unwrap_err().to_string();
    assert!(has_some.contains("has its own labels"), "{has_some}");
}

#[test]
fn every_tensor_begins_on_64_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pipeline-p5.pkl", "svc-rbf-many.pkl", "logistic-two.pkl"] {
        let bytes = std::fs::read(imported(folder.path(), name)).unwrap();
        let (header, data) = split(&bytes);
        assert_eq!(data % 64, 0);
        for (name, info) in header.as_object().unwrap() {
            if !name.starts_with("pad.") && name != "__metadata__" {
                assert_eq!(info["data_offsets"][0].as_u64().unwrap() % 64, 0, "{name}");
            }
        }
    }
}

#[test]
fn an_artefact_is_readable_by_all_and_says_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    let out = folder.path().join("model.safetensors");
    let mut told = Vec::new();
    let done = import(&cases.join("pipeline-p5.pkl"), &out, &mut |a, b| told.push((a, b))).unwrap();
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o644);
    let model = Model::open(&out).unwrap();
    assert_eq!(model.checksum(), done.artefact_sha256);
    assert_eq!(model.source_checksum(), done.source_sha256);
    assert_eq!(model.mapped_bytes(), done.bytes);
    assert_eq!(done.kind, Kind::Classifier);
    assert_eq!(done.summary, "Pipeline(StandardScaler, PCA, SVC), 4 features, 3 classes");
    assert_eq!(model.describe()["steps"][1]["arrays"]["components"], serde_json::json!([3, 4]));
    assert!(told.windows(2).all(|w| w[0].0 <= w[1].0), "progress goes forward: {told:?}");
    assert_eq!(told.last().map(|(a, b)| a == b), Some(true));
    model.prefault().unwrap();

    // Importing an artefact again publishes the same bytes.
    let again = folder.path().join("again.safetensors");
    assert_eq!(import(&out, &again, &mut |_, _| {}).unwrap().artefact_sha256, done.artefact_sha256);
}

#[test]
fn one_file_is_mapped_once_in_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = imported(folder.path(), "scaler.pkl");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let first = Model::open(&path).unwrap();
    assert!(Arc::ptr_eq(&first, &Model::open(&link).unwrap()));

    // A new version under the old name is another file; the old model goes on as it was.
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    import(&cases.join("pca-p5.pkl"), &path, &mut |_, _| {}).unwrap();
    let second = Model::open(&path).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    let x = Array2::<f64>::zeros((1, 4));
    assert_eq!(first.transform(Rows::F64(x.view())).unwrap().ncols(), 4);
    assert_eq!(second.transform(Rows::F64(x.view())).unwrap().ncols(), 3);
}

#[test]
fn an_unaligned_artefact_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = imported(folder.path(), "scaler.pkl");
    let bytes = std::fs::read(&path).unwrap();
    let (header, data) = split(&bytes);
    let mut text = serde_json::to_string(&header).unwrap();
    while (8 + text.len()) % 64 != 8 {
        text.push(' ');
    }
    let shifted = [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[data..]].concat();
    let other = folder.path().join("shifted");
    std::fs::write(&other, shifted).unwrap();
    let message = Model::open(&other).unwrap_err().to_string();
    assert!(message.contains("aligned") && message.contains("shifted"), "{message}");
}

#[test]
fn damaged_artefacts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = imported(folder.path(), "svc-rbf-two.pkl");
    let bytes = std::fs::read(&path).unwrap();
    let open = |bytes: &[u8]| {
        let path = folder.path().join("damaged");
        // A new file each time: a map must never see its file change.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        Model::open(&path)
    };
    for n in (0..bytes.len()).step_by(97) {
        let error = open(&bytes[..n]).expect_err("cut off");
        assert!(matches!(error, Error::Artefact { .. }), "{error}");
    }
    assert!(open(b"").is_err());
    assert!(open(&[0xff; 64]).is_err());

    let (header, data) = split(&bytes);
    let change = |f: &dyn Fn(&mut serde_json::Value)| {
        let mut header = header.clone();
        f(&mut header);
        let mut text = serde_json::to_string(&header).unwrap();
        while (8 + text.len()) % 64 != 0 {
            text.push(' ');
        }
        open(&[&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[data..]].concat())
    };
    let tensor = header.as_object().unwrap().keys().find(|k| k.ends_with("vectors")).unwrap().clone();
    let model = |header: &mut serde_json::Value, from: &str, to: &str| {
        let text = header["__metadata__"]["squall.model"].as_str().unwrap().to_owned();
        assert!(text.contains(from), "{from} is not in {text}");
        header["__metadata__"]["squall.model"] = text.replace(from, to).into();
    };
    assert!(change(&|_| {}).is_ok());
    type Change<'a> = Box<dyn Fn(&mut serde_json::Value) + 'a>;
    let changes: Vec<Change<'_>> = vec![
        Box::new(|h| h["__metadata__"]["squall.format"] = "9".into()),
        Box::new(|h| h["__metadata__"] = serde_json::json!({})),
        Box::new(|h| h["__metadata__"]["squall.model"] = "{}".into()),
        Box::new(|h| h["__metadata__"]["squall.model"] = "[".into()),
        Box::new(|h| h[&tensor]["dtype"] = "I64".into()),
        Box::new(|h| h[&tensor]["shape"][0] = 1.into()),
        Box::new(|h| h[&tensor]["data_offsets"][1] = 1e15.into()),
        Box::new(|h| model(h, "svm_classifier\"", "mystery\"")),
        Box::new(|h| model(h, "\"rbf\"", "\"other\"")),
        Box::new(|h| model(h, "[0,1]", "[0,1,2]")),
        Box::new(|h| model(h, "\"gamma\"", "\"delta\"")),
        Box::new(|h| model(h, "vectors\":", "vektors\":")),
    ];
    for (i, f) in changes.iter().enumerate() {
        let error = change(f).expect_err(&format!("change {i}"));
        assert!(matches!(error, Error::Artefact { .. }), "change {i}: {error}");
    }
    // Anything may be in the header; opening says no or yes, and nothing worse.
    let _ = join(&header, &bytes[data..]);
    for at in (8..data).step_by(3) {
        let mut other = bytes.clone();
        other[at] = other[at].wrapping_add(1);
        if let Ok(model) = open(&other) {
            let x = Array2::<f64>::zeros((2, model.n_features().unwrap_or(1)));
            let _ = model.predict_proba(Rows::F64(x.view()));
        }
    }
}

/// The artefact of a case, opened with a part of its description changed.
fn changed(case: &str, from: &str, to: &str) -> Result<Arc<Model>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(imported(folder.path(), case)).unwrap();
    let (mut header, data) = split(&bytes);
    let text = header["__metadata__"]["squall.model"].as_str().unwrap();
    assert!(text.contains(from), "{text}");
    header["__metadata__"]["squall.model"] = text.replace(from, to).into();
    let mut text = serde_json::to_string(&header).unwrap();
    text.push_str(&" ".repeat((8 + text.len()).next_multiple_of(64) - 8 - text.len()));
    let path = folder.path().join("changed");
    std::fs::write(&path, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[data..]].concat()).unwrap();
    Model::open(&path)
}

#[test]
fn hidden_layers_with_an_activation_of_the_last_one_are_refused() {
    let open =
        |activation: &str| changed("mlp-relu-many.pkl", r#""activation":"relu""#, &format!(r#""activation":"{activation}""#));
    assert!(open("tanh").is_ok());
    let error = open("softmax").unwrap_err();
    assert!(matches!(error, Error::Artefact { .. }), "{error}");
    assert!(error.to_string().contains("its hidden layers have an activation of the last one"), "{error}");
}

#[test]
fn classifiers_of_several_targets_keep_what_they_search_once() {
    let folder = tempfile::tempdir().unwrap();
    for (case, op, list, fewer) in [
        ("several-forest.pkl", "trees", r#"{"int":[-5,5]}"#, r#"{"int":[5]}"#),
        ("several-neighbours.pkl", "knn_classifier", r#"{"str":["even","odd"]}"#, r#"{"str":["odd"]}"#),
    ] {
        let model = Model::open(&imported(folder.path(), case)).unwrap();
        let described = model.describe();
        assert!(described["op"] == op && described.get("steps").is_none(), "{described}");
        let targets = model.targets().unwrap();
        let classes = targets.iter().map(Classes::len).sum::<usize>();
        assert_eq!((targets.len(), classes, model.n_outputs()), (2, 8, 2));
        let x = Array2::<f64>::zeros((3, model.n_features().unwrap()));
        assert_eq!(model.predict_proba(Rows::F64(x.view())).unwrap().dim(), (3, classes));
        for wrong in [fewer, r#"{"int":[]}"#, &format!("{list},{list}")] {
            let error = changed(case, list, wrong).unwrap_err();
            assert!(matches!(error, Error::Artefact { .. }), "{wrong}: {error}");
        }
    }
}

#[test]
fn names_that_lightgbm_gives_to_columns_of_arrays_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    let text = std::fs::read_to_string(cases.join("lightgbm-two.lgb.txt")).unwrap();
    let names = |text: &str| {
        let (source, out) = (folder.path().join("model.txt"), folder.path().join("model.safetensors"));
        std::fs::write(&source, text).unwrap();
        import(&source, &out, &mut |_, _| {}).unwrap();
        Model::open(&out).unwrap().feature_names().map(<[String]>::to_vec)
    };
    assert_eq!(names(&text), None);
    let named = names(&text.replace("Column_1", "age")).unwrap();
    assert_eq!(named[..2], ["Column_0", "age"]);
}

#[test]
fn rows_that_do_not_fit_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&imported(folder.path(), "logistic-names-p5.pkl")).unwrap();
    let narrow = Array2::<f32>::zeros((1, 3));
    let message = model.predict_proba(Rows::F32(narrow.view())).unwrap_err().to_string();
    assert!(message.contains("expects 4 features, the row has 3"), "{message}");
    let mut x = Array2::<f64>::zeros((3, 4));
    x[[2, 1]] = f64::NAN;
    let message = model.predict_indices(Rows::F64(x.view()), &mut vec![]).unwrap_err().to_string();
    assert!(message.contains("row 2, feature 1 is NaN"), "{message}");
    let message = model.transform(Rows::F64(x.view())).unwrap_err().to_string();
    assert!(message.contains("no transform; it has: predict of classes, predict_proba, decision_function"), "{message}");
    let message = model.predict_values(Rows::F64(x.view()), &mut vec![]).unwrap_err().to_string();
    assert!(message.contains("no predict of values"), "{message}");
    let missing = Model::open(&folder.path().join("missing")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open"), "{missing}");
}
