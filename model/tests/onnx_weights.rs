//! The weights of an ONNX model scored by four processes lie in memory once, or in each process where that was chosen.
//!
//! As `forest.rs`, with an ONNX file that is written here. It needs the library of ONNX Runtime and says so where there is none.
//! SQUALL_ONNX_MB=256 makes it as large; what CI runs is smaller and no different.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::{anonymous, mapped};
use ndarray::Array2;
use squall_model::{Error, Model, OnnxWeights, Options, Rows, import, import_with, source_checksum};

const FEATURES: usize = 64;
const PROCESSES: usize = 4;
const BESIDE: &str = "network.data";

fn main() {
    match std::env::args().nth(1) {
        Some(flag) if flag == "--score" => score(&std::env::args().nth(2).expect("a model")),
        _ => parent(),
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3 | 2);
    varint(&mut out, value.len() as u64);
    [&out, value].concat()
}

fn number(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3);
    varint(&mut out, value);
    out
}

/// A network of three layers without an activation, with matrices of about so many bytes, as a `ModelProto`. The largest one goes to
/// `beside`, if there is such a file.
fn network(size: usize, mut beside: Option<&mut Vec<u8>>) -> Vec<u8> {
    let wide = ((size / 4) as f64).sqrt() as usize;
    let mut state = 88_172_645_463_325_252u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 2001) as f32 / 1000.0 - 1.0
    };
    let (mut graph, mut input) = (Vec::new(), "x".to_owned());
    for (layer, (from, to)) in [(FEATURES, wide), (wide, wide), (wide, 3)].into_iter().enumerate() {
        let (weight, output) = (format!("w{layer}"), format!("y{layer}"));
        let data: Vec<u8> = (0..from * to).flat_map(|_| (random() / from as f32).to_le_bytes()).collect();
        let elements = match (&mut beside, layer) {
            (Some(beside), 1) => {
                beside.extend(&data);
                let entry =
                    |key: &str, value: &str| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat());
                [entry("location", BESIDE), entry("length", &data.len().to_string()), number(14, 1)].concat()
            }
            // As raw bytes or as a list of floats: exporters do both.
            _ => bytes(if layer == 0 { 9 } else { 4 }, &data),
        };
        let tensor = [number(1, from as u64), number(1, to as u64), number(2, 1), bytes(8, weight.as_bytes()), elements];
        let node = [bytes(1, input.as_bytes()), bytes(1, weight.as_bytes()), bytes(2, output.as_bytes()), bytes(4, b"MatMul")];
        graph.extend([bytes(5, &tensor.concat()), bytes(1, &node.concat())].concat());
        input = output;
    }
    let value = |name: &str, columns: usize| {
        let shape = bytes(2, &[bytes(1, &bytes(2, b"n")), bytes(1, &number(1, columns as u64))].concat());
        [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &[number(1, 1), shape].concat()))].concat()
    };
    graph.extend([bytes(2, b"network"), bytes(11, &value("x", FEATURES)), bytes(12, &value("y2", 3))].concat());
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat()
}

/// Opens, prefaults and scores, as a worker does; tells how fast when asked, and ends with stdin.
fn score(path: &str) {
    let begun = Instant::now();
    let model = Model::open(Path::new(path)).unwrap();
    model.prefault().unwrap();
    let ready = begun.elapsed();
    let rows = |n: usize| Array2::from_shape_fn((n, FEATURES), |(i, j)| ((i * 31 + j * 17) % 100) as f64 / 100.0);
    let mut values = Vec::new();
    model.predict_values(Rows::F64(rows(16).view()), &mut values).unwrap();
    println!("ready {} {}", ready.as_millis(), values.iter().sum::<f64>());
    for _ in std::io::stdin().lines() {
        let per_row = [1, 64, 1024].map(|n| {
            let x = rows(n);
            let time = |_| {
                let begun = Instant::now();
                model.predict_values(Rows::F64(x.view()), &mut Vec::new()).unwrap();
                begun.elapsed().as_secs_f64()
            };
            let best = (0..9).map(time).fold(f64::MAX, f64::min);
            format!("{:.0}", best / n as f64 * 1e6)
        });
        println!("{}", per_row.join("/"));
    }
}

/// What four processes with the model pay: PSS of the maps of its file, and the least and the most memory of a process of its own.
struct Cost {
    pss: u64,
    own: [u64; 2],
    answer: f64,
}

fn cost(path: &Path) -> Cost {
    let name = path.to_str().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = Command::new(&program);
        command.args(["--score", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        children.push(command.spawn().unwrap());
    }
    let mut said: Vec<_> = children.iter_mut().map(|c| BufReader::new(c.stdout.take().unwrap()).lines()).collect();
    let mut answers = Vec::new();
    for said in &mut said {
        let line = said.next().unwrap().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["ready", millis, answer] = words[..] else { panic!("{line}") };
        println!("  ready after {millis} ms");
        answers.push(answer.parse::<f64>().unwrap());
    }
    let pss = children.iter().map(|c| mapped(c.id(), name, "Pss")).sum::<u64>();
    let own: Vec<u64> = children.iter().map(|c| anonymous(c.id())).collect();
    println!("  pss of its maps {pss}, anonymous bytes of each process {own:?}");
    children[0].stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    println!("  µs a row, 1/64/1024 at a time: {}", said[0].next().unwrap().unwrap());
    for child in &mut children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert!(answers.windows(2).all(|w| w[0] == w[1]), "{answers:?}");
    Cost { pss, own: [*own.iter().min().unwrap(), *own.iter().max().unwrap()], answer: answers[0] }
}

fn parent() {
    let megabytes: usize = std::env::var("SQUALL_ONNX_MB").ok().map_or(48, |mb| mb.parse().expect("a number of megabytes"));
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("network.onnx");
    std::fs::write(&source, network(megabytes << 20, None)).unwrap();
    let mut costs = Vec::new();
    let mut size = 0;
    for held in [OnnxWeights::Shared, OnnxWeights::Prepacked] {
        let out = folder.path().join(format!("{}.safetensors", held.as_str()));
        let mut options = Options::default();
        options.onnx_weights = Some(held);
        match import_with(&source, &out, options, &mut |_, _| {}) {
            Ok(imported) => size = imported.bytes,
            Err(e @ Error::Unavailable { .. }) => {
                assert!(e.to_string().contains("pip install onnxruntime"), "{e}");
                println!("NOT TESTED, for want of a library: {e}");
                return;
            }
            Err(e) => panic!("{e}"),
        }
        println!("{}, {size} bytes:", held.as_str());
        costs.push(cost(&out));
    }
    // The same weights in a file beside the graph make the same model, named by both files.
    let (parted, mut beside) = (folder.path().join("parted.onnx"), Vec::new());
    let graph = network(megabytes << 20, Some(&mut beside));
    std::fs::write(&parted, &graph).unwrap();
    std::fs::write(folder.path().join(BESIDE), &beside).unwrap();
    let out = folder.path().join("parted.safetensors");
    let imported = import(&parted, &out, &mut |_, _| {}).unwrap();
    assert!(imported.bytes.abs_diff(size) < 4096);
    assert_eq!(imported.source_sha256, source_checksum(&parted).unwrap());
    let both = folder.path().join("both");
    std::fs::write(&both, [graph, beside].concat()).unwrap();
    assert_eq!(imported.source_sha256, source_checksum(&both).unwrap());
    let x = Array2::from_elem((3, FEATURES), 0.5);
    let values = |name: &str| {
        let (model, mut out) = (Model::open(&folder.path().join(name)).unwrap(), Vec::new());
        model.predict_values(Rows::F64(x.view()), &mut out).unwrap();
        out
    };
    assert_eq!(values("shared.safetensors"), values("parted.safetensors"));
    std::fs::remove_file(folder.path().join(BESIDE)).unwrap();
    let error = import(&parted, &out, &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains(BESIDE), "{error}");

    let [shared, prepacked] = &costs[..] else { unreachable!() };
    assert!((shared.answer - prepacked.answer).abs() < 1e-3 * prepacked.answer.abs().max(1.0));
    assert!(shared.pss as f64 <= 1.02 * size as f64, "{} bytes resident of a file of {size}", shared.pss);
    assert!(shared.pss as f64 >= 0.95 * size as f64, "only {} bytes of {size} were there after prefaulting", shared.pss);
    // What the runtime takes by itself and for a batch, and no weights.
    assert!(shared.own[1] < 24 << 20, "a process has {} bytes of its own", shared.own[1]);
    assert!(prepacked.own[0] > size * 9 / 10, "prepacked weights are not there: {} bytes", prepacked.own[0]);
}
