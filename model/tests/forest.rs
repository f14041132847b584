//! A large forest scored by four processes lies in memory once.
//!
//! The parent writes an artefact of random trees and starts itself four times; the children open, prefault and score it with two
//! threads each, say so, and wait. What the kernel then counts for the map is compared with the file. SQUALL_FOREST_MB=1024 makes
//! it a gigabyte; what CI runs is smaller and no different.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::{anonymous, mapped};
use ndarray::Array2;
use serde_json::json;
use squall_model::{Model, Rows};

const FEATURES: usize = 32;
/// Splits from the root to a leaf.
const DEPTH: u32 = 15;
const NODES: usize = (1 << (DEPTH + 1)) - 1;
const LEAVES: usize = 1 << DEPTH;
const PROCESSES: usize = 4;

fn main() {
    match std::env::args().nth(1) {
        Some(flag) if flag == "--score" => score(&std::env::args().nth(2).expect("a model")),
        _ => parent(),
    }
}

/// Writes a forest of about so many bytes, laid out as `docs/model-format.md` has it, and tells how many it has.
fn write(path: &Path, bytes: usize) -> u64 {
    let trees = (bytes / (NODES * 16 + LEAVES * 8)).max(1);
    let model = json!({
        "op": "trees", "class": "sklearn.ensemble._forest.RandomForestRegressor", "n_features": FEATURES,
        "params": {"link": "mean", "leaf_width": 1, "trees": trees, "kind": "regressor", "narrow": true},
        "tensors": {"nodes": "nodes", "roots": "roots", "leaves": "leaves", "base": "base"},
    });
    let mut header = serde_json::Map::new();
    header.insert(
        "__metadata__".into(),
        json!({"squall.format": "2", "squall.converter": "2", "squall.source_sha256": "", "squall.model": model.to_string()}),
    );
    let mut at = 0;
    for (name, dtype, elements) in
        [("nodes", "I64", trees * NODES * 2), ("leaves", "F64", trees * LEAVES), ("roots", "I64", trees), ("base", "F64", 1)]
    {
        header.insert(name.into(), json!({"dtype": dtype, "shape": [elements], "data_offsets": [at, at + elements * 8]}));
        at += elements * 8;
        let pad = at.next_multiple_of(64) - at;
        if pad > 0 {
            header.insert(format!("pad.{name}"), json!({"dtype": "U8", "shape": [pad], "data_offsets": [at, at + pad]}));
            at += pad;
        }
    }
    let mut text = serde_json::to_string(&header).unwrap();
    text.push_str(&" ".repeat((8 + text.len()).next_multiple_of(64) - 8 - text.len()));
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut written = 0u64;
    let mut put = |bytes: &[u8]| {
        written += bytes.len() as u64;
        out.write_all(bytes).unwrap();
    };
    put(&(text.len() as u64).to_le_bytes());
    put(text.as_bytes());
    let data = 8 + text.len() as u64;
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for tree in 0..trees {
        let root = tree * NODES;
        for i in 0..NODES {
            let (first, second) = match i < LEAVES - 1 {
                true => {
                    let threshold = (random() % 1000) as f64 / 1000.0;
                    (threshold.to_bits(), (random() % FEATURES as u64) << 32 | (root + 2 * i + 1) as u64)
                }
                false => (0x7ff8 << 48 | (tree * LEAVES + i - (LEAVES - 1)) as u64, 1 << 63 | (root + i) as u64),
            };
            put(&first.to_le_bytes());
            put(&second.to_le_bytes());
        }
    }
    let nodes = (trees * NODES * 16).next_multiple_of(64) - trees * NODES * 16;
    put(&vec![0; nodes]);
    for leaf in 0..trees * LEAVES {
        put(&(leaf as f64).to_le_bytes());
    }
    for tree in 0..trees {
        put(&((tree * NODES) as u64).to_le_bytes());
    }
    put(&vec![0; (trees * 8).next_multiple_of(64) - trees * 8]);
    put(&[0; 64]);
    out.flush().unwrap();
    assert_eq!(written, data + at as u64);
    written
}

/// Opens, prefaults and scores, as a worker with two tasks does; then waits until stdin ends.
fn score(path: &str) {
    let begun = Instant::now();
    let model = Model::open(Path::new(path)).unwrap();
    model.prefault().unwrap();
    let ready = begun.elapsed();
    let x = Array2::from_shape_fn((256, FEATURES), |(i, j)| ((i * 31 + j * 17) % 100) as f64 / 100.0);
    let sums: Vec<f64> = std::thread::scope(|scope| {
        let task = || {
            let mut values = Vec::new();
            model.predict_values(Rows::F64(x.view()), &mut values).unwrap();
            values.iter().sum()
        };
        let tasks = [scope.spawn(task), scope.spawn(task)];
        tasks.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(sums[0] == sums[1] && sums[0].is_finite());
    println!("ready {} {}", ready.as_millis(), sums[0]);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn parent() {
    let megabytes: usize = std::env::var("SQUALL_FOREST_MB").ok().map_or(64, |mb| mb.parse().expect("a number of megabytes"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forest.safetensors");
    let bytes = write(&path, megabytes << 20);
    let name = path.to_str().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = Command::new(&program);
        command.args(["--score", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        children.push(command.spawn().unwrap());
    }
    let mut answers = Vec::new();
    for child in &mut children {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("ready"), "{line}");
        println!("ready after {} ms", words.next().unwrap());
        answers.push(words.next().unwrap().to_owned());
    }
    let sum = |key: &str| children.iter().map(|c| mapped(c.id(), name, key)).sum::<u64>();
    let (pss, private) = (sum("Pss"), sum("Private_Clean") + sum("Private_Dirty"));
    let own: Vec<u64> = children.iter().map(|c| anonymous(c.id())).collect();
    println!("{bytes} bytes: pss of the map {pss}, private {private}, anonymous bytes of each process {own:?}");
    for child in &mut children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert!(answers.windows(2).all(|w| w[0] == w[1]), "{answers:?}");
    assert!(pss as f64 <= 1.02 * bytes as f64, "{pss} bytes resident of a file of {bytes}");
    assert!(pss as f64 >= 0.95 * bytes as f64, "only {pss} bytes of {bytes} were there after prefaulting");
    assert!(private < bytes / 100, "{private} bytes of the map belong to one process");
    assert!(own.iter().all(|bytes| *bytes < 8_192_000), "a process has {own:?} bytes of its own");
}
