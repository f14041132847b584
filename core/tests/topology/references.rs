//! Faults between components: streams, groupings, keys, cycles.

use crate::support::*;

fn bolt(inputs: &str) -> String {
    with(&format!("[bolts.p]\ntype = \"console\"\ninputs = [{inputs}]\n"))
}

#[test]
fn unknown_streams_and_silent_components() {
    let text = with(
        "[bolts.p]\ntype = \"console\"\ninputs = [{ from = \"in\", stream = \"defualt\", grouping = \"all\" }]\n[bolts.q]\ntype = \"console\"\ninputs = [{ from = \"q2\", grouping = \"all\" }]\n[bolts.q2]\ntype = \"console\"\ninputs = [{ from = \"in\", grouping = \"all\" }]\n",
    );
    expect(
        &text,
        &[
            "10:35+9 `in` has no stream `defualt` | did you mean `default`?",
            "13:20+4 `q2` emits nothing that could be subscribed to",
        ],
    );
    expect(
        &bolt("{ from = \"in\", stream = \"x\", grouping = \"all\" }"),
        &["10:35+3 `in` has no stream `x` | its streams: default"],
    );
}

#[test]
fn groupings_and_their_fields() {
    let cases = [
        ("grouping = \"fieldz\", fields = [\"line\"]", "10:37+8 unknown grouping `fieldz` | did you mean `fields`?"),
        ("grouping = \"local_or_shuffle\"", "10:37+18 unknown grouping `local_or_shuffle` | did you mean `local-or-shuffle`?"),
        (
            "grouping = \"hash\"",
            "10:37+6 unknown grouping `hash` | groupings: shuffle, fields, partial-key, all, global, none, direct, local-or-shuffle",
        ),
        (
            "grouping = \"custom\"",
            "10:37+8 custom groupings are not there yet | a bolt that emits on a direct stream chooses the task itself",
        ),
        (
            "grouping = \"shuffle\", fields = [\"line\"]",
            "10:48+6 a shuffle grouping takes no `fields` | did you mean grouping = \"fields\"? if not, take `fields` out",
        ),
        (
            "grouping = \"partial-key\"",
            "10:37+13 a partial-key grouping needs `fields` | add fields = [\"…\"]: equal values go to the same task",
        ),
        (
            "grouping = \"fields\", fields = []",
            "10:56+2 `fields` is empty | name a field, or use grouping = \"global\" to send everything to one task",
        ),
        (
            "grouping = \"fields\", fields = [\"lin\"]",
            "10:57+5 stream `default` of `in` has no field `lin` | did you mean `line`?",
        ),
        (
            "grouping = \"fields\", fields = [\"zzzz\"]",
            "10:57+6 stream `default` of `in` has no field `zzzz` | its fields: line, n",
        ),
        ("grouping = \"fields\", fields = [\"n\", \"n\"]", "10:62+3 field `n` is named twice"),
        (
            "grouping = \"direct\"",
            "10:37+8 stream `default` of `in` is not a direct stream | only on direct streams does the emitter choose the task; did you mean `shuffle`?",
        ),
    ];
    for (grouping, wanted) in cases {
        expect(&bolt(&format!("{{ from = \"in\", {grouping} }}")), &[wanted]);
    }
}

#[test]
fn a_direct_stream_wants_the_direct_grouping() {
    let text = with(
        "[bolts.r]\ntype = \"route\"\ninputs = [{ from = \"in\", grouping = \"shuffle\" }]\n[bolts.p]\ntype = \"console\"\ninputs = [{ from = \"r\", stream = \"late\", grouping = \"shuffle\" }]\n",
    );
    expect(
        &text,
        &["13:53+9 stream `late` of `r` is a direct stream: its emitter chooses the task | write grouping = \"direct\""],
    );
}

#[test]
fn a_stream_is_subscribed_to_once() {
    let text = bolt("{ from = \"in\", grouping = \"all\" }, { from = \"in\", stream = \"default\", grouping = \"global\" }");
    let faults = one(&text).unwrap_err();
    assert_eq!(
        shorts(&faults),
        ["10:55+4 `p` subscribes to stream `default` of `in` twice | every tuple would come twice: take one of them out"]
    );
    assert_eq!(faults[0].also[0].place.column, 20);
}

#[test]
fn a_cycle_is_named() {
    let b = |id: &str, from: &str| {
        format!("[bolts.{id}]\ntype = \"split\"\ninputs = [{{ from = \"{from}\", grouping = \"shuffle\" }}]\n")
    };
    let text = with(&format!("{}{}{}{}{}", b("a", "c"), b("b", "a"), b("c", "b"), b("after", "c"), b("self", "self")));
    let faults = one(&text).unwrap_err();
    assert_eq!(
        shorts(&faults),
        [
            "10:20+3 these bolts feed each other: a → b → c → a | a cycle would stand still under back-pressure: take one of its inputs out",
            "22:20+6 bolt `self` feeds itself | a cycle would stand still under back-pressure: take one of its inputs out",
        ]
    );
    let also: Vec<_> = faults[0].also.iter().map(|a| (a.place.line, a.label.as_str())).collect();
    assert_eq!(also, [(13, "`a` feeds `b`"), (16, "`b` feeds `c`")]);
}

#[test]
fn what_follows_from_a_fault_is_not_reported() {
    // `in` has no schema, so neither `count` behind it nor its key can be judged; the key `topp` can.
    let text = "name = \"t\"\n[spouts.in]\ntype = \"liens\"\n[bolts.count]\ntype = \"count\"\nconfig = { topp = 1 }\n\
                inputs = [{ from = \"in\", grouping = \"fields\", fields = [\"w\"] }]\n[bolts.p]\ntype = \"console\"\n\
                inputs = [{ from = \"count\", stream = \"x\", grouping = \"all\" }]\n";
    expect(text, &["3:8+7 unknown spout type `liens` | did you mean `lines`?", "6:12+4 unknown key `topp` | known keys: none"]);
}

#[test]
fn a_wrong_grouping_does_not_hide_what_is_behind_it() {
    let text = with(
        "[bolts.r]\ntype = \"route\"\ninputs = [{ from = \"in\", grouping = \"shufle\" }]\n[bolts.p]\ntype = \"console\"\n\
         inputs = [{ from = \"r\", grouping = \"fields\", fields = [\"lien\"] }]\n",
    );
    expect(
        &text,
        &[
            "10:37+8 unknown grouping `shufle` | did you mean `shuffle`?",
            "13:56+6 stream `default` of `r` has no field `lien` | did you mean `line`?",
        ],
    );
}

#[test]
fn types_of_the_other_kind() {
    expect(
        &with("[spouts.p]\ntype = \"console\"\n"),
        &["9:8+9 `console` is a bolt type, not a spout type | put it under [bolts.p]"],
    );
}

#[test]
fn warnings_stop_nothing() {
    let text = with(
        "[spouts.num]\ntype = \"numbers\"\n[bolts.p]\ntype = \"console\"\nparallelism = 2000\ninputs = [{ from = \"num\", grouping = \"fields\", fields = [\"x\", \"v\"] }]\n",
    );
    let (plan, warnings) = one(&text).unwrap();
    assert_eq!(
        shorts(&warnings),
        [
            "?12:15+4 a fields grouping has 1,024 key groups: 976 tasks get nothing | the most that makes sense is 1024",
            "?13:58+3 field `x` is float: numbers that differ in the last bit are different keys | group by an int or str field",
            "?13:63+3 field `v` is f32[4]: numbers that differ in the last bit are different keys | group by an int or str field",
        ]
    );
    assert_eq!(plan.components.len(), 4);
}
