//! Columns used again: a batch that was taken in gives its memory to the next one emitted on the same stream.

use std::sync::{Arc, Mutex};

use squall_core::{Columns, Lineage, Schema};

use crate::sync::lock;

/// Kept for each stream; more are freed.
const KEPT: usize = 32;
/// Larger ones are freed: one huge tuple must not stay for ever.
const LARGEST: usize = 1 << 20;

pub(crate) struct Pool {
    streams: Vec<(Arc<Schema>, Mutex<Vec<Columns>>)>,
    lineages: Mutex<Vec<Lineage>>,
}

impl Pool {
    /// A pool for streams of these schemas, by number.
    pub(crate) fn new(schemas: Vec<Arc<Schema>>) -> Self {
        Pool { streams: schemas.into_iter().map(|s| (s, Mutex::default())).collect(), lineages: Mutex::default() }
    }

    pub(crate) fn take_lineage(&self) -> Lineage {
        lock(&self.lineages).pop().unwrap_or_default()
    }

    pub(crate) fn give_lineage(&self, mut lineage: Lineage) {
        if !lineage.is_empty() {
            lineage.clear();
            let mut kept = lock(&self.lineages);
            if kept.len() < KEPT {
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
        Some(lock(kept).pop().unwrap_or_else(|| Columns::new(schema.clone())))
    }

    pub(crate) fn give(&self, stream: u32, mut columns: Columns) {
        let Some((_, kept)) = self.streams.get(stream as usize) else { return };
        if columns.bytes() <= LARGEST {
            columns.clear();
            let mut kept = lock(kept);
            if kept.len() < KEPT {
                kept.push(columns);
            }
        }
    }

    /// The same for columns whose stream is known by their schema: schemas are shared by identity.
    pub(crate) fn give_back(&self, columns: Columns) {
        if let Some(stream) = self.streams.iter().position(|(schema, _)| Arc::ptr_eq(schema, columns.schema())) {
            self.give(stream as u32, columns);
        }
    }
}
