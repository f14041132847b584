//! Every fixture of `fixtures/make.py` against what scikit-learn itself answered.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value;
use squall_model::{Classes, Kind, Label, Model, Rows, Table, Texts, import, supported};

/// Probabilities, scores and features may differ this much (relative above 1, absolute below).
const TOLERANCE: f64 = 1e-9;

thread_local! {
    /// The largest deviation since it was set to 0, relative above 1 and absolute below.
    static WORST: Cell<f64> = const { Cell::new(0.0) };
}

struct Case {
    name: String,
    json: Value,
}

fn cases() -> Vec<Case> {
    let folder = fixtures();
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            out.push(Case {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
            });
        }
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(out.len() > 40, "fixtures are missing");
    out
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases")
}

/// One or two axes of numbers; null is NaN.
fn matrix(json: &Value) -> Array2<f64> {
    let number = |v: &Value| match v {
        Value::Bool(b) => f64::from(u8::from(*b)),
        other => other.as_f64().unwrap_or(f64::NAN),
    };
    let rows = json.as_array().unwrap();
    let flat: Vec<f64> = rows
        .iter()
        .flat_map(|r| match r.as_array() {
            Some(row) => row.iter().map(number).collect(),
            None => vec![number(r)],
        })
        .collect();
    Array2::from_shape_vec((rows.len(), flat.len() / rows.len().max(1)), flat).unwrap()
}

fn compare(what: &str, ours: &Array2<f64>, json: &Value, case: &Value) -> Result<(), String> {
    let tolerance = case["tolerance"].as_f64().unwrap_or(TOLERANCE);
    let theirs = matrix(json);
    if ours.dim() != theirs.dim() {
        return Err(format!("{what}: shape {:?} instead of {:?}", ours.dim(), theirs.dim()));
    }
    for ((at, a), b) in ours.indexed_iter().zip(&theirs) {
        if a != b && !a.is_nan() {
            WORST.set(WORST.get().max((a - b).abs() / b.abs().max(1.0)));
        }
        let close = (a - b).abs() <= tolerance * b.abs().max(1.0) || (a.is_nan() && b.is_nan()) || a == b;
        if !close {
            return Err(format!("{what}: {a} instead of {b} at {at:?}"));
        }
    }
    Ok(())
}

fn label_is(label: Option<Label<'_>>, json: &Value) -> bool {
    match label {
        Some(Label::Int(v)) => json.as_i64() == Some(v),
        Some(Label::Float(v)) => json.as_f64() == Some(v),
        Some(Label::Str(v)) => json.as_str() == Some(v),
        Some(Label::Bool(v)) => json.as_bool() == Some(v),
        None => false,
    }
}

fn check(model: &Model, json: &Value, rows: Rows<'_>) -> Result<(), String> {
    let say = |e: squall_model::Error| e.to_string();
    if let Some(expected) = json.get("predict") {
        if !model.has_predict() {
            return Err("predict is missing".into());
        }
        if let Some(targets) = model.targets() {
            let mut out = Vec::new();
            model.predict_indices(rows, &mut out).map_err(say)?;
            let expected: Vec<&Value> = expected.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).collect();
            if out.len() != expected.len() {
                return Err(format!("predict: {} labels instead of {}", out.len(), expected.len()));
            }
            let given = out.iter().zip(targets.iter().cycle()).map(|(index, classes)| classes.label(*index as usize));
            if let Some((at, (given, expected))) = given.zip(&expected).enumerate().find(|(_, (g, e))| !label_is(*g, e)) {
                return Err(format!("predict: {given:?} instead of {expected}, label {at}"));
            }
        }
        if let Some(classes) = model.classes() {
            let labels = json["classes"].as_array().unwrap();
            if labels.len() != classes.len() || !labels.iter().enumerate().all(|(i, l)| label_is(classes.label(i), l)) {
                return Err(format!("classes {classes:?} instead of {labels:?}"));
            }
            let mut out = vec![9];
            model.predict_indices(rows, &mut out).map_err(say)?;
            let expected = expected.as_array().unwrap();
            if out.len() != expected.len() {
                return Err("predict: wrong number of rows".into());
            }
            for (row, (index, expected)) in out.iter().zip(expected).enumerate() {
                let label = classes.label(*index as usize);
                if !label_is(label, expected) {
                    return Err(format!("predict: {label:?} instead of {expected} in row {row}"));
                }
            }
        } else if model.targets().is_none_or(|targets| !targets.iter().any(|c| matches!(c, Classes::Str(_)))) {
            let mut out = Vec::new();
            model.predict_values(rows, &mut out).map_err(say)?;
            let n = out.len() / rows.nrows();
            let out = Array2::from_shape_vec((rows.nrows(), n), out).map_err(|e| e.to_string())?;
            compare("predict", &out, expected, json)?;
        }
    }
    if let Some(expected) = json.get("proba") {
        let proba = model.predict_proba(rows).map_err(say)?;
        compare("proba", &proba, expected, json)?;
        if model.n_outputs() != proba.ncols() && !model.has_transform() && model.classes().is_some() {
            return Err("n_outputs is not the width of proba".into());
        }
    }
    if let Some(expected) = json.get("decision") {
        compare("decision", &model.decision_function(rows).map_err(say)?, expected, json)?;
    }
    if let Some(expected) = json.get("transform") {
        let features = model.transform(rows).map_err(say)?;
        compare("transform", &features, expected, json)?;
        // A transformer of any width does not announce one.
        let announced = model.n_features().is_some() || model.n_outputs() > 0;
        if model.kind() == Kind::Transformer && announced && model.n_outputs() != features.ncols() {
            return Err("n_outputs is not the width of transform".into());
        }
    }
    let announced = [
        ("predict", model.has_predict()),
        ("proba", model.has_proba()),
        ("decision", model.has_decision()),
        ("transform", model.has_transform()),
    ];
    for (method, has) in announced {
        let skipped = json["skip"].as_array().is_some_and(|s| s.contains(&Value::from(method)));
        if has && json.get(method).is_none() && !skipped {
            return Err(format!("{method} is announced, and scikit-learn has none"));
        }
    }
    Ok(())
}

/// The whole batch, its rows one by one, and 32-bit rows where the model was trained on such.
fn check_all(model: &Model, json: &Value) -> Result<(), String> {
    if json["x"][0].is_string() {
        return check_texts(model, json);
    }
    if json["x"].as_array().unwrap().iter().any(|row| row.as_array().is_some_and(|row| row.iter().any(Value::is_string))) {
        return check_table(model, json);
    }
    let x = matrix(&json["x"]);
    if model.n_features().is_some_and(|n| n != x.ncols()) {
        return Err(format!("it expects {:?} features, not {}", model.n_features(), x.ncols()));
    }
    if json.get("f32").is_some() {
        let narrow = x.mapv(|v| v as f32);
        // scikit-learn computes in 32 bits there; only the class can be the same.
        return model.transform(Rows::F32(narrow.view())).map(drop).map_err(|e| e.to_string());
    }
    check(model, json, Rows::F64(x.view()))?;
    let columns = x.t().as_standard_layout().into_owned();
    check(model, json, Rows::F64(columns.t())).map_err(|e| format!("column-major rows: {e}"))?;
    for (i, row) in x.outer_iter().enumerate() {
        let one = only_row(json, i);
        let row = row.insert_axis(ndarray::Axis(0));
        check(model, &one, Rows::F64(row)).map_err(|e| format!("row {i} alone: {e}"))?;
    }
    Ok(())
}

/// A case of one of its rows.
fn only_row(json: &Value, i: usize) -> Value {
    let mut one = json.clone();
    for key in ["predict", "proba", "decision", "transform"] {
        if let Some(all) = json.get(key) {
            one[key] = Value::Array(vec![all[i].clone()]);
        }
    }
    one
}

fn check_texts(model: &Model, json: &Value) -> Result<(), String> {
    let texts: Vec<&str> = json["x"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let joined = texts.concat();
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len();
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    if !model.takes_texts() || model.n_features().is_some() {
        return Err("it should take texts".into());
    }
    check(model, json, Rows::Texts(Texts::new(&joined, &ends).unwrap()))?;
    for (i, text) in texts.iter().enumerate() {
        let ends = [text.len()];
        let rows = Rows::Texts(Texts::new(text, &ends).unwrap());
        check(model, &only_row(json, i), rows).map_err(|e| format!("text {i} alone: {e}"))?;
    }
    Ok(())
}

/// Rows with texts, together and one by one.
fn check_table(model: &Model, json: &Value) -> Result<(), String> {
    let rows = json["x"].as_array().unwrap();
    let columns = model.columns().ok_or("it should take texts in some columns")?;
    if !model.takes_tables()
        || model.n_features() != Some(columns.len())
        || Some(columns.len()) != rows[0].as_array().map(Vec::len)
    {
        return Err(format!("its columns are {columns:?}"));
    }
    if let Some(names) = json.get("columns") {
        let names: Vec<&str> = names.as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        if model.feature_names().is_none_or(|found| found != names) {
            return Err(format!("its features are {:?}", model.feature_names()));
        }
    }
    let mut table = Table::new(columns.len());
    let add = |table: &mut Table, row: &Value| {
        for cell in row.as_array().unwrap() {
            match (cell.as_str(), cell.as_f64(), cell.as_bool()) {
                (Some(text), ..) => table.text(text),
                (_, Some(number), _) => table.number(number),
                (_, _, Some(truth)) => table.number(f64::from(u8::from(truth))),
                _ => table.missing(),
            }
        }
    };
    rows.iter().for_each(|row| add(&mut table, row));
    check(model, json, Rows::Table(&table))?;
    for (i, row) in rows.iter().enumerate() {
        table.clear(columns.len());
        add(&mut table, row);
        check(model, &only_row(json, i), Rows::Table(&table)).map_err(|e| format!("row {i} alone: {e}"))?;
    }
    Ok(())
}

#[test]
fn every_fixture_scores_as_scikit_learn_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let mut files = 0;
    let mut grid = Grid::new();
    for case in cases() {
        WORST.set(0.0);
        for file in case.json["files"].as_array().unwrap() {
            let file = file.as_str().unwrap();
            files += 1;
            let out = folder.path().join(format!("{file}.safetensors"));
            let done = import(&fixtures().join(file), &out, &mut |_, _| {})
                .and_then(|_| Model::open(&out))
                .map_err(|e| e.to_string())
                .and_then(|model| check_all(&model, &case.json));
            if let Err(e) = done {
                failures.push(format!("{file}: {e}"));
            }
        }
        note(&mut grid, &case, WORST.get());
    }
    let (failed, list) = (failures.len(), failures.join("\n"));
    assert!(failures.is_empty(), "{failed} of {files} files differ:\n{list}");
    println!("{files} files agree");
    the_table_is_current(&grid);
}

/// What was tested of an estimator.
#[derive(Default)]
struct Tested {
    cases: usize,
    versions: BTreeSet<(u32, u32, u32)>,
    worst: f64,
}

type Grid = BTreeMap<String, Tested>;

fn note(grid: &mut Grid, case: &Case, worst: f64) {
    let version = case.name.rsplit_once("-sklearn-").map_or("1.9.1", |(_, version)| version);
    let numbers: Vec<u32> = version.split('.').map(|n| n.parse().unwrap()).collect();
    let class = match case.json["class"].as_str().unwrap() {
        // Stand-ins of make.py for what could not be asked as it is.
        "Dense" => "SVC",
        "Categories" => "XGBClassifier",
        class => class,
    };
    let tested = grid.entry(class.to_owned()).or_default();
    tested.cases += 1;
    tested.versions.insert((numbers[0], numbers[1], numbers[2]));
    tested.worst = tested.worst.max(worst);
}

/// The power of ten that a deviation does not exceed; what is below the last digit of a float counts as that.
fn decade(worst: f64) -> i32 {
    if worst == 0.0 { -15 } else { (worst.log10().ceil() as i32).max(-15) }
}

const TABLE: &str = "| estimator | since | cases | largest deviation |\n|---|---|---|---|\n";

fn rows(grid: &Grid) -> Vec<(String, String, i32)> {
    let mut names: BTreeSet<&str> = supported().into_iter().collect();
    names.extend(grid.keys().map(String::as_str));
    let row = |name: &str| match grid.get(name) {
        None => (name.to_owned(), "| as its kin | | |".to_owned(), i32::MIN),
        Some(tested) => {
            let since = match (name.starts_with("XGB"), name.starts_with("LGBM"), tested.versions.first()) {
                (true, ..) => "XGBoost 3.2.0".to_owned(),
                (_, true, _) => "LightGBM 4.7.0".to_owned(),
                (.., Some((a, b, c))) => format!("{a}.{b}.{c}"),
                (.., None) => String::new(),
            };
            (name.to_owned(), format!("| {since} | {} |", tested.cases), decade(tested.worst))
        }
    };
    names.into_iter().map(row).collect()
}

/// The table in `docs/models.md` has every estimator with what was just found. Deviations differ in their last digits from
/// processor to processor: what the table says is a bound. SQUALL_BLESS=1 writes it anew.
fn the_table_is_current(grid: &Grid) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/models.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, old) = text.split_once("## Estimators\n").expect("a section of estimators");
    let (preface, old) = old.split_once(TABLE).unwrap_or((old, ""));
    let rows = rows(grid);
    if std::env::var_os("SQUALL_BLESS").is_some() {
        let lines = rows.iter().map(|(name, rest, decade)| match *decade {
            i32::MIN => format!("| `{name}` {rest}\n"),
            decade => format!("| `{name}` {rest} 1e{decade} |\n"),
        });
        let table: String = lines.collect();
        std::fs::write(&path, format!("{head}## Estimators\n{preface}{TABLE}{table}")).unwrap();
        return;
    }
    let remedy = "docs/models.md is not current: SQUALL_BLESS=1 cargo test -p squall-model --test sklearn";
    let lines: Vec<&str> = old.lines().collect();
    assert_eq!(lines.len(), rows.len(), "{remedy}");
    for (line, (name, rest, decade)) in lines.iter().zip(&rows) {
        let told = line.strip_prefix(&format!("| `{name}` {rest}"));
        let told = told.unwrap_or_else(|| panic!("{remedy}: `{line}` for {name} {rest}"));
        let bound = told.trim_matches([' ', '|']).strip_prefix("1e").map(|d| d.parse::<i32>().unwrap());
        assert!(bound.is_none_or(|bound| *decade <= bound), "{name} deviates by 1e{decade}; {remedy}");
    }
}

#[test]
fn empty_batches_give_empty_answers() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["logistic-names-p5.pkl", "svc-rbf-many.pkl", "pipeline-p5.pkl"] {
        let out = folder.path().join(name);
        import(&fixtures().join(name), &out, &mut |_, _| {}).unwrap();
        let model = Model::open(&out).unwrap();
        let none = Array2::<f64>::zeros((0, model.n_features().unwrap()));
        let mut classes = vec![1];
        model.predict_indices(Rows::F64(none.view()), &mut classes).unwrap();
        assert!(classes.is_empty());
        assert_eq!(model.decision_function(Rows::F64(none.view())).unwrap().nrows(), 0);
    }
}

#[test]
fn classes_keep_their_type() {
    let folder = tempfile::tempdir().unwrap();
    let classes = |name: &str| {
        let out = folder.path().join(name);
        import(&fixtures().join(name), &out, &mut |_, _| {}).unwrap();
        Model::open(&out).unwrap().classes().cloned().unwrap()
    };
    assert_eq!(classes("logistic-bool-p5.pkl"), Classes::Bool(vec![false, true]));
    assert_eq!(classes("logistic-negative.pkl"), Classes::Int(vec![-1, 1]));
    assert_eq!(classes("logistic-float.pkl"), Classes::Float(vec![0.0, 1.0, 2.0]));
    let species = ["setosa", "versicolor", "virginica"].map(str::to_owned).to_vec();
    assert_eq!(classes("logistic-objects-p0.pkl"), Classes::Str(species));
}
