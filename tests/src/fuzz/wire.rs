//! Frames between workers: what is understood can be said again; and whole conversations with one of them.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use squall_core::topology::{Sources, check, parse};
use squall_core::wire::{
    Credit, Delta, FrameKind, HEADER, Hello, Item, Verdict, decode_batches, decode_frame, decode_items, encode_batch,
    encode_hello, encode_item, seal,
};
use squall_core::{Columns, Edge, FieldType, Lineage, Plan, Root, Schema, Value, ValueRef};
use squall_worker::fuzz;

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
pub(super) fn frame(bytes: &[u8]) {
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

pub(super) fn frames() -> Vec<Vec<u8>> {
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
        Item::Deltas(vec![Delta { root, rows: 2, xor: 9, workers: 1, verdict: Verdict::Failed }; 3]),
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

/// What two workers share: every kind of grouping that may cross a link, trees of several generations, errors with reasons.
const TOPOLOGY: &str = r#"
name = "fuzzed"
config = { workers = 2, max_spout_pending = 20, queue_tuples = 12, max_failures = 2 }
spouts.numbers = { type = "sequence", parallelism = 2, config = { limit = 60, keys = 7 } }
bolts.same = { type = "identity", parallelism = 2, inputs = [{ from = "numbers", grouping = "shuffle" }] }
bolts.last = { type = "last", parallelism = 2, inputs = [{ from = "same", grouping = "fields", fields = ["key"] }], config = { key = "key", value = "n", size = 2 } }
bolts.some = { type = "fail", parallelism = 2, inputs = [{ from = "same", grouping = "all" }], config = { every = 9 } }
bolts.end = { type = "null", inputs = [{ from = "last", grouping = "global" }] }
"#;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let read = &mut |_: &Path| Ok(TOPOLOGY.to_owned());
    let spec = parse(Path::new("fuzzed.toml"), &mut Sources { read, var: &|_| None });
    let checked = check(&spec, &mut squall_components::registry(), &Default::default());
    Arc::new(checked.unwrap_or_else(|faults| panic!("{faults:?}")).0)
});

/// Everything that happens at the links of a worker.
pub(super) fn link(bytes: &[u8]) {
    fuzz::link(&squall_components::registry(), &PLAN, bytes);
}

pub(super) fn conversations() -> Vec<Vec<u8>> {
    let registry = squall_components::registry();
    [false, true].map(|broken| fuzz::conversation(&registry, &PLAN, broken)).to_vec()
}
