use std::path::Path;

use squall_core::harness::{BoltHarness, Harness};
use squall_core::{Next, Schema, Value};

use super::*;
use crate::spouts;
use crate::support::models::tests::artefact;
use squall_model::Model;

fn digits(dir: &Path, more: serde_json::Value) -> Result<BoltHarness> {
    let input = Schema::new([("row", FieldType::Int), ("pixels", FieldType::F64s(Some(64))), ("label", FieldType::Int)]);
    let mut config = serde_json::json!({"model": "digits", "features": "pixels"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Harness::default().input(input).model("digits", artefact(dir, "digits")).bolt_config::<Config>(config)
}

/// The whole dataset, as the `digits` spout gives it.
fn data(path: &str) -> Vec<Vec<Value>> {
    let path = format!("{}/../topologies/data/{path}.csv", env!("CARGO_MANIFEST_DIR"));
    let config = serde_json::json!({"path": path});
    let mut spout = match path.contains("digits") {
        true => Harness::default().spout_config::<spouts::digits::Config>(config).unwrap(),
        false => Harness::default().spout_config::<spouts::iris::Config>(config).unwrap(),
    };
    assert_eq!(spout.run().unwrap(), Next::End);
    spout.rows("default")
}

fn vector(value: &Value) -> &[f64] {
    if let Value::F64s(v) = value { v } else { panic!("{value:?}") }
}

#[test]
fn digits_are_classified_as_scikit_learn_does() {
    let dir = tempfile::tempdir().unwrap();
    let emit = serde_json::json!({"emit": ["label", "proba", "confidence", "index"], "pass": ["row"]});
    let mut bolt = digits(dir.path(), emit).unwrap();
    let schema = bolt.context().outputs[0].fields.to_string();
    assert_eq!(schema, "row: int, label: int, proba: f64[10], confidence: float, index: int");
    let rows = data("digits");
    for batch in rows.chunks(100) {
        bolt.feed(batch.to_vec()).unwrap();
    }
    assert_eq!(bolt.acked().len(), 1797);
    let expected = format!("{}/../topologies/models/expected/digits.csv", env!("CARGO_MANIFEST_DIR"));
    let mut expected = csv::Reader::from_path(expected).unwrap();
    let mut compared = 0;
    for (emitted, record) in bolt.emitted().iter().zip(expected.records()) {
        let record = record.unwrap();
        assert_eq!(emitted.values[0], Value::from(compared as u64));
        assert_eq!(emitted.values[1].to_string(), record[0], "label of row {compared}");
        let proba = vector(&emitted.values[2]);
        for (ours, theirs) in proba.iter().zip(record.iter().skip(1)) {
            let theirs: f64 = theirs.parse().unwrap();
            assert!((ours - theirs).abs() < 1e-9, "row {compared}: {ours} and {theirs}");
        }
        assert_eq!(emitted.values[3], Value::Float(proba.iter().copied().fold(0.0, f64::max)));
        assert_eq!(emitted.anchors, [compared]);
        compared += 1;
    }
    assert_eq!(compared, 1797);
}

#[test]
fn irises_get_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let input = Schema::new([("data", FieldType::Str), ("features", FieldType::F64s(Some(4))), ("species", FieldType::Str)]);
    let config = serde_json::json!({
        "model": "iris", "features": "features", "pass": ["data"], "emit": {"label": "prediction", "decision": "d"}
    });
    let surroundings = Harness::default().input(input).model("iris", artefact(dir.path(), "iris"));
    let mut bolt = surroundings.bolt_config::<Config>(config).unwrap();
    let schema = &bolt.context().outputs[0].fields;
    assert_eq!(schema.to_string(), "data: str, prediction: str, d: f64[3]");
    let rows = data("iris");
    bolt.feed(rows.clone()).unwrap();
    let right = bolt.emitted().iter().zip(&rows).filter(|(e, row)| e.values[1] == row[2]).count();
    assert!(right > 140, "{right} of 150");
    assert_eq!(bolt.emitted()[0].values[0], "5.1,3.5,1.4,0.2,setosa".into());
}

#[test]
fn rows_that_cannot_be_scored_fail_alone_or_go_to_a_stream_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let rows = || {
        let good = data("digits").remove(0);
        let mut bad = good.clone();
        bad[0] = Value::Int(5);
        bad[1] = Value::F64s([f64::NAN].into_iter().chain([1.0; 63]).collect());
        [good.clone(), bad, good]
    };
    let mut bolt = digits(dir.path(), serde_json::json!({})).unwrap();
    bolt.feed(rows()).unwrap();
    assert_eq!(bolt.rows("default"), [[Value::Int(0)], [Value::Int(0)]]);
    assert_eq!(bolt.acked(), [0, 2]);
    assert!(bolt.failed()[0].1.starts_with("`pixels` has a number that is not finite"));
    assert_eq!(bolt.metrics().counter("invalid rows").get(), 1);

    let mut bolt = digits(dir.path(), serde_json::json!({"invalid": true, "pass": ["row"]})).unwrap();
    bolt.feed(rows()).unwrap();
    assert_eq!(bolt.acked(), [0, 1, 2]);
    assert_eq!(bolt.rows("default").len(), 2);
    let invalid = bolt.emitted().iter().find(|e| e.stream == "invalid").unwrap();
    assert_eq!((invalid.anchors.as_slice(), &invalid.values[0]), ([1].as_slice(), &Value::Int(5)));
}

#[test]
fn one_tuple_at_a_time_gives_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut bolt = digits(dir.path(), serde_json::json!({"emit": ["scores"]})).unwrap();
    let rows: Vec<_> = data("digits").into_iter().take(5).collect();
    bolt.feed(rows.clone()).unwrap();
    let together = bolt.take();
    rows.into_iter().for_each(|row| bolt.feed([row]).unwrap());
    for (a, b) in together.iter().zip(bolt.emitted()) {
        let near = vector(&a.values[0]).iter().zip(vector(&b.values[0])).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near, "{a:?} and {b:?}");
    }
}

#[test]
fn what_the_model_does_not_have_is_told_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let error = |more| digits(dir.path(), more).err().expect("a refused configuration").to_string();
    let message = error(serde_json::json!({"emit": ["lable"]}));
    assert!(message.starts_with("config.emit[0]: `lable` cannot be emitted; did you mean `label`?"), "{message}");
    let message = error(serde_json::json!({"emit": {"value": "v"}}));
    assert!(message.starts_with("config.emit.value: model `digits` is a classifier without values"), "{message}");
    let message = error(serde_json::json!({"model": "digit"}));
    assert!(message.starts_with("config.model: the topology has no model `digit`; did you mean `digits`?"), "{message}");
    let message = error(serde_json::json!({"features": ["row", "label"]}));
    assert!(message.starts_with("config.features: model `digits` takes 64 features, but the list has 2 numbers"), "{message}");
    let message = error(serde_json::json!({"features": "label"}));
    assert!(message.contains("`label` of `input` has 1 number"), "{message}");
    let message = error(serde_json::json!({"pass": ["label"]}));
    assert!(message.contains("two output fields are called `label`"), "{message}");
    let message = error(serde_json::json!({"emit": []}));
    assert!(message.starts_with("config.emit: "), "{message}");
}

#[test]
fn a_new_version_is_taken_up_between_two_batches_and_predictions_tell_which_it_was() {
    use squall_core::control::ModelVersion;
    let dir = tempfile::tempdir().unwrap();
    let emit = serde_json::json!({"emit": ["label", "model", "version", "checksum"]});
    let mut bolt = digits(dir.path(), emit).unwrap();
    let live = bolt.context().live.clone();
    let version = |name: &str, serial| {
        let path = artefact(dir.path(), name);
        let artefact = Model::open(&path).unwrap().checksum().to_owned();
        ModelVersion { serial, version: serial, artefact, path: Some(path), ..ModelVersion::default() }
    };
    let row = || data("digits").remove(0);
    bolt.feed([row()]).unwrap();

    // One with other rows, one with other labels, and one that gives nothing of the kind: all are told apart from the right one.
    for (name, why) in [("iris", "takes 4 features"), ("digits-logistic", "features"), ("digits-pca", "without classes")] {
        let error = live.prepare("digits", &version(name, 2)).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
        assert!(!live.switch("digits", 2));
    }
    let second = version("digits", 3);
    live.prepare("digits", &second).unwrap();
    bolt.feed([row()]).unwrap();
    assert!(live.switch("digits", 3));
    bolt.feed([row(), row()]).unwrap();
    let rows = bolt.rows("default");
    let versions: Vec<&Value> = rows.iter().map(|r| &r[2]).collect();
    assert_eq!(versions, [&Value::Int(1), &Value::Int(1), &Value::Int(3), &Value::Int(3)]);
    assert_eq!((&rows[0][1], &rows[3][3]), (&"digits".into(), &second.artefact.into()));
    let numbers = bolt.metrics().models();
    assert_eq!(numbers.iter().map(|n| (n.version, n.rows, n.batches)).collect::<Vec<_>>(), [(1, 2, 2), (3, 2, 1)]);
}

#[test]
fn where_only_labels_are_emitted_scores_are_sampled() {
    let dir = tempfile::tempdir().unwrap();
    let scores = |emit: &str, feeds: usize| {
        let mut bolt = digits(dir.path(), serde_json::json!({"emit": [emit]})).unwrap();
        let rows: Vec<_> = data("digits").into_iter().take(100).collect();
        (0..feeds).for_each(|_| bolt.feed(rows.clone()).unwrap());
        bolt.metrics().models().remove(0).scores
    };
    let sum = |scores: &squall_core::Scores| scores.ranges().map(|(.., n)| n).sum::<u64>();
    let few = scores("label", 1);
    assert_eq!(sum(&few), 16, "some of the first batch");
    assert!(few.ranges().all(|(from, to, _)| from >= 0.1 - 1e-9 && to <= 1.0), "probabilities of the best of ten classes");
    // Not again at once.
    assert!(sum(&scores("index", 50)) < 50 * 16);
    assert_eq!(sum(&scores("confidence", 3)), 300, "what is computed anyway is counted whole");
}

#[test]
fn the_most_probable_classes_are_listed_and_scores_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut bolt = digits(dir.path(), serde_json::json!({"emit": ["label", "proba", "top"], "top": 2})).unwrap();
    bolt.feed(data("digits").into_iter().take(50).collect::<Vec<_>>()).unwrap();
    for row in bolt.rows("default") {
        let Value::List(top) = &row[2] else { panic!("{row:?}") };
        let field = |i: usize, key: &str| {
            let Value::Map(map) = &top[i] else { panic!("{top:?}") };
            map.iter().find(|(k, _)| *k == key.into()).unwrap().1.clone()
        };
        assert_eq!(top.len(), 2);
        assert_eq!(field(0, "label"), row[0]);
        let best = vector(&row[1]).iter().copied().fold(0.0, f64::max);
        assert_eq!(field(0, "proba"), Value::Float(best));
    }
    let numbers = bolt.metrics().models().remove(0);
    assert_eq!(numbers.scores.ranges().map(|(.., n)| n).sum::<u64>(), 50);
    let error = |more| digits(dir.path(), more).err().expect("a refused configuration").to_string();
    assert!(error(serde_json::json!({"top": 2})).starts_with("config.top: nothing uses `top`: emit `top` too"));
    assert!(error(serde_json::json!({"emit": ["top"], "top": 0})).starts_with("config.top: no class would be listed"));
    let message = error(serde_json::json!({"emit": ["anomaly"]}));
    assert!(message.starts_with("config.emit[0]: model `digits` is a classifier without outliers"), "{message}");
}

#[test]
fn texts_are_classified_by_a_pipeline_with_a_vectorizer() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/cases/text-bayes.pkl");
    let artefact = dir.path().join("spam.safetensors");
    squall_model::import(&source, &artefact, &mut |_, _| {}).unwrap();
    let bolt = |kind, features: serde_json::Value| {
        let input = Schema::new([("message", kind)]);
        let config = serde_json::json!({"model": "spam", "features": features, "emit": ["label", "proba"]});
        Harness::default().input(input).model("spam", artefact.clone()).bolt_config::<Config>(config)
    };
    let mut spam = bolt(FieldType::Any, "message".into()).unwrap();
    assert_eq!(spam.context().outputs[0].fields.to_string(), "label: str, proba: f64[2]");
    spam.feed([("win a cash prize",), ("lunch tomorrow",)]).unwrap();
    let labels: Vec<String> = spam.emitted().iter().map(|e| e.values[0].to_string()).collect();
    assert_eq!(labels, ["spam", "ham"]);
    spam.feed([(7,)]).unwrap();
    assert_eq!(spam.failed(), [(2, "field `message` is int, not a text".to_owned())]);

    let error = bolt(FieldType::Int, "message".into()).err().unwrap().to_string();
    assert!(error.contains("model `spam` takes a text, but field `message` is int"), "{error}");
    let error = bolt(FieldType::Str, serde_json::json!(["message"])).err().unwrap().to_string();
    assert!(error.contains("name one field"), "{error}");
}

#[test]
fn rows_of_texts_and_numbers_are_classified_and_refused_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let bolt = |case: &str, features: serde_json::Value| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../model/tests/fixtures/cases/{case}.pkl"));
        let artefact = dir.path().join(format!("{case}.safetensors"));
        squall_model::import(&source, &artefact, &mut |_, _| {}).unwrap();
        let kinds = [("kind", FieldType::Str), ("town", FieldType::Any), ("age", FieldType::Float), ("income", FieldType::Any)];
        let config = serde_json::json!({"model": "m", "features": features, "emit": ["label", "decision"]});
        Harness::default().input(Schema::new(kinds)).model("m", artefact).bolt_config::<Config>(config)
    };
    // Columns are found by name, and what the model does not look at (`remark`) need not be there.
    let names = serde_json::json!(["age", "income", "kind", "town"]);
    let mut ignoring = bolt("table-logistic", names.clone()).unwrap();
    assert_eq!(ignoring.context().outputs[0].fields.to_string(), "label: str, decision: f64[1]");
    let row = |town: Value, income: Value| ("a", town, 30.0, income);
    let unseen = row("Lugano".into(), Value::Nil);
    ignoring.feed([row("Bern".into(), Value::Float(20.0)), unseen.clone(), row(Value::Int(7), Value::Nil)]).unwrap();
    assert_eq!(ignoring.acked(), [0, 1]);
    assert_eq!(ignoring.failed(), [(2, "field `town` is int, not a text".to_owned())]);

    // This one takes no category that it does not know: such rows fail alone.
    let mut strict = bolt("table-rest", names).unwrap();
    let good = || row("Bern".into(), Value::Float(20.0));
    strict.feed([good(), unseen, good()]).unwrap();
    assert_eq!(strict.acked(), [0, 2]);
    assert_eq!(strict.failed(), [(1, "feature `town`: `Lugano` is a category that training did not see".to_owned())]);
    let rows = strict.rows("default");
    assert_eq!(rows[0], rows[1]);
    assert_eq!(strict.metrics().counter("invalid rows").get(), 1);

    let error = |features| bolt("table-logistic", features).err().expect("a refused configuration").to_string();
    let message = error(serde_json::json!(["age", "income", "town"]));
    assert!(message.contains("the list lacks `kind`; model `m` takes `age` (number), `town` (text), `income`"), "{message}");
    let message = error(serde_json::json!("age"));
    assert!(message.contains("name a list of fields"), "{message}");
}

/// Cases of squall-model as models of one bolt, over rows of numbers.
fn several(dir: &Path, cases: &[&str], width: u32, config: serde_json::Value) -> Result<BoltHarness> {
    let mut surroundings = Harness::default().input(Schema::new([("x", FieldType::F64s(Some(width)))]));
    for case in cases {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../model/tests/fixtures/cases/{case}.pkl"));
        let artefact = dir.join(format!("{case}.safetensors"));
        squall_model::import(&source, &artefact, &mut |_, _| {}).unwrap();
        surroundings = surroundings.model(case, artefact);
    }
    surroundings.bolt_config::<Config>(config)
}

#[test]
fn several_models_score_every_row_and_vote() {
    let dir = tempfile::tempdir().unwrap();
    let cases = ["forest-gaps", "boost-many", "histogram-gaps"];
    let config = serde_json::json!({"models": cases, "features": "x", "vote": "hard", "emit": {"index": "class"}});
    let mut bolt = several(dir.path(), &cases, 10, config).unwrap();
    let schema = "label: int, confidence: float, forest-gaps_class: int, boost-many_class: int, histogram-gaps_class: int";
    assert_eq!(bolt.context().outputs[0].fields.to_string(), schema);
    let row = |i: usize| -> Vec<f64> { (0..10).map(|j| ((i * 10 + j) as f64 * 0.7).sin() * 3.0).collect() };
    // Boosting takes no missing value: such a row is scored by nobody.
    let gap = || (0..10).map(|j| if j == 3 { f64::NAN } else { 0.5 }).collect::<Vec<f64>>();
    let rows: Vec<(Vec<f64>,)> = (0..40).map(|i| (if i == 7 { gap() } else { row(i) },)).collect();
    bolt.feed(rows.clone()).unwrap();
    assert_eq!(bolt.failed().len(), 1);
    assert_eq!(bolt.failed()[0].0, 7);
    assert_eq!(bolt.acked().len(), 39);
    let emitted = bolt.rows("default");
    let mut unanimous = 0;
    for row in &emitted {
        let classes: Vec<&Value> = row[2..].iter().collect();
        let votes = |class: &Value| classes.iter().filter(|c| **c == class).count();
        let most = classes.iter().map(|c| votes(c)).max().unwrap();
        assert_eq!((votes(&row[0]), &row[1]), (most, &Value::Float(most as f64 / 3.0)), "{row:?}");
        unanimous += usize::from(most == 3);
    }
    assert!(unanimous > 0 && unanimous < emitted.len(), "{unanimous} of {}", emitted.len());
    let versions = bolt.metrics().models();
    assert_eq!(versions.iter().map(|m| m.rows).collect::<Vec<_>>(), [39, 40, 40]);

    // Mean probabilities, and nothing of the single models.
    let config = serde_json::json!({"models": ["forest-gaps", "boost-many"], "features": "x", "vote": "soft"});
    let mut soft = several(dir.path(), &cases[..2], 10, config).unwrap();
    assert_eq!(soft.context().outputs[0].fields.to_string(), "label: int, confidence: float");
    soft.feed([(row(0),)]).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/cases/tree.pkl");
    let path = dir.path().join("tree.safetensors");
    let artefact = squall_model::import(&source, &path, &mut |_, _| {}).unwrap().artefact_sha256;
    let other = ModelVersion { serial: 2, version: 2, artefact, path: Some(path), ..ModelVersion::default() };
    let error = soft.context().live.prepare("boost-many", &other).unwrap_err().to_string();
    assert!(error.contains("other classes than those between which the topology votes"), "{error}");
    let means = {
        let x = ndarray::Array2::from_shape_vec((1, 10), row(0)).unwrap();
        let proba = |case: &str| {
            let model = Model::open(&dir.path().join(format!("{case}.safetensors"))).unwrap();
            model.predict_proba(x.view().into()).unwrap()
        };
        (proba("forest-gaps") + proba("boost-many")) / 2.0
    };
    let best = means.iter().copied().fold(0.0, f64::max);
    assert_eq!(soft.rows("default")[0][1], Value::Float(best));
}

#[test]
fn models_that_cannot_vote_together_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = |cases: &[&str], more: serde_json::Value| {
        let mut config = serde_json::json!({"models": cases, "features": "x"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        several(dir.path(), cases, 10, config).err().expect("a refused configuration").to_string()
    };
    let message = error(&["boost-many", "tree"], serde_json::json!({"vote": "hard"}));
    assert!(message.starts_with("config.vote: models `boost-many` and `tree` have different classes"), "{message}");
    let message = error(&["boost-many", "linear-svc-many"], serde_json::json!({"vote": "soft"}));
    assert!(message.contains("without probabilities"), "{message}");
    let message = error(&["boost-many", "boost-many"], serde_json::json!({}));
    assert!(message.contains("two output fields are called `boost-many_label`"), "{message}");
    let message = error(&["boost-many"], serde_json::json!({"model": "boost-many"}));
    assert!(message.starts_with("config.models: there is `model` too"), "{message}");
    let message = error(&[], serde_json::json!({}));
    assert!(message.starts_with("config.model: missing"), "{message}");
}

#[test]
fn outliers_are_those_below_the_threshold() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/cases/isolation.pkl");
    let path = dir.path().join("isolation.safetensors");
    squall_model::import(&source, &path, &mut |_, _| {}).unwrap();
    let width = Model::open(&path).unwrap().n_features().unwrap();
    let bolt = |more: serde_json::Value| {
        let mut config = serde_json::json!({"model": "m", "features": "x", "emit": ["anomaly", "decision", "value"]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let input = Schema::new([("x", FieldType::F64s(Some(width as u32)))]);
        Harness::default().input(input).model("m", &path).bolt_config::<Config>(config)
    };
    let rows: Vec<Vec<Value>> = [0.0, 0.5, 9.0, 1000.0].map(|x| vec![Value::F64s(vec![x; width])]).to_vec();
    let mut usual = bolt(serde_json::json!({})).unwrap();
    usual.feed(rows.clone()).unwrap();
    let decisions: Vec<f64> = usual.rows("default").iter().map(|r| vector(&r[1])[0]).collect();
    for row in usual.rows("default") {
        // scikit-learn's own verdict: -1 for what lies below zero.
        assert_eq!(
            (&row[0], vector(&row[1])[0] < 0.0),
            (&Value::Bool(row[2] == Value::Float(-1.0)), row[2] == Value::Float(-1.0))
        );
    }
    let highest = decisions.iter().copied().fold(f64::MIN, f64::max);
    let mut strict = bolt(serde_json::json!({"threshold": highest + 0.001})).unwrap();
    strict.feed(rows).unwrap();
    assert!(strict.rows("default").iter().all(|r| r[0] == Value::Bool(true)));
    assert!(
        bolt(serde_json::json!({"emit": ["value"], "threshold": 0.1}))
            .err()
            .unwrap()
            .to_string()
            .contains("emit `anomaly` too")
    );
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = serde_json::json!({"features": "pixel", "emit": ["labl", "proba", "scor"], "pass": ["nope"], "top": 0});
    let error = digits(dir.path(), wrong).err().unwrap().to_string();
    for place in ["features: ", "emit[0]: ", "emit[2]: ", "pass[0]: ", "top: "] {
        assert_eq!(error.matches(place).count(), 1, "{place} in {error}");
    }
    // Behind a model that is not there, what needs none is looked at all the same, and nothing is made up.
    let error =
        digits(dir.path(), serde_json::json!({"model": "digit", "emit": ["labl"], "top": 2})).err().unwrap().to_string();
    assert!(error.contains("model: ") && error.contains("emit[0]: ") && !error.contains("top: "), "{error}");
    let error =
        digits(dir.path(), serde_json::json!({"emit": ["label", "value", "anomaly"], "top": 2})).err().unwrap().to_string();
    for place in ["emit[1]: ", "emit[2]: ", "top: "] {
        assert_eq!(error.matches(place).count(), 1, "{place} in {error}");
    }
}

#[test]
fn several_labels_a_row_are_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/cases/several-targets.pkl");
    let path = dir.path().join("several.safetensors");
    squall_model::import(&source, &path, &mut |_, _| {}).unwrap();
    let width = Model::open(&path).unwrap().n_features().unwrap();
    let bolt = |config: serde_json::Value| {
        let input = Schema::new([("x", FieldType::F64s(Some(width as u32)))]);
        Harness::default().input(input).model("m", &path).bolt_config::<Config>(config)
    };
    let mut usual = bolt(serde_json::json!({"model": "m", "features": "x"})).unwrap();
    assert_eq!(usual.context().outputs[0].fields.to_string(), "label: any");
    let json = std::fs::read_to_string(source.with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows: Vec<Vec<Value>> = serde_json::from_value::<Vec<Vec<f64>>>(json["x"].clone())
        .unwrap()
        .into_iter()
        .map(|row| vec![Value::F64s(row)])
        .collect();
    usual.feed(rows).unwrap();
    let labels: Vec<Value> = usual.rows("default").into_iter().map(|mut row| row.remove(0)).collect();
    let expected: Vec<Value> = json["predict"].as_array().unwrap().iter().map(|row| Value::from(row.clone())).collect();
    assert_eq!(labels, expected);

    let error = |emit| bolt(serde_json::json!({"model": "m", "features": "x", "emit": [emit]})).err().unwrap().to_string();
    assert!(error("value").contains("emit `label`"), "{}", error("value"));
    assert!(error("index").contains("one label a row"), "{}", error("index"));
}
