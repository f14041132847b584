//! What reads bytes that somebody else wrote, as targets for fuzzers. None may panic, loop, or take memory that the bytes did not pay
//! for; that it says no is fine. `tests/tests/fuzz.rs` runs them over mutations of what is known; each takes just bytes, as fuzzers
//! that are guided by coverage want it.

use std::path::{Path, PathBuf};

use squall_core::control::{Heartbeat, Hello as WorkerHello, Kill, Orders, Rebalance, Report, Submit};
use squall_core::topology::{Sources, parse};
use squall_core::wire::{
    Credit, Delta, FrameKind, HEADER, Hello, Item, Verdict, decode_batches, decode_frame, decode_items, encode_batch,
    encode_hello, encode_item, seal,
};
use squall_core::{Columns, Edge, FieldType, Lineage, Root, Schema, Value, ValueRef};

use crate::chaos::Dice;
use crate::repository;

/// A target: its name, what it does with bytes, and bytes to begin with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets.
pub const TARGETS: [Target; 4] = [
    ("wire", wire, wire_seeds),
    ("topology", topology, topology_seeds),
    ("http", http, http_seeds),
    ("pickle", pickle, pickle_seeds),
];

fn columns() -> Columns {
    let kinds = [
        FieldType::Any,
        FieldType::Bool,
        FieldType::Int,
        FieldType::Float,
        FieldType::Str,
        FieldType::Bytes,
        FieldType::F32s(Some(2)),
        FieldType::F64s(None),
    ];
    Columns::new(Schema::new(kinds.into_iter().enumerate().map(|(i, kind)| (format!("f{i}"), kind))).into())
}

/// Frames between workers.
pub fn wire(bytes: &[u8]) {
    let Ok(frame) = decode_frame(bytes) else { return };
    match frame.kind {
        FrameKind::Hello => drop(Hello::decode(frame.body)),
        FrameKind::Control | FrameKind::Ack => {
            // What was understood can be said again.
            if let Ok(items) = decode_items(frame.body) {
                let mut again = Vec::new();
                items.iter().for_each(|item| encode_item(&mut again, item));
                assert_eq!(decode_items(&again).as_ref(), Ok(&items));
            }
        }
        FrameKind::Data => {
            if let Ok(batches) = decode_batches(frame.body, &mut |_| Some(columns())) {
                for batch in batches {
                    let receivers: Vec<(u32, &Lineage)> = batch.receivers.iter().map(|r| (r.task, &r.lineage)).collect();
                    let mut again = Vec::new();
                    encode_batch(&mut again, batch.stream, batch.source, &batch.columns, &receivers);
                    assert!(decode_batches(&again, &mut |_| Some(columns())).is_ok(), "what was understood can be said again");
                }
            }
        }
    }
}

fn wire_seeds() -> Vec<Vec<u8>> {
    let root = Root { task: 1, slot: 2, generation: 3 };
    let hello = Hello {
        token: "0123456789abcdef".into(),
        versions: (1, 1),
        features: 0,
        topology: "t-1".into(),
        plan: "ab".into(),
        from: (0, 1 << 32 | 1),
        to: (1, 1 << 32 | 2),
        endpoint: "tcp://127.0.0.1:4000".into(),
    };
    let sealed = |kind, body: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = HEADER.to_vec();
        body(&mut frame);
        seal(&mut frame, kind, 7, 1, 1);
        frame
    };
    let items = [
        Item::Welcome { key: 1, version: 1, features: 0 },
        Item::Credit(Credit { task: 3, tuples: 4, bytes: 5 }),
        Item::Deltas(vec![Delta { root, xor: 9, workers: 1, verdict: Verdict::Failed }; 3]),
        Item::Ack { key: 9, seq: 8, resend: true },
        Item::Wait(7),
        Item::Reason { root, text: "parse: bad row".into() },
        Item::Finished,
        Item::Bye,
    ];
    let mut rows = columns();
    for n in 0..3i64 {
        let any = Value::from(serde_json::json!([n, "x"]));
        let row: [ValueRef<'_>; 8] = [
            any.as_ref(),
            (n > 1).into(),
            n.into(),
            0.5.into(),
            "text".into(),
            ValueRef::Bytes(b"bytes"),
            ValueRef::F32s(&[1.0, 2.0]),
            ValueRef::F64s(&[3.0]),
        ];
        rows.push(&row).expect("the row fits");
    }
    let (mut one, mut some) = (Lineage::default(), Lineage::default());
    (0..3).for_each(|n| one.push_one(n, Edge { root, id: n as u64 }));
    (0..3).for_each(|n| some.push(n, &vec![Edge { root, id: 5 }; n]));
    vec![
        encode_hello(&hello, 7, 1),
        sealed(FrameKind::Control, &|out| items.iter().for_each(|i| encode_item(out, i))),
        sealed(FrameKind::Ack, &|out| encode_item(out, &items[3])),
        sealed(FrameKind::Data, &|out| {
            encode_batch(out, 0, 1, &rows, &[(2, &one), (3, &some), (4, &Lineage::default())]);
            encode_batch(out, 1, 1, &rows, &[(5, &one)]);
        }),
    ]
}

/// A topology file, with itself for everything it includes.
pub fn topology(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut reads = 0;
    let read = &mut |_: &Path| {
        reads += 1;
        assert!(reads < 10_000, "includes are followed for ever");
        Ok(text.to_owned())
    };
    let spec = parse(Path::new("fuzz.toml"), &mut Sources { read, var: &|name| Some(name.to_owned()) });
    let length = text.lines().count().max(1);
    for fault in spec.errors() {
        assert!(fault.place.line >= 1 && fault.place.line <= length + 1, "{fault:?} is not in a file of {length} lines");
    }
}

fn topology_seeds() -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(repository().join("topologies")).expect("the topologies are there");
    let mut files: Vec<PathBuf> =
        folder.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files.iter().map(|p| std::fs::read(p).expect("a topology can be read")).collect()
}

/// Bodies of calls to nimbus and supervisors.
pub fn http(bytes: &[u8]) {
    fn read<T: serde::de::DeserializeOwned + serde::Serialize>(bytes: &[u8]) {
        if let Ok(body) = serde_json::from_slice::<T>(bytes) {
            let again = serde_json::to_vec(&body).expect("what was understood can be said again");
            serde_json::from_slice::<T>(&again).expect("and is understood again");
        }
    }
    read::<Submit>(bytes);
    read::<Kill>(bytes);
    read::<Rebalance>(bytes);
    read::<Heartbeat>(bytes);
    read::<WorkerHello>(bytes);
    read::<Orders>(bytes);
    read::<Report>(bytes);
}

fn http_seeds() -> Vec<Vec<u8>> {
    let heartbeat = Heartbeat { workers: vec![Default::default()], models: vec![Default::default()], ..Heartbeat::default() };
    let report = Report { tasks: vec![Default::default()], ..Report::default() };
    let json = |body: serde_json::Value| body.to_string().into_bytes();
    vec![
        serde_json::to_vec(&heartbeat).expect("a heartbeat is JSON"),
        serde_json::to_vec(&report).expect("a report is JSON"),
        json(serde_json::json!({"wait_ms": 5, "workers": 3, "parallelism": {"a": 2}})),
        json(serde_json::json!({"incarnation": 4294967297u64, "pid": 2, "endpoint": "tcp://127.0.0.1:4000"})),
        json(serde_json::json!({"revision": 1, "epoch": 1, "state": "active", "workers": [
            {"index": 0, "tasks": [1], "since": 1, "endpoint": null, "incarnation": 0}]})),
        json(serde_json::json!({"inactive": true, "plan": {"name": "t", "settings": {"workers": 2, "message_timeout": "30s"},
            "components": [{"id": "s", "kind": "spout", "type": "sequence", "config": {}, "parallelism": 1,
                "outputs": [{"name": "default", "fields": [{"name": "n", "type": "int"}]}]}]}})),
    ]
}

/// A pickled model.
pub fn pickle(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source, out) = (folder.path().join("model.pkl"), folder.path().join("model.safetensors"));
    std::fs::write(&source, bytes).expect("the folder can be written to");
    let done = squall_model::import(&source, &out, &mut |_, _| {});
    assert_eq!(done.is_ok(), out.exists(), "an artefact appears exactly when the import succeeds");
}

fn pickle_seeds() -> Vec<Vec<u8>> {
    let models = repository().join("topologies/models");
    let mut seeds: Vec<Vec<u8>> = ["iris.pkl", "digits-logistic.pkl"]
        .iter()
        .map(|f| std::fs::read(models.join(f)).expect("a model can be read"))
        .collect();
    seeds.push(b"cos\nsystem\n(S'true'\ntR.".to_vec());
    seeds
}

/// What a target begins with: its own seeds, and what is in the folder `tests/fuzz/TARGET`, if there is one: bytes that once did harm.
pub fn corpus((name, _, seeds): &Target) -> Vec<Vec<u8>> {
    let mut all = seeds();
    let mut found: Vec<PathBuf> = std::fs::read_dir(repository().join("tests/fuzz").join(name))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    found.sort();
    all.extend(found.iter().map(|p| std::fs::read(p).expect("a corpus can be read")));
    all
}

/// Changes bytes as a careless network, disk or attacker would.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const TELLING: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', 0xc6, 0xcf, 0xdb, 0xdd];
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1).min(bytes.len());
        match dice.below(7) {
            0 if !bytes.is_empty() => bytes[at.min(at.saturating_sub(1))] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at.saturating_sub(1)] = *dice.pick(&TELLING),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, *dice.pick(&TELLING)),
            4 => drop(bytes.drain(at..(at + dice.below(9)).min(bytes.len()))),
            5 if !other.is_empty() => {
                let from = dice.below(other.len());
                let piece = other[from..(from + 1 + dice.below(32)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let piece = bytes[at..(at + 1 + dice.below(64)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
    }
}
