//! One machine keeps one copy of a model, however many workers score with it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::Value;
use squall_tests::{Cluster, Machine, memory_of};

/// Values in a row: so wide that a large model has few classes and little else.
const FEATURES: usize = 8_600;
/// Labels of the large model: 3,000 × 8,600 × 8 bytes = 206 MB.
const CLASSES: usize = 3_000;

/// A fitted logistic regression as scikit-learn pickles it (protocol 4), written as it is made.
fn pickle(path: &Path, classes: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(b"\x80\x04csklearn.linear_model._logistic\nLogisticRegression\n)\x81}(").unwrap();
    let mut array = |name: &str, kind: &[u8; 2], shape: &[usize], values: &mut dyn Iterator<Item = [u8; 8]>| {
        let mut head = vec![b'X'];
        head.extend((name.len() as u32).to_le_bytes());
        head.extend(name.as_bytes());
        head.extend(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01(");
        for n in shape {
            head.push(b'J');
            head.extend((*n as u32).to_le_bytes());
        }
        head.extend(b"tcnumpy\ndtype\n(U\x02");
        head.extend(kind);
        head.extend(b"\x89\x88tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B");
        head.extend((8 * shape.iter().product::<usize>() as u32).to_le_bytes());
        out.write_all(&head).unwrap();
        values.for_each(|v| out.write_all(&v).unwrap());
        out.write_all(b"tb").unwrap();
    };
    array("classes_", b"i8", &[classes], &mut (0..classes as i64).map(i64::to_le_bytes));
    let weight = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 * 1e-6;
    array("coef_", b"f8", &[classes, FEATURES], &mut (0..classes * FEATURES).map(|i| weight(i).to_le_bytes()));
    array("intercept_", b"f8", &[classes], &mut (0..classes).map(|_| 0f64.to_le_bytes()));
    out.write_all(b"ub.").unwrap();
}

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
    pickle(&model, classes);
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
        assert!(*large < small + 2_000_000, "worker {worker}: private bytes grew from {small} to {large}");
    }
    assert_eq!(large.model["mapped_by"], 4);
    assert!(large.model["private_bytes"].as_u64().unwrap() < 2_000_000, "{:?}", large.model);
    assert!(large.model["pss_bytes"].as_u64().unwrap() as f64 <= model * 1.05, "{:?}", large.model);
}
