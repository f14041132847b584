//! `/api/openapi.json` against the server: what it answers is what is described, key by key.

use serde_json::{Value, json};

use crate::common::{http, plan};
use crate::storm::counted;

/// What is wrong with a value by its schema; a key that is not described is wrong too.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return wrong(document, &document["components"]["schemas"][name], value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let all: Vec<Option<String>> = any.iter().map(|s| wrong(document, s, value, at)).collect();
        return if all.iter().any(Option::is_none) { None } else { all.into_iter().flatten().next() };
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{at}: {value} is none of {words:?}"));
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !fits {
        return Some(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Value::Array(items) = value {
        return items.iter().enumerate().find_map(|(i, v)| wrong(document, &schema["items"], v, &format!("{at}[{i}]")));
    }
    let map = value.as_object()?;
    if let Some(each) = schema.get("additionalProperties") {
        return map.iter().find_map(|(key, v)| wrong(document, each, v, &format!("{at}.{key}")));
    }
    let known = schema["properties"].as_object()?;
    let required = schema["required"].as_array()?.iter().filter_map(Value::as_str);
    let missing = required.into_iter().find(|key| !map.contains_key(*key)).map(|key| format!("{at}: no `{key}`"));
    missing.or_else(|| {
        map.iter().find_map(|(key, v)| match known.get(key) {
            Some(schema) => wrong(document, schema, v, &format!("{at}.{key}")),
            None => Some(format!("{at}: `{key}` is not described")),
        })
    })
}

#[test]
fn answers_are_as_they_are_described() {
    let dir = tempfile::tempdir().unwrap();
    let (nimbus, _s, id) = counted(dir.path());
    let (code, document) = nimbus.get("/api/openapi.json");
    assert_eq!((code, &document["openapi"]), (200, &json!("3.1.0")));
    let filled = |path: &str| {
        path.replace("{name}", &id)
            .replace("{component}", "sum")
            .replace("{worker}", "0")
            .replace("{tap}", "1")
            .replace("{model}", "m")
    };
    let (mut held, mut refused) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let good = operation["responses"].as_object().unwrap().iter().find(|(code, _)| *code != "default").unwrap();
            let streams = good.1["content"].get("text/event-stream").is_some();
            if streams || method == "head" || path == "/api/openapi.json" {
                continue;
            }
            // Kill comes last, or nothing would be left; what changes something is called with nothing to change.
            if path.ends_with("/kill") || path.ends_with("/rebalance") {
                continue;
            }
            let (code, _, body) = http(nimbus.address, &nimbus.token, &method.to_uppercase(), &filled(path), b"");
            let text = String::from_utf8_lossy(&body);
            assert!(code != 405 && !text.contains("there is nothing at"), "{method} {path}: {code} {text}");
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            let schema =
                if code < 300 { &good.1["content"]["application/json"]["schema"] } else { &json!({"$ref": "/Problem"}) };
            if schema.is_null() || code == 303 {
                continue;
            }
            assert_eq!(wrong(&document, schema, &value, path), None, "{method} {path}: {code} {value}");
            *(if code < 300 { &mut held } else { &mut refused }) += 1;
        }
    }
    assert!(held >= 14 && refused >= 8, "{held} answers and {refused} refusals were held against the document");

    for (verb, body) in [("rebalance", json!({"parallelism": {"sum": 2}})), ("kill", json!({"wait_ms": 5}))] {
        let (code, answer) = nimbus.post(&format!("/v1/topologies/{id}/{verb}"), body);
        assert_eq!(code, 200, "{answer}");
        assert_eq!(wrong(&document, &json!({"$ref": "/Accepted"}), &answer, verb), None);
    }
    let (code, answer) = nimbus.post("/v1/topologies", json!({"plan": plan("q", 1)}));
    assert_eq!((code, wrong(&document, &json!({"$ref": "/Accepted"}), &answer, "submit")), (201, None));
}
