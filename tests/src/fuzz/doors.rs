//! What is asked of nimbus and of supervisors: whole conversations, each in a state that the calls before have made.

use serde_json::{Value, json};
use squall_core::control::{Heartbeat, Phase, Report, WorkerStatus};

/// Calls to nimbus.
pub(super) fn nimbus(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    squall_nimbus::fuzz::calls(bytes, folder.path());
}

/// Calls to a supervisor.
pub(super) fn supervisor(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    squall_supervisor::fuzz::calls(bytes, folder.path());
}

fn conversation(calls: &[(&str, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (line, body) in calls {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        bytes.extend_from_slice(format!("{line}\n{body}\0").as_bytes());
    }
    bytes
}

/// The SHA-256 of nothing, which is the smallest artefact.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// That of another one.
const SEVEN: &str = "7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451";

fn plan() -> Value {
    let n = json!([{"name": "n", "type": "int"}]);
    json!({"name": "t", "settings": {"workers": 2, "message_timeout": "30s"},
        "models": {"m": {"artefact": NOTHING, "source": NOTHING, "bytes": 0, "file": "m.pkl"}}, "components": [
        {"id": "s", "kind": "spout", "type": "sequence", "config": {"secret": "x"}, "secrets": ["secret"], "parallelism": 1,
         "outputs": [{"name": "default", "fields": n}]},
        {"id": "b", "kind": "bolt", "type": "null", "config": {}, "parallelism": 3, "tick": "1s",
         "inputs": [{"from": "s", "stream": "default", "fields": n, "grouping": {"type": "fields", "fields": ["n"]}}]}]})
}

fn heartbeat(workers: Vec<WorkerStatus>) -> Value {
    let heartbeat = Heartbeat {
        machine: "m".into(),
        url: "http://127.0.0.1:1".into(),
        slots: 4,
        cores: 2,
        workers,
        models: vec![Default::default()],
        ..Heartbeat::default()
    };
    serde_json::to_value(heartbeat).expect("a heartbeat is JSON")
}

fn report() -> Report {
    Report {
        incarnation: 1,
        epoch: 1,
        at_ms: 1000,
        phase: Phase::Running,
        tasks: vec![Default::default()],
        ..Report::default()
    }
}

pub(super) fn asked_of_nimbus() -> Vec<Vec<u8>> {
    const BEAT: &str = "POST /v1/supervisors/0123456789abcdef0123456789abcdef/heartbeat";
    let worker = |worker: u32, tasks: &[u32]| WorkerStatus {
        topology: "t-1-1764000002".into(),
        worker,
        incarnation: 1 << 32 | 1,
        pid: Some(1),
        endpoint: Some(format!("tcp://127.0.0.1:{worker}")),
        phase: Some(Phase::Running),
        reports: 1,
        tasks: tasks.to_vec(),
        report: Some(report()),
        ..WorkerStatus::default()
    };
    let begin = [
        (BEAT, heartbeat(vec![])),
        ("PUT /v1/blobs/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Value::Null),
        ("POST /v1/topologies", json!({"plan": plan()})),
        (BEAT, heartbeat(vec![worker(0, &[1, 3]), worker(1, &[2, 4])])),
    ];
    let then = |calls: &[(&'static str, Value)]| conversation(&[&begin, calls].concat());
    vec![
        then(&[
            ("POST /v1/topologies/t/rebalance", json!({"wait_ms": 5, "workers": 3, "parallelism": {"b": 2}})),
            ("POST /v1/topologies/t/deactivate", Value::Null),
            ("POST /v1/topologies/t/activate", Value::Null),
            ("POST /v1/topologies/t/kill", json!({"wait_ms": 1})),
        ]),
        then(&[
            ("GET /v1/cluster?wait_ms=5&after=1", Value::Null),
            ("GET /v1/topologies/t", Value::Null),
            ("GET /v1/topologies/t/plan", Value::Null),
            ("GET /v1/topologies/t/history?seconds=60", Value::Null),
            ("GET /v1/topologies/t/graph", Value::Null),
            ("GET /v1/topologies/t/components/b?task=3", Value::Null),
            ("GET /metrics", Value::Null),
            ("GET /v1/supervisors/0123456789abcdef0123456789abcdef/desired?after=1&wait_ms=5", Value::Null),
            ("GET /v1/supervisors/0123456789abcdef0123456789abcdef/positions/t-1-1764000002", Value::Null),
        ]),
        then(&[
            ("POST /v1/topologies/t/log", json!({"logger": "squall", "level": "debug", "for_ms": 60_000})),
            ("POST /v1/topologies/t/taps", json!({"component": "s", "per_second": 5})),
            ("GET /v1/topologies/t/taps/1764000005000", Value::Null),
            ("GET /v1/topologies/t/models", Value::Null),
            (
                "POST /v1/topologies/t/models/m/deploy",
                json!({"artefact": NOTHING, "source": NOTHING, "bytes": 0, "file": "n.pkl"}),
            ),
            (BEAT, heartbeat(vec![])),
            ("PUT /v1/blobs/7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451", json!(7)),
            ("POST /v1/topologies/t/models/m/deploy", json!({"artefact": SEVEN, "source": SEVEN, "bytes": 1, "file": "n.pkl"})),
            ("POST /v1/topologies/t/models/m/rollback", json!({})),
            ("POST /v1/page/session", json!({"token": "0123456789abcdef"})),
        ]),
        then(&[
            ("GET /api/v1/cluster/summary", Value::Null),
            ("GET /api/v1/supervisor/summary", Value::Null),
            ("GET /api/v1/topology/summary", Value::Null),
            ("GET /api/v1/topology/t-1-1764000002?window=600&sys=true", Value::Null),
            ("GET /api/v1/topology/t-1-1764000002/component/b", Value::Null),
            ("GET /api/v1/topology/t-1-1764000002/visualization", Value::Null),
            (
                "POST /api/v1/topology/t-1-1764000002/rebalance/3",
                json!({"rebalanceOptions": {"numWorkers": 1, "executors": {"b": 2}}}),
            ),
            ("POST /api/v1/topology/t-1-1764000002/kill/0", Value::Null),
        ]),
    ]
}

pub(super) fn asked_of_supervisors() -> Vec<Vec<u8>> {
    let peer = |index: u32| json!({"index": index, "tasks": [index + 1], "since": 1, "endpoint": null, "incarnation": 0});
    let orders = json!({"revision": 1, "epoch": 1, "state": "active", "workers": [peer(0), peer(1)]});
    let wanted = |worker: u32| {
        json!({"topology": "t-1", "worker": worker, "slot": worker, "plan": "ab", "binary": null, "models": {"m": "cd"},
               "tasks": [worker + 1], "orders": orders})
    };
    let want = json!({"revision": 1, "workers": [wanted(0), wanted(1)], "topologies": ["t-1"]});
    let hello = json!({"incarnation": 1, "pid": 0, "endpoint": "tcp://127.0.0.1:4000"});
    let report = serde_json::to_value(report()).expect("a report is JSON");
    vec![
        conversation(&[
            ("WANT /", want.clone()),
            ("POST /v1/workers/t-1/0/hello", hello.clone()),
            ("GET /v1/workers/t-1/0/orders?incarnation=1", Value::Null),
            ("POST /v1/workers/t-1/0/report", report.clone()),
            ("POST /v1/workers/t-1/1/hello", hello),
            ("GET /v1/workers/t-1/0/orders?incarnation=1&after=1&wait_ms=5", Value::Null),
            ("END /", Value::Null),
            ("POST /v1/workers/t-1/1/report", report),
            ("WANT /", json!({"revision": 2, "workers": [], "topologies": []})),
        ]),
        conversation(&[
            ("WANT /", want),
            ("GET /v1/logs", Value::Null),
            ("GET /v1/logs/t-1/0?offset=0&limit=10", Value::Null),
            ("GET /v1/logs/t-1/0/download", Value::Null),
            ("GET /v1/search/t-1?text=a&limit=5", Value::Null),
            ("GET /metrics", Value::Null),
        ]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told to who reports though its process has ended.
    const GONE: u16 = 410;

    /// How many calls a conversation has; what nimbus wants of a supervisor, and ends of workers, are none.
    fn calls(bytes: &[u8]) -> usize {
        let is_call = |call: &&[u8]| !call.is_empty() && !call.starts_with(b"WANT ") && !call.starts_with(b"END ");
        bytes.split(|b| *b == 0).filter(is_call).count()
    }

    /// Mutations of what is refused at once would not come far.
    #[test]
    fn what_is_asked_to_begin_with_is_answered() {
        let folder = || tempfile::tempdir().unwrap();
        for (n, bytes) in asked_of_nimbus().iter().enumerate() {
            let statuses = squall_nimbus::fuzz::calls(bytes, folder().path());
            assert_eq!(statuses.len(), calls(bytes), "nimbus {n}: not every call was made");
            assert!(statuses.iter().all(|s| *s < 300), "nimbus {n}: {statuses:?}");
        }
        for (n, bytes) in asked_of_supervisors().iter().enumerate() {
            let statuses = squall_supervisor::fuzz::calls(bytes, folder().path());
            assert_eq!(statuses.len(), calls(bytes), "supervisor {n}: not every call was made");
            assert!(statuses.iter().all(|s| *s < 300 || *s == GONE), "supervisor {n}: {statuses:?}");
        }
    }
}
