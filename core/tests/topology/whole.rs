//! Whole topologies: a good one, and one with many faults.

use std::time::Duration;

use squall_core::{ComponentKind, Grouping};

use crate::support::*;

const GOOD: &str = r#"
name = "wordcount"

[config]
workers = 2
max_spout_pending = 1_000
message_timeout = "1m"
acking = false
queue_tuples = 100
queue_bytes = "1MiB"
log = "info,zmq=warn"

[models.digits]
path = "models/digits.pkl"

# Before what it subscribes to.
[bolts.print]
type = "console"
inputs = [
  { from = "count", grouping = "global" },
  { from = "route", stream = "late", grouping = "direct" },
]

[bolts.count]
type = "count"
parallelism = 4
tick = "5s"
inputs = [{ from = "split", grouping = "fields", fields = ["word"] }]

[bolts.split]
type = "split"
inputs = [{ from = "route", grouping = "local-or-shuffle" }]

[bolts.route]
type = "route"
inputs = [{ from = "lines", grouping = "partial-key", fields = ["line", "n"] }]

[spouts.lines]
type = "lines"
parallelism = 2
[spouts.lines.config]
path = "words.txt"
rows = 3

[spouts.numbers]
type = "numbers"

[bolts.score]
type = "classifier"
config = { model = "digits", features = "v", emit = ["label"] }
inputs = [{ from = "numbers", grouping = "shuffle" }]
"#;

#[test]
fn a_good_topology_becomes_a_plan() {
    let (plan, warnings) = run(&[("t.toml", GOOD)], &[], &model("digits")).unwrap();
    assert_eq!(shorts(&warnings), [""; 0]);
    assert_eq!(plan.name, "wordcount");
    let ids: Vec<&str> = plan.components.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["lines", "numbers", "route", "split", "count", "print", "score"]);
    assert_eq!(plan.components[1].kind, ComponentKind::Spout);
    assert_eq!((plan.settings.workers, plan.settings.max_spout_pending), (2, 1000));
    assert_eq!(plan.settings.message_timeout, Duration::from_secs(60));
    assert!(!plan.settings.acking);
    assert_eq!((plan.settings.queue_tuples, plan.settings.queue_bytes), (100, 1 << 20));
    assert_eq!(plan.settings.log, "info,zmq=warn");
    let count = &plan.components[4];
    assert_eq!((count.parallelism, count.tick), (4, Some(Duration::from_secs(5))));
    assert_eq!(count.inputs[0].grouping, Grouping::Fields { fields: vec!["word".into()] });
    assert_eq!(count.inputs[0].fields.to_string(), "word: str");
    assert_eq!(count.outputs[0].fields.to_string(), "word: str, count: int");
    assert_eq!(plan.components[0].config, serde_json::json!({"path": "words.txt", "rows": 3}));
    assert_eq!(plan.components[6].outputs[0].fields.to_string(), "x: float, v: f32[4], label: str");
    assert_eq!(plan.models["digits"].artefact, "a".repeat(64));
    assert_eq!(plan.models["digits"].file, "m.pkl");
    assert_eq!(plan.source, GOOD);
    assert_eq!(plan.task_count(), 11);
}

#[test]
fn ten_faults_are_shown_at_once_in_order_of_line() {
    let text = r#"name = "word/count"
[config]
wokers = 2
message_timeout = 0
[spouts.lines]
type = "liens"
parallelism = "four"
[bolts.split]
type = "split"
inputs = [{ from = "lnes", grouping = "shufle" }]
[bolts.count]
type = "count"
parallelism = 0
inputs = [{ from = "split", grouping = "fields" }]
config = { top = 3 }
"#;
    expect(
        text,
        &[
            "1:8+12 `word/count` cannot be the name of a topology | up to 100 letters a-z, digits, - and _, beginning with a letter or digit",
            "3:1+6 unknown key `wokers` in [config] | did you mean `workers`?",
            "4:19+1 `message_timeout` is zero, expected a duration such as \"30s\"",
            "6:8+7 unknown spout type `liens` | did you mean `lines`?",
            "7:15+6 `parallelism` is text, expected a whole number of at least 1",
            "10:20+6 there is no spout or bolt `lnes` | did you mean `lines`?",
            "10:39+8 unknown grouping `shufle` | did you mean `shuffle`?",
            "13:15+1 `parallelism` is 0, expected a whole number of at least 1",
            "14:40+8 a fields grouping needs `fields` | add fields = [\"…\"]: equal values go to the same task",
            "15:12+3 unknown key `top` | known keys: none",
        ],
    );
}

#[test]
fn the_repositorys_topologies_have_sound_structure() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
    let mut read = |path: &std::path::Path| std::fs::read_to_string(path);
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let mut sources = squall_core::topology::Sources { read: &mut read, var: &|_| Some("1".into()) };
            let spec = squall_core::topology::parse(&path, &mut sources);
            assert_eq!(shorts(&spec.errors()), [""; 0], "{}", path.display());
        }
    }
}

/// Every ```toml block of the topology reference that has a name is a whole topology.
#[test]
fn the_books_examples_have_sound_structure() {
    let book = include_str!("../../../docs/topology.md");
    let mut whole = 0;
    for block in book
        .split("```toml\n")
        .skip(1)
        .filter_map(|b| b.split("```").next())
        .filter(|b| b.contains("\nname = ") || b.starts_with("name = "))
    {
        let var = |name: &str| (name == "TOPOLOGY_DIR").then(|| "/t".to_owned());
        let mut sources = squall_core::topology::Sources { read: &mut |_| Ok(block.to_owned()), var: &var };
        let spec = squall_core::topology::parse("book.toml".as_ref(), &mut sources);
        assert_eq!(shorts(&spec.errors()), [""; 0], "{block}");
        whole += 1;
    }
    assert!(whole >= 1);
}
