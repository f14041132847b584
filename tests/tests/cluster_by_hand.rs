//! A cluster started daemon by daemon, and every verb on it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use squall_core::control::TopologyState;
use squall_tests::{Cluster, Machine, alive, kill_9, wait_until};

/// Numbers without end, through two bolts, over as many workers as are asked for.
const ENDLESS: &str = r#"
name = "endless"
[config]
workers = "${WORKERS:-2}"
message_timeout = "5s"
[spouts.numbers]
type = "sequence"
config = { rate = 500 }
[bolts.same]
type = "identity"
parallelism = 4
inputs = [{ from = "numbers", grouping = "shuffle" }]
[bolts.end]
type = "null"
parallelism = 2
inputs = [{ from = "same", grouping = "shuffle" }]
"#;

fn two_machines() -> Cluster {
    Cluster::start(&[Machine::new("one", 2), Machine::new("two", 2)])
}

fn acked(cluster: &Cluster) -> u64 {
    cluster.topology("endless").map_or(0, |t| t.components.iter().find(|c| c.id == "numbers").map_or(0, |c| c.acked))
}

#[test]
fn a_topology_lives_from_submit_to_kill() {
    let cluster = two_machines();
    let file = cluster.file("endless.toml", ENDLESS);
    let accepted: Value = cluster.squall(&["submit", &file, "--json"]).ok().json();
    assert_eq!((&accepted["name"], &accepted["state"]), (&"endless".into(), &"ACTIVE".into()));

    // Spread over both machines, and tuples flow.
    let status = cluster.running("endless");
    let mut machines: Vec<&str> = status.workers.iter().map(|w| w.machine.as_str()).collect();
    machines.sort_unstable();
    assert_eq!(machines, ["one", "two"]);
    let pids: Vec<u32> = status.workers.iter().filter_map(|w| w.pid).collect();
    wait_until("trees are acked", || acked(&cluster) > 100);

    // The name is taken.
    let again = cluster.squall(&["submit", &file]).code(5);
    assert!(again.stderr.contains("endless"), "{}", again.stderr);

    // Listings, for people and as JSON.
    let list = cluster.squall(&["list"]).ok();
    assert!(list.lines()[1].starts_with("endless") && list.stdout.contains("ACTIVE"), "{}", list.stdout);
    let listed: Value = cluster.squall(&["list", "--json"]).ok().json();
    assert_eq!(listed[0]["tasks"], 7);
    let shown = cluster.squall(&["status", "endless"]).ok();
    assert!(["numbers", "same", "running"].iter().all(|text| shown.stdout.contains(text)), "{}", shown.stdout);
    assert_eq!(cluster.squall(&["status", "endless", "--json"]).ok().json::<Value>()["components"][0]["id"], "numbers");
    let summary = cluster.squall(&["cluster"]).ok();
    assert!(summary.stdout.contains("2 of 4 slots used"), "{}", summary.stdout);
    assert!(cluster.squall(&["logs", "endless"]).ok().stdout.contains("INFO"));

    // Inactive: what is under way ends, and nothing comes after it.
    assert!(cluster.squall(&["deactivate", "endless"]).ok().stdout.contains("INACTIVE"));
    let still = cluster.wait("endless", "nothing under way", |t| {
        t.state == TopologyState::Inactive && t.components.iter().all(|c| c.pending + c.queued == 0 && c.emitted_per_s == 0.0)
    });
    assert_eq!(acked(&cluster), still.components[0].acked);
    assert!(cluster.squall(&["activate", "endless"]).ok().stdout.contains("ACTIVE"));
    wait_until("trees are acked again", || acked(&cluster) > still.components[0].acked + 100);

    // Four workers, and more tasks.
    let done = cluster.squall(&["rebalance", "endless", "-n", "4", "-e", "same=6", "-w", "2s"]).ok();
    assert!(done.stdout.contains("ACTIVE"), "{}", done.stdout);
    let status = cluster.running("endless");
    assert_eq!(status.workers.len(), 4);
    assert_eq!(status.components.iter().find(|c| c.id == "same").map(|c| c.tasks), Some(6));
    let before = acked(&cluster);
    wait_until("trees are acked after the rebalance", || acked(&cluster) > before + 100);

    // Killed: gone from the list, and its processes too.
    let pids: Vec<u32> = pids.into_iter().chain(status.workers.iter().filter_map(|w| w.pid)).collect();
    cluster.squall(&["kill", "endless", "-w", "1s"]).ok();
    assert!(cluster.topology("endless").is_none());
    wait_until("the workers have ended", || !pids.iter().any(|pid| alive(*pid)));
    assert_eq!(cluster.squall(&["status", "endless"]).code(4).stdout, "");
    assert_eq!(cluster.squall(&["list", "--json"]).ok().json::<Value>(), Value::Array(vec![]));
}

#[test]
fn verbs_refuse_what_is_not_there_or_not_possible() {
    let cluster = Cluster::start(&[Machine::new("one", 2)]);
    for verb in ["status", "activate", "deactivate", "rebalance", "kill", "logs"] {
        let ran = cluster.squall(&[verb, "nothing"]).code(4);
        assert!(ran.stderr.contains("nothing"), "{verb}: {}", ran.stderr);
    }
    let file = cluster.file("endless.toml", ENDLESS);
    cluster.squall(&["submit", &file, "--inactive", "--name", "idle"]).ok();
    let unknown = cluster.squall(&["rebalance", "idle", "-e", "sam=3"]).code(2);
    assert!(unknown.stderr.contains("sam"), "{}", unknown.stderr);
    cluster.squall(&["kill", "idle", "--no-wait"]).ok();
    cluster.squall(&["kill", "--nonsense"]).code(2);
    // Nobody reads: no failure.
    let mut child = cluster.command().args(["components"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn more_workers_than_slots_wait_and_start_when_a_supervisor_comes() {
    let mut cluster = Cluster::start(&[Machine::new("one", 1), Machine::new("two", 2)]);
    cluster.supervisor("two").kill();
    wait_until("one machine is left", || cluster.status().supervisors.iter().filter(|s| s.alive).count() == 1);
    let file = cluster.file("endless.toml", ENDLESS);
    cluster.squall(&["submit", &file, "--set", "WORKERS=3"]).ok();
    cluster.wait("endless", "it says what it waits for", |t| t.waiting.as_deref().is_some_and(|w| w.contains("slot")));
    cluster.start_supervisor("two");
    assert_eq!(cluster.running("endless").workers.len(), 3);
    wait_until("trees are acked", || acked(&cluster) > 100);
}

#[test]
fn logs_are_followed_and_filtered() {
    let cluster = Cluster::start(&[Machine::new("one", 2)]);
    cluster.submit(
        r#"
name = "talk"
[spouts.numbers]
type = "sequence"
config = { rate = 50 }
[bolts.print]
type = "console"
inputs = [{ from = "numbers", grouping = "global" }]
"#,
    );
    cluster.running("talk");
    let mut follow = cluster
        .command()
        .args(["logs", "talk", "-f", "-n", "5", "--grep", "squall::console"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let numbers: Vec<u64> = lines
        .take(60)
        .map(|line| line.unwrap())
        .map(|line| line.rsplit('=').next().unwrap().parse().unwrap_or_else(|_| panic!("no console line: {line}")))
        .collect();
    kill_9(follow.id());
    follow.wait().unwrap();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "lines are missing or come twice: {numbers:?}");
}
