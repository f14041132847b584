//! Daemons and workers are killed, and the topology goes on.

use squall_core::control::TopologyStatus;
use squall_tests::{Cluster, Machine, alive, kill_9, wait_until};

const COUNTED: &str = r#"
name = "counted"
[config]
workers = 2
message_timeout = "10s"
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

fn pids(status: &TopologyStatus) -> Vec<u32> {
    let mut pids: Vec<u32> = status.workers.iter().filter_map(|w| w.pid).collect();
    pids.sort_unstable();
    pids
}

fn acked(status: &TopologyStatus) -> u64 {
    status.components.iter().find(|c| c.id == "numbers").map_or(0, |c| c.acked)
}

fn started(machines: &[Machine]) -> (Cluster, TopologyStatus) {
    let cluster = Cluster::start(machines);
    cluster.submit(COUNTED);
    cluster.running("counted");
    let status = cluster.wait("counted", "trees are acked", |t| acked(t) > 200);
    (cluster, status)
}

#[test]
fn nimbus_dies_and_comes_back_and_the_topology_runs_on() {
    let (mut cluster, before) = started(&[Machine::new("one", 2)]);
    cluster.nimbus().kill();
    assert!(cluster.topology("counted").is_none(), "nimbus is dead");
    assert!(pids(&before).iter().all(|pid| alive(*pid)));
    cluster.start_nimbus();
    let after = cluster.wait("counted", "more trees are acked", |t| acked(t) > acked(&before) + 500);
    assert_eq!(pids(&after), pids(&before), "the workers are the same processes");
    assert_eq!(after.id, before.id);
    assert!(after.workers.iter().all(|w| w.restarts == 0));
    // It still is nimbus: it can end the topology.
    cluster.squall(&["kill", "counted", "-w", "0"]).ok();
    wait_until("the workers have ended", || !pids(&before).iter().any(|pid| alive(*pid)));
}

#[test]
fn a_supervisor_dies_and_comes_back_and_adopts_its_workers() {
    let (mut cluster, before) = started(&[Machine::new("one", 2)]);
    cluster.supervisor("one").kill();
    cluster.start_supervisor("one");
    let after = cluster.wait("counted", "more trees are acked", |t| acked(t) > acked(&before) + 500);
    assert_eq!(pids(&after), pids(&before), "the workers are the same processes");
    assert!(after.workers.iter().all(|w| w.restarts == 0));
    // Adopted means watched: a dead one is started again.
    kill_9(pids(&after)[0]);
    cluster.wait("counted", "the worker is started again", |t| {
        t.workers.iter().any(|w| w.restarts == 1) && t.workers.iter().all(|w| w.pid.is_some_and(alive))
    });
}

#[test]
fn a_worker_dies_and_is_started_again_and_the_counts_go_on() {
    let (cluster, before) = started(&[Machine::new("one", 2)]);
    let victim = before.workers[0].pid.expect("it runs");
    kill_9(victim);
    let back = cluster.wait("counted", "the worker is started again", |t| {
        t.workers.len() == 2 && t.workers[0].restarts == 1 && t.workers.iter().all(|w| w.pid.is_some_and(alive))
    });
    assert!(!pids(&back).contains(&victim));
    let running = cluster.running("counted");
    // Counts of the dead incarnation are kept, and go on.
    let after = cluster.wait("counted", "more trees are acked", |t| acked(t) > acked(&running) + 500);
    assert!(acked(&after) > acked(&before));
    assert_eq!(
        after.workers[0].last_exit.as_ref().map(|e| e.how.contains('9')),
        Some(true),
        "{:?}",
        after.workers[0].last_exit
    );
}

#[test]
fn a_worker_is_started_anew_when_that_is_asked_for() {
    let (cluster, before) = started(&[Machine::new("one", 2)]);
    let told = cluster.squall(&["restart", "counted", "1"]).ok();
    assert!(told.stdout.starts_with("worker 1 of counted runs on "), "{}", told.stdout);
    let after = cluster.running("counted");
    assert_eq!((after.workers[0].pid == before.workers[0].pid, after.workers[1].pid == before.workers[1].pid), (true, false));
    assert!(after.workers.iter().all(|w| w.restarts == 0), "it did not die by itself");
    let on = cluster.wait("counted", "more trees are acked", |t| acked(t) > acked(&after) + 500);
    assert!(acked(&after) >= acked(&before) && on.components.iter().all(|c| c.errors == 0));
    let missing = cluster.squall(&["restart", "counted", "2"]).code(4);
    assert!(missing.stderr.contains("workers 0 to 1"), "{}", missing.stderr);
}

#[test]
fn a_machine_dies_and_its_workers_move_to_another() {
    let (mut cluster, before) = started(&[Machine::new("one", 2), Machine::new("two", 2)]);
    let on_two: Vec<u32> = before.workers.iter().filter(|w| w.machine == "two").filter_map(|w| w.pid).collect();
    assert_eq!(on_two.len(), 1, "{:?}", before.workers);
    cluster.supervisor("two").kill();
    on_two.iter().for_each(|pid| kill_9(*pid));
    let moved = cluster.wait("counted", "all workers are on the other machine", |t| {
        t.workers.iter().all(|w| w.machine == "one" && w.pid.is_some_and(alive))
    });
    cluster.wait("counted", "more trees are acked", |t| acked(t) > acked(&moved) + 500);
}

#[test]
fn a_spout_that_moves_to_another_machine_goes_on_where_it_was() {
    let (mut cluster, out) = (Cluster::start(&[Machine::new("one", 1), Machine::new("two", 1)]), tempfile::tempdir().unwrap());
    let path = out.path().join("numbers.jsonl");
    cluster.submit(&format!(
        r#"
name = "moving"
[spouts.numbers]
type = "sequence"
config = {{ rate = 500, checkpoint = true }}
[bolts.write]
type = "jsonl"
inputs = [{{ from = "numbers", grouping = "shuffle" }}]
config = {{ path = "{}" }}
"#,
        path.display()
    ));
    cluster.running("moving");
    let acked = |t: &TopologyStatus| t.components[0].acked;
    let before = cluster.wait("moving", "more than one position", |t| acked(t) > 1500);
    let machine = before.workers[0].machine.clone();
    cluster.supervisor(&machine).kill();
    before.workers[0].pid.into_iter().for_each(kill_9);
    let moved = cluster.wait("moving", "its worker runs elsewhere", |t| {
        t.workers[0].machine != machine && t.workers[0].pid.is_some_and(alive)
    });
    cluster.wait("moving", "more trees are acked", |t| acked(t) > acked(&moved) + 500);
    let text = std::fs::read_to_string(&path).unwrap();
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok().and_then(|l| l["n"].as_u64());
    let numbers: Vec<u64> = text.lines().filter_map(number).collect();
    assert_eq!(numbers.iter().filter(|n| **n == 1).count(), 1, "it began again");
    let missing = (1..=*numbers.last().unwrap()).find(|n| !numbers.contains(n));
    assert_eq!(missing, None, "nothing is left out");
}

/// As if the power went out everywhere at once.
#[test]
fn everything_dies_and_a_file_is_read_on_where_it_was() {
    let (mut cluster, out) = (Cluster::start(&[Machine::new("one", 2)]), tempfile::tempdir().unwrap());
    let (lines, path) = (out.path().join("lines.txt"), out.path().join("read.jsonl"));
    let text: String = (1..=4000).map(|n| format!("{n}\n")).collect();
    std::fs::write(&lines, text).unwrap();
    cluster.submit(&format!(
        r#"
name = "reading"
config = {{ workers = 2, max_spout_pending = 100 }}
spouts.lines = {{ type = "file", config = {{ path = "{}", checkpoint = true }} }}
bolts.slow = {{ type = "sleep", inputs = [{{ from = "lines", grouping = "shuffle" }}], config = {{ millis = 2 }} }}
bolts.write = {{ type = "jsonl", inputs = [{{ from = "slow", grouping = "shuffle" }}], config = {{ path = "{}" }} }}
"#,
        lines.display(),
        path.display()
    ));
    let acked = |t: &TopologyStatus| t.components[0].acked;
    let before = cluster.wait("reading", "more than one position", |t| acked(t) > 1000);
    cluster.nimbus().kill();
    cluster.supervisor("one").kill();
    before.workers.iter().filter_map(|w| w.pid).for_each(kill_9);
    cluster.start_nimbus();
    cluster.start_supervisor("one");
    cluster.wait("reading", "all lines are read", |t| t.finished);
    let text = std::fs::read_to_string(&path).unwrap();
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["line"].as_str()?.parse().ok();
    let read: Vec<u32> = text.lines().filter_map(line).collect();
    let missing: Vec<u32> = (1..=4000).filter(|n| !read.contains(n)).collect();
    assert_eq!(missing, [0; 0], "nothing is left out");
    assert_eq!(read.iter().filter(|n| **n == 1).count(), 1, "it began again");
}
