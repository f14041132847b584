//! The topologies that ship: each passes the checks of a submit, and gives the right results when its components are run
//! one behind the other, without a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use squall_core::harness::{BoltHarness, Harness};
use squall_core::topology::{ModelLocation, PreparedModel, Sources, check, parse};
use squall_core::{ComponentKind, Next, Plan, Value};

fn topologies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").canonicalize().unwrap()
}

/// A shipped topology, checked, with its models imported into `dir`.
fn plan(dir: &Path, file: &str, set: &[(&str, &str)]) -> (Plan, BTreeMap<String, PathBuf>) {
    let folder = topologies();
    let var = |name: &str| match name {
        "TOPOLOGY_DIR" => Some(folder.display().to_string()),
        _ => set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()),
    };
    let mut sources = Sources { read: &mut |path: &Path| std::fs::read_to_string(path), var: &var };
    let spec = parse(&folder.join(file), &mut sources);
    let (mut models, mut artefacts) = (BTreeMap::new(), BTreeMap::new());
    for model in spec.models() {
        let ModelLocation::File(path) = &model.location else { panic!("{}: a model from afar", model.name) };
        let artefact = dir.join(format!("{}.safetensors", model.name));
        let imported = squall_model::import(path, &artefact, &mut |_, _| {}).unwrap();
        let prepared = PreparedModel {
            artefact: artefact.clone(),
            sha256: imported.artefact_sha256,
            source: imported.source_sha256,
            bytes: imported.bytes,
            file: model.name.clone(),
        };
        models.insert(model.name.clone(), Ok(prepared));
        artefacts.insert(model.name.clone(), artefact);
    }
    match check(&spec, &mut squall_components::registry(), &models) {
        Ok((plan, warnings)) => {
            assert!(warnings.is_empty(), "{file}: {warnings:?}");
            (plan, artefacts)
        }
        Err(faults) => panic!("{}", faults.iter().map(|f| f.render(false)).collect::<String>()),
    }
}

/// Runs a plan with one task for each component and gives its bolts, stopped in good order. At most `limit` tuples are
/// taken from each spout.
fn run(dir: &Path, (plan, models): (Plan, BTreeMap<String, PathBuf>), limit: usize) -> BTreeMap<String, BoltHarness> {
    let registry = squall_components::registry();
    let mut streams: BTreeMap<(String, String), Vec<Vec<Value>>> = BTreeMap::new();
    let mut bolts = BTreeMap::new();
    for component in &plan.components {
        let mut surroundings = models.iter().fold(Harness::default().state_dir(dir), |h, (name, path)| h.model(name, path));
        for input in &component.inputs {
            surroundings = surroundings.input_from(&input.from, &input.stream, input.fields.clone());
        }
        let (name, config) = (component.type_name.as_str(), component.config.clone());
        match component.kind {
            ComponentKind::Spout => {
                let mut spout = surroundings.registered_spout(&registry, name, config).unwrap();
                while spout.sent().len() < limit && spout.next().unwrap() != Next::End {}
                for stream in &component.outputs {
                    streams.insert((component.id.clone(), stream.name.clone()), spout.rows(&stream.name));
                }
            }
            ComponentKind::Bolt => {
                let mut bolt = surroundings.registered_bolt(&registry, name, config).unwrap();
                for input in &component.inputs {
                    let rows = &streams[&(input.from.clone(), input.stream.clone())];
                    rows.chunks(100).for_each(|batch| bolt.feed_from(&input.from, batch.to_vec()).unwrap());
                }
                assert_eq!(bolt.failed(), [], "{}", component.id);
                assert_eq!(bolt.held(), [0usize; 0], "{}", component.id);
                bolt.cleanup().unwrap();
                for stream in &component.outputs {
                    streams.insert((component.id.clone(), stream.name.clone()), bolt.rows(&stream.name));
                }
                bolts.insert(component.id.clone(), bolt);
            }
        }
    }
    bolts
}

/// The labels that scikit-learn itself gave.
fn expected(name: &str) -> Vec<String> {
    let path = topologies().join("models/expected").join(name);
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|r| r.unwrap()[0].to_owned()).collect()
}

#[test]
fn both_digits_topologies_agree_with_scikit_learn() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["digits.toml", "digits-pipeline.toml"] {
        let bolts = run(dir.path(), plan(dir.path(), file, &[]), usize::MAX);
        let field = bolts["classify"].context().outputs[0].fields.index("prediction").unwrap();
        let predictions: Vec<String> = bolts["classify"].rows("default").iter().map(|r| r[field].to_string()).collect();
        assert_eq!(predictions, expected("digits.csv"), "{file}");
        assert_eq!(bolts["print"].metrics().counter("shown").get(), 1797);
        let accuracy = bolts["accuracy"].metrics();
        assert_eq!(accuracy.counter("total").get(), 1797);
        assert!(accuracy.counter("correct").get() > 1700, "{file}: {:?}", accuracy.read());
    }
}

#[test]
fn irises_come_without_end_and_with_their_predictions() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, models) = plan(dir.path(), "iris.toml", &[("PERIOD", "0s")]);
    let classify = &plan.components[plan.position("classify").unwrap()];
    assert_eq!(classify.parallelism, 2);
    assert_eq!(classify.outputs[0].fields.to_string(), "data: str, prediction: str");
    let bolts = run(dir.path(), (plan, models), 450);
    let rows = bolts["classify"].rows("default");
    assert!(rows.len() >= 450);
    assert_eq!(rows[0][0], "5.1,3.5,1.4,0.2,setosa".into());
    let expected = expected("iris.csv");
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[1].to_string(), expected[i % 150], "row {i}");
    }
}

#[test]
fn models_vote_and_outliers_are_found_as_scikit_learn_says() {
    let dir = tempfile::tempdir().unwrap();
    let column = |name: &str, i: usize| -> Vec<String> {
        let mut reader = csv::Reader::from_path(topologies().join("models/expected").join(name)).unwrap();
        reader.records().map(|r| r.unwrap()[i].to_owned()).collect()
    };
    let bolts = run(dir.path(), plan(dir.path(), "iris-vote.toml", &[]), usize::MAX);
    let fields = bolts["classify"].context().outputs[0].fields.clone();
    let rows = bolts["classify"].rows("default");
    for (i, name) in ["label", "forest_label", "boosting_label", "neighbours_label"].into_iter().enumerate() {
        let at = fields.index(name).unwrap();
        let said: Vec<String> = rows.iter().map(|r| r[at].to_string()).collect();
        assert_eq!(said, column("iris-vote.csv", i), "{name}");
    }
    let bolts = run(dir.path(), plan(dir.path(), "iris-outliers.toml", &[("THRESHOLD", "0")]), usize::MAX);
    let anomalies: Vec<Value> = bolts["detect"].rows("default").iter().map(|r| r[2].clone()).collect();
    let expected: Vec<Value> = column("iris-isolation.csv", 1).iter().map(|v| Value::Bool(v == "-1")).collect();
    assert_eq!(anomalies, expected);
    assert_eq!(bolts["classify"].rows("default").len(), anomalies.iter().filter(|a| **a == Value::Bool(true)).count());
}

#[test]
fn customers_leave_or_stay_as_scikit_learn_says() {
    let dir = tempfile::tempdir().unwrap();
    let bolts = run(dir.path(), plan(dir.path(), "churn.toml", &[]), usize::MAX);
    assert_eq!(bolts["classify"].context().outputs[0].fields.to_string(), "id: int, label: str, confidence: float");
    let rows = bolts["classify"].rows("default");
    let labels: Vec<String> = rows.iter().map(|row| row[1].to_string()).collect();
    assert_eq!(labels, expected("churn.csv"));
    assert_eq!(rows.len(), 200);
}

#[test]
fn words_are_counted_as_an_independent_count_does() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), plan(dir.path(), "wordcount.toml", &[]), usize::MAX);
    let text = std::fs::read_to_string(topologies().join("data/words.txt")).unwrap();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    let written = std::fs::read_to_string(dir.path().join("counts.txt")).unwrap();
    let lines: Vec<(String, i64)> =
        written.lines().map(|l| l.split_once('\t').unwrap()).map(|(w, n)| (w.to_owned(), n.parse().unwrap())).collect();
    assert!(lines.windows(2).all(|w| w[0].1 >= w[1].1), "the most frequent first");
    assert_eq!(lines.len(), counts.len());
    assert_eq!(BTreeMap::from_iter(lines), counts);
}
