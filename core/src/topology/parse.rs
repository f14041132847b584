//! From the tree to a [`Spec`]: the topology's own keys, settings and models.

use std::collections::BTreeSet;
use std::path::Path;

use super::Sources;
use super::cases::cases;
use super::component::component;
use super::include::load;
use super::read::{At, Reader, near_or_list};
use super::source::{File, Span};
use super::spec::{ModelLocation, ModelSpec, Spec};
use super::tree::{Entry, Table, Val};
use crate::{ComponentKind, Settings};

const KEYS: [&str; 7] = ["name", "include", "config", "models", "spouts", "bolts", "tests"];
const SETTINGS: [&str; 9] = [
    "workers",
    "max_spout_pending",
    "message_timeout",
    "max_failures",
    "dead_letters",
    "acking",
    "queue_tuples",
    "queue_bytes",
    "log",
];
const MODEL: [&str; 4] = ["path", "sha256", "onnx_weights", "labels"];
const ONNX_WEIGHTS: [&str; 2] = ["shared", "prepacked"];
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const MOST_WORKERS: u64 = 1_000;
/// A name becomes part of addresses and of file names, with a number behind it.
const LONGEST_NAME: usize = 100;

/// Reads a topology and the files it includes. What is wrong is kept in the [`Spec`], so that [`check`](super::check) can
/// report all of it together with what it finds itself.
///
/// ```
/// use squall_core::topology::{Sources, parse};
/// let text = "name = \"words\"\n[spouts.lines]\ntype = \"file\"\nparallelism = \"${N:-2}\"\n";
/// let read = &mut |_: &std::path::Path| Ok(text.to_owned());
/// let spec = parse("words.toml".as_ref(), &mut Sources { read, var: &|name| std::env::var(name).ok() });
/// assert!(!spec.has_errors());
/// ```
pub fn parse(path: &Path, sources: &mut Sources<'_>) -> Spec {
    let mut loaded = load(path, sources);
    let root = std::mem::take(&mut loaded.root);
    let mut faults = std::mem::take(&mut loaded.faults);
    let mut typed = BTreeSet::new();
    let mut read = Reader { faults: &mut faults, typed: &mut typed };

    read.unknown_keys(&root, "in a topology", &KEYS, &[]);
    let name = match root.get("name") {
        Some(entry) => topology_name(&mut read, entry),
        None => {
            if loaded.complete {
                let start = Span::new(0, 0..0);
                read.faults.add(start, "the topology has no name").help("begin with name = \"…\"");
            }
            None
        }
    };
    let table = |key: &str| match root.get(key).map(|e| &e.node.value) {
        Some(Val::Table(table)) => table.0.as_slice(),
        _ => &[],
    };
    let (settings, workers) = settings(&mut read, &Table(table("config").to_vec()));
    let (mut models, mut broken_models) = (Vec::new(), BTreeSet::new());
    for entry in table("models") {
        match model(&mut read, entry, &loaded.files) {
            Some(model) => models.push(model),
            None => drop(broken_models.insert(entry.key.clone())),
        }
    }

    let (mut components, mut broken_components) = (Vec::new(), BTreeSet::new());
    let spouts = table("spouts").iter().map(|e| (ComponentKind::Spout, e));
    let mut all: Vec<(ComponentKind, &Entry)> = spouts.chain(table("bolts").iter().map(|e| (ComponentKind::Bolt, e))).collect();
    all.sort_by_key(|(_, e)| e.key_span);
    for (kind, entry) in &all {
        let first = all.iter().find(|(k, e)| k != kind && e.key == entry.key && e.key_span < entry.key_span);
        if let Some((other, first)) = first {
            let message = format!("`{}` is the name of a {other} already", entry.key);
            let help = "spouts and bolts share their names: give one of them another";
            read.faults.add(entry.key_span, message).help(help).also(first.key_span, "first used here");
        }
        match component(&mut read, *kind, entry) {
            Some(c) if first.is_none() => components.push(c),
            _ => drop(broken_components.insert(entry.key.clone())),
        }
    }
    let any_spout = all.iter().any(|(kind, _)| *kind == ComponentKind::Spout);
    if !any_spout && loaded.complete {
        let at = root.get("name").map_or(Span::new(0, 0..0), |e| e.node.span);
        read.faults.add(at, "the topology has no spout, so nothing would ever flow").help("add a [spouts.NAME]");
    }
    let tests = cases(&mut read, table("tests"), &components);
    loaded.faults = faults;
    Spec { loaded, name, settings, workers, models, components, tests, broken_components, broken_models, typed }
}

fn topology_name(read: &mut Reader<'_>, entry: &Entry) -> Option<At<String>> {
    let name = read.name("name", &entry.node, "a name such as \"wordcount\"")?;
    let fine = name.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !fine || name.value.len() > LONGEST_NAME {
        let what = if fine { "is too long for a topology" } else { "cannot be the name of a topology" };
        let help = format!("up to {LONGEST_NAME} letters a-z, digits, - and _, beginning with a letter or digit");
        read.faults.add(name.span, format!("`{}` {what}", name.value)).help(help);
        return None;
    }
    Some(name)
}

/// The settings, and where `workers` is.
fn settings(read: &mut Reader<'_>, table: &Table) -> (Settings, Option<At<u64>>) {
    let mut settings = Settings::default();
    let mut workers = None;
    let habits = [
        ("parallelism", "`parallelism` belongs to each spout and bolt"),
        ("message_timeout_secs", "write message_timeout = \"30s\""),
        ("ackers", "the worker of a spout keeps its ledger: there are no ackers; `acking = false` turns tracking off"),
    ];
    read.unknown_keys(table, "in [config]", &SETTINGS, &habits);
    for entry in &table.0 {
        let mut number = |most: u64| read.whole(entry, 1..=most).map(|n| n.value as u32);
        match entry.key.as_str() {
            "workers" => {
                workers = read.whole(entry, 1..=MOST_WORKERS);
                settings.workers = workers.as_ref().map_or(1, |n| n.value as u32);
            }
            "max_spout_pending" => settings.max_spout_pending = number(u32::MAX.into()).unwrap_or(1),
            "max_failures" => settings.max_failures = number(u32::MAX.into()),
            "dead_letters" => {
                let path = read.name("dead_letters", &entry.node, "the path of a file such as \"dead.jsonl\"");
                settings.dead_letters = path.map(|p| p.value.into());
            }
            "queue_tuples" => settings.queue_tuples = number(u32::MAX.into()).unwrap_or(1),
            "queue_bytes" => settings.queue_bytes = read.bytes(entry).unwrap_or(1),
            "acking" => settings.acking = read.flag(entry).unwrap_or(true),
            "message_timeout" => {
                if let Some(timeout) = read.duration(entry) {
                    settings.message_timeout = timeout;
                }
            }
            "log" => {
                if let Some(text) = read.text("log", &entry.node, "a level such as \"info\"") {
                    log_level(read, entry, &text.shown);
                    settings.log = text.text.clone();
                }
            }
            _ => {}
        }
    }
    let failures = table.get("max_failures");
    if let Some(letters) = table.get("dead_letters").filter(|_| settings.dead_letters.is_some() && failures.is_none()) {
        let fault = read.faults.add(letters.key_span, "nothing ever becomes a dead letter");
        fault.help("add max_failures = 5, or leave it out");
    }
    if let Some(failures) = failures.filter(|_| settings.max_failures.is_some() && !settings.acking) {
        let fault = read.faults.add(failures.key_span, "`max_failures` needs `acking`");
        fault.help("without tracking no tuple fails: leave it out");
    }
    (settings, workers)
}

/// `LEVEL` or `MODULE=LEVEL`, several with commas between them.
fn log_level(read: &mut Reader<'_>, entry: &Entry, text: &str) {
    for part in text.split(',') {
        let level = part.rsplit('=').next().unwrap_or(part).trim();
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            let help = near_or_list(level, &LEVELS, "levels");
            read.faults.add(entry.node.span, format!("unknown log level `{level}`")).help(help);
        }
    }
}

fn model(read: &mut Reader<'_>, entry: &Entry, files: &[File]) -> Option<ModelSpec> {
    let name = &entry.key;
    let Val::Table(table) = &entry.node.value else {
        read.wrong(name, &entry.node, "a table such as { path = \"model.pkl\" }");
        return None;
    };
    read.unknown_keys(table, &format!("of model `{name}`"), &MODEL, &[("file", "did you mean `path`?")]);
    let named = !name.is_empty() && !name.contains(char::is_control);
    if !named {
        read.faults.add(entry.key_span, "a model's name is empty or has control characters");
    }
    let sha256 = match table.get("sha256") {
        Some(e) => read.text("sha256", &e.node, "64 hexadecimal digits").and_then(|t| {
            let fine = t.text.len() == 64 && t.text.bytes().all(|b| b.is_ascii_hexdigit());
            if !fine {
                let message = format!("`sha256` has {} characters, expected 64 hexadecimal digits", t.text.chars().count());
                read.faults.add(e.node.span, message).help("sha256sum FILE prints it");
            }
            fine.then(|| (t.text.to_ascii_lowercase(), e.node.span))
        }),
        None => None,
    };
    let onnx_weights = table.get("onnx_weights").and_then(|e| {
        let held = read.name("onnx_weights", &e.node, "\"shared\" or \"prepacked\"")?;
        if ONNX_WEIGHTS.contains(&held.value.as_str()) {
            return Some(held.value);
        }
        let help = near_or_list(&held.value, &ONNX_WEIGHTS, "ways");
        read.faults.add(held.span, format!("unknown way to hold weights `{}`", held.value)).help(help);
        None
    });
    let labels = table.get("labels").and_then(|e| {
        let Val::List(list) = &e.node.value else {
            read.wrong("labels", &e.node, "a list of texts such as [\"no\", \"yes\"]");
            return None;
        };
        let text = |node| read.text("a label", node, "a text").map(|t| t.text.clone());
        list.iter().map(text).collect::<Option<Vec<String>>>()
    });
    let Some(path) = table.get("path") else {
        let message = format!("model `{name}` has no `path`");
        read.faults.add(entry.key_span, message).help("add path = \"model.pkl\"");
        return None;
    };
    let path = read.name("path", &path.node, "the path of a model file").filter(|_| named)?;
    let (sha256, sha256_span) = sha256.unzip();
    let location = if path.value.contains("://") {
        ModelLocation::Url(path.value)
    } else {
        let dir = files.get(path.span.file).and_then(|f| Path::new(&f.path).parent()).unwrap_or(Path::new(""));
        ModelLocation::File(dir.join(path.value))
    };
    Some(ModelSpec { name: name.clone(), location, sha256, onnx_weights, labels, location_span: path.span, sha256_span })
}
