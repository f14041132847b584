//! What people and programs get to see.

use crate::support::*;

#[test]
fn as_rustc_would() {
    let text = with(
        "\n\n\n\n\n[bolts.count]\ntype = \"count\"\ninputs = [{ from = \"split\", grouping = \"fieldz\", fields = [\"word\"] }]\n",
    );
    let faults = run(&[("topologies/wordcount.toml", &text)], &[], &Models::new()).unwrap_err();
    assert_eq!(
        faults[0].render(false),
        r#"error: unknown grouping `fieldz`
  --> topologies/wordcount.toml:15:40
   |
15 | inputs = [{ from = "split", grouping = "fieldz", fields = ["word"] }]
   |                                        ^^^^^^^^ did you mean `fields`?
"#
    );
    assert!(faults[0].render(true).starts_with("\u{1b}[1;31merror\u{1b}[0m\u{1b}[1m: unknown grouping `fieldz`\u{1b}[0m\n"));
}

#[test]
fn as_json() {
    let faults = one(&with("x = 1\n")).unwrap_err();
    assert_eq!(
        serde_json::to_value(&faults[0]).unwrap(),
        serde_json::json!({
            "severity": "error",
            "message": "unknown key `x` of bolt `split`",
            "file": "t.toml", "line": 8, "column": 1, "length": 1, "line_text": "x = 1",
            "help": "known keys: type, parallelism, tick, config, inputs, outputs",
            "also": [],
        })
    );
}
