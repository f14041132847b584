//! Rows that a spout emits together.

use squall_core::{Columns, Context, Error, Result, Row, SpoutOutput};

use super::schemas;

/// Rows of the default stream and, where they are tracked, their ids, until they are emitted.
#[derive(Debug)]
pub(crate) struct Together {
    rows: Columns,
    ids: Option<Vec<u64>>,
}

impl Together {
    pub(crate) fn new(ctx: &Context, tracked: bool) -> Self {
        Together { rows: schemas::rows(ctx), ids: tracked.then(Vec::new) }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, row: impl Row, id: u64) -> Result<()> {
        row.with(|row| self.rows.push(row)).map_err(Error::user)?;
        self.ids.iter_mut().for_each(|ids| ids.push(id));
        Ok(())
    }

    /// Emits all of them, if there are any. Whatever becomes of it, there are none afterwards.
    pub(crate) fn emit(&mut self, out: &mut SpoutOutput<'_>) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let emitted = match &self.ids {
            Some(ids) => out.emit_rows_with_ids(self.rows.all(), ids),
            None => out.emit_rows(self.rows.all()),
        };
        self.rows.clear();
        self.ids.iter_mut().for_each(Vec::clear);
        emitted
    }
}
