//! Control items: what is said beside the data, held back by no credit.

use rmp::encode;

use super::read::{Reader, Result, WireError};
use crate::{Root, Run};

/// Room for more: the receiving task has taken in so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    /// The task that may be sent to.
    pub task: u32,
    /// Tuples taken in.
    pub tuples: u64,
    /// Bytes taken in.
    pub bytes: u64,
}

/// A change to a tree, for the ledger of the spout's worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    /// The tree, or the first of some.
    pub root: Root,
    /// How many trees, in slots one after the other; all that follows is so for each.
    pub rows: u32,
    /// XOR of the ids of edges made and done.
    pub xor: u64,
    /// Bits of the workers that edges were sent to.
    pub workers: u64,
    /// What else there is to say.
    pub verdict: Verdict,
}

/// What a [`Delta`] says beside the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Nothing.
    Going = 0,
    /// The tree failed.
    Failed = 1,
    /// The tree's time-out starts anew.
    Extended = 2,
}

/// One control item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// HELLO of the link with this key was accepted; these features are common.
    Welcome {
        /// The key of the link in the other direction.
        key: u64,
        /// The version to speak.
        version: u8,
        /// Features both have.
        features: u64,
    },
    /// Room for more.
    Credit(Credit),
    /// Changes to trees.
    Deltas(Vec<Delta>),
    /// Which frames of the link in the other direction arrived, all up to `seq`; only in ACK frames.
    Ack {
        /// The key of that link.
        key: u64,
        /// The last frame that arrived in order.
        seq: u64,
        /// A later frame arrived before it: send again from there.
        resend: bool,
    },
    /// The sender stops in good order; nothing follows.
    Bye,
    /// Tuples wait so long in the sender's queues, in nanoseconds: time-outs are to allow for it.
    Wait(u64),
    /// The sender's spouts will never emit again, and their trees are done: the end may be near.
    Finished,
    /// Why a tree is about to fail; only where somebody wants to know.
    Reason {
        /// The tree.
        root: Root,
        /// The component and its error.
        text: String,
    },
}

const WELCOME: u64 = 0;
const CREDIT: u64 = 1;
const DELTAS: u64 = 2;
const ACK: u64 = 3;
const BYE: u64 = 4;
const WAIT: u64 = 5;
const FINISHED: u64 = 6;
const REASON: u64 = 7;

/// Bytes of a delta: task, slot, generation, verdict as 32-bit, xor and workers as 64-bit little-endian numbers. In the
/// verdict's upper 24 bits is how many trees follow the first.
const DELTA: usize = 4 * 4 + 2 * 8;

/// Appends an item to a frame's body.
pub fn encode_item(out: &mut Vec<u8>, item: &Item) {
    let mut uints = |kind: u64, rest: &[u64]| -> std::result::Result<(), encode::ValueWriteError> {
        encode::write_array_len(out, 1 + rest.len() as u32)?;
        encode::write_uint(out, kind)?;
        rest.iter().try_for_each(|v| encode::write_uint(out, *v).map(drop))
    };
    let written = match item {
        Item::Welcome { key, version, features } => uints(WELCOME, &[*key, (*version).into(), *features]),
        Item::Credit(c) => uints(CREDIT, &[c.task.into(), c.tuples, c.bytes]),
        Item::Ack { key, seq, resend } => uints(ACK, &[*key, *seq, (*resend).into()]),
        Item::Bye => uints(BYE, &[]),
        Item::Wait(ns) => uints(WAIT, &[*ns]),
        Item::Finished => uints(FINISHED, &[]),
        Item::Reason { root, text } => (|| {
            encode::write_array_len(out, 5)?;
            encode::write_uint(out, REASON)?;
            for v in [root.task, root.slot, root.generation] {
                encode::write_uint(out, v.into())?;
            }
            encode::write_str(out, text)
        })(),
        Item::Deltas(deltas) => {
            encode_deltas(out, deltas);
            Ok(())
        }
    };
    written.expect("writing to a vector does not fail");
}

/// Appends [`Item::Deltas`] to a frame's body, without an item having to be made of them first.
pub fn encode_deltas(out: &mut Vec<u8>, deltas: &[Delta]) {
    let head = (|| {
        encode::write_array_len(out, 2)?;
        encode::write_uint(out, DELTAS)?;
        encode::write_bin_len(out, (deltas.len() * DELTA) as u32)
    })();
    head.expect("writing to a vector does not fail");
    out.reserve(deltas.len() * DELTA);
    for d in deltas {
        let mut bytes = [0; DELTA];
        let said = d.verdict as u32 | (d.rows.saturating_sub(1)) << 8;
        for (at, v) in [d.root.task, d.root.slot, d.root.generation, said].into_iter().enumerate() {
            bytes[4 * at..][..4].copy_from_slice(&v.to_le_bytes());
        }
        bytes[16..24].copy_from_slice(&d.xor.to_le_bytes());
        bytes[24..].copy_from_slice(&d.workers.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
}

/// The items of a control or ACK frame's body. Kinds that this build does not know are skipped, so that a newer
/// neighbour can say more.
///
/// # Errors
/// Bytes that are no items.
pub fn decode_items(body: &[u8]) -> Result<Vec<Item>> {
    let mut r = Reader::new(body);
    let mut items = Vec::new();
    while !r.is_empty() {
        let len = r.array()?;
        let kind = r.uint()?;
        let fields = match kind {
            WELCOME | CREDIT | ACK => 4,
            DELTAS | WAIT => 2,
            BYE | FINISHED => 1,
            REASON => 5,
            _ => {
                (1..len).try_for_each(|_| super::value::read(&mut r).map(drop))?;
                continue;
            }
        };
        if len < fields {
            return Err(WireError::Invalid(format!("control item {kind} has {len} fields, not {fields}")));
        }
        items.push(match kind {
            WELCOME => Item::Welcome { key: r.uint()?, version: r.uint()?.min(255) as u8, features: r.uint()? },
            CREDIT => Item::Credit(Credit { task: r.u32()?, tuples: r.uint()?, bytes: r.uint()? }),
            ACK => Item::Ack { key: r.uint()?, seq: r.uint()?, resend: r.uint()? != 0 },
            DELTAS => Item::Deltas(deltas(r.bin()?)?),
            WAIT => Item::Wait(r.uint()?),
            FINISHED => Item::Finished,
            REASON => {
                Item::Reason { root: Root { task: r.u32()?, slot: r.u32()?, generation: r.u32()? }, text: r.str()?.to_owned() }
            }
            _ => Item::Bye,
        });
        (fields..len).try_for_each(|_| super::value::read(&mut r).map(drop))?;
    }
    Ok(items)
}

fn deltas(bytes: &[u8]) -> Result<Vec<Delta>> {
    let (chunks, rest) = bytes.as_chunks::<DELTA>();
    if !rest.is_empty() {
        return Err(WireError::Invalid(format!("deltas of {} bytes, not a multiple of {DELTA}", bytes.len())));
    }
    let u32_at = |c: &[u8; DELTA], at: usize| u32::from_le_bytes([c[at], c[at + 1], c[at + 2], c[at + 3]]);
    let u64_at = |c: &[u8; DELTA], at: usize| u64::from(u32_at(c, at)) | u64::from(u32_at(c, at + 4)) << 32;
    let delta = |c: &[u8; DELTA]| {
        let (verdict, rows) = (u32_at(c, 12) & 0xff, (u32_at(c, 12) >> 8) + 1);
        let verdict = match verdict {
            0 => Verdict::Going,
            1 => Verdict::Failed,
            2 => Verdict::Extended,
            other => return Err(WireError::Invalid(format!("unknown verdict {other}"))),
        };
        if rows > Run::MOST {
            return Err(WireError::Invalid(format!("a delta of {rows} trees, more than {}", Run::MOST)));
        }
        let root = Root { task: u32_at(c, 0), slot: u32_at(c, 4), generation: u32_at(c, 8) };
        Ok(Delta { root, rows, xor: u64_at(c, 16), workers: u64_at(c, 24), verdict })
    };
    chunks.iter().map(delta).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn items_come_back_and_unknown_ones_are_skipped() {
        let root = Root { task: 1, slot: 2, generation: 3 };
        let items = vec![
            Item::Welcome { key: 1, version: 1, features: 0 },
            Item::Credit(Credit { task: 3, tuples: 4, bytes: u64::MAX }),
            Item::Deltas(vec![
                Delta { root, rows: 256, xor: u64::MAX, workers: 1 << 63, verdict: Verdict::Failed },
                Delta { root, rows: 1, xor: 0, workers: 0, verdict: Verdict::Extended },
            ]),
            Item::Ack { key: 9, seq: 8, resend: true },
            Item::Bye,
            Item::Wait(7),
            Item::Finished,
            Item::Reason { root, text: "parse: bad row".into() },
        ];
        let mut bytes = Vec::new();
        items.iter().for_each(|i| encode_item(&mut bytes, i));
        bytes.extend_from_slice(&[0x93, 99, 0xa1, b'x', 0xc0]);
        encode_item(&mut bytes, &Item::Bye);
        let mut expected = items;
        expected.push(Item::Bye);
        assert_eq!(decode_items(&bytes).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_items(&bytes);
        }
    }
}
