//! Rows that a bolt emits one for a tuple, together.

use squall_core::{Batch, Columns, Context, Error, Output, Result, ValueRef};

use super::schemas;

/// Rows of the default stream for tuples of the batch in hand that follow each other, until they are emitted.
#[derive(Debug)]
pub(crate) struct Answers {
    rows: Columns,
    /// The tuple of the first row.
    first: usize,
}

impl Answers {
    pub(crate) fn new(ctx: &Context) -> Self {
        Answers { rows: schemas::rows(ctx), first: 0 }
    }

    /// A batch begins; what an error left of another one is forgotten.
    pub(crate) fn begin(&mut self) {
        self.rows.clear();
    }

    /// The row for a tuple. Tuples come in order; some may have none.
    pub(crate) fn push(&mut self, batch: &Batch, tuple: usize, row: &[ValueRef<'_>], out: &mut Output<'_>) -> Result<()> {
        if tuple != self.first + self.rows.len() {
            self.emit(batch, out)?;
            self.first = tuple;
        }
        self.rows.push(row).map_err(Error::user)
    }

    /// Emits what has come. To be called after the last.
    pub(crate) fn emit(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        if !self.rows.is_empty() {
            out.emit_rows_for(batch, self.first, self.rows.all())?;
            self.first += self.rows.len();
            self.rows.clear();
        }
        Ok(())
    }
}
