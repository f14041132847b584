//! Whether a plan can be run. The client has checked it, but nimbus trusts no client.

use std::collections::{BTreeMap, BTreeSet};

use squall_core::control::{is_sha256, is_topology_name};
use squall_core::suggest::did_you_mean;
use squall_core::{ComponentKind, Grouping, InputStream, Plan, PlannedComponent};

/// More tasks than anybody wants; what comes from the network must not set an allocation.
const MOST_TASKS: u64 = 100_000;
const MOST_WORKERS: u32 = 10_000;

/// Everything that is wrong with a plan, a line each.
pub(crate) fn faults(plan: &Plan) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_topology_name(&plan.name) {
        faults.push(format!(
            "`{}` cannot be a topology's name: expected 1 to 128 letters, digits, `-`, `_` or `.`, beginning with a letter or digit",
            plan.name.escape_debug().take(150).collect::<String>()
        ));
    }
    let settings = &plan.settings;
    let positive = [
        ("max_spout_pending", u64::from(settings.max_spout_pending)),
        ("message_timeout", settings.message_timeout.as_millis().min(u128::from(u64::MAX)) as u64),
        ("queue_tuples", u64::from(settings.queue_tuples)),
        ("queue_bytes", settings.queue_bytes),
        ("max_failures", settings.max_failures.map_or(1, u64::from)),
    ];
    faults.extend(
        positive.iter().filter(|(_, n)| *n == 0).map(|(key, _)| format!("config: `{key}` is 0; it must be at least 1")),
    );
    faults.extend(workers_fault(settings.workers));
    faults.extend(tasks_fault(plan.components.iter().map(|c| u64::from(c.parallelism))));
    if !plan.components.iter().any(|c| c.kind == ComponentKind::Spout) {
        faults.push("there is no spout, so nothing would ever happen".to_owned());
    }
    let mut seen: BTreeMap<&str, &PlannedComponent> = BTreeMap::new();
    for component in &plan.components {
        component_faults(component, &seen, plan, &mut faults);
        if seen.insert(&component.id, component).is_some() {
            faults.push(format!("there are two components `{}`", component.id));
        }
    }
    for (name, model) in &plan.models {
        if !is_sha256(&model.artefact) {
            faults.push(format!("model `{name}`: `artefact` is no SHA-256"));
        }
    }
    if plan.worker.as_deref().is_some_and(|hash| !is_sha256(hash)) {
        faults.push("`worker` is no SHA-256".to_owned());
    }
    faults
}

/// What is wrong with a number of workers.
pub(crate) fn workers_fault(workers: u32) -> Option<String> {
    (!(1..=MOST_WORKERS).contains(&workers)).then(|| format!("config: `workers` is {workers}; expected 1 to {MOST_WORKERS}"))
}

/// What is wrong with the number of all tasks.
pub(crate) fn tasks_fault(parallelism: impl Iterator<Item = u64>) -> Option<String> {
    let tasks: u64 = parallelism.sum();
    (tasks > MOST_TASKS).then(|| format!("{tasks} tasks are more than {MOST_TASKS}; lower `parallelism`"))
}

fn component_faults(c: &PlannedComponent, before: &BTreeMap<&str, &PlannedComponent>, plan: &Plan, faults: &mut Vec<String>) {
    let at = format!("{} `{}`", c.kind, c.id.escape_debug().take(100).collect::<String>());
    let mut fault = |text: String| faults.push(format!("{at}: {text}"));
    if !is_topology_name(&c.id) {
        fault("its id has other characters than letters, digits, `-`, `_` and `.`".to_owned());
    }
    if c.parallelism == 0 {
        fault("`parallelism` is 0; it must be at least 1".to_owned());
    }
    if c.tick.is_some_and(|t| t.is_zero()) {
        fault("`tick` is 0; leave it out or make it longer".to_owned());
    }
    let mut streams = BTreeSet::new();
    for output in &c.outputs {
        if !streams.insert(&output.name) {
            fault(format!("there are two output streams `{}`", output.name));
        }
        if let Some(field) = output.fields.duplicate() {
            fault(format!("output stream `{}` has two fields `{field}`", output.name));
        }
    }
    match (c.kind, c.inputs.is_empty()) {
        (ComponentKind::Spout, false) => fault("a spout has no inputs".to_owned()),
        (ComponentKind::Bolt, true) => fault("a bolt without inputs never runs".to_owned()),
        _ => {}
    }
    let mut inputs = BTreeSet::new();
    for input in &c.inputs {
        if !inputs.insert((&input.from, &input.stream)) {
            fault(format!("it subscribes twice to stream `{}` of `{}`", input.stream, input.from));
        }
        input_faults(input, before, plan, &mut fault);
    }
}

fn input_faults(input: &InputStream, before: &BTreeMap<&str, &PlannedComponent>, plan: &Plan, fault: &mut impl FnMut(String)) {
    let Some(source) = before.get(input.from.as_str()) else {
        return match plan.position(&input.from) {
            Some(_) => fault(format!(
                "input `{}` comes after it in the plan: the topology has a cycle, or is out of order",
                input.from
            )),
            None => fault(format!("unknown input `{}`{}", input.from, did_you_mean(&input.from, before.keys().copied()))),
        };
    };
    let Some(stream) = source.outputs.iter().find(|s| s.name == input.stream) else {
        let names = source.outputs.iter().map(|s| s.name.as_str());
        return fault(format!("`{}` has no stream `{}`{}", input.from, input.stream, did_you_mean(&input.stream, names)));
    };
    if stream.fields != input.fields {
        fault(format!(
            "stream `{}` of `{}` has the fields ({}), not ({})",
            input.stream, input.from, stream.fields, input.fields
        ));
    }
    if stream.direct != (input.grouping == Grouping::Direct) {
        let rule = if stream.direct { "is direct and takes" } else { "is not direct and cannot take" };
        fault(format!("stream `{}` of `{}` {rule} the grouping `direct`", input.stream, input.from));
    }
    if matches!(input.grouping, Grouping::Fields { .. } | Grouping::PartialKey { .. }) && input.grouping.key().is_empty() {
        fault(format!("grouping `{}` of input `{}` names no field", input.grouping.name(), input.from));
    }
    for key in input.grouping.key().iter().filter(|k| stream.fields.index(k).is_none()) {
        let known = stream.fields.fields().iter().map(|f| f.name.as_str());
        fault(format!("grouping by `{key}`, which input `{}` does not have{}", input.from, did_you_mean(key, known)));
    }
}

/// The first key in `given` that is not in `understood`, which was read from it and written again: serde ignores unknown keys
/// in types that must be able to grow.
pub(crate) fn unknown_key(given: &serde_json::Value, understood: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => given.iter().find_map(|(key, value)| match understood.get(key) {
            Some(known) => unknown_key(value, known).map(|rest| format!("{key}.{rest}")),
            // What is written only when it says something may be missing, if it said nothing.
            None if is_nothing(value) => None,
            None => Some(key.clone()),
        }),
        (Value::Array(given), Value::Array(understood)) => given
            .iter()
            .zip(understood)
            .enumerate()
            .find_map(|(i, (given, understood))| unknown_key(given, understood).map(|rest| format!("{i}.{rest}"))),
        _ => None,
    }
}

fn is_nothing(value: &serde_json::Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(change: impl FnOnce(&mut serde_json::Value)) -> Plan {
        let words = json!([{"name": "word", "type": "str"}]);
        let mut plan = json!({"name": "p", "components": [
            {"id": "words", "kind": "spout", "type": "t", "config": {}, "parallelism": 1,
             "outputs": [{"name": "default", "fields": words}]},
            {"id": "count", "kind": "bolt", "type": "t", "config": {}, "parallelism": 2,
             "inputs": [{"from": "words", "stream": "default", "fields": words, "grouping": {"type": "fields", "fields": ["word"]}}]}]});
        change(&mut plan);
        serde_json::from_value(plan).unwrap()
    }

    fn only(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let faults = faults(&plan(change));
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.into_iter().next().unwrap()
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(faults(&plan(|_| {})), Vec::<String>::new());
        assert!(only(|p| p["name"] = json!("../etc")).contains("cannot be a topology's name"));
        assert_eq!(
            only(|p| p["components"][1]["parallelism"] = json!(0)),
            "bolt `count`: `parallelism` is 0; it must be at least 1"
        );
        assert!(only(|p| p["components"][1]["parallelism"] = json!(u32::MAX)).contains("more than 100000"));
        assert!(only(|p| p["settings"] = json!({"workers": 0})).contains("`workers` is 0"));
        assert!(only(|p| p["components"][1]["inputs"][0]["from"] = json!("wrods")).contains("did you mean `words`?"));
        assert!(only(|p| p["components"][1]["inputs"][0]["stream"] = json!("late")).contains("no stream `late`"));
        assert!(only(|p| p["components"][1]["inputs"][0]["grouping"] = json!({"type": "direct"})).contains("is not direct"));
        assert!(
            only(|p| p["components"][1]["inputs"][0]["grouping"]["fields"] = json!(["wrd"])).contains("did you mean `word`?")
        );
        assert!(only(|p| p["components"][1]["inputs"][0]["fields"] = json!([])).contains("has the fields (word: str)"));
        assert!(only(|p| p["components"][1]["inputs"] = json!([])).contains("never runs"));
        assert!(only(|p| p["worker"] = json!("../../bin/sh")).contains("no SHA-256"));
        let model = json!({"m": {"artefact": "x/y", "source": "", "bytes": 1, "file": "m.pkl"}});
        assert!(only(|p| p["models"] = model).contains("`artefact` is no SHA-256"));
    }

    #[test]
    fn a_cycle_and_a_double_id_are_found() {
        let cycle = faults(&plan(|p| p["components"].as_array_mut().unwrap().swap(0, 1)));
        assert!(cycle[0].contains("cycle, or is out of order"), "{cycle:?}");
        let double = faults(&plan(|p| p["components"][1]["id"] = json!("words")));
        assert!(double.contains(&"there are two components `words`".to_owned()), "{double:?}");
    }

    #[test]
    fn unknown_keys_are_found_wherever_they_are() {
        let found = |given: serde_json::Value| {
            let read: Plan = serde_json::from_value(given.clone()).unwrap();
            unknown_key(&given, &serde_json::to_value(&read).unwrap())
        };
        assert_eq!(found(json!({"name": "p", "nam": 1})).as_deref(), Some("nam"));
        let component = |extra: &str| json!({"name": "p", "components": [{"id": "a", "kind": "spout", "type": "t", "config": {"any": 1}, "parallelism": 1, extra: null, "secrets": []}]});
        assert_eq!(found(component("tick")), None);
        let mut odd = component("tick");
        odd["components"][0]["paralelism"] = json!(2);
        assert_eq!(found(odd).as_deref(), Some("components.0.paralelism"));
    }
}
