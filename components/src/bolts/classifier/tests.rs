use std::path::Path;

use squall_core::harness::{BoltHarness, Harness};
use squall_core::{Next, Schema, Value};

use super::*;
use crate::spouts;
use crate::support::models::tests::artefact;

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
