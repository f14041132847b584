//! A component's configuration: as JSON for its type, and back from what the type says to places in the file.

use serde_json::{Map, Value as Json};

use super::fault::Faults;
use super::source::Span;
use super::tree::{Node, Table, Val};

/// A configuration as JSON.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) json: Json,
    /// Strings that may as well be numbers or booleans: their JSON pointer, the other form, their place.
    pub(crate) variables: Vec<(String, Json, Span)>,
    /// JSON pointers of what is secret.
    pub(crate) secrets: Vec<String>,
}

/// Nothing if something in it is broken, which was or is reported.
pub(crate) fn to_json(table: &Table, faults: &mut Faults) -> Option<Config> {
    let mut config = Config::default();
    let json = object(table, "", &mut config, faults);
    json.map(|json| Config { json, ..config })
}

fn object(table: &Table, pointer: &str, config: &mut Config, faults: &mut Faults) -> Option<Json> {
    let mut map = Map::new();
    let mut fine = true;
    for entry in &table.0 {
        let pointer = format!("{pointer}/{}", escaped(&entry.key));
        match value(&entry.node, &pointer, config, faults) {
            Some(json) => drop(map.insert(entry.key.clone(), json)),
            None => fine = false,
        }
    }
    fine.then_some(Json::Object(map))
}

fn value(node: &Node, pointer: &str, config: &mut Config, faults: &mut Faults) -> Option<Json> {
    match &node.value {
        Val::Broken => None,
        Val::Table(table) => object(table, pointer, config, faults),
        Val::List(list) => {
            let items: Vec<Option<Json>> =
                list.iter().enumerate().map(|(i, n)| value(n, &format!("{pointer}/{i}"), config, faults)).collect();
            items.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
        }
        Val::Text(text) => {
            if text.is_secret() {
                config.secrets.push(pointer.to_owned());
            }
            if let Some(typed) = text.typed().and_then(|v| v.plain_json()) {
                config.variables.push((pointer.to_owned(), typed, node.span));
            }
            Some(text.text.as_str().into())
        }
        other => {
            let json = other.plain_json();
            if json.is_none() {
                faults.add(node.span, "a configuration cannot hold inf or nan").help("write it as text, or leave it out");
            }
            json
        }
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Where a path such as `emit[1].name` leads.
pub(crate) struct Found {
    pub(crate) key_span: Span,
    pub(crate) span: Span,
    pub(crate) pointer: String,
    pub(crate) is_table: bool,
    /// Whether it leads there entirely; if not, this is the nearest parent.
    pub(crate) exact: bool,
}

/// Follows a path from a configuration; nothing if not even its first step is there.
pub(crate) fn find(config: &Node, path: &str) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut node = config;
    let mut pointer = String::new();
    let mut rest = path.trim_start_matches('.');
    while !rest.is_empty() {
        let step = match &node.value {
            Val::Table(table) => table_step(table, rest),
            Val::List(list) => list_step(list, rest),
            _ => None,
        };
        let Some((name, key_span, next, remaining)) = step else { break };
        pointer = format!("{pointer}/{}", escaped(&name));
        node = next;
        rest = remaining.trim_start_matches('.');
        let is_table = matches!(node.value, Val::Table(_));
        found = Some(Found { key_span, span: node.span, pointer: pointer.clone(), is_table, exact: rest.is_empty() });
    }
    found
}

type Step<'n, 'p> = (String, Span, &'n Node, &'p str);

/// The longest key that the path begins with: keys may have dots in them.
fn table_step<'n, 'p>(table: &'n Table, path: &'p str) -> Option<Step<'n, 'p>> {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
    let fits = |key: &str| !key.is_empty() && path.strip_prefix(key).is_some_and(ends);
    let entry = table.0.iter().filter(|e| fits(&e.key)).max_by_key(|e| e.key.len())?;
    Some((entry.key.clone(), entry.key_span, &entry.node, &path[entry.key.len()..]))
}

fn list_step<'n, 'p>(list: &'n [Node], path: &'p str) -> Option<Step<'n, 'p>> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let node = list.get(index.parse::<usize>().ok()?)?;
    Some((index.to_owned(), node.span, node, rest))
}
