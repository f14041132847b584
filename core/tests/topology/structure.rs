//! Faults of structure: wrong types, unknown and missing keys, names, limits.

use crate::support::*;

#[test]
fn a_file_that_is_no_toml() {
    expect(
        "name = \"t\nx = 1\n[a",
        &["1:10+1 not TOML: invalid basic string | expected `\"`", "3:3+1 not TOML: unclosed table | expected `]`"],
    );
    expect("name = 't'\nname = 'u'", &["2:1+4 not TOML: `name` is there twice | take one out, or give it another name"]);
    expect(
        "[spouts.a]\ntype = 'x'\n[spouts.a]\ntype = 'y'\n[spouts.b]\ntype = 'x'\ntype = 'y'",
        &[
            "3:9+1 not TOML: `a` is there twice | take one out, or give it another name",
            "7:1+4 not TOML: `type` is there twice | take one out, or give it another name",
        ],
    );
}

#[test]
fn an_empty_file_lacks_a_name_and_a_spout() {
    expect(
        "",
        &[
            "1:1+1 the topology has no name | begin with name = \"…\"",
            "1:1+1 the topology has no spout, so nothing would ever flow | add a [spouts.NAME]",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let faults = run(&[("a.toml", "")][..1], &[], &Models::new());
    assert!(faults.is_err());
    let spec = squall_core::topology::parse(
        "dir/nope.toml".as_ref(),
        &mut squall_core::topology::Sources { read: &mut |_| Err(std::io::Error::other("no such file")), var: &|_| None },
    );
    assert_eq!(spec.errors()[0].render(false), "error: cannot read the topology: no such file\n --> dir/nope.toml\n");
    assert_eq!(spec.errors().len(), 1);
}

#[test]
fn unknown_keys_at_every_level() {
    let text = with(
        "[bolts.p]\ntype = \"console\"\ntasks = 3\ninput = 1\ninputs = [{ form = \"in\", from = \"in\", grouping = \"all\" }]\n[model.x]\n[models.y]\nfile = \"x\"\n",
    );
    expect(
        &text,
        &[
            "10:1+5 unknown key `tasks` of bolt `p` | there are no executors: `parallelism` is the number of tasks",
            "11:1+5 unknown key `input` of bolt `p` | did you mean `inputs`?",
            "12:13+4 unknown key `form` of an input | did you mean `from`?",
            "13:2+5 unknown key `model` in a topology | did you mean `models`?",
            "14:9+1 model `y` has no `path` | add path = \"model.pkl\"",
            "15:1+4 unknown key `file` of model `y` | did you mean `path`?",
        ],
    );
}

#[test]
fn wrong_types() {
    expect(
        "name = 3\nconfig = 1\nmodels = []\n[spouts]\na = 1\n[bolts.b]\ntype = true\nparallelism = 1.5\ntick = []\nconfig = \"x\"\ninputs = { from = \"a\" }\noutputs = 1\n[bolts.c]\ntype = \"console\"\ninputs = [\"a\", { from = 1, stream = 2, grouping = 3, fields = \"x\" }, { from = \"a\", grouping = \"fields\", fields = [1] }]\n[[bolts.d]]\n",
        &[
            "1:8+1 `name` is 3, expected a name such as \"wordcount\"",
            "2:10+1 `config` is 1, expected a table [config]",
            "3:10+2 `models` is a list, expected tables [models.NAME]",
            "5:5+1 `a` is 1, expected a table [spouts.a]",
            "7:8+4 `type` is true, expected the name of a component type",
            "8:15+3 `parallelism` is 1.5, expected a whole number of at least 1",
            "9:8+2 `tick` is a list, expected a duration such as \"30s\"",
            "10:10+3 `config` is text, expected a table",
            "11:10+14 `inputs` is a table, expected a list of tables: [{ from = \"words\", grouping = \"shuffle\" }]",
            "12:11+1 `outputs` is 1, expected a list of tables: [{ name = \"default\", fields = { word = \"str\" } }]",
            "15:11+3 an input is text, expected a table such as { from = \"words\", grouping = \"shuffle\" }",
            "15:25+1 `from` is 1, expected the name of a spout or bolt",
            "15:37+1 `stream` is 2, expected the name of a stream",
            "15:51+1 `grouping` is 3, expected the name of a grouping",
            "15:63+3 `fields` is text, expected a list of field names such as [\"word\"]",
            "15:115+1 a field is 1, expected the name of a field",
            "16:1+11 `d` is a list, expected a table [bolts.d]",
        ],
    );
}

#[test]
fn missing_keys() {
    expect(
        &with(
            "[spouts.s]\n[bolts.a]\ninputs = []\n[bolts.b]\ntype = \"console\"\n[bolts.c]\ntype = \"console\"\ninputs = [{ }]\n",
        ),
        &[
            "8:9+1 spout `s` has no `type` | add type = \"…\"; `squall components` lists the types",
            "9:8+1 bolt `a` has no `type` | add type = \"…\"; `squall components` lists the types",
            "10:10+2 bolt `a` has no inputs, so it would never run | add inputs = [{ from = \"…\", grouping = \"shuffle\" }]",
            "11:8+1 bolt `b` has no inputs, so it would never run | add inputs = [{ from = \"…\", grouping = \"shuffle\" }]",
            "15:11+3 the input has no `from` | name the spout or bolt it comes from",
            "15:11+3 the input has no `grouping` | groupings: shuffle, fields, partial-key, all, global, none, direct, local-or-shuffle",
        ],
    );
}

#[test]
fn names_that_cannot_be() {
    for name in ["a/b", "a.b", "a:b", "a\\\\b", "-a", "ü", "a b", &"x".repeat(101)] {
        let text = with("").replacen("\"t\"", &format!("\"{name}\""), 1);
        let faults = one(&text).unwrap_err();
        assert_eq!(faults.len(), 1, "{name}");
        assert_eq!((faults[0].place.line, faults[0].place.column), (1, 8), "{name}");
    }
    expect(&with("").replacen("\"t\"", "\" \"", 1), &["1:8+3 `name` is empty, expected a name such as \"wordcount\""]);
    expect(
        &with("[spouts.__x]\ntype = \"numbers\"\n[spouts.\"\"]\ntype = \"numbers\"\n[spouts.split]\ntype = \"numbers\"\n"),
        &[
            "8:9+3 `__x` cannot be the name of a spout | names that begin with __ are Squall's own",
            "10:9+2 the name of a spout is empty or has control characters",
            "12:9+5 `split` is the name of a bolt already | spouts and bolts share their names: give one of them another",
        ],
    );
    let faults = one(&with("[spouts.split]\ntype = \"numbers\"\n")).unwrap_err();
    assert_eq!((faults[0].also[0].place.line, faults[0].also[0].label.as_str()), (5, "first used here"));
}

#[test]
fn limits() {
    let text = with(
        "[config]\nworkers = 0\nmax_spout_pending = -1\nmessage_timeout = \"0s\"\nqueue_bytes = \"x\"\nqueue_tuples = 4294967296\nlog = \"inof,a=b\"\nacking = 1\n",
    );
    expect(
        &text,
        &[
            "9:11+1 `workers` is 0, expected a whole number of at least 1",
            "10:21+2 `max_spout_pending` is -1, expected a whole number of at least 1",
            "11:19+4 `message_timeout` is zero, expected a duration such as \"30s\"",
            "12:15+3 `queue_bytes` is \"x\", expected a size such as \"8MiB\"",
            "13:16+10 `queue_tuples` is 4294967296, expected at most 4,294,967,295",
            "14:7+10 unknown log level `inof` | did you mean `info`?",
            "14:7+10 unknown log level `b` | levels: off, error, warn, info, debug, trace",
            "15:10+1 `acking` is 1, expected true or false",
        ],
    );
    expect(
        &with("[config]\ndead_letters = \"dead.jsonl\"\nmax_failures = 0\n"),
        &["10:16+1 `max_failures` is 0, expected a whole number of at least 1"],
    );
    expect(
        &with("[config]\ndead_letters = \"dead.jsonl\"\n"),
        &["9:1+12 nothing ever becomes a dead letter | add max_failures = 5, or leave it out"],
    );
    expect(
        &with("[config]\nacking = false\nmax_failures = 3\n"),
        &["10:1+12 `max_failures` needs `acking` | without tracking no tuple fails: leave it out"],
    );
    expect(&with("[config]\nworkers = 1001\n"), &["9:11+4 `workers` is 1001, expected at most 1,000"]);
    let wide = |id: &str, n: u32| format!("[spouts.{id}]\ntype = \"numbers\"\nparallelism = {n}\n");
    expect(&with(&wide("a", 1_000_001)), &["10:15+7 `parallelism` is 1000001, expected at most 1,000,000"]);
    expect(
        &with(&format!("{}{}", wide("a", 600_000), wide("b", 500_000))),
        &["13:15+6 with this the topology has 1,100,002 tasks | the most is 1,000,000"],
    );
    expect(
        &with("x = 99999999999999999999999\n"),
        &[
            "8:1+1 unknown key `x` of bolt `split` | known keys: type, parallelism, tick, config, inputs, outputs",
            "8:5+23 the number is too large: whole numbers have 64 bits",
        ],
    );
}

#[test]
fn a_spout_takes_nothing_in() {
    expect(
        "name = \"t\"\n[spouts.a]\ntype = \"numbers\"\ninputs = [{ from = \"a\" }]\ntick = \"1s\"\n",
        &[
            "4:1+6 spout `a` has `inputs` | a spout is a source; if it takes tuples in, it is a bolt: [bolts.NAME]",
            "5:1+4 spout `a` has a `tick` | bolts have ticks; a spout is asked for tuples all the time",
        ],
    );
}

#[test]
fn declared_outputs() {
    expect(
        &with("outputs = [{ fields = { a = \"str\" } }]\n"),
        &[
            "8:1+7 `outputs` cannot be given here: type `split` knows its own | take `outputs` out; it emits default (word: str)",
        ],
    );
    let shell = "[bolts.sh]\ntype = \"shell\"\ninputs = [{ from = \"in\", grouping = \"shuffle\" }]\n";
    let text = with(&format!(
        "{shell}outputs = [{{ fields = {{ word = \"str\", b = \"f32[4]\" }} }}, {{ name = \"late\", direct = true, fields = {{}} }}]\n"
    ));
    let (plan, _) = one(&text).unwrap();
    let outputs = &plan.components.iter().find(|c| c.id == "sh").unwrap().outputs;
    assert_eq!(outputs[0].fields.to_string(), "word: str, b: f32[4]");
    assert_eq!((outputs[1].name.as_str(), outputs[1].direct), ("late", true));
    expect(
        &with(&format!(
            "{shell}outputs = [{{ fields = {{ a = \"string\", b = 1 }} }}, {{ name = \"x\" }}, {{ name = \"y\", fields = {{}} }}, {{ name = \"y\", fields = {{}}, z = 1 }}]\n"
        )),
        &[
            "11:29+8 unknown field type `string` | expected any, bool, int, float, str, bytes, f32[n], f64[n], f32[] or f64[]",
            "11:43+1 `b` is 1, expected the name of a type such as \"str\"",
            "11:50+14 the output has no `fields` | add fields = { word = \"str\" }, or fields = {} for none",
            "11:104+3 stream `y` is declared twice",
            "11:122+1 unknown key `z` of an output | known keys: name, direct, fields",
        ],
    );
}
