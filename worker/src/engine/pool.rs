//! Columns used again: a batch that was taken in gives its memory to the next one emitted on the same stream.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use squall_core::{Columns, Lineage, Schema};

use crate::sync::lock;

/// Kept for each stream, as long as they hold no more bytes; more are freed.
const KEPT: usize = 512;
const KEPT_BYTES: usize = 8 << 20;
/// Lineages kept.
const KEPT_LINEAGES: usize = 64;
/// Larger ones are freed: one huge tuple must not stay for ever.
const LARGEST: usize = 1 << 20;

#[derive(Default)]
struct Shelf {
    columns: Vec<(usize, Columns)>,
    bytes: usize,
}

pub(crate) struct Pool {
    streams: Vec<(Arc<Schema>, Mutex<Shelf>)>,
    lineages: Mutex<Vec<Lineage>>,
    /// Something was taken since the last call of `rest`.
    used: AtomicBool,
}

impl Pool {
    /// A pool for streams of these schemas, by number.
    pub(crate) fn new(schemas: Vec<Arc<Schema>>) -> Self {
        Pool {
            streams: schemas.into_iter().map(|s| (s, Mutex::default())).collect(),
            lineages: Mutex::default(),
            used: AtomicBool::new(false),
        }
    }

    pub(crate) fn take_lineage(&self) -> Lineage {
        lock(&self.lineages).pop().unwrap_or_default()
    }

    pub(crate) fn give_lineage(&self, mut lineage: Lineage) {
        if !lineage.is_empty() {
            lineage.clear();
            let mut kept = lock(&self.lineages);
            if kept.len() < KEPT_LINEAGES {
                kept.push(lineage);
            }
        }
    }

    pub(crate) fn schema(&self, stream: u32) -> Option<&Arc<Schema>> {
        self.streams.get(stream as usize).map(|(schema, _)| schema)
    }

    pub(crate) fn take(&self, stream: u32, schema: &Arc<Schema>) -> Columns {
        self.take_known(stream).unwrap_or_else(|| Columns::new(schema.clone()))
    }

    pub(crate) fn take_known(&self, stream: u32) -> Option<Columns> {
        let (schema, kept) = self.streams.get(stream as usize)?;
        self.used.store(true, Relaxed);
        let mut kept = lock(kept);
        let Some((bytes, columns)) = kept.columns.pop() else { return Some(Columns::new(schema.clone())) };
        kept.bytes -= bytes;
        Some(columns)
    }

    pub(crate) fn give(&self, stream: u32, mut columns: Columns) {
        let Some((_, kept)) = self.streams.get(stream as usize) else { return };
        let bytes = columns.bytes();
        if bytes <= LARGEST {
            columns.clear();
            let mut kept = lock(kept);
            if kept.columns.len() < KEPT && kept.bytes + bytes <= KEPT_BYTES {
                kept.bytes += bytes;
                kept.columns.push((bytes, columns));
            }
        }
    }

    /// Called now and then: if nobody took anything meanwhile, what is kept is freed.
    pub(crate) fn rest(&self) {
        if !self.used.swap(false, Relaxed) {
            self.streams.iter().for_each(|(_, kept)| *lock(kept) = Shelf::default());
            lock(&self.lineages).clear();
        }
    }

    /// The same for columns whose stream is known by their schema: schemas are shared by identity.
    pub(crate) fn give_back(&self, columns: Columns) {
        if let Some(stream) = self.streams.iter().position(|(schema, _)| Arc::ptr_eq(schema, columns.schema())) {
            self.give(stream as u32, columns);
        }
    }
}
