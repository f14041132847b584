//! Where a twin's rows come from.

use std::sync::Arc;

use squall_core::{Columns, Error, FieldType, Result, Schema, Value, ValueRef};

use super::{BYTES, ROWS};
use crate::data;

/// What is put into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// What the scenarios around `const` send.
    SomeData,
    /// A number and so many bytes.
    Bytes(usize),
    /// A number and so many 32-bit floats.
    F32s(usize),
    /// Lines of the word file in turn, with their numbers.
    Lines,
    /// Words of the word file in turn, with their numbers.
    Words,
}

/// Fills batches.
pub(crate) struct Fill {
    pub(crate) schema: Arc<Schema>,
    pub(crate) batch: usize,
    rows: Vec<Vec<Value>>,
    /// The first row, as often as a batch has rows.
    ready: Columns,
    next: usize,
}

impl Fill {
    pub(crate) fn new(row: Row) -> Fill {
        let number = ("number", FieldType::Int);
        let text = |text: &str, n: usize| vec![Value::from(text), Value::Int(n as i64)];
        let (schema, rows) = match row {
            Row::SomeData => (Schema::new([("value", FieldType::Str)]), vec![vec!["some data".into()]]),
            Row::Bytes(n) => {
                (Schema::new([number, ("payload", FieldType::Bytes)]), vec![vec![Value::Int(1), Value::Bytes(vec![0x5a; n])]])
            }
            Row::F32s(n) => {
                let schema = Schema::new([number, ("payload", FieldType::F32s(Some(n as u32)))]);
                (schema, vec![vec![Value::Int(1), Value::F32s(vec![0.5; n])]])
            }
            Row::Lines => {
                let rows = data::lines().lines().enumerate().map(|(n, l)| text(l, n)).collect();
                (Schema::new([("line", FieldType::Str), number]), rows)
            }
            Row::Words => {
                let rows = data::lines().split_whitespace().enumerate().map(|(n, w)| text(w, n)).collect();
                (Schema::new([("line", FieldType::Str), number]), rows)
            }
        };
        let mut one = Columns::new(Arc::new(schema));
        let refs: Vec<ValueRef<'_>> = rows[0].iter().map(Value::as_ref).collect();
        let bytes = one.push(&refs).map_or(1, |()| one.bytes());
        let batch = BYTES.div_ceil(bytes.max(1)).clamp(1, ROWS);
        while one.len() < batch && one.push(&refs).is_ok() {}
        Fill { schema: one.schema().clone(), batch, rows, ready: one, next: 0 }
    }

    /// Appends a batch's rows.
    ///
    /// # Errors
    /// None, as rows and schema belong together.
    pub(crate) fn fill(&mut self, columns: &mut Columns) -> Result<()> {
        // A constant row is copied as a block, as `const` does it.
        if self.rows.len() == 1 {
            return columns.append(&self.ready.all()).map_err(Error::internal);
        }
        for _ in 0..self.batch {
            let [first, second] = &self.rows[self.next][..] else { return Err(Error::internal("rows have two fields")) };
            columns.push(&[first.as_ref(), second.as_ref()]).map_err(Error::internal)?;
            self.next = (self.next + 1) % self.rows.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_large_as_the_engines() {
        let batch = |row| {
            let mut fill = Fill::new(row);
            let mut columns = Columns::new(fill.schema.clone());
            fill.fill(&mut columns).unwrap();
            assert_eq!(columns.len(), fill.batch);
            fill.batch
        };
        assert_eq!(batch(Row::SomeData), 256);
        assert_eq!(batch(Row::F32s(784)), 84);
        assert_eq!(batch(Row::Bytes(100 << 10)), 3);
        assert_eq!(batch(Row::Lines), 256);
    }

    #[test]
    fn lines_come_in_turn_and_begin_again() {
        let mut fill = Fill::new(Row::Words);
        let all = fill.rows.len();
        let mut columns = Columns::new(fill.schema.clone());
        let mut rows = 0;
        while rows <= all {
            columns.clear();
            fill.fill(&mut columns).unwrap();
            rows += columns.len();
        }
        let last = columns.get(columns.len() - 1, 1);
        assert_eq!(last, Some(ValueRef::Int((rows - all - 1) as i64)));
    }
}
