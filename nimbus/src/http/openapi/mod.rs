//! `/api/openapi.json`: what nimbus answers, as OpenAPI 3.1. The tables are in `paths` and `schemas`; a test asks a nimbus for everything
//! they describe, holds the answers against them, and looks for routes that they forget.

mod paths;
mod schemas;

use axum::Json;
use serde_json::{Map, Value, json};

use paths::{Answer, CALLS, Call};
use schemas::SCHEMAS;

pub(super) async fn document() -> Json<Value> {
    Json(build())
}

fn build() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for call in CALLS {
        let path = paths.entry(call.path.to_owned()).or_insert_with(|| json!({}));
        path[call.method] = operation(call);
    }
    let schemas: Map<String, Value> = SCHEMAS.iter().map(|(name, fields)| ((*name).to_owned(), object(fields))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Squall", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Nimbus's own interface. Storm's REST is beside it under /api/v1. Objects may get more keys with newer versions.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "The content of the file `token` in nimbus's folder."}},
            "schemas": schemas,
        },
    })
}

fn operation(call: &Call) -> Value {
    let in_path = call.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query = call.query.split_whitespace().map(|part| {
        let (name, kind) = part.split_once(':').unwrap_or((part, "text"));
        json!({"name": name, "in": "query", "required": false, "schema": kind_of(kind)})
    });
    let content = |media: &str, schema: Value| json!({media: {"schema": schema}});
    let answer = match call.answer {
        Answer::Json(kind) => content("application/json", kind_of(kind)),
        Answer::Events(kind) => content("text/event-stream", json!({"type": "string", "x-data": kind_of(kind)})),
        Answer::Text(media) => content(media, json!({"type": "string"})),
        Answer::Nothing => Value::Null,
    };
    let mut good = json!({"description": "Done."});
    if !answer.is_null() {
        good["content"] = answer;
    }
    let problem = json!({"description": "Refused.", "content": content("application/json", kind_of("Problem"))});
    let mut operation = json!({
        "summary": call.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {call.status: good, "default": problem},
    });
    if !call.body.is_empty() {
        let (media, schema) = if call.body == "bytes" {
            ("application/octet-stream", json!({}))
        } else {
            ("application/json", kind_of(call.body))
        };
        operation["requestBody"] = json!({"content": content(media, schema)});
    }
    operation
}

/// An object from `name: type, name?: type`; a `?` behind the name says that it may be missing, behind the type that it may be null.
fn object(fields: &str) -> Value {
    if let Some(words) = fields.strip_prefix("one of ") {
        return json!({"type": "string", "enum": words.split(' ').collect::<Vec<_>>()});
    }
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields.split(',').map(str::trim).filter(|f| !f.is_empty()) {
        let (name, kind) = field.split_once(": ").unwrap_or((field, "any"));
        let always = !name.ends_with('?');
        let name = name.trim_end_matches('?');
        properties.insert(name.to_owned(), kind_of(kind));
        if always {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// A type: `int`, `number`, `text`, `bool`, `object`, `any`, `[T]`, `{T}` (a map by name), `T?` (or null), or the name of a schema.
fn kind_of(kind: &str) -> Value {
    if let Some(kind) = kind.strip_suffix('?') {
        return json!({"anyOf": [kind_of(kind), {"type": "null"}]});
    }
    if let Some(kind) = kind.strip_prefix('[').and_then(|k| k.strip_suffix(']')) {
        return json!({"type": "array", "items": kind_of(kind)});
    }
    if let Some(kind) = kind.strip_prefix('{').and_then(|k| k.strip_suffix('}')) {
        return json!({"type": "object", "additionalProperties": kind_of(kind)});
    }
    match kind {
        "int" => json!({"type": "integer"}),
        "number" => json!({"type": "number"}),
        "text" => json!({"type": "string"}),
        "bool" => json!({"type": "boolean"}),
        "object" => json!({"type": "object"}),
        "any" => json!({}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The routes of a source text.
    fn routes(source: &str) -> Vec<String> {
        source.split(".route(").skip(1).filter_map(|part| Some(part.split('"').nth(1)?.to_owned())).collect()
    }

    #[test]
    fn every_route_is_described_and_every_schema_is_there() {
        let document = build();
        // The page's own files, Storm's REST and what daemons say to each other are told elsewhere.
        let elsewhere = ["/ui/", "/v1/supervisors/"];
        let mut missing = routes(include_str!("../mod.rs"));
        missing.retain(|r| document["paths"].get(r).is_none() && r != "/" && !elsewhere.iter().any(|e| r.starts_with(e)));
        assert_eq!(missing, [] as [String; 0]);
        let mut refs = Vec::new();
        collect(&document, &mut refs);
        assert!(refs.len() > 50);
        let unknown: Vec<&String> =
            refs.iter().filter(|r| document["components"]["schemas"].get(r.as_str()).is_none()).collect();
        assert_eq!(unknown, [] as [&String; 0]);
    }

    fn collect(value: &Value, refs: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
                Some(name) if key == "$ref" => refs.push(name.trim_start_matches("#/components/schemas/").to_owned()),
                _ => collect(value, refs),
            }),
            Value::Array(list) => list.iter().for_each(|v| collect(v, refs)),
            _ => {}
        }
    }
}
