//! What component types say about their configuration, and models.

use std::collections::BTreeMap;

use squall_core::{Catalog, Error, Refused, ResolveRequest, Resolved, TypeInfo};

use crate::support::*;

#[test]
fn faults_stand_at_the_exact_key() {
    let text = "name = \"t\"\n[spouts.in]\ntype = \"lines\"\nconfig = { pth = \"x\", rows = \"many\", cycle = 1, period = \"fast\" }\n";
    expect(
        text,
        &[
            "4:1+6 spout `in` needs `path` in its config | path: the file to read",
            "4:12+3 unknown key `pth` | did you mean `path`?",
            "4:30+6 `rows` is text, expected a whole number of at least 0",
            "4:46+1 `cycle` is 1, expected true or false",
            "4:58+6 `fast` is no duration: expected a number with us, ms, s, m, h or d, such as \"30s\"",
        ],
    );
}

#[test]
fn a_value_of_many_forms() {
    expect(
        "name = \"t\"\n[spouts.in]\ntype = \"lines\"\nconfig = { path = \"x\", only = [\"x\"] }\n",
        &["4:31+5 `only` has none of the forms it can have | only: a line's number, or a list of them"],
    );
}

#[test]
fn nested_tables_and_lists() {
    let text = with(
        "[bolts.split.config.auth]\nuser = 3\npasword = \"x\"\n[models.m]\npath = \"m.pkl\"\n[spouts.n]\ntype = \"numbers\"\n[bolts.c]\ntype = \"classifier\"\ninputs = [{ from = \"n\", grouping = \"all\" }]\n[bolts.c.config]\nmodel = \"m\"\nfeatures = \"v\"\nemit = [\n  \"label\",\n  \"prob\",\n]\n",
    );
    let faults = run(&[("t.toml", &text)], &[], &model("m")).unwrap_err();
    assert_eq!(
        shorts(&faults),
        [
            "8:21+4 `password` is missing in `auth`",
            "9:8+1 `user` is 3, expected text",
            "10:1+7 unknown key `pasword` | did you mean `password`?",
            "23:3+6 unknown value `prob` of `emit[1]` | did you mean `proba`?"
        ]
    );
}

#[test]
fn what_a_type_refuses_itself() {
    expect(
        &with("config = { field = \"lien\" }\n"),
        &["8:20+6 `in` emits no field `lien` on `default` (line: str, n: int) | did you mean `line`?"],
    );
    expect(
        &with("[bolts.c]\ntype = \"count\"\ninputs = [{ from = \"in\", grouping = \"all\" }]\n"),
        &["9:8+7 `in` emits no field `word` on `default` (line: str, n: int)"],
    );
}

#[test]
fn what_is_wrong_in_front_hides_nothing_behind_it() {
    let text = "name = \"t\"\n[spouts.in]\ntype = \"lines\"\n[bolts.split]\ntype = \"split\"\n\
                inputs = [{ from = \"in\", grouping = \"shuffle\" }]\nconfig = { field = \"whatever\" }\n\
                [bolts.count]\ntype = \"count\"\ninputs = [{ from = \"split\", grouping = \"fields\", fields = [\"wrd\"] }]\n\
                [bolts.again]\ntype = \"split\"\ninputs = [{ from = \"count\", grouping = \"all\" }]\nconfig = { field = \"count\" }\n\
                [bolts.end]\ntype = \"split\"\ninputs = [{ from = \"again\", stream = \"x\", grouping = \"all\" }]\n";
    expect(
        text,
        &[
            "3:8+7 spout `in` needs `path` in its config | path: the file to read",
            "10:60+5 stream `default` of `split` has no field `wrd` | did you mean `word`?",
            "14:20+7 field `count` of `count` is int, not str",
            "17:38+3 `again` has no stream `x` | its streams: default",
        ],
    );
}

#[test]
fn a_missing_configuration_is_shown_at_the_type() {
    expect(
        "name = \"t\"\n[spouts.in]\ntype = \"lines\"\n",
        &["3:8+7 spout `in` needs `path` in its config | path: the file to read"],
    );
}

#[test]
fn numbers_that_json_cannot_hold() {
    expect(
        &with("config = { field = inf }\n"),
        &["8:20+3 a configuration cannot hold inf or nan | write it as text, or leave it out"],
    );
}

const SCORE: &str = "[spouts.n]\ntype = \"numbers\"\n[bolts.c]\ntype = \"classifier\"\ninputs = [{ from = \"n\", grouping = \"all\" }]\nconfig = { model = \"m\", features = \"v\" }\n[bolts.p]\ntype = \"console\"\ninputs = [{ from = \"c\", grouping = \"all\" }]\n[models.m]\npath = \"m.pkl\"\n";

#[test]
fn models_that_cannot_be_used() {
    let text = with(SCORE);
    let failed = BTreeMap::from([("m".to_owned(), Err("no such file: m.pkl".to_owned()))]);
    let faults = run(&[("t.toml", &text)], &[], &failed).unwrap_err();
    assert_eq!(shorts(&faults), ["18:8+7 model `m`: no such file: m.pkl"]);

    let text = format!("{text}sha256 = \"{}\"\n", "C".repeat(64));
    let faults = run(&[("t.toml", &text)], &[], &model("m")).unwrap_err();
    let wanted = format!(
        "19:10+66 model `m` does not have this checksum | its sha256 is {}; the file was changed, or it is not the one that was meant",
        "b".repeat(64)
    );
    assert_eq!(shorts(&faults), [wanted]);
    assert!(run(&[("t.toml", &text.replace('C', "B"))], &[], &model("m")).is_ok());

    let faults = run(&[("t.toml", &text.replace(&"C".repeat(64), "abc"))], &[], &model("m")).unwrap_err();
    assert_eq!(
        shorts(&faults),
        ["19:10+5 `sha256` has 3 characters, expected 64 hexadecimal digits | sha256sum FILE prints it"]
    );

    let held = with(&format!("{SCORE}onnx_weights = \"prepackd\"\n"));
    let faults = run(&[("t.toml", &held)], &[], &model("m")).unwrap_err();
    assert_eq!(shorts(&faults), ["19:16+10 unknown way to hold weights `prepackd` | did you mean `prepacked`?"]);
    assert!(run(&[("t.toml", &held.replace("prepackd", "prepacked"))], &[], &model("m")).is_ok());

    let labels = with(&format!("{SCORE}labels = [\"no\", 1]\n"));
    let faults = run(&[("t.toml", &labels)], &[], &model("m")).unwrap_err();
    assert_eq!(shorts(&faults), ["19:17+1 a label is 1, expected a text"]);
    assert!(run(&[("t.toml", &labels.replace('1', "\"yes\""))], &[], &model("m")).is_ok());
}

#[test]
fn a_model_that_is_not_in_the_topology() {
    let text = with(&SCORE.replace("model = \"m\"", "model = \"digts\"").replace("models.m", "models.digits"));
    let faults = run(&[("t.toml", &text)], &[], &model("digits")).unwrap_err();
    assert_eq!(shorts(&faults), ["13:20+7 the topology has no model `digts` | did you mean `digits`?"]);
}

#[test]
fn two_fields_of_one_name() {
    let text = with(&format!(
        "{}[bolts.d]\ntype = \"classifier\"\ninputs = [{{ from = \"c\", grouping = \"all\" }}]\nconfig = {{ model = \"m\", features = \"v\", emit = [\"label\"] }}\n",
        SCORE.replace("\"v\" }", "\"v\", emit = [\"label\"] }")
    ));
    let faults = run(&[("t.toml", &text)], &[], &model("m")).unwrap_err();
    assert_eq!(
        shorts(&faults),
        [
            "20:8+12 stream `default` of `d` would have two fields `label` | its fields: x: float, v: f32[4], label: str, label: str; rename one of them here or where it comes from"
        ]
    );
}

#[test]
fn a_worker_binary_that_does_not_answer() {
    struct Mute;
    impl Catalog for Mute {
        fn types(&mut self) -> squall_core::Result<Vec<TypeInfo>> {
            Err(Error::external("./mine did not answer"))
        }
        fn resolve(&mut self, _: &ResolveRequest) -> squall_core::Result<Result<Resolved, Refused>> {
            panic!("nothing to ask")
        }
    }
    let text = with("x = 1\n");
    let mut sources = squall_core::topology::Sources { read: &mut |_| Ok(text.clone()), var: &|_| None };
    let spec = squall_core::topology::parse("t.toml".as_ref(), &mut sources);
    let faults = squall_core::topology::check(&spec, &mut Mute, &Models::new()).unwrap_err();
    assert_eq!(faults[0].message, "cannot find out which component types there are: ./mine did not answer");
    assert_eq!(faults[0].place.line, 0);
    assert_eq!(faults.len(), 2);
}
