//! What a run came to.

use std::time::Duration;

use serde_json::{Value, json};
use squall_core::ComponentKind;
use squall_core::control::{ComponentStatus, TopologyStatus};

use crate::exit::Outcome;
use crate::show::{Align, Show, count, nanos, size, table};
use crate::verbs::cluster::short;
use crate::verbs::status::ms;

/// Shows the summary: text on stderr, or one JSON object on stdout.
pub(super) fn show(status: &TopologyStatus, lasted: Duration, show: &Show) -> Outcome {
    if show.json {
        return show.line(&object(status, lasted).to_string());
    }
    show.note("");
    show.note(&components(status));
    show.note("");
    for (name, value) in facts(status, lasted) {
        show.note(&format!("{name:<18}{value}"));
    }
    for error in status.errors.iter().take(5) {
        show.note(&format!("error in {} ({} times): {}", error.component, count(error.count), error.message));
    }
    Ok(())
}

fn components(status: &TopologyStatus) -> String {
    let columns = [
        ("component", Align::Left),
        ("type", Align::Left),
        ("tasks", Align::Right),
        ("emitted", Align::Right),
        ("executed", Align::Right),
        ("acked", Align::Right),
        ("failed", Align::Right),
        ("execute p50", Align::Right),
        ("p99", Align::Right),
    ];
    let row = |c: &ComponentStatus| {
        vec![
            c.id.clone(),
            c.type_name.clone(),
            c.tasks.to_string(),
            count(c.emitted),
            count(c.executed),
            count(c.acked),
            count(c.failed),
            ms(&c.execute, c.execute.p50_ms),
            ms(&c.execute, c.execute.p99_ms),
        ]
    };
    table(&columns, &status.components.iter().map(row).collect::<Vec<_>>())
}

/// Tuples that the spouts emitted.
fn emitted(status: &TopologyStatus) -> u64 {
    status.components.iter().filter(|c| c.kind == ComponentKind::Spout).map(|c| c.emitted).sum()
}

/// Spout tuples a second over the whole run, start included.
fn throughput(status: &TopologyStatus, lasted: Duration) -> f64 {
    emitted(status) as f64 / lasted.as_secs_f64().max(1e-9)
}

/// Right and all predictions, where components count them.
fn accuracy(c: &ComponentStatus) -> Option<(u64, u64)> {
    let (correct, total) = (c.counters.get("correct")?, c.counters.get("total")?);
    (*total > 0).then_some((*correct, *total))
}

fn facts(status: &TopologyStatus, lasted: Duration) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    for component in &status.components {
        if let Some((correct, total)) = accuracy(component) {
            let share = correct as f64 / total as f64 * 100.0;
            fact("accuracy", format!("{share:.2} % ({} of {}, {})", count(correct), count(total), component.id));
        }
        for (name, n) in component.counters.iter().filter(|(name, _)| !matches!(name.as_str(), "correct" | "total")) {
            fact(name, format!("{} ({})", count(*n), component.id));
        }
    }
    let rate = throughput(status, lasted);
    fact("throughput", format!("{} tuples/s over {}", count(rate.round() as u64), nanos(lasted.as_nanos() as u64)));
    for spout in status.components.iter().filter(|c| c.kind == ComponentKind::Spout && c.complete.count > 0) {
        let (p50, p99) = (ms(&spout.complete, spout.complete.p50_ms), ms(&spout.complete, spout.complete.p99_ms));
        fact("complete latency", format!("p50 {p50}, p99 {p99} ({})", spout.id));
    }
    if let Some(first) = status.first_tuple_ms {
        fact("first tuple", format!("{first} ms after the submit, at most"));
    }
    for model in &status.models {
        let m = &model.memory;
        let processes = if m.mapped_by == 1 { "process" } else { "processes" };
        let shared = format!("{} mapped by {} {processes} on {}", size(m.bytes), m.mapped_by, short(&model.machine));
        let takes = format!("rss {}, pss {}, private {}", size(m.rss_bytes), size(m.pss_bytes), size(m.private_bytes));
        fact(&format!("model {}", model.name), format!("{shared}: {takes}"));
    }
    facts
}

fn object(status: &TopologyStatus, lasted: Duration) -> Value {
    let accuracies = status.components.iter().filter_map(|c| {
        accuracy(c).map(|(correct, total)| {
            json!({"component": c.id, "correct": correct, "total": total, "accuracy": correct as f64 / total as f64})
        })
    });
    json!({
        "name": status.name,
        "id": status.id,
        "finished": status.finished,
        "seconds": lasted.as_secs_f64(),
        "emitted": emitted(status),
        "tuples_per_s": throughput(status, lasted),
        "first_tuple_ms": status.first_tuple_ms,
        "accuracy": accuracies.collect::<Vec<_>>(),
        "components": status.components,
        "models": status.models,
        "errors": status.errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> TopologyStatus {
        let component = |id: &str, kind: &str, emitted: u64, counters: Value| {
            json!({
                "id": id, "kind": kind, "type": "t", "tasks": 1, "emitted": emitted, "transferred": emitted, "executed": 0,
                "acked": 0, "failed": 0, "pending": 0, "queued": 0, "ended_tasks": 0, "emitted_per_s": 0.0,
                "executed_per_s": 0.0, "capacity": 0.0, "blocked": 0.0, "execute": {}, "complete": {}, "errors": 0,
                "counters": counters,
            })
        };
        let components =
            [component("images", "spout", 200, json!({})), component("print", "bolt", 0, json!({"correct": 3, "total": 4}))];
        serde_json::from_value(json!({
            "id": "a-1-1", "name": "a", "state": "ACTIVE", "uptime_ms": 1, "revision": 1, "epoch": 1, "finished": true,
            "workers": [], "components": components, "errors": [], "models": [], "ignored_frames": 0, "link_bytes_in": 0,
            "link_bytes_out": 0,
        }))
        .unwrap()
    }

    #[test]
    fn accuracy_and_throughput_are_told() {
        let facts = facts(&status(), Duration::from_secs(2));
        assert!(facts.contains(&("accuracy".into(), "75.00 % (3 of 4, print)".into())), "{facts:?}");
        assert!(facts.contains(&("throughput".into(), "100 tuples/s over 2.00 s".into())), "{facts:?}");
    }

    #[test]
    fn the_json_has_the_same() {
        let object = object(&status(), Duration::from_secs(2));
        assert_eq!(object["accuracy"][0]["accuracy"], json!(0.75));
        assert_eq!(object["emitted"], json!(200));
    }
}
