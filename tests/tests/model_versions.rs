//! New versions of a model come into use under load: nothing is lost, every task switches once, and a bad one changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use squall_core::control::{Deployment, DeploymentState, TopologyModels, TopologyState};
use squall_tests::model_file::logistic;
use squall_tests::{Cluster, Machine, wait_until};

/// Each classifier is one task and has a file of its own, in which its predictions stand in the order it made them.
fn topology(dir: &Path) -> String {
    let mut text = r#"
name = "scoring"
[config]
workers = 3
[models.m]
path = "0.pkl"
[spouts.numbers]
type = "sequence"
config = { rate = 4000 }
"#
    .to_owned();
    for task in 0..4 {
        let file = dir.join(format!("{task}.jsonl"));
        text.push_str(&format!(
            r#"
[bolts.classify{task}]
type = "classifier"
inputs = [{{ from = "numbers", grouping = "shuffle" }}]
config = {{ model = "m", features = ["n"], pass = ["n"], emit = ["label", "model", "version", "checksum"] }}
[bolts.write{task}]
type = "jsonl"
tick = "200ms"
inputs = [{{ from = "classify{task}", grouping = "shuffle" }}]
config = {{ path = "{}" }}
"#,
            file.display()
        ));
    }
    text
}

/// A model that gives every row this label, of three.
fn always(cluster: &Cluster, label: usize) -> String {
    let path = cluster.dir().join(format!("{label}.pkl"));
    logistic(&path, (3, 1), |_| 0.0, |class| if class == label { 5.0 } else { 0.0 });
    path.to_string_lossy().into_owned()
}

fn models(cluster: &Cluster) -> TopologyModels {
    cluster.try_get("/v1/topologies/scoring/models").expect("nimbus answers")
}

fn history(cluster: &Cluster) -> Vec<Deployment> {
    models(cluster).models.remove(0).history
}

fn emitted(cluster: &Cluster) -> u64 {
    cluster.topology("scoring").map_or(0, |t| t.components[0].emitted)
}

/// A call that no verb makes.
fn call(cluster: &Cluster, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", cluster.url()));
    let request = request.header("authorization", format!("Bearer {}", cluster.token())).body(body).unwrap();
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut response = ureq::Agent::new_with_config(config).run(request).unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
}

#[test]
fn versions_are_deployed_and_rolled_back_under_load() {
    let two = Machine { model_memory: Some(100_000), ..Machine::new("two", 1) };
    let cluster = Cluster::start(&[Machine::new("one", 2), two]);
    let files: Vec<String> = (0..3).map(|label| always(&cluster, label)).collect();
    let file = cluster.file("scoring.toml", &topology(cluster.dir()));
    cluster.squall(&["submit", &file, "--wait"]).ok();
    wait_until("rows flow", || emitted(&cluster) > 1000);

    let done = cluster.squall(&["model", "deploy", "m", &files[1]]).ok();
    assert!(done.stdout.starts_with("m version 2 is in use (1.pkl"), "{}", done.stdout);
    // The same again ships nothing and changes nothing.
    let again: Value = cluster.squall(&["model", "deploy", "m", &files[1], "--topology", "scoring", "--json"]).ok().json();
    assert_eq!((&again["serial"], &again["state"]), (&json!(2), &json!("current")));
    assert_eq!(history(&cluster).len(), 2);

    // A file that does not fit is refused before it travels.
    let wide = cluster.dir().join("wide.pkl");
    logistic(&wide, (3, 2), |_| 0.0, |_| 0.0);
    let refused = cluster.squall(&["model", "deploy", "m", &wide.to_string_lossy()]).code(2);
    assert!(refused.stderr.contains("takes 2 features, but the list has 1"), "{}", refused.stderr);
    cluster.squall(&["model", "deploy", "m", "nowhere.pkl"]).code(4);
    cluster.squall(&["model", "deploy", "mm", &files[1]]).code(4);

    // Nor does anything begin that is no model at all.
    let garbage = b"no model at all";
    let sha256: String = Sha256::digest(garbage).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(call(&cluster, "PUT", &format!("/v1/blobs/{sha256}"), garbage).0, 201);
    let body = json!({"artefact": sha256, "source": sha256, "bytes": garbage.len(), "file": "garbage"}).to_string();
    let (code, refusal) = call(&cluster, "POST", "/v1/topologies/scoring/models/m/deploy", body.as_bytes());
    assert_eq!((code, history(&cluster).len()), (422, 2), "{refusal}");

    // One that only a worker cannot use leaves the version before in use everywhere.
    let large = cluster.dir().join("large.pkl");
    logistic(&large, (20_000, 1), |_| 0.0, |_| 0.0);
    let failed = cluster.squall(&["model", "deploy", "m", &large.to_string_lossy()]).code(1);
    assert!(failed.stderr.contains("m: version 3 is not in use: worker "), "{}", failed.stderr);
    assert!(failed.stderr.contains("cannot read model `m` into memory"), "{}", failed.stderr);
    let failed = history(&cluster).into_iter().find(|d| d.state == DeploymentState::Failed);
    assert_eq!(failed.map(|d| d.version), Some(3));
    assert_eq!(models(&cluster).models[0].current().map(|d| d.version), Some(2));

    cluster.squall(&["model", "deploy", "m", &files[2]]).ok();
    let past: Value = cluster.try_get("/v1/topologies/scoring/history").unwrap();
    let told: Vec<&str> = past["events"].as_array().unwrap().iter().filter_map(|e| e["text"].as_str()).collect();
    assert!(told.contains(&"model m: version 2 (1.pkl) is in use"), "{told:?}");
    assert!(told.iter().any(|t| t.starts_with("model m: version 3 (large.pkl) cannot be used: worker ")), "{told:?}");
    let before = emitted(&cluster);
    wait_until("rows are scored by it", || emitted(&cluster) > before + 2000);
    let back = cluster.squall(&["model", "rollback", "m", "--to", "1"]).ok();
    assert!(back.stdout.starts_with("m version 1 is in use (0.pkl"), "{}", back.stdout);
    let before = emitted(&cluster);
    wait_until("rows are scored by the first again", || emitted(&cluster) > before + 2000);
    let shown = cluster.squall(&["model", "history", "m"]).ok();
    assert!(["rollback", "replaced", "in use", "failed"].iter().all(|s| shown.stdout.contains(s)), "{}", shown.stdout);
    let list: Value = cluster.squall(&["model", "list", "--json"]).ok().json();
    assert_eq!(list[0]["model"]["history"][0]["version"], 1);

    cluster.squall(&["deactivate", "scoring"]).ok();
    let status = cluster.wait("scoring", "nothing is under way", |t| {
        t.state == TopologyState::Inactive && t.components.iter().all(|c| c.pending + c.queued == 0 && c.emitted_per_s == 0.0)
    });
    let rows = status.components[0].emitted;
    assert_eq!((status.components[0].acked, status.components[0].failed), (rows, 0));
    assert!(status.workers.iter().all(|w| w.restarts == 0));
    let numbers: BTreeMap<u64, u64> = models(&cluster).models[0].numbers.iter().map(|n| (n.version, n.rows)).collect();
    assert_eq!(numbers.values().sum::<u64>(), 4 * rows, "{numbers:?}");
    cluster.squall(&["kill", "scoring"]).ok();

    for task in 0..4 {
        let text = std::fs::read_to_string(cluster.dir().join(format!("{task}.jsonl"))).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let mut seen: Vec<u64> = lines.iter().map(|r| r["n"].as_u64().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (1..=rows).collect::<Vec<_>>(), "task {task}: rows are lost or come twice");
        let mut versions: Vec<u64> = lines.iter().map(|r| r["version"].as_u64().unwrap()).collect();
        // Each version gives its own label; the third was refused.
        let label = |version: &Value| [0, 0, 1, 9, 2][version.as_u64().unwrap() as usize];
        assert!(lines.iter().all(|r| r["label"] == label(&r["version"]) && r["model"] == "m"));
        versions.dedup();
        assert_eq!(versions, [1, 2, 4, 1], "task {task} switched more than once, or back");
    }
}

#[test]
fn a_worker_that_dies_comes_back_with_the_version_in_use() {
    let cluster = Cluster::start(&[Machine::new("one", 3)]);
    let files: Vec<String> = (0..2).map(|label| always(&cluster, label)).collect();
    cluster.submit(&topology(cluster.dir()));
    let running = cluster.running("scoring");
    cluster.squall(&["model", "deploy", "m", &files[1]]).ok();
    for worker in &running.workers {
        squall_tests::kill_9(worker.pid.unwrap());
    }
    cluster.wait("scoring", "all were started again", |t| t.workers.iter().all(|w| w.restarts == 1));
    cluster.running("scoring");
    wait_until("all have the second", || models(&cluster).models[0].workers.iter().all(|w| w.current == 2));
    // And so does a nimbus that starts again.
    let mut cluster = cluster;
    cluster.nimbus().kill();
    cluster.start_nimbus();
    assert_eq!(models(&cluster).models[0].current().map(|d| d.version), Some(2));
    let again = cluster.squall(&["model", "rollback", "m"]).ok();
    assert!(again.stdout.starts_with("m version 1 is in use"), "{}", again.stdout);
}

#[test]
fn what_does_not_fit_is_refused_by_nimbus_too_where_a_bolt_has_several_models() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    (0..2).for_each(|label| drop(always(&cluster, label)));
    cluster.submit(
        r#"
name = "scoring"
[models.a]
path = "0.pkl"
[models.m]
path = "1.pkl"
[spouts.numbers]
type = "sequence"
config = { rate = 100 }
[bolts.both]
type = "classifier"
inputs = [{ from = "numbers", grouping = "shuffle" }]
config = { models = ["a", "m"], features = ["n"], emit = ["proba"] }
"#,
    );
    cluster.running("scoring");
    // As the page does it: nimbus imports the file, and is told to deploy what came of it.
    let deploy = |name: &str, of: (usize, usize)| {
        let file = cluster.dir().join(name);
        logistic(&file, of, |_| 0.0, |class| if class == 2 { 5.0 } else { 0.0 });
        let (code, imported) = call(&cluster, "POST", "/v1/models/import", &std::fs::read(&file).unwrap());
        assert_eq!(code, 200, "{imported}");
        let body =
            json!({"artefact": imported["artefact"], "source": imported["source"], "bytes": imported["bytes"], "file": name});
        call(&cluster, "POST", "/v1/topologies/scoring/models/m/deploy", body.to_string().as_bytes())
    };
    let (code, refusal) = deploy("wide.pkl", (3, 2));
    let why = refusal["error"].as_str().unwrap();
    assert_eq!(code, 422, "{refusal}");
    assert!(why.starts_with("`both` cannot use wide.pkl: ") && why.contains("takes 2 features"), "{why}");
    let (code, refusal) = deploy("four.pkl", (4, 1));
    assert_eq!(code, 422, "{refusal}");
    let why = refusal["error"].as_str().unwrap();
    assert!(why.contains("m_proba: f64[4]") && why.contains("the topology was checked with"), "{why}");
    assert!(models(&cluster).models.iter().all(|m| m.history.len() == 1), "nothing of it is in the history");
    assert_eq!(deploy("fits.pkl", (3, 1)).0, 200);
    wait_until("it is in use", || models(&cluster).models.iter().any(|m| m.current().map(|d| d.version) == Some(2)));
}
