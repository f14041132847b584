//! What an operator sees in the terminal: logs of daemons, tuples of streams, log levels for a time.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;
use squall_tests::{Cluster, Machine, kill_9, wait_until};

const FLOW: &str = r#"
name = "flow"
[spouts.numbers]
type = "sequence"
config = { rate = 500 }
[bolts.same]
type = "identity"
inputs = [{ from = "numbers", grouping = "shuffle" }]
[bolts.last]
type = "identity"
inputs = [{ from = "same", grouping = "shuffle" }]
"#;

/// A `squall` command that runs on, and what it prints.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(cluster: &Cluster, args: &[&str]) -> Running {
        let mut child = cluster.command().args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("it goes on").expect("text")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_9(self.child.id());
        let _ = self.child.wait();
    }
}

#[test]
fn logs_of_a_silent_machine_are_said_to_be_missing() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1), Machine::new("two", 1)]);
    cluster.submit(&FLOW.replace("[spouts", "[config]\nworkers = 2\n[spouts"));
    let status = cluster.running("flow");
    let gone = status.workers.iter().find(|w| w.machine == "two").unwrap();
    cluster.supervisor("two").kill();
    let search = |path: &str| -> Value { cluster.try_get(&format!("{path}?text=running")).unwrap() };
    wait_until("nimbus has noticed", || !cluster.status().supervisors.iter().all(|s| s.alive));
    for path in ["/v1/topologies/flow/logs/search", "/v1/logs/search"] {
        assert_eq!(search(path)["silent"], serde_json::json!([gone.supervisor]), "{path}");
    }
    let rest = cluster.squall(&["logs", "flow"]).ok();
    let silent = format!("the log of worker {} cannot be read: supervisor {} is silent", gone.worker, &gone.supervisor[..12]);
    assert!(rest.stderr.contains(&silent) && !rest.stdout.is_empty(), "{}", rest.stderr);
    let only = cluster.squall(&["logs", "flow", "--worker", &gone.worker.to_string()]).code(3);
    assert!(only.stderr.contains(&silent), "{}", only.stderr);
    let daemons = cluster.squall(&["logs", "--daemon", "all"]).ok();
    assert!(daemons.stderr.contains("it is silent"), "{}", daemons.stderr);
    cluster.squall(&["logs", "--daemon", "two"]).code(3);
}

#[test]
fn daemons_logs_are_listed_read_followed_searched_and_downloaded() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1), Machine::new("two", 1)]);
    let logs: Value = cluster.try_get("/v1/logs").unwrap();
    let daemons: Vec<&str> = logs.as_array().unwrap().iter().map(|l| l["daemon"].as_str().unwrap()).collect();
    assert_eq!((daemons.len(), daemons[0]), (3, "nimbus"), "{logs}");
    assert!(logs.as_array().unwrap().iter().all(|l| l["bytes"].as_u64() > Some(50)), "{logs}");

    let nimbus = cluster.squall(&["logs", "--daemon", "nimbus"]).ok();
    assert!(nimbus.lines().iter().all(|l| l.starts_with('[')), "one daemon needs no name: {}", nimbus.stdout);
    let file = std::fs::read_to_string(cluster.dir().join("nimbus/nimbus.log")).unwrap();
    assert!(file.starts_with(nimbus.lines()[0]), "it is the file in nimbus's folder");
    for name in [&daemons[1][..8], "one"] {
        assert!(cluster.squall(&["logs", "--daemon", name]).ok().stdout.contains("supervisor is here"), "{name}");
    }
    let unknown = cluster.squall(&["logs", "--daemon", "three"]).code(4);
    assert!(unknown.stderr.contains("no daemon `three` has a log; there are nimbus, "), "{}", unknown.stderr);
    let json = cluster.squall(&["logs", "--daemon", "all", "--grep", "is here", "--json"]).ok();
    let said: Vec<Value> = json.lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(daemons.iter().all(|d| said.iter().any(|s| s["daemon"] == *d)), "{}", json.stdout);

    // What comes is followed over a restart of nimbus, whose log goes on.
    let supervisor = daemons[1].to_owned();
    let mut follow = Running::start(&cluster, &["logs", "--daemon", &supervisor, "-f", "-n", "1000"]);
    assert!(follow.next().contains("supervisor is here"));
    cluster.submit(FLOW);
    cluster.submit(&FLOW.replace("\"flow\"", "\"other\""));
    while !follow.next().contains("worker started") {}
    drop(follow);
    // The other topology's worker is on the other machine, which may be slower.
    let search = || -> Value { cluster.try_get("/v1/logs/search?text=worker%20started&level=info").unwrap() };
    wait_until("both workers have started", || search()["lines"].as_array().unwrap().len() >= 2);
    let found = search();
    assert_eq!(found["lines"].as_array().unwrap().len(), 2, "{found}");
    assert!(found["lines"][0].get("worker").is_none() && found["silent"] == Value::Array(vec![]), "{found}");

    let before = std::fs::metadata(cluster.dir().join("nimbus/nimbus.log")).unwrap().len();
    cluster.nimbus().kill();
    cluster.start_nimbus();
    let log = cluster.squall(&["logs", "--daemon", "nimbus", "-n", "1000"]).ok().stdout;
    assert!(log.len() as u64 > before && log.matches("nimbus is here").count() == 2, "{log}");
}

#[test]
fn tuples_are_tapped_at_a_rate() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(FLOW);
    cluster.running("flow");
    // One worker, so 20 a second at most: 30 take at least half a second whatever the machine, for the flow brings 500.
    let begun = Instant::now();
    let tapped = cluster.squall(&["tap", "flow", "same", "--rate", "20", "-n", "30"]).ok();
    let numbers: Vec<u64> =
        tapped.lines().iter().map(|l| serde_json::from_str::<Value>(l).unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), 30);
    assert!(numbers.is_sorted(), "in the order they came: {numbers:?}");
    eprintln!("30 tuples at 20 a second took {:?}, of {} that flowed", begun.elapsed(), numbers[29] - numbers[0]);
    assert!(numbers[29] - numbers[0] > 29, "sampled, not all: {numbers:?}");

    let mut tap = Running::start(&cluster, &["tap", "flow", "numbers/default", "--meta"]);
    let sample: Value = serde_json::from_str(&tap.next()).unwrap();
    assert!(sample["tuple"]["n"].is_u64() && sample["task"].is_u64() && sample["unix_ms"].is_u64(), "{sample}");

    let typo = cluster.squall(&["tap", "flow", "sane"]).code(4);
    assert!(typo.stderr.contains("same"), "it says what was meant: {}", typo.stderr);
    let stream = cluster.squall(&["tap", "flow", "same/nothing"]).code(4);
    assert!(stream.stderr.contains("it emits on default"), "{}", stream.stderr);

    // Nobody takes what the last bolt emits; it can be watched all the same.
    let last = cluster.squall(&["tap", "flow", "last", "-n", "3"]).ok();
    assert!(last.lines().iter().all(|l| serde_json::from_str::<Value>(l).unwrap()["n"].is_u64()), "{}", last.stdout);

    let flows = cluster.topology("flow").unwrap();
    assert_eq!(flows.components.iter().map(|c| c.failed).sum::<u64>(), 0);
    cluster.squall(&["kill", "flow", "-w", "0"]).ok();
    // With the topology the tap ends, well.
    let rest = tap.lines.by_ref().count();
    eprintln!("{rest} more samples until the end");
    assert_eq!(tap.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_tap_outlives_nimbus() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(FLOW);
    cluster.running("flow");
    let mut tap = Running::start(&cluster, &["tap", "flow", "numbers", "--rate", "100"]);
    let number = |line: String| serde_json::from_str::<Value>(&line).unwrap()["n"].as_u64().unwrap();
    let before = number(tap.next());
    cluster.nimbus().kill();
    cluster.start_nimbus();
    // Of a second some were on the way.
    let after = tap.lines.by_ref().take(300).map(|line| number(line.unwrap())).last().unwrap();
    assert!(after > before + 300, "{before} to {after}");
}

#[test]
fn a_log_level_counts_for_its_time() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(FLOW);
    cluster.running("flow");
    let debug = || cluster.squall(&["logs", "flow", "-n", "100000", "--grep", " DEBUG "]).ok().lines().len();
    assert_eq!(debug(), 0);
    let levels = cluster.squall(&["loglevel", "flow", "all", "debug", "--for", "3s"]).ok().stdout;
    assert!(levels.contains("debug"), "{levels}");
    wait_until("debug lines are in the log", || debug() > 0);
    // The worker ends it itself, or hears of it from nimbus before: whichever is first.
    let over = |log: &str| log.find("the time of a log level is over").or(log.find("log levels as usual again"));
    let log = || cluster.squall(&["logs", "flow", "-n", "100000"]).ok().stdout;
    wait_until("the time is over", || over(&log()).is_some());
    wait_until("nimbus says so", || {
        cluster.squall(&["loglevel", "flow", "--json"]).ok().json::<Value>() == Value::Array(vec![])
    });

    // No debug line stands behind, although the worker goes on talking to its supervisor: another level arrives.
    cluster.squall(&["loglevel", "flow", "squall_worker", "info", "--for", "10m"]).ok();
    let other = "log levels for a time: squall_worker=info";
    wait_until("another level has arrived", || log().contains(other));
    // Not from the line on that says so: another thread may write one while it is said.
    let log = log();
    assert!(!log[log.find(other).unwrap()..].contains(" DEBUG "), "{log}");
    let wrong = cluster.squall(&["loglevel", "flow", "all", "loud"]).code(2);
    assert!(wrong.stderr.contains("loud"), "{}", wrong.stderr);
}

#[test]
fn a_share_of_the_tuples_is_written_to_the_log_as_storms_debug_has_it() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(&FLOW.replace("[spouts", "[config]\nlog = \"warn\"\n[spouts"));
    cluster.running("flow");
    let events = |text: &str| cluster.squall(&["logs", "flow", "-n", "100000", "--grep", text]).ok().lines().len();
    assert_eq!(events("squall::events"), 0);
    let done = cluster.post("/api/v1/topology/flow/component/same/debug/enable/10");
    assert_eq!((&done["topologyOperation"], &done["status"]), (&Value::from("debug/enable"), &Value::from("success")));
    wait_until("tuples are in the log", || events("squall::events] same/default task 2: {\"n\":") >= 20);
    assert_eq!(events("squall::events] numbers/"), 0);
    let page: Value = cluster.try_get("/api/v1/topology/flow/component/same").unwrap();
    assert_eq!((&page["debug"], &page["samplingPct"]), (&Value::from(true), &Value::from(10)));
    let found: Value = cluster.try_get(page["eventLogLink"].as_str().unwrap()).unwrap();
    assert!(found["lines"].as_array().unwrap().len() >= 20, "{found}");
    cluster.post("/api/v1/topology/flow/debug/enable/100");
    wait_until("those of the others too", || events("squall::events] numbers/") > 0 && events("squall::events] last/") > 0);
    cluster.post("/api/v1/topology/flow/debug/disable/0");
    cluster.post("/api/v1/topology/flow/component/same/debug/disable/0");
    let mut before = usize::MAX;
    wait_until("no more are written", || std::mem::replace(&mut before, events("squall::events")) == events("squall::events"));
}

#[test]
fn a_panic_is_told_with_the_calls_that_led_to_it() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    cluster.submit(
        &FLOW.replace(
            "[bolts.last]\ntype = \"identity\"",
            "[bolts.last]\ntype = \"fail\"\nconfig = { every = 10, panic = true }",
        ),
    );
    let errors = || -> Value { cluster.squall(&["errors", "flow", "--component", "last", "--json"]).ok().json() };
    wait_until("several panicked", || errors().as_array().unwrap().len() >= 3);
    let errors = errors();
    let errors = errors.as_array().unwrap();
    let of = |e: &Value| e["stack"].as_str().unwrap().to_owned();
    assert!(errors.iter().all(|e| of(e).starts_with("panicked at components/src/bolts/fail.rs:") && e["panic"] == true));
    // The first has the calls, the component's own and no others; those that follow at once only the place.
    let first = of(errors.last().unwrap());
    assert!(first.contains("\n  at <squall_components::bolts::fail::Config as ") && !first.contains("catch_unwind"), "{first}");
    assert!(!first.contains("squall_worker") && first.lines().count() < 10, "{first}");
    assert!(errors.iter().any(|e| !of(e).contains("\n  at ")), "{errors:?}");

    let shown = cluster.squall(&["errors", "flow", "--stack"]).ok().stdout;
    assert!(shown.contains("`last` (task 3, worker 0, "), "{shown}");
    assert!(shown.contains("panicked: panicked on purpose at tuple "), "{shown}");
    assert!(shown.contains("\n    at <squall_components::bolts::fail"), "{shown}");
    assert!(!cluster.squall(&["errors", "flow"]).ok().stdout.contains("\n  panicked at"));
    let storm: Value = cluster.try_get("/api/v1/topology/flow/component/last").unwrap();
    let texts: Vec<&str> = storm["componentErrors"].as_array().unwrap().iter().map(|e| e["error"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|t| t.starts_with("panicked: ") && t.ends_with(&first)), "{storm}");
    let log = cluster.squall(&["logs", "flow", "-n", "10000"]).ok().stdout;
    assert!(log.contains("on purpose at tuple 10") && log.contains("  at <squall_components::bolts::fail"), "{log}");
}
