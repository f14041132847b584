//! Storm's UI REST and `/metrics`, with a supervisor that is only pretended.

use serde_json::{Value, json};

use crate::common::{Fake, HandClock, Nimbus, http, plan, started, until};

/// A topology with one worker that has counted.
pub(crate) fn counted(dir: &std::path::Path) -> (Nimbus, Fake, String) {
    let nimbus = Nimbus::start(dir, &HandClock::new());
    let mut s = Fake::new('a', 4);
    s.beat(&nimbus);
    s.hear(&nimbus);
    let id = nimbus.submit(&plan("p", 1));
    assert!(s.hear(&nimbus));
    s.obey(1);
    let task = |task: u64, n: u64| {
        json!({"task": task, "emitted": n, "transferred": n, "executed": n, "acked": n,
        "busy_ns": n * 1_000_000, "execute": [[400, n]], "complete": [[400, n]]})
    };
    s.set(
        0,
        "report",
        json!({"incarnation": started(1), "epoch": 1, "phase": "running", "ignored_frames": 0, "link_bytes": [5, 6],
        "errors": [{"component": "sum", "task": 2, "message": "bad <row>", "count": 2, "panic": true,
            "stack": "panicked at a.rs:1:2\n  at <sum>"}],
        "tasks": [task(1, 60), task(2, 20), task(3, 20), task(4, 20)]}),
    );
    s.set(0, "reports", json!(1));
    s.beat(&nimbus);
    (nimbus, s, id)
}

/// Whether all of these keys are there.
fn has(value: &Value, keys: &str) {
    let missing: Vec<&str> = keys.split_whitespace().filter(|k| value.get(k).is_none()).collect();
    assert_eq!(missing, [] as [&str; 0], "{value}");
}

#[test]
fn storms_paths_answer_with_storms_fields_and_real_values() {
    let dir = tempfile::tempdir().unwrap();
    let (nimbus, _s, id) = counted(dir.path());
    let get = |path: &str| {
        let (code, answer) = nimbus.get(&format!("/api/v1/{path}"));
        assert_eq!(code, 200, "{path}: {answer}");
        answer
    };
    let cluster = get("cluster/summary");
    has(
        &cluster,
        "user stormVersion stormVersionInfo schedulerDisplayResource totalMem availMem fragmentedMem memAssignedPercentUtil \
        totalCpu availCpu fragmentedCpu cpuAssignedPercentUtil totalGenerics availGenerics bugtracker-url central-log-url",
    );
    assert_eq!([&cluster["supervisors"], &cluster["slotsUsed"], &cluster["slotsFree"], &cluster["tasksTotal"]], [1, 1, 3, 4]);
    let leader = get("nimbus/summary")["nimbuses"][0].clone();
    has(&leader, "host port nimbusLogLink status version nimbusUpTime nimbusUpTimeSeconds");
    assert!(leader["nimbusUpTimeSeconds"].is_u64(), "{leader}");
    let supervisors = get("supervisor/summary");
    has(
        &supervisors["supervisors"][0],
        "id host uptime uptimeSeconds slotsTotal slotsUsed slotsFree totalMem usedMem availMem totalCpu \
        usedCpu availCpu totalGenericResources usedGenericResources availGenericResources version blacklisted logLink",
    );
    let own = get(&format!("supervisor?id={}", "a".repeat(32)));
    assert_eq!(own["workers"][0]["componentNumTasks"], json!({"count": 1, "sum": 3}));
    assert_eq!(get("supervisor?host=nowhere")["supervisors"], json!([]));

    let line = get("topology/summary")["topologies"][0].clone();
    has(
        &line,
        "encodedId owner uptime uptimeSeconds executorsTotal replicationCount schedulerInfo requestedMemOnHeap requestedMemOffHeap \
        requestedTotalMem requestedCpu requestedGenericResources assignedMemOnHeap assignedMemOffHeap assignedTotalMem assignedCpu \
        assignedGenericResources topologyVersion stormVersion",
    );
    assert_eq!((&line["id"], &line["name"], &line["status"]), (&json!(id), &json!("p"), &json!("ACTIVE")));

    let page = get(&format!("topology/{id}"));
    has(
        &page,
        "user window windowHint msgTimeout configuration debug samplingPct workers bugtracker-url central-log-url \
        requestedRegularOnHeapMem requestedSharedOnHeapMem requestedRegularOffHeapMem requestedSharedOffHeapMem \
        assignedRegularOnHeapMem assignedSharedOnHeapMem assignedRegularOffHeapMem assignedSharedOffHeapMem",
    );
    assert_eq!(page["configuration"]["topology.message.timeout.secs"].to_string(), "30");
    let windows: Vec<&str> = page["topologyStats"].as_array().unwrap().iter().map(|w| w["window"].as_str().unwrap()).collect();
    assert_eq!(windows, ["600", "10800", "86400", ":all-time"]);
    let all = &page["topologyStats"][3];
    assert_eq!([&all["emitted"], &all["acked"], &all["failed"]], [120, 60, 0]);
    assert!(all["completeLatency"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{all}");
    let (spout, bolt) = (&page["spouts"][0], &page["bolts"][0]);
    has(
        spout,
        "spoutId encodedSpoutId executors tasks completeLatency lastError errorTime errorHost errorPort errorLapsedSecs \
        errorWorkerLogLink requestedMemOnHeap requestedMemOffHeap requestedCpu",
    );
    has(bolt, "boltId encodedBoltId capacity executeLatency processLatency transferred");
    assert_eq!(
        (&spout["emitted"], &bolt["executed"], &bolt["lastError"]),
        (&json!(60), &json!(60), &json!("bad <row>\npanicked at a.rs:1:2\n  at <sum>"))
    );

    let component = get(&format!("topology/{id}/component/sum"));
    has(
        &component,
        "encodedId topologyId encodedTopologyId topologyStatus window windowHint debug samplingPct eventLogLink boltStats \
        outputStats profilingAndDebuggingCapable profileActionEnabled profilerActive",
    );
    let executors = component["executorStats"].as_array().unwrap();
    assert_eq!(executors.len(), 3);
    has(
        &executors[0],
        "encodedId uptime uptimeSeconds host port transferred capacity executeLatency processLatency workerLogLink",
    );
    assert_eq!((&executors[0]["id"], &executors[0]["executed"]), (&json!("[2-2]"), &json!(20)));
    assert_eq!(component["inputStats"][0]["executed"], 60);
    assert_eq!(component["componentErrors"][0]["error"], "bad <row>\npanicked at a.rs:1:2\n  at <sum>");
    let spout = get(&format!("topology/{id}/component/count"));
    assert!(spout["spoutSummary"].is_array());
    assert_eq!(spout["executorStats"][0]["completeLatency"], spout["outputStats"][0]["completeLatency"], "its only task");
    assert_ne!(spout["executorStats"][0]["completeLatency"], "0.000");

    let drawn = get(&format!("topology/{id}/visualization"));
    assert_eq!(drawn["sum"][":inputs"][0][":component"], "count");
    assert_eq!((&drawn["count"][":transferred"], &drawn["sum"][":inputs"][0][":sani-stream"]), (&json!(60), &json!("default")));
    assert_eq!(drawn["count"][":stats"][0][":transferred"][":all-time"], json!({"default": 60}));
    assert_eq!(get(&format!("topology/{id}/visualization-init"))["visualizationTable"][0][":row"][0]["stream"], "default");
    assert_eq!(get(&format!("topology-workers/{id}"))["hostPortList"][0]["host"], "h");
    assert_eq!(get(&format!("topology/{id}/metrics?window=:all-time"))["bolts"][0]["executed"][0]["value"], 60);
    assert_eq!(get(&format!("topology/{id}/lag")), json!({}));
    assert_eq!(get(&format!("topology/{id}/logconfig"))["namedLoggerLevels"], json!({}));
    assert_eq!(get("history/summary")["topo-history"][0], json!(id));
    let owner = get("owner-resources")["owners"][0].clone();
    assert_eq!(owner["totalTasks"], 4);
    assert_eq!(get(&format!("owner-resources/{}", owner["owner"].as_str().unwrap()))["totalTasks"], 4);
    assert_eq!(get("owner-resources/nobody-of-that-name")["totalCpuUsage"].to_string(), "0.0");
    let configuration = get("cluster/configuration");
    has(&configuration, "nimbus.thrift.port ui.port storm.cluster.mode");
    assert_eq!(configuration["nimbus.supervisor.timeout.secs"].to_string(), "3");

    let (code, refused) = nimbus.get("/api/v1/topology/nothing");
    assert_eq!((code, refused["errorMessage"].as_str().unwrap().contains("nothing")), (500, true), "{refused}");
}

#[test]
fn storms_actions_act() {
    let dir = tempfile::tempdir().unwrap();
    let (nimbus, mut s, id) = counted(dir.path());
    let post = |path: &str, body: Value| nimbus.post(&format!("/api/v1/topology/{id}/{path}"), body);
    let state = || nimbus.get("/v1/topologies/p").1["state"].clone();
    let done = |operation: &str| json!({"topologyOperation": operation, "topologyId": id, "status": "success"});
    assert_eq!(post("deactivate", Value::Null), (200, done("deactivate")));
    assert_eq!(state(), "INACTIVE");
    assert_eq!(post("activate", Value::Null), (200, done("activate")));

    let levels = || nimbus.get(&format!("/api/v1/topology/{id}/logconfig")).1["namedLoggerLevels"].clone();
    let set = |named: Value| post("logconfig", json!({"namedLoggerLevels": named}));
    let debug = json!({"target_level": "DEBUG", "reset_level": "INFO", "timeout": 30});
    let all = set(json!({"ROOT": debug, "squall_worker::link": {"target_level": "FATAL", "timeout": 0}}));
    assert_eq!((all.0, &all.1["namedLoggerLevels"]), (200, &levels()), "it answers with what counts now");
    assert_eq!(levels()["ROOT"]["target_level"], "DEBUG");
    assert_eq!((&levels()["ROOT"]["timeout"], &levels()["ROOT"]["reset_level"]), (&json!(30), &json!("INFO")));
    assert_eq!(levels()["squall_worker::link"]["target_level"], "ERROR");
    assert_eq!(nimbus.get("/v1/topologies/p/log").1[0]["logger"], "", "Squall's own interface says the same");
    let (code, refused) = set(json!({"a": {"target_level": null}, "ROOT": {"target_level": "LOUD"}}));
    assert!(code == 500 && refused["errorMessage"].as_str().unwrap().contains("LOUD"), "{refused}");
    assert_eq!(set(json!({"squall_worker::link": {"target_level": null}, "x y": {"target_level": "INFO"}})).0, 500);
    assert_eq!(levels().as_object().unwrap().len(), 2, "all or nothing");
    assert_eq!(set(json!({"squall_worker::link": {"target_level": null}})).0, 200);
    assert_eq!(levels().as_object().unwrap().len(), 1);

    assert_eq!(post("debug/enable/2.5", Value::Null), (200, done("debug/enable")));
    assert_eq!(post("component/sum/debug/enable/40", Value::Null), (200, done("debug/enable")));
    let debug = |path: &str| {
        let page = nimbus.get(&format!("/api/v1/topology/{id}{path}")).1;
        (page["debug"].clone(), page["samplingPct"].clone())
    };
    assert_eq!([debug(""), debug("/component/count"), debug("/component/sum")], [3, 3, 40].map(|n| (json!(true), json!(n))));
    s.hear(&nimbus);
    assert_eq!(s.desired[0]["orders"]["instructions"]["debug"], json!({"": 3, "sum": 40}));
    assert_eq!(post("component/sum/debug/disable/0", Value::Null), (200, done("debug/disable")));
    assert_eq!(post("debug/disable/0", Value::Null), (200, done("debug/disable")));
    assert_eq!([debug(""), debug("/component/sum")], [10, 10].map(|n| (json!(false), json!(n))));
    for wrong in ["debug/enable/101", "debug/enable/0", "debug/on/10", "component/nothing/debug/enable/10", "debug/enable/x"] {
        assert_eq!(post(wrong, Value::Null).0, 500, "{wrong}");
    }
    assert_eq!(post("profiling/start/h:1/10", Value::Null).0, 500, "what cannot be done is not said to be done");
    let wrong = post("rebalance/5", json!({"rebalanceOptions": {"executors": {"nothing": 3}}}));
    assert_eq!(wrong.0, 500, "{}", wrong.1);
    assert_eq!(post("rebalance/5", json!({"rebalanceOptions": {"numWorkers": 2, "executors": {"sum": "many"}}})).0, 500);
    let options = json!({"rebalanceOptions": {"numWorkers": 2, "executors": {"sum": "4"}}, "callback": "foo"});
    assert_eq!(post("rebalance/5", options), (200, done("rebalance")));
    assert_eq!(state(), "REBALANCING");
    assert_eq!(post("kill/30", Value::Null), (200, done("kill")));
    assert_eq!(state(), "KILLED");

    // What is gone is remembered, after what there is.
    let other = nimbus.submit(&plan("q", 1));
    assert_eq!(nimbus.post("/v1/topologies/q/kill", json!({"wait_ms": 0})).0, 200);
    until("q is gone", || nimbus.get("/v1/topologies/q").0 == 404);
    assert_eq!(nimbus.get("/api/v1/history/summary"), (200, json!({"topo-history": [id, other]})));
}

#[test]
fn a_worker_is_started_anew_and_its_last_counts_count() {
    let dir = tempfile::tempdir().unwrap();
    let (nimbus, mut s, id) = counted(dir.path());
    s.hear(&nimbus);
    let worker = nimbus.get(&format!("/api/v1/topology-workers/{id}")).1["hostPortList"][0].clone();
    let worker = format!("{}:{}", worker["host"].as_str().unwrap(), worker["port"]);
    let restart = |worker: &str| nimbus.get(&format!("/api/v1/topology/{id}/profiling/restartworker/{worker}"));
    assert_eq!(restart("h:7").0, 500);
    assert_eq!(nimbus.post("/v1/topologies/p/workers/1/restart", Value::Null).0, 404);
    let epoch = |s: &Fake| s.desired[0]["orders"]["epoch"].as_u64().unwrap();
    let before = epoch(&s);
    assert_eq!(restart(&worker), (200, json!({"status": "ok", "id": worker})));
    s.hear(&nimbus);
    assert_eq!((epoch(&s), &s.desired[0]["orders"]["workers"][0]["since"]), (before + 1, &json!(before + 1)));
    // It stops, says what it counted since, and another takes its place.
    let died = {
        let mut workers = s.workers.lock().unwrap();
        let mut last = workers[0]["report"].clone();
        last["tasks"][0]["emitted"] = json!(65);
        let died = json!([{"plan": workers[0]["plan"], "report": last}]);
        workers.clear();
        died
    };
    s.obey(1);
    s.set(0, "died", died);
    s.beat(&nimbus);
    let status = nimbus.get("/v1/topologies/p").1;
    assert_eq!(status["components"][0]["emitted"], 65, "{status}");
    assert_eq!(status["workers"][0]["phase"], "running");
    let said: Vec<String> =
        nimbus.get("/v1/topologies/p/history").1["events"].as_array().unwrap().iter().map(|e| e["text"].to_string()).collect();
    assert!(said.iter().any(|t| t.contains("worker 0 is started anew")), "{said:?}");
}

#[test]
fn metrics_are_open_metrics_with_a_family_once_and_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let (nimbus, _s, _) = counted(dir.path());
    let (code, head, body) = http(nimbus.address, &nimbus.token, "GET", "/metrics", b"");
    let text = String::from_utf8(body).unwrap();
    assert!(code == 200 && head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    for line in [
        "squall_component_executed_total{topology=\"p\",component=\"sum\",kind=\"bolt\"} 60",
        "squall_component_errors_total{topology=\"p\",component=\"sum\",kind=\"bolt\"} 2",
        "squall_component_complete_seconds_count{topology=\"p\",component=\"count\"} 60",
        "squall_component_complete_seconds_bucket{topology=\"p\",component=\"count\",le=\"+Inf\"} 60",
        "squall_topology_state{topology=\"p\",state=\"ACTIVE\"} 1",
        "squall_cluster_slots_used 1",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    let mut families: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let all = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), all, "a family comes once");
    assert_eq!(http(nimbus.address, "wrong", "GET", "/metrics", b"").0, 401);
}

/// Every series that the Grafana dashboard asks for is one that a daemon tells or could tell: its name stands in the sources.
#[test]
fn the_dashboard_asks_only_for_metrics_that_there_are() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let whole = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let read = |path: &str| whole(path).split("#[cfg(test)]").next().unwrap().to_owned();
    let dashboard = read("deploy/grafana-dashboard.json");
    serde_json::from_str::<Value>(&dashboard).unwrap();
    let sources = read("nimbus/src/http/metrics.rs") + &read("supervisor/src/http/metrics.rs");
    let book = read("docs/metrics.md");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut asked = 0;
    for (at, _) in dashboard.match_indices("squall_") {
        let name: String = dashboard[at..].chars().take_while(|c| is_name(*c)).collect();
        let family = name.trim_end_matches("_total").trim_end_matches("_bucket");
        assert!(sources.contains(&format!("\"{family}\"")), "the dashboard asks for `{name}`, which nobody tells");
        asked += 1;
    }
    assert!(asked > 20);
    // And the book names every family.
    for part in sources.split("\"squall_").skip(1) {
        let family = format!("squall_{}", part.split('"').next().unwrap());
        let short = family.replacen("squall_component_", "…_", 1);
        assert!(book.contains(&family) || book.contains(&short), "docs/metrics.md does not name `{family}`");
    }
}
