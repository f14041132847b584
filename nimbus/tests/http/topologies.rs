//! Topologies' lives over HTTP, with supervisors that are only pretended.

use std::time::Duration;

use crate::common::{Fake, HandClock, Nimbus, plan, started};
use serde_json::{Value, json};

fn status(nimbus: &Nimbus, name: &str) -> Value {
    let (code, status) = nimbus.get(&format!("/v1/topologies/{name}"));
    assert_eq!(code, 200, "{status}");
    status
}

/// Waits until a topology looks so.
fn until(nimbus: &Nimbus, name: &str, looks_so: impl Fn(&Value) -> bool) -> Value {
    let mut seen = status(nimbus, name);
    while !looks_so(&seen) {
        let (code, next) = nimbus.get(&format!("/v1/topologies/{name}?after={}&wait_ms=10000", seen["revision"]));
        assert_eq!(code, 200, "it did not happen: {seen}");
        seen = next;
    }
    seen
}

fn until_gone(nimbus: &Nimbus, id: &str) {
    loop {
        let (code, seen) = nimbus.get(&format!("/v1/topologies/{id}"));
        if code == 404 {
            return;
        }
        let (code, _) = nimbus.get(&format!("/v1/topologies/{id}?after={}&wait_ms=10000", seen["revision"]));
        assert_ne!(code, 204, "it does not go: {seen}");
    }
}

fn running(dir: &std::path::Path, clock: &std::sync::Arc<HandClock>, workers: u32) -> (Nimbus, Fake, String) {
    let nimbus = Nimbus::start(dir, clock);
    let mut s = Fake::new('a', 4);
    s.beat(&nimbus);
    s.hear(&nimbus);
    let id = nimbus.submit(&plan("p", workers));
    assert!(s.hear(&nimbus));
    s.obey(1);
    s.beat(&nimbus);
    assert!(s.hear(&nimbus));
    (nimbus, s, id)
}

fn report(task: u32, n: u64, phase: &str) -> Value {
    json!({"incarnation": started(1), "epoch": 1, "phase": phase, "errors": [], "ignored_frames": 0, "link_bytes": [0, 0],
        "tasks": [{"task": task, "emitted": n, "transferred": n, "executed": if task == 1 { 0 } else { n }, "ended": task == 1}]})
}

#[test]
fn a_topology_waits_for_slots_and_runs_when_there_are_some() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let mut small = Fake::new('a', 2);
    assert!(small.beat(&nimbus), "nimbus does not know it and wants to hear all");
    assert!(!small.beat(&nimbus));
    nimbus.submit(&plan("p", 4));
    assert_eq!(status(&nimbus, "p")["waiting"], "needs 4 slots, 2 are free");
    assert!(small.hear(&nimbus));
    assert!(small.desired.is_empty());

    let mut other = Fake::new('b', 2);
    other.beat(&nimbus);
    assert!(small.hear(&nimbus) && other.hear(&nimbus));
    assert_eq!((small.desired.len(), other.desired.len()), (2, 2));
    assert_eq!(status(&nimbus, "p")["waiting"], Value::Null);
    let mut tasks: Vec<u64> = Vec::new();
    for d in small.desired.iter().chain(&other.desired) {
        tasks.extend(d["tasks"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap()));
        assert_eq!(d["orders"]["state"], "active");
    }
    tasks.sort();
    assert_eq!(tasks, [1, 2, 3, 4]);
}

#[test]
fn a_hello_reaches_the_others_at_once() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let (mut a, mut b) = (Fake::new('a', 1), Fake::new('b', 1));
    a.beat(&nimbus);
    b.beat(&nimbus);
    nimbus.submit(&plan("p", 2));
    a.hear(&nimbus);
    b.hear(&nimbus);
    a.obey(5);
    a.beat(&nimbus);
    assert!(b.hear(&nimbus));
    let peer = |b: &Fake| b.desired[0]["orders"]["workers"][0].clone();
    assert_eq!((peer(&b)["endpoint"].as_str(), &peer(&b)["incarnation"]), (Some("tcp://a:0:5"), &started(5)));
    // It dies, and nobody knows where the next one is until it says so.
    a.set(0, "endpoint", Value::Null);
    a.set(0, "incarnation", started(6));
    a.beat(&nimbus);
    assert!(b.hear(&nimbus));
    assert_eq!((&peer(&b)["endpoint"], &peer(&b)["incarnation"]), (&Value::Null, &json!(0)));
}

/// As when nimbus stood still, and finds two that the same supervisor has sent in any order.
#[test]
fn a_heartbeat_that_its_successor_has_overtaken_is_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, s, _) = running(dir.path(), &clock, 1);
    let tell_of = |started: u64, life: u32, number: u64, endpoint: &str| {
        s.set(0, "endpoint", json!(endpoint));
        let body = json!({"version": "0", "machine": s.id, "host": "h", "url": "http://127.0.0.1:1", "pid": 1, "started_unix_ms": started, "life": life,
            "number": number, "slots": s.slots, "cores": 2, "memory_bytes": 0, "workers": *s.workers.lock().unwrap()});
        let (code, answer) = nimbus.post(&format!("/v1/supervisors/{}/heartbeat", s.id), body);
        assert_eq!(code, 200);
        (status(&nimbus, "p")["workers"][0]["endpoint"].clone(), answer["later"].as_u64())
    };
    let tell = |life, number, endpoint| tell_of(0, life, number, endpoint).0;
    assert_eq!(tell(1, 1, "tcp://first"), "tcp://first");
    assert_eq!(tell(1, 3, "tcp://third"), "tcp://third");
    assert_eq!(tell(1, 2, "tcp://second"), "tcp://third");
    assert_eq!(tell(2, 1, "tcp://next-life"), "tcp://next-life");
    assert_eq!(tell(1, 4, "tcp://fourth"), "tcp://next-life");
    // One that waits for the answer: its folder was set back, by as many starts as there were since or by more.
    assert_eq!(tell_of(0, 2, 1, "tcp://again"), (json!("tcp://next-life"), None));
    assert_eq!(tell_of(7, 2, 1, "tcp://set-back"), (json!("tcp://next-life"), Some(2)));
    assert_eq!(tell_of(7, 1, 1, "tcp://set-back"), (json!("tcp://next-life"), Some(2)));
    assert_eq!(tell_of(7, 3, 2, "tcp://counted-on"), (json!("tcp://counted-on"), None));
}

#[test]
fn a_kill_ends_early_when_nothing_is_under_way_and_leaves_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, id) = running(dir.path(), &clock, 2);
    let blobs = || std::fs::read_dir(dir.path().join("blobs")).unwrap().count();
    assert_eq!(blobs(), 1, "the plan");
    let (code, answer) = nimbus.post("/v1/topologies/p/kill", json!({}));
    assert_eq!((code, answer["state"].as_str()), (200, Some("KILLED")));
    assert!(s.hear(&nimbus));
    assert_eq!(s.desired[0]["orders"]["state"], "inactive");
    assert_eq!(status(&nimbus, "p")["wait_left_ms"], 30_000);
    let refused = nimbus.post("/v1/topologies/p/activate", json!({}));
    assert_eq!(refused.0, 409);
    assert!(refused.1["error"].as_str().unwrap().contains("is KILLED"), "{}", refused.1);
    assert_eq!(nimbus.post("/v1/topologies", json!({"plan": plan("p", 1)})).0, 409, "the name is taken until it is gone");

    s.set(0, "phase", json!("drained"));
    s.beat(&nimbus);
    assert_eq!(s.desired.len(), 2, "the other one still runs");
    s.set(1, "phase", json!("drained"));
    s.beat(&nimbus);
    assert!(s.hear(&nimbus));
    assert!(s.desired.is_empty());
    assert_eq!(status(&nimbus, "p")["state"], "KILLED", "it goes when the last process has ended");
    s.obey(1);
    s.beat(&nimbus);
    until_gone(&nimbus, &id);
    assert_eq!(blobs(), 0);
    nimbus.submit(&plan("p", 1));
}

#[test]
fn a_kill_waits_no_longer_than_it_was_told() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, _) = running(dir.path(), &clock, 1);
    nimbus.post("/v1/topologies/p/kill", json!({"wait_ms": 2000}));
    assert!(s.hear(&nimbus));
    assert_eq!(s.desired.len(), 1);
    clock.forward(Duration::from_millis(2000));
    assert!(s.hear(&nimbus));
    assert!(s.desired.is_empty());

    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, _) = running(dir.path(), &clock, 1);
    nimbus.post("/v1/topologies/p/kill", json!({"wait_ms": 0}));
    assert!(s.hear(&nimbus));
    assert!(s.desired.is_empty());
}

#[test]
fn a_rebalance_drains_moves_and_returns_to_the_state_before() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, _) = running(dir.path(), &clock, 2);
    let before = s.desired.clone();
    nimbus.post("/v1/topologies/p/deactivate", json!({}));
    assert!(s.hear(&nimbus));
    let (code, answer) = nimbus.post("/v1/topologies/p/rebalance", json!({"workers": 3, "parallelism": {"sum": 5}}));
    assert_eq!((code, answer["state"].as_str()), (200, Some("REBALANCING")));
    assert_eq!(nimbus.post("/v1/topologies/p/deactivate", json!({})).0, 409);
    s.set(0, "phase", json!("drained"));
    s.set(1, "phase", json!("drained"));
    s.beat(&nimbus);
    assert!(s.hear(&nimbus));
    assert_eq!(s.desired.len(), 3);
    let epoch = |d: &Value| d["orders"]["epoch"].as_u64().unwrap();
    assert!(epoch(&s.desired[0]) > epoch(&before[0]));
    assert_ne!(s.desired[0]["plan"], before[0]["plan"]);
    assert_eq!(s.desired[0]["slot"], before[0]["slot"], "what can stay where it is does");
    assert_eq!(s.desired[0]["orders"]["state"], "inactive");
    assert_eq!(s.desired[0]["orders"]["workers"][0]["endpoint"], Value::Null, "the old process does not count");
    let seen = status(&nimbus, "p");
    assert_eq!((seen["state"].as_str(), seen["components"][1]["tasks"].as_u64()), (Some("INACTIVE"), Some(5)));

    for (body, says) in [
        (json!({"workers": 0}), "`workers` is 0"),
        (json!({"parallelism": {"sm": 2}}), "did you mean `sum`?"),
        (json!({"parallelism": {"sum": 0}}), "parallelism is 0"),
    ] {
        let (code, answer) = nimbus.post("/v1/topologies/p/rebalance", body);
        assert_eq!(code, 422);
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
    let (code, answer) = nimbus.post("/v1/topologies/p/rebalance", json!({"workers": 6}));
    assert_eq!(code, 409);
    assert!(answer["error"].as_str().unwrap().contains("needs 3 more slots, 1 is free"), "{answer}");
}

#[test]
fn a_silent_supervisors_worker_moves_and_its_old_one_is_stopped() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let (mut a, mut b) = (Fake::new('a', 1), Fake::new('b', 2));
    a.beat(&nimbus);
    b.beat(&nimbus);
    nimbus.submit(&plan("p", 2));
    for s in [&mut a, &mut b] {
        s.hear(&nimbus);
        s.obey(1);
        s.beat(&nimbus);
        s.hear(&nimbus);
    }
    let kept = b.desired[0].clone();
    clock.forward(Duration::from_millis(2900));
    b.beat(&nimbus);
    clock.forward(Duration::from_millis(200));
    while b.desired.len() < 2 {
        assert!(b.hear(&nimbus), "the lease of 3 s is over");
    }
    let now = b.desired.iter().find(|d| d["worker"] == kept["worker"]).unwrap();
    assert_eq!((&now["slot"], &now["tasks"]), (&kept["slot"], &kept["tasks"]), "the healthy one stays");
    let (_, cluster) = nimbus.get("/v1/cluster");
    assert_eq!((&cluster["slots_total"], &cluster["supervisors"][0]["alive"]), (&json!(2), &json!(false)));
    let told = nimbus.get("/v1/topologies/p/history").1["events"].to_string();
    assert!(told.contains("supervisor aaaaaaaaaaaa on h is silent") && !told.contains("is back"), "{told}");
    // One that keeps its workers, as there is no room elsewhere.
    clock.forward(Duration::from_millis(3100));
    while nimbus.get("/v1/cluster").1["supervisors"][1]["alive"] == true {
        std::thread::yield_now();
    }
    let silent =
        || -> Vec<bool> { status(&nimbus, "p")["workers"].as_array().unwrap().iter().map(|w| w["silent"] == true).collect() };
    assert_eq!(silent(), [true, true], "what is told of them is old");
    b.beat(&nimbus);
    assert_eq!(silent(), [false, false]);
    let told = nimbus.get("/v1/topologies/p/history").1["events"].to_string();
    assert!(told.contains("supervisor bbbbbbbbbbbb on h is back"), "{told}");

    a.beat(&nimbus);
    while !a.desired.is_empty() {
        assert!(a.hear(&nimbus), "told to stop what was moved away");
    }
}

#[test]
fn when_all_were_cut_off_the_first_one_back_is_not_given_everything() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let (mut a, mut b) = (Fake::new('a', 2), Fake::new('b', 2));
    a.beat(&nimbus);
    b.beat(&nimbus);
    nimbus.submit(&plan("p", 2));
    for s in [&mut a, &mut b] {
        s.hear(&nimbus);
        s.obey(1);
        s.beat(&nimbus);
        s.hear(&nimbus);
    }
    let alive = |nimbus: &Nimbus| {
        let (_, cluster) = nimbus.get("/v1/cluster");
        cluster["supervisors"].as_array().unwrap().iter().filter(|s| s["alive"] == true).count()
    };
    clock.forward(Duration::from_millis(3100));
    while alive(&nimbus) > 0 {
        std::thread::yield_now();
    }
    a.beat(&nimbus);
    a.revision = None;
    a.hear(&nimbus);
    assert_eq!((a.desired.len(), alive(&nimbus)), (1, 2), "the other one has a lease from now");
    b.beat(&nimbus);
    b.revision = None;
    b.hear(&nimbus);
    assert_eq!((a.desired.len(), b.desired.len()), (1, 1));
    // One that does not come back loses its worker after all.
    clock.forward(Duration::from_millis(2900));
    a.beat(&nimbus);
    clock.forward(Duration::from_millis(200));
    while a.desired.len() < 2 {
        assert!(a.hear(&nimbus), "the lease of 3 s is over");
    }
}

#[test]
fn a_nimbus_that_starts_again_moves_nothing_and_tells_the_same() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, id) = running(dir.path(), &clock, 2);
    let token = nimbus.token.clone();
    let before = s.desired.clone();
    s.set(0, "report", report(1, 10, "running"));
    s.set(0, "reports", json!(1));
    s.beat(&nimbus);
    nimbus.stop();

    let nimbus = Nimbus::start(dir.path(), &clock);
    assert_eq!(nimbus.token, token);
    assert_eq!(nimbus.get(&format!("/v1/supervisors/{}/desired", s.id)).0, 404, "not before a heartbeat");
    // An empty cluster's supervisor must not get anything while the other one may be alive.
    let mut other = Fake::new('b', 4);
    other.beat(&nimbus);
    other.hear(&nimbus);
    assert!(other.desired.is_empty());
    assert!(s.beat(&nimbus), "it wants to hear all again");
    s.revision = None;
    assert!(s.hear(&nimbus));
    assert_eq!(s.desired, before);
    assert_eq!(status(&nimbus, "p")["components"][0]["emitted"], 10);
    assert_eq!(status(&nimbus, "p")["id"], id.as_str());
    let second = nimbus.submit(&plan("q", 1));
    assert!(second.starts_with("q-2-"), "{second}");
}

#[test]
fn a_pending_kill_goes_on_after_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, mut s, id) = running(dir.path(), &clock, 1);
    nimbus.post("/v1/topologies/p/kill", json!({"wait_ms": 5000}));
    nimbus.stop();
    let nimbus = Nimbus::start(dir.path(), &clock);
    s.beat(&nimbus);
    s.revision = None;
    s.hear(&nimbus);
    assert_eq!(s.desired[0]["orders"]["state"], "inactive");
    clock.forward(Duration::from_millis(5000));
    s.beat(&nimbus);
    while !s.desired.is_empty() {
        assert!(s.hear(&nimbus));
    }
    s.obey(1);
    s.beat(&nimbus);
    until_gone(&nimbus, &id);
}

#[test]
fn numbers_are_summed_kept_and_tell_the_end() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, s, _) = running(dir.path(), &clock, 2);
    let say = |index: usize, n: u64, task: u32, count: u64| {
        s.set(index, "report", report(task, count, "running"));
        s.set(index, "reports", json!(n));
        s.beat(&nimbus);
        s.workers.lock().unwrap()[index].as_object_mut().unwrap().remove("report");
    };
    say(0, 1, 1, 40);
    let seen = until(&nimbus, "p", |s| s["components"][0]["emitted"] == 40);
    assert_eq!((&seen["finished"], seen["first_tuple_ms"].as_u64()), (&json!(false), Some(0)));
    // Task 2 has delivered to nobody, so what it emits must count as nothing here.
    let taken = |n: u64, count: u64| {
        let mut r = report(2, count, "running");
        r["tasks"][0]["transferred"] = json!(0);
        s.set(1, "report", r);
        s.set(1, "reports", json!(n));
        s.beat(&nimbus);
    };
    taken(1, 40);
    taken(2, 40);
    assert_eq!(status(&nimbus, "p")["finished"], false, "worker 0 has not confirmed");
    say(0, 2, 1, 40);
    assert_eq!(until(&nimbus, "p", |s| s["finished"] == true)["components"][1]["executed"], 40);

    // Worker 0 dies and begins anew: what it did stays done.
    s.set(0, "died", json!([{"plan": s.desired[0]["plan"], "report": report(1, 45, "running")}]));
    s.set(0, "incarnation", started(2));
    s.set(0, "reports", json!(0));
    s.set(0, "restarts", json!(1));
    s.beat(&nimbus);
    let seen = status(&nimbus, "p");
    assert_eq!((&seen["components"][0]["emitted"], &seen["finished"]), (&json!(45), &json!(false)));
    assert_eq!(seen["workers"][0]["restarts"], 1);
}

#[test]
fn history_adds_up_to_the_totals_and_outlives_workers_and_nimbus() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (mut nimbus, mut s, id) = running(dir.path(), &clock, 1);
    let beat = |nimbus: &Nimbus, s: &Fake, reports: u64, n: u64| {
        clock.forward(Duration::from_millis(700));
        s.set(0, "reports", json!(reports));
        s.set(0, "report", report(1, n, "running"));
        s.beat(nimbus);
    };
    (1..=20).for_each(|n| beat(&nimbus, &s, n, n * 70));
    // The worker dies and comes back, nimbus too; each begins to count anew.
    s.set(0, "died", json!([{"plan": s.desired[0]["plan"], "report": report(1, 1450, "running")}]));
    s.set(0, "last_exit", json!({"unix_ms": u64::MAX, "incarnation": started(1), "how": "signal: 9", "output": ""}));
    s.set(0, "report", Value::Null);
    s.set(0, "incarnation", started(2));
    s.beat(&nimbus);
    s.set(0, "died", json!([]));
    let again = |n: u64| {
        let mut r = report(1, n, "running");
        r["incarnation"] = started(2);
        r
    };
    s.set(0, "reports", json!(1));
    s.set(0, "report", again(30));
    s.beat(&nimbus);
    nimbus.stop();
    nimbus = Nimbus::start(dir.path(), &clock);
    s.set(0, "reports", json!(2));
    s.set(0, "report", again(50));
    s.beat(&nimbus);
    s.revision = None;
    s.hear(&nimbus);

    assert_eq!(status(&nimbus, "p")["components"][0]["emitted"], 1500);
    let history = |query: &str| {
        let (code, history) = nimbus.get(&format!("/v1/topologies/{id}/history{query}"));
        assert_eq!(code, 200, "{history}");
        history
    };
    let emitted = |h: &Value| h["points"].as_array().unwrap().iter().map(|p| p["emitted"].as_u64().unwrap()).sum::<u64>();
    // Time goes on until the newest second is finished.
    let mut all = history("");
    while emitted(&all) < 1500 {
        clock.forward(Duration::from_secs(1));
        s.beat(&nimbus);
        all = history("");
    }
    assert_eq!((emitted(&all), all["step_s"].as_u64()), (1500, Some(1)));
    let even = all["points"].as_array().unwrap().iter().filter(|p| p["emitted"] == 100).count();
    assert!(even >= 10, "a hundred a second, however the reports came: {all}");
    let kinds: Vec<&str> = all["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["state", "worker-up", "worker-ended", "worker-up"]);
    assert_eq!(emitted(&history("?component=count")), 1500);
    assert_eq!(emitted(&history("?component=count&task=1&seconds=3600")), 1500);
    assert_eq!(emitted(&history("?component=sum")), 0);
    assert_eq!(nimbus.get(&format!("/v1/topologies/{id}/history?component=cuont")).0, 404);
    assert_eq!(nimbus.get(&format!("/v1/topologies/{id}/history?component=count&task=2")).0, 404);
    assert_eq!(nimbus.get(&format!("/v1/topologies/{id}/history?secnds=2")).0, 400);
}

#[test]
fn how_far_a_spout_came_is_heard_only_from_a_process_of_its_present_assignment() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let (nimbus, s, id) = running(dir.path(), &clock, 1);
    let tell = |content: &str| {
        let position = json!({"topology": id, "file": "count.0-of-1.position", "content": content});
        let body = json!({"version": "0", "machine": s.id, "host": "h", "url": "http://127.0.0.1:1", "pid": 1, "started_unix_ms": 0,
            "slots": s.slots, "cores": 2, "memory_bytes": 0, "workers": *s.workers.lock().unwrap(), "positions": [position]});
        assert_eq!(nimbus.post(&format!("/v1/supervisors/{}/heartbeat", s.id), body).0, 200);
    };
    let told = || nimbus.get(&format!("/v1/supervisors/{}/positions/{id}", "b".repeat(32))).1;
    let before = json!(squall_core::control::incarnation(0, 7));
    // What lies in the folder from a time before this assignment, its process not being started yet.
    s.set(0, "incarnation", before.clone());
    tell("old");
    assert_eq!(told(), json!([]));
    s.set(0, "incarnation", started(8));
    tell("new");
    assert_eq!(told()[0]["content"], "new");
    // It died, and this is what it left; what one of an earlier assignment left is no news.
    s.set(0, "incarnation", json!(0));
    let exit = |incarnation| json!({"unix_ms": 0, "incarnation": incarnation, "how": "signal: 9", "output": ""});
    s.set(0, "last_exit", exit(before));
    tell("older");
    assert_eq!(told()[0]["content"], "new");
    s.set(0, "last_exit", exit(started(8)));
    tell("last");
    assert_eq!(told()[0]["content"], "last");
}
