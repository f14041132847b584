//! Batches in data frames. Columns travel as they are kept: numbers as one little-endian block, text as its ends and one
//! string. So encoding and decoding copy blocks, whatever the number of rows.

use std::sync::Arc;

use rmp::encode::{self, ValueWriteError};

use super::read::{Reader, Result, WireError};
use super::value;
use crate::column::{Column, Packed, Text, Vectors};
use crate::{Columns, Edge, Lineage, Root, Run};

/// Bytes of an edge: task, slot and generation as 32-bit, the id as a 64-bit little-endian number.
const EDGE: usize = 3 * 4 + 8;

/// Bytes of a run: those of an edge, and before the id the number of rows as a 32-bit number.
const RUN: usize = EDGE + 4;

/// Appends a batch to the body of a data frame: the rows once, and for each receiving task of the destination process
/// its trees. `bytes` is what credit counts.
pub fn encode_batch(out: &mut Vec<u8>, stream: u32, source: u32, columns: &Columns, receivers: &[(u32, &Lineage)]) {
    let write = |out: &mut Vec<u8>| -> std::result::Result<(), ValueWriteError> {
        encode::write_array_len(out, 6)?;
        encode::write_uint(out, stream.into())?;
        encode::write_uint(out, source.into())?;
        encode::write_uint(out, columns.rows as u64)?;
        encode::write_uint(out, columns.bytes as u64)?;
        encode::write_array_len(out, columns.columns.len() as u32)?;
        columns.columns.iter().try_for_each(|c| column(out, c))?;
        encode::write_array_len(out, receivers.len() as u32)?;
        for (task, lineage) in receivers {
            encode::write_array_len(out, 2)?;
            encode::write_uint(out, (*task).into())?;
            edges(out, lineage)?;
        }
        Ok(())
    };
    write(out).expect("writing to a vector does not fail");
}

fn column(out: &mut Vec<u8>, column: &Column) -> std::result::Result<(), ValueWriteError> {
    fn packed<T: bytemuck::NoUninit>(out: &mut Vec<u8>, p: &Packed<T>) -> std::result::Result<(), ValueWriteError> {
        encode::write_array_len(out, 2)?;
        encode::write_bin(out, bytemuck::cast_slice(&p.ends))?;
        encode::write_bin(out, bytemuck::cast_slice(&p.data))
    }
    match column {
        Column::Bool(c) => {
            encode::write_bin_len(out, c.len() as u32)?;
            out.extend(c.iter().map(|b| u8::from(*b)));
            Ok(())
        }
        Column::Int(c) => encode::write_bin(out, bytemuck::cast_slice(c)),
        Column::Float(c) => encode::write_bin(out, bytemuck::cast_slice(c)),
        Column::Str(c) => {
            encode::write_array_len(out, 2)?;
            encode::write_bin(out, bytemuck::cast_slice(&c.ends))?;
            encode::write_str(out, &c.data)
        }
        Column::Bytes(c) => packed(out, c),
        Column::F32s(Vectors::Fixed(_, c)) => encode::write_bin(out, bytemuck::cast_slice(c)),
        Column::F64s(Vectors::Fixed(_, c)) => encode::write_bin(out, bytemuck::cast_slice(c)),
        Column::F32s(Vectors::Varied(c)) => packed(out, c),
        Column::F64s(Vectors::Varied(c)) => packed(out, c),
        Column::Any(c) => {
            encode::write_array_len(out, c.len() as u32)?;
            c.iter().for_each(|v| value::write(out, v.as_ref()));
            Ok(())
        }
    }
}

fn edges(out: &mut Vec<u8>, lineage: &Lineage) -> std::result::Result<(), ValueWriteError> {
    if lineage.is_empty() {
        out.push(rmp::Marker::Null.to_u8());
        return Ok(());
    }
    if !lineage.runs.is_empty() {
        encode::write_array_len(out, 1)?;
        encode::write_bin_len(out, (lineage.runs.len() * RUN) as u32)?;
        for Run { root, rows, id } in &lineage.runs {
            let mut bytes = [0; RUN];
            for (at, v) in [root.task, root.slot, root.generation, *rows].into_iter().enumerate() {
                bytes[4 * at..][..4].copy_from_slice(&v.to_le_bytes());
            }
            bytes[16..].copy_from_slice(&id.to_le_bytes());
            out.extend_from_slice(&bytes);
        }
        return Ok(());
    }
    if !lineage.ends.is_empty() {
        encode::write_array_len(out, 2)?;
        encode::write_bin(out, bytemuck::cast_slice(&lineage.ends))?;
    }
    encode::write_bin_len(out, (lineage.edges.len() * EDGE) as u32)?;
    out.reserve(lineage.edges.len() * EDGE);
    for e in &lineage.edges {
        let mut bytes = [0; EDGE];
        bytes[0..4].copy_from_slice(&e.root.task.to_le_bytes());
        bytes[4..8].copy_from_slice(&e.root.slot.to_le_bytes());
        bytes[8..12].copy_from_slice(&e.root.generation.to_le_bytes());
        bytes[12..].copy_from_slice(&e.id.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    Ok(())
}

/// A batch for one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Addressed {
    /// The receiving task.
    pub task: u32,
    /// The trees of the rows, as this task holds them.
    pub lineage: Lineage,
}

/// A batch as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedBatch {
    /// The stream's number in the plan.
    pub stream: u32,
    /// The emitting task.
    pub source: u32,
    /// The rows, shared by the receiving tasks.
    pub columns: Arc<Columns>,
    /// Who gets them.
    pub receivers: Vec<Addressed>,
}

/// Takes the batches out of a data frame's body. `storage` gives empty columns for a stream's number, and `None` for a
/// number that the plan does not have.
///
/// # Errors
/// Bytes that are no batches, or batches that do not fit the plan.
pub fn decode_batches(body: &[u8], storage: &mut dyn FnMut(u32) -> Option<Columns>) -> Result<Vec<DecodedBatch>> {
    let mut r = Reader::new(body);
    let mut batches = Vec::new();
    while !r.is_empty() {
        if r.array()? != 6 {
            return Err(WireError::Invalid(format!("byte {}: not a batch", r.at())));
        }
        let (stream, source) = (r.u32()?, r.u32()?);
        let (rows, bytes) = (r.u32()? as usize, r.uint()?);
        let mut columns = storage(stream).ok_or_else(|| WireError::Invalid(format!("unknown stream {stream}")))?;
        let width = r.array()?;
        if width != columns.columns.len() {
            return Err(WireError::Invalid(format!(
                "{width} columns for stream {stream}, which has {}",
                columns.columns.len()
            )));
        }
        columns.columns.iter_mut().try_for_each(|c| read_column(&mut r, c, rows))?;
        if width == 0 && rows > 1 << 20 {
            return Err(WireError::Invalid(format!("{rows} rows of no columns")));
        }
        columns.rows = rows;
        columns.bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(super::MAX_FRAME);
        let receivers = (0..r.array()?).map(|_| addressed(&mut r, rows)).collect::<Result<_>>()?;
        batches.push(DecodedBatch { stream, source, columns: Arc::new(columns), receivers });
    }
    Ok(batches)
}

fn addressed(r: &mut Reader<'_>, rows: usize) -> Result<Addressed> {
    if r.array()? != 2 {
        return Err(WireError::Invalid(format!("byte {}: not a receiver", r.at())));
    }
    let task = r.u32()?;
    let marker = r.marker()?;
    let mut lineage = Lineage::default();
    let array = r.array_of(marker)?;
    if let Some(1) = array {
        lineage.runs = read_runs(r.bin()?, rows)?;
    } else if let Some(2) = array {
        value::extend(&mut lineage.ends, r.bin()?)?;
        lineage.edges = read_edges(r.bin()?)?;
        check_ends(&lineage.ends, rows, lineage.edges.len())?;
    } else if let Some(bytes) = r.bin_of(marker)? {
        lineage.edges = read_edges(bytes)?;
        if lineage.edges.len() != rows {
            return Err(WireError::Invalid(format!("{} edges for {rows} rows", lineage.edges.len())));
        }
    } else if marker != rmp::Marker::Null {
        return r.unexpected(marker, "edges");
    }
    Ok(Addressed { task, lineage })
}

fn read_runs(bytes: &[u8], rows: usize) -> Result<Vec<Run>> {
    let (chunks, rest) = bytes.as_chunks::<RUN>();
    let u32_at = |c: &[u8; RUN], at: usize| u32::from_le_bytes([c[at], c[at + 1], c[at + 2], c[at + 3]]);
    let run = |c: &[u8; RUN]| Run {
        root: Root { task: u32_at(c, 0), slot: u32_at(c, 4), generation: u32_at(c, 8) },
        rows: u32_at(c, 12),
        id: u64::from(u32_at(c, 16)) | u64::from(u32_at(c, 20)) << 32,
    };
    let runs: Vec<Run> = chunks.iter().map(run).collect();
    let whole = runs.iter().all(|run| (1..=Run::MOST).contains(&run.rows));
    if !rest.is_empty() || !whole || runs.iter().map(|run| run.rows as usize).sum::<usize>() != rows {
        return Err(WireError::Invalid(format!("{} bytes of runs that do not fit {rows} rows", bytes.len())));
    }
    Ok(runs)
}

fn read_edges(bytes: &[u8]) -> Result<Vec<Edge>> {
    let (chunks, rest) = bytes.as_chunks::<EDGE>();
    if !rest.is_empty() {
        return Err(WireError::Invalid(format!("edges of {} bytes, not a multiple of {EDGE}", bytes.len())));
    }
    let u32_at = |c: &[u8; EDGE], at: usize| u32::from_le_bytes([c[at], c[at + 1], c[at + 2], c[at + 3]]);
    let edge = |c: &[u8; EDGE]| Edge {
        root: Root { task: u32_at(c, 0), slot: u32_at(c, 4), generation: u32_at(c, 8) },
        id: u64::from(u32_at(c, 12)) | u64::from(u32_at(c, 16)) << 32,
    };
    Ok(chunks.iter().map(edge).collect())
}

/// Ends must not fall, one for each row, the last at the end of the data.
fn check_ends(ends: &[u32], rows: usize, data: usize) -> Result<()> {
    let rising = ends.is_sorted();
    if ends.len() != rows || !rising || ends.last().map_or(0, |e| *e as usize) != data {
        return Err(WireError::Invalid(format!("{} ends that do not fit {rows} rows of {data} in all", ends.len())));
    }
    Ok(())
}

fn read_column(r: &mut Reader<'_>, column: &mut Column, rows: usize) -> Result<()> {
    fn block<T: bytemuck::Pod>(r: &mut Reader<'_>, to: &mut Vec<T>, len: usize) -> Result<()> {
        value::extend(to, r.bin()?)?;
        if to.len() == len { Ok(()) } else { Err(WireError::Invalid(format!("{} values for {len}", to.len()))) }
    }
    fn packed<T: bytemuck::Pod>(r: &mut Reader<'_>, p: &mut Packed<T>, rows: usize) -> Result<()> {
        pair(r)?;
        value::extend(&mut p.ends, r.bin()?)?;
        value::extend(&mut p.data, r.bin()?)?;
        check_ends(&p.ends, rows, p.data.len())
    }
    match column {
        Column::Bool(c) => {
            let bytes = r.bin()?;
            if bytes.len() != rows || bytes.iter().any(|b| *b > 1) {
                return Err(WireError::Invalid(format!("{} booleans for {rows} rows", bytes.len())));
            }
            c.extend(bytes.iter().map(|b| *b == 1));
            Ok(())
        }
        Column::Int(c) => block(r, c, rows),
        Column::Float(c) => block(r, c, rows),
        Column::Str(c) => text(r, c, rows),
        Column::Bytes(c) => packed(r, c, rows),
        Column::F32s(Vectors::Fixed(width, c)) => block(r, c, product(rows, *width)?),
        Column::F64s(Vectors::Fixed(width, c)) => block(r, c, product(rows, *width)?),
        Column::F32s(Vectors::Varied(c)) => packed(r, c, rows),
        Column::F64s(Vectors::Varied(c)) => packed(r, c, rows),
        Column::Any(c) => {
            let len = r.array()?;
            if len != rows {
                return Err(WireError::Invalid(format!("{len} values for {rows} rows")));
            }
            (0..len).try_for_each(|_| {
                c.push(value::read(r)?);
                Ok(())
            })
        }
    }
}

fn product(rows: usize, width: u32) -> Result<usize> {
    rows.checked_mul(width as usize).ok_or_else(|| WireError::Invalid(format!("{rows} rows of width {width}")))
}

fn pair(r: &mut Reader<'_>) -> Result<()> {
    if r.array()? == 2 { Ok(()) } else { Err(WireError::Invalid(format!("byte {}: not ends and data", r.at()))) }
}

fn text(r: &mut Reader<'_>, column: &mut Text, rows: usize) -> Result<()> {
    pair(r)?;
    value::extend(&mut column.ends, r.bin()?)?;
    column.data.push_str(r.str()?);
    check_ends(&column.ends, rows, column.data.len())?;
    // A row is cut out of the string later, so every end must lie between characters.
    if column.data.is_ascii() || column.ends.iter().all(|e| column.data.is_char_boundary(*e as usize)) {
        Ok(())
    } else {
        Err(WireError::Invalid("text cut within a character".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldType, Schema, ValueRef};
    use proptest::prelude::*;

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::new([
            ("b", FieldType::Bool),
            ("i", FieldType::Int),
            ("f", FieldType::Float),
            ("s", FieldType::Str),
            ("y", FieldType::Bytes),
            ("x", FieldType::F32s(Some(3))),
            ("z", FieldType::F64s(None)),
            ("a", FieldType::Any),
        ]))
    }

    fn filled(texts: &[String]) -> (Columns, Lineage) {
        let mut columns = Columns::new(schema());
        let mut lineage = Lineage::default();
        for (n, text) in texts.iter().enumerate() {
            let z = vec![n as f64; n % 4];
            let row = [
                ValueRef::Bool(n % 2 == 0),
                ValueRef::Int(-(n as i64)),
                ValueRef::Float(n as f64 / 3.0),
                ValueRef::Str(text),
                ValueRef::Bytes(text.as_bytes()),
                ValueRef::F32s(&[1.0, n as f32, 3.0]),
                ValueRef::F64s(&z),
                if n % 3 == 0 { ValueRef::Nil } else { ValueRef::Str(text) },
            ];
            columns.push(&row).unwrap();
            let edges: Vec<Edge> =
                (0..n % 3).map(|i| Edge { root: Root { task: 1, slot: i as u32, generation: 2 }, id: !(n as u64) }).collect();
            lineage.push(n, &edges);
        }
        (columns, lineage)
    }

    fn encoded(texts: &[String]) -> (Vec<u8>, Columns, Lineage) {
        let (columns, lineage) = filled(texts);
        let mut out = Vec::new();
        encode_batch(&mut out, 3, 7, &columns, &[(11, &lineage), (12, &Lineage::default())]);
        (out, columns, lineage)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<DecodedBatch>> {
        decode_batches(bytes, &mut |stream| (stream == 3).then(|| Columns::new(schema())))
    }

    proptest! {
        #[test]
        fn runs_come_back(lengths in proptest::collection::vec(1u32..=Run::MOST, 1..5), cut in 1usize..24) {
            let mut columns = Columns::new(Schema::new([("n", FieldType::Int)]).into());
            let mut lineage = Lineage::default();
            for (n, rows) in lengths.into_iter().enumerate() {
                let root = Root { task: 1, slot: 1 << 31 | (n as u32) << 8, generation: 7 };
                lineage.push_run(columns.len(), Run { root, rows, id: !(n as u64) });
                (0..rows).for_each(|n| columns.push(&[i64::from(n).into()]).unwrap());
            }
            let mut bytes = Vec::new();
            encode_batch(&mut bytes, 3, 7, &columns, &[(11, &lineage)]);
            let storage = |columns: &Columns| Columns::new(columns.schema().clone());
            let decoded = decode_batches(&bytes, &mut |_| Some(storage(&columns))).unwrap();
            prop_assert_eq!(&decoded[0].receivers[0].lineage, &lineage);
            // A run of a row more or less does not fit the rows.
            let at = bytes.len() - RUN + 12;
            bytes[at] ^= cut as u8;
            prop_assert!(decode_batches(&bytes, &mut |_| Some(storage(&columns))).is_err());
        }

        #[test]
        fn batches_come_back(texts in proptest::collection::vec(".{0,12}", 0..20)) {
            let (bytes, columns, lineage) = encoded(&texts);
            let decoded = decode(&bytes).unwrap();
            prop_assert_eq!(decoded.len(), 1);
            prop_assert_eq!(&*decoded[0].columns, &columns);
            prop_assert_eq!((decoded[0].stream, decoded[0].source), (3, 7));
            prop_assert_eq!(&decoded[0].receivers[0], &Addressed { task: 11, lineage });
            prop_assert!(decoded[0].receivers[1].lineage.is_empty());
        }

        #[test]
        fn damage_is_refused_or_read_but_never_panics(
            texts in proptest::collection::vec(".{0,6}", 1..6), at: prop::sample::Index, byte: u8
        ) {
            let (mut bytes, _, _) = encoded(&texts);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            for batch in decode(&bytes).unwrap_or_default() {
                // What was let in can be read to the end.
                for row in 0..batch.columns.len() {
                    (0..8).for_each(|c| { batch.columns.get(row, c).unwrap(); });
                    batch.receivers.iter().for_each(|r| { r.lineage.row(row); });
                }
            }
        }

        #[test]
        fn a_cut_is_refused(texts in proptest::collection::vec(".{0,6}", 1..4), at: prop::sample::Index) {
            let (bytes, _, _) = encoded(&texts);
            let at = at.index(bytes.len());
            prop_assert!(at == 0 || decode(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn a_stream_that_the_plan_does_not_have_is_refused() {
        let mut out = Vec::new();
        encode_batch(&mut out, 4, 7, &filled(&["a".into()]).0, &[]);
        assert_eq!(decode(&out).unwrap_err().to_string(), "unknown stream 4");
    }
}
