//! From the tree to a spout or bolt: its keys, inputs and declared outputs.

use super::read::{At, Reader, near_or_list};
use super::source::Span;
use super::spec::{ComponentSpec, ConfigSpec, InputSpec, OutputsSpec};
use super::tree::{Entry, Node, Table, Val};
use crate::{ComponentKind, DEFAULT_STREAM, Field, FieldType, Grouping, Schema, StreamDecl};

const SPOUT: [&str; 4] = ["type", "parallelism", "config", "outputs"];
const BOLT: [&str; 6] = ["type", "parallelism", "tick", "config", "inputs", "outputs"];
const INPUT: [&str; 4] = ["from", "stream", "grouping", "fields"];
const OUTPUT: [&str; 3] = ["name", "direct", "fields"];
pub(crate) const MOST_TASKS: u64 = 1_000_000;
const AN_INPUT: &str = "a table such as { from = \"words\", grouping = \"shuffle\" }";
const AN_OUTPUT: &str = "a table such as { name = \"default\", fields = { word = \"str\" } }";

/// Nothing if there is no telling what it is.
pub(crate) fn component(read: &mut Reader<'_>, kind: ComponentKind, entry: &Entry) -> Option<ComponentSpec> {
    let id = entry.key.clone();
    let Val::Table(table) = &entry.node.value else {
        read.wrong(&id, &entry.node, &format!("a table [{kind}s.{id}]"));
        return None;
    };
    if id.starts_with("__") {
        let help = "names that begin with __ are Squall's own";
        read.faults.add(entry.key_span, format!("`{id}` cannot be the name of a {kind}")).help(help);
    } else if id.is_empty() || id.contains(char::is_control) {
        read.faults.add(entry.key_span, format!("the name of a {kind} is empty or has control characters"));
    }
    keys(read, kind, &id, table);

    let type_name = match table.get("type") {
        Some(e) => read.name("type", &e.node, "the name of a component type"),
        None => {
            let help = "add type = \"…\"; `squall components` lists the types";
            read.faults.add(entry.key_span, format!("{kind} `{id}` has no `type`")).help(help);
            None
        }
    };
    let parallelism = match table.get("parallelism") {
        Some(e) => read.whole(e, 1..=MOST_TASKS),
        None => Some(At { value: 1, span: entry.key_span }),
    };
    let tick = table.get("tick").filter(|_| kind == ComponentKind::Bolt).and_then(|e| read.duration(e));
    let config = match table.get("config") {
        None => ConfigSpec::None,
        Some(e) if matches!(e.node.value, Val::Table(_)) => ConfigSpec::Given { key_span: e.key_span, node: e.node.clone() },
        Some(e) => {
            read.wrong("config", &e.node, "a table");
            ConfigSpec::Broken
        }
    };
    let mut spec = ComponentSpec {
        id,
        id_span: entry.key_span,
        kind,
        type_name,
        parallelism,
        tick,
        config,
        inputs: Vec::new(),
        inputs_broken: false,
        outputs: None,
    };
    if kind == ComponentKind::Bolt {
        inputs(read, table.get("inputs"), &mut spec);
    }
    spec.outputs = table.get("outputs").map(|e| outputs(read, e));
    Some(spec)
}

fn keys(read: &mut Reader<'_>, kind: ComponentKind, id: &str, table: &Table) {
    let tasks = "there are no executors: `parallelism` is the number of tasks";
    let habits = [("tasks", tasks), ("num_tasks", tasks), ("executors", tasks)];
    let whose = format!("of {kind} `{id}`");
    match kind {
        ComponentKind::Bolt => read.unknown_keys(table, &whose, &BOLT, &habits),
        ComponentKind::Spout => {
            let [inputs, tick] = ["inputs", "tick"].map(|key| table.get(key));
            if let Some(e) = inputs {
                let help = "a spout is a source; if it takes tuples in, it is a bolt: [bolts.NAME]";
                read.faults.add(e.key_span, format!("spout `{id}` has `inputs`")).help(help);
            }
            if let Some(e) = tick {
                let help = "bolts have ticks; a spout is asked for tuples all the time";
                read.faults.add(e.key_span, format!("spout `{id}` has a `tick`")).help(help);
            }
            let rest = table.0.iter().filter(|e| e.key != "inputs" && e.key != "tick").cloned().collect();
            read.unknown_keys(&Table(rest), &whose, &SPOUT, &habits);
        }
    }
}

fn inputs(read: &mut Reader<'_>, entry: Option<&Entry>, spec: &mut ComponentSpec) {
    let nothing = format!("bolt `{}` has no inputs, so it would never run", spec.id);
    let help = "add inputs = [{ from = \"…\", grouping = \"shuffle\" }]";
    spec.inputs_broken = true;
    let Some(entry) = entry else {
        read.faults.add(spec.id_span, nothing).help(help);
        return;
    };
    let Val::List(list) = &entry.node.value else {
        read.wrong("inputs", &entry.node, &format!("a list of tables: [{}]", AN_INPUT.trim_start_matches("a table such as ")));
        return;
    };
    if list.is_empty() {
        read.faults.add(entry.node.span, nothing).help(help);
        return;
    }
    spec.inputs_broken = false;
    for node in list {
        match &node.value {
            Val::Table(table) => {
                let input = input(read, node, table);
                spec.inputs_broken |= input.from.is_none() || input.stream.is_none();
                spec.inputs.push(input);
            }
            _ => {
                read.wrong("an input", node, AN_INPUT);
                spec.inputs_broken = true;
            }
        }
    }
}

fn input(read: &mut Reader<'_>, node: &Node, table: &Table) -> InputSpec {
    let habits = [("component", "did you mean `from`?"), ("source", "did you mean `from`?"), ("id", "did you mean `from`?")];
    read.unknown_keys(table, "of an input", &INPUT, &habits);
    let from = match table.get("from") {
        Some(e) => read.name("from", &e.node, "the name of a spout or bolt"),
        None => {
            read.faults.add(node.span, "the input has no `from`").help("name the spout or bolt it comes from");
            None
        }
    };
    let stream = match table.get("stream") {
        Some(e) => read.name("stream", &e.node, "the name of a stream"),
        None => {
            let span = from.as_ref().map_or(node.span, |f| f.span);
            Some(At { value: DEFAULT_STREAM.to_owned(), span })
        }
    };
    let (fields, fine) = match table.get("fields") {
        Some(e) => names(read, e),
        None => (Vec::new(), true),
    };
    let grouping = match table.get("grouping") {
        Some(e) => {
            let name = read.name("grouping", &e.node, "the name of a grouping");
            let given = table.get("fields");
            name.and_then(|name| grouping(read, &name, given, &fields)).filter(|_| fine)
        }
        None => {
            let help = format!("groupings: {}", Grouping::NAMES.join(", "));
            read.faults.add(node.span, "the input has no `grouping`").help(help);
            None
        }
    };
    InputSpec { from, stream, grouping, fields }
}

fn grouping(read: &mut Reader<'_>, name: &At<String>, given: Option<&Entry>, fields: &[At<String>]) -> Option<At<Grouping>> {
    let key = || fields.iter().map(|f| f.value.clone()).collect();
    let value = match name.value.as_str() {
        "shuffle" => Grouping::Shuffle,
        "fields" => Grouping::Fields { fields: key() },
        "partial-key" => Grouping::PartialKey { fields: key() },
        "all" => Grouping::All,
        "global" => Grouping::Global,
        "none" => Grouping::None,
        "direct" => Grouping::Direct,
        "local-or-shuffle" => Grouping::LocalOrShuffle,
        "custom" => {
            let help = "a bolt that emits on a direct stream chooses the task itself";
            read.faults.add(name.span, "custom groupings are not there yet").help(help);
            return None;
        }
        other => {
            let help = near_or_list(&other.replace('_', "-"), &Grouping::NAMES, "groupings");
            read.faults.add(name.span, format!("unknown grouping `{other}`")).help(help);
            return None;
        }
    };
    let keyed = matches!(value, Grouping::Fields { .. } | Grouping::PartialKey { .. });
    match given {
        None if keyed => {
            let help = "add fields = [\"…\"]: equal values go to the same task";
            read.faults.add(name.span, format!("a {} grouping needs `fields`", name.value)).help(help);
            return None;
        }
        Some(e) if !keyed => {
            let help = "did you mean grouping = \"fields\"? if not, take `fields` out";
            read.faults.add(e.key_span, format!("a {} grouping takes no `fields`", name.value)).help(help);
            return None;
        }
        Some(e) if matches!(&e.node.value, Val::List(l) if l.is_empty()) => {
            let help = "name a field, or use grouping = \"global\" to send everything to one task";
            read.faults.add(e.node.span, "`fields` is empty").help(help);
            return None;
        }
        _ => {}
    }
    Some(At { value, span: name.span })
}

/// A list of names, and whether it was one.
fn names(read: &mut Reader<'_>, entry: &Entry) -> (Vec<At<String>>, bool) {
    let Val::List(list) = &entry.node.value else {
        read.wrong(&entry.key, &entry.node, "a list of field names such as [\"word\"]");
        return (Vec::new(), false);
    };
    let mut names: Vec<At<String>> = Vec::new();
    let mut fine = true;
    for node in list {
        match read.name("a field", node, "the name of a field") {
            Some(name) if names.iter().any(|n| n.value == name.value) => {
                fine = false;
                read.faults.add(name.span, format!("field `{}` is named twice", name.value));
            }
            Some(name) => names.push(name),
            None => fine = false,
        }
    }
    (names, fine)
}

fn outputs(read: &mut Reader<'_>, entry: &Entry) -> OutputsSpec {
    let mut out = OutputsSpec { key_span: entry.key_span, streams: Vec::new(), broken: false };
    let before = read.faults.0.len();
    let Val::List(list) = &entry.node.value else {
        read.wrong(
            "outputs",
            &entry.node,
            &format!("a list of tables: [{}]", AN_OUTPUT.trim_start_matches("a table such as ")),
        );
        out.broken = true;
        return out;
    };
    let mut spans: Vec<Span> = Vec::new();
    for node in list {
        let Val::Table(table) = &node.value else {
            read.wrong("an output", node, AN_OUTPUT);
            out.broken = true;
            continue;
        };
        read.unknown_keys(table, "of an output", &OUTPUT, &[]);
        let name = match table.get("name") {
            Some(e) => read.name("name", &e.node, "the name of a stream"),
            None => Some(At { value: DEFAULT_STREAM.to_owned(), span: node.span }),
        };
        let direct = table.get("direct").and_then(|e| read.flag(e)).unwrap_or(false);
        let fields = match table.get("fields") {
            Some(e) => schema(read, e),
            None => {
                let help = "add fields = { word = \"str\" }, or fields = {} for none";
                read.faults.add(node.span, "the output has no `fields`").help(help);
                None
            }
        };
        let (Some(name), Some(fields)) = (name, fields) else { continue };
        match out.streams.iter().position(|s| s.name == name.value) {
            Some(first) => {
                let fault = read.faults.add(name.span, format!("stream `{}` is declared twice", name.value));
                fault.also(spans[first], "first declared here");
            }
            None => {
                spans.push(name.span);
                out.streams.push(StreamDecl { name: name.value, direct, fields });
            }
        }
    }
    out.broken |= read.faults.0.len() > before || list.iter().any(|n| matches!(n.value, Val::Broken));
    out
}

/// `{ word = "str", count = "int" }`.
fn schema(read: &mut Reader<'_>, entry: &Entry) -> Option<Schema> {
    let Val::Table(table) = &entry.node.value else {
        read.wrong("fields", &entry.node, "a table of names and types such as { word = \"str\" }");
        return None;
    };
    let mut schema = Schema::default();
    let mut fine = true;
    for field in &table.0 {
        let kind =
            read.text(&field.key, &field.node, "the name of a type such as \"str\"").map(|t| t.text.parse::<FieldType>());
        match kind {
            Some(Ok(kind)) => schema = schema.with([Field::new(field.key.as_str(), kind)]),
            Some(Err(message)) => {
                let (what, expected) = message.split_once(": ").unwrap_or((&message, ""));
                read.faults.add(field.node.span, what).help(expected);
                fine = false;
            }
            None => fine = false,
        }
    }
    fine.then_some(schema)
}
