//! A worker binary of one's own: built outside the workspace, checked, submitted, run.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use squall_tests::{Cluster, Machine, repository, run, target_dir};

/// Builds the example, as its README says, but into this build's folder.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let target = target_dir().join("custom-worker");
    let manifest = repository().join("examples/custom-worker/Cargo.toml");
    let mut command = Command::new(cargo);
    command.arg("build").arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target);
    run(&mut command).ok();
    target.join("debug/custom-worker")
}

#[test]
fn a_custom_worker_is_checked_and_shipped_and_runs() {
    let worker = build();
    let worker = worker.to_str().unwrap();
    let cluster = Cluster::start(&[Machine::new("one", 2)]);
    let example = repository().join("examples/custom-worker/alarms.toml");
    let example = example.to_str().unwrap();

    // Its own types beside the built-in ones.
    let types: Value = cluster.squall(&["components", "--worker", worker, "--json"]).ok().json();
    let names: Vec<&str> = types.as_array().unwrap().iter().filter_map(|t| t["name"].as_str()).collect();
    assert!(["stations", "alarm", "classifier"].iter().all(|name| names.contains(name)), "{names:?}");

    // Without it, they are unknown; with it, its configuration is checked like any other.
    let without = cluster.squall(&["submit", example]).code(2);
    assert!(without.stderr.contains("unknown spout type `stations`"), "{}", without.stderr);
    let wrong = std::fs::read_to_string(example).unwrap().replace("degrees = 10.0", "degress = 10.0");
    let wrong = cluster.file("wrong.toml", &wrong);
    let wrong = cluster.squall(&["submit", &wrong, "--worker", worker]).code(2);
    assert!(wrong.stderr.contains("degress") && wrong.stderr.contains("did you mean `degrees`?"), "{}", wrong.stderr);

    cluster.squall(&["submit", example, "--worker", worker]).ok();
    let done = cluster.wait("alarms", "it is finished", |t| t.finished);
    let of = |id: &str| done.components.iter().find(|c| c.id == id).unwrap_or_else(|| panic!("no component {id}"));
    assert!(of("stations").emitted > 0);
    assert_eq!(of("alarm").executed, of("stations").emitted);
    let log = cluster.squall(&["logs", "alarms", "-n", "100000", "--grep", "squall::console"]).ok();
    assert_eq!(log.lines().len() as u64, of("alarm").emitted);
    // The processes are the shipped binary, under the name of its hash.
    let pid = done.workers[0].pid.expect("workers run until the kill");
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(program.starts_with(cluster.dir()), "{}", program.display());
    cluster.squall(&["kill", "alarms"]).ok();
}

#[test]
fn what_is_no_worker_is_refused() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    let file = cluster.file("a.toml", "name = \"a\"\n[spouts.s]\ntype = \"sequence\"\n");
    for worker in ["/nonexistent/worker", "/bin/false"] {
        let ran = cluster.squall(&["submit", &file, "--worker", worker]).code(2);
        assert!(ran.stderr.contains(worker), "{}", ran.stderr);
    }
}
