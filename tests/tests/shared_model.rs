//! One machine keeps one copy of a model, however many workers score with it.

use serde_json::Value;
use squall_tests::model_file::logistic;
use squall_tests::{Cluster, Machine, memory_of};

/// Values in a row: so wide that a large model has few classes and little else.
const FEATURES: usize = 8_600;
/// Labels of the large model: 3,000 × 8,600 × 8 bytes = 206 MB.
const CLASSES: usize = 3_000;

#[derive(Debug)]
struct Memory {
    pss: u64,
    /// Of each worker.
    private: Vec<u64>,
    /// Of the model alone, as `squall status --models` tells.
    model: Value,
}

/// Eight tasks in four processes score some hundred rows; what do they take?
fn measured(classes: usize) -> (Memory, u64) {
    let cluster = Cluster::start(&[Machine::new("one", 4)]);
    let model = cluster.dir().join("model.pkl");
    let weight = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 * 1e-6;
    logistic(&model, (classes, FEATURES), weight, |_| 0.0);
    let names: Vec<String> = (0..FEATURES).map(|i| format!("x{i}")).collect();
    let mut rows = names.join(",");
    for row in 0..4 {
        let values: Vec<String> = (0..FEATURES).map(|i| ((i * 7 + row) % 17).to_string()).collect();
        rows = format!("{rows}\n{}", values.join(","));
    }
    let rows = cluster.file("rows.csv", &format!("{rows}\n"));
    let last = FEATURES - 1;
    cluster.submit(&format!(
        r#"
name = "scoring"
[config]
workers = 4
max_spout_pending = 2
[models.model]
path = "model.pkl"
[spouts.rows]
type = "csv"
config = {{ path = "{rows}", cycle = true, period = "20ms", vectors = {{ x = {{ columns = "x0..x{last}" }} }} }}
[bolts.classify]
type = "classifier"
parallelism = 8
inputs = [{{ from = "rows", grouping = "shuffle" }}]
config = {{ model = "model", features = "x", emit = {{ label = "prediction" }} }}
[bolts.end]
type = "null"
inputs = [{{ from = "classify", grouping = "global" }}]
"#
    ));
    cluster.running("scoring");
    let status = cluster.wait("scoring", "every task has scored often", |t| {
        t.components.iter().any(|c| c.id == "classify" && c.executed >= 100)
    });
    assert_eq!(status.workers.len(), 4);
    // The list of models is looked up by the supervisor now and then.
    cluster.wait("scoring", "the model is seen mapped by all", |t| t.models.iter().any(|m| m.memory.mapped_by == 4));
    let shown: Value = cluster.squall(&["status", "scoring", "--models", "--json"]).ok().json();
    let pids: Vec<u32> = status.workers.iter().map(|w| w.pid.unwrap()).collect();
    let of = |pid: u32, key: &str| memory_of(pid, key).unwrap_or_else(|| panic!("no {key} of {pid}"));
    let memory = Memory {
        pss: pids.iter().map(|pid| of(*pid, "Pss")).sum(),
        private: pids.iter().map(|pid| of(*pid, "Private_Clean") + of(*pid, "Private_Dirty")).collect(),
        model: shown[0]["memory"].clone(),
    };
    let bytes = memory.model["bytes"].as_u64().unwrap();
    (memory, bytes)
}

#[test]
fn four_processes_share_one_large_model() {
    let (small, small_bytes) = measured(3);
    let (large, large_bytes) = measured(CLASSES);
    println!("small: {small:?}\nlarge: {large:?}");
    assert!(large_bytes >= 200_000_000 && small_bytes < 1_000_000);
    let grown = large.pss as f64 - small.pss as f64;
    let model = (large_bytes - small_bytes) as f64;
    assert!((0.9..1.15).contains(&(grown / model)), "PSS grew by {grown} bytes over a model of {model}");
    for (worker, (small, large)) in small.private.iter().zip(&large.private).enumerate() {
        // Rows of 69 kB come from pages of 4 MiB, of which each thread may take one sooner or later.
        assert!((*large as f64) < *small as f64 + model / 12.0, "worker {worker}: private bytes grew from {small} to {large}");
    }
    assert_eq!(large.model["mapped_by"], 4);
    assert!(large.model["private_bytes"].as_u64().unwrap() < 2_000_000, "{:?}", large.model);
    assert!(large.model["pss_bytes"].as_u64().unwrap() as f64 <= model * 1.05, "{:?}", large.model);
}
