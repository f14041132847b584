//! Rows of a batch that are handed on together: whole columns are copied, not value after value.

use std::ops::Range;

use crate::column::{Column, EACH, Packed, Text, Vectors};
use crate::{Batch, Columns, Error, Result, Schema, ValueRef};

/// Neighbouring rows of [`Columns`]; made by [`Columns::slice`].
///
/// ```
/// use squall_core::{Columns, FieldType, Schema};
/// let mut rows = Columns::new(Schema::new([("n", FieldType::Int)]).into());
/// (0i64..5).for_each(|n| rows.push(&[n.into()]).unwrap());
/// let two = rows.slice(1..3).unwrap();
/// assert_eq!((two.len(), two.get(0, 0)), (2, Some(1i64.into())));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    columns: &'a Columns,
    first: usize,
    len: usize,
}

impl<'a> Slice<'a> {
    /// The schema of the rows.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).slice(0..0).unwrap().schema().is_empty());
    /// ```
    pub fn schema(&self) -> &'a Schema {
        self.columns.schema()
    }

    /// How many rows there are.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).slice(0..0).unwrap().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).slice(0..0).unwrap().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at a row of the slice and a column.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).slice(0..0).unwrap().get(0, 0), None);
    /// ```
    pub fn get(&self, row: usize, column: usize) -> Option<ValueRef<'a>> {
        if row >= self.len {
            return None;
        }
        self.columns.get(self.first + row, column)
    }

    /// The rows before `at`, and the others; all and none if there are fewer.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// # let columns = Columns::new(Schema::default().into());
    /// let (before, after) = columns.slice(0..0).unwrap().split_at(3);
    /// assert!(before.is_empty() && after.is_empty());
    /// ```
    pub fn split_at(&self, at: usize) -> (Slice<'a>, Slice<'a>) {
        let at = at.min(self.len);
        let Slice { columns, first, len } = *self;
        (Slice { columns, first, len: at }, Slice { columns, first: first + at, len: len - at })
    }

    /// About how many bytes the rows hold; see [`Columns::bytes`].
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema};
    /// let mut rows = Columns::new(Schema::new([("w", FieldType::Str)]).into());
    /// ["a", "four"].iter().for_each(|w| rows.push(&[(*w).into()]).unwrap());
    /// assert_eq!(rows.slice(1..2).unwrap().bytes(), 8 + 4);
    /// ```
    pub fn bytes(&self) -> usize {
        if self.len == self.columns.len() {
            return self.columns.bytes();
        }
        self.columns.columns.iter().map(|c| c.bytes(self.first, self.len)).sum()
    }

    /// Whether the rows are of this schema.
    ///
    /// # Errors
    /// Tells both schemas.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).all().fits(&Schema::default()), Ok(()));
    /// ```
    #[inline]
    pub fn fits(&self, schema: &Schema) -> std::result::Result<(), String> {
        let own = self.schema();
        // Mostly it is the very same.
        if std::ptr::eq(own, schema) || own == schema {
            return Ok(());
        }
        Err(format!("rows of ({own}) for the fields ({schema})"))
    }

    /// Whether there is an id for each row, if there are any; for engines.
    ///
    /// # Errors
    /// Tells both numbers.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).all().check_ids(Some(&[5])).is_err());
    /// ```
    pub fn check_ids(&self, ids: Option<&[u64]>) -> Result<()> {
        match ids {
            Some(ids) if ids.len() != self.len => Err(Error::user(format!("{} ids for {} rows", ids.len(), self.len))),
            _ => Ok(()),
        }
    }

    /// Whether a batch has a tuple for each row from its tuple `first` on; for engines.
    ///
    /// # Errors
    /// Tells both numbers.
    ///
    /// ```
    /// # use squall_core::{Batch, Slice};
    /// fn f(rows: Slice<'_>, batch: &Batch) -> squall_core::Result<()> { rows.check_tuples(batch, 0) }
    /// ```
    pub fn check_tuples(&self, batch: &Batch, first: usize) -> Result<()> {
        let tuples = batch.len().saturating_sub(first);
        if tuples < self.len {
            return Err(Error::user(format!("{} rows for the {tuples} tuples of the batch from {first} on", self.len)));
        }
        Ok(())
    }

    /// Calls `f` with the place and the values of each row, in order.
    ///
    /// # Errors
    /// Those of `f`, at the first of which it ends.
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema};
    /// let mut rows = Columns::new(Schema::new([("n", FieldType::Int)]).into());
    /// (5i64..7).for_each(|n| rows.push(&[n.into()]).unwrap());
    /// let mut seen = Vec::new();
    /// rows.all().each(|at, row| { seen.push((at, row[0].to_string())); Ok(()) }).unwrap();
    /// assert_eq!(seen, [(0, "5".to_owned()), (1, "6".to_owned())]);
    /// ```
    pub fn each(&self, mut f: impl FnMut(usize, &[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        let mut row = Vec::with_capacity(self.columns.columns.len());
        for at in 0..self.len {
            row.clear();
            row.extend((0..self.columns.columns.len()).filter_map(|column| self.get(at, column)));
            f(at, &row)?;
        }
        Ok(())
    }
}

impl Columns {
    /// Some of the rows; none if there are not so many.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// let columns = Columns::new(Schema::default().into());
    /// assert!(columns.slice(0..0).is_some());
    /// assert!(columns.slice(0..1).is_none());
    /// ```
    pub fn slice(&self, rows: Range<usize>) -> Option<Slice<'_>> {
        let len = rows.end.checked_sub(rows.start)?;
        (rows.end <= self.rows).then_some(Slice { columns: self, first: rows.start, len })
    }

    /// All rows.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).all().is_empty());
    /// ```
    pub fn all(&self) -> Slice<'_> {
        Slice { columns: self, first: 0, len: self.rows }
    }

    /// Appends rows.
    ///
    /// # Errors
    /// Rows of another schema, or too large together, are refused whole.
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema};
    /// let schema = std::sync::Arc::new(Schema::new([("n", FieldType::Int)]));
    /// let (mut one, mut all) = (Columns::new(schema.clone()), Columns::new(schema));
    /// one.push(&[5i64.into()]).unwrap();
    /// all.append(&one.all()).unwrap();
    /// all.append(&one.all()).unwrap();
    /// assert_eq!(all.len(), 2);
    /// assert!(all.append(&Columns::new(Schema::default().into()).all()).is_err());
    /// ```
    pub fn append(&mut self, rows: &Slice<'_>) -> std::result::Result<(), String> {
        let Slice { columns, first, len } = *rows;
        rows.fits(&self.schema)?;
        let mut bytes = 0;
        for (i, (column, from)) in self.columns.iter_mut().zip(&columns.columns).enumerate() {
            match column.append(from, first, len) {
                Some(size) => bytes += size,
                None => return Err(self.refuse_all(i)),
            }
        }
        self.rows += len;
        self.bytes += bytes;
        Ok(())
    }

    /// The column at `i` did not take the rows: those before it give theirs back.
    #[cold]
    fn refuse_all(&mut self, i: usize) -> String {
        self.columns[..i].iter_mut().for_each(|c| c.truncate(self.rows));
        format!("field `{}` takes fewer than 4 GiB in one batch", self.schema.fields()[i].name)
    }
}

impl Column {
    /// Appends `len` rows of a column of the same type from `first` on, and gives what they occupy; none, and unchanged, if
    /// they do not fit.
    fn append(&mut self, from: &Column, first: usize, len: usize) -> Option<usize> {
        let rows = first..first + len;
        match (self, from) {
            (Column::Bool(c), Column::Bool(from)) => c.extend_from_slice(from.get(rows)?),
            (Column::Int(c), Column::Int(from)) => c.extend_from_slice(from.get(rows)?),
            (Column::Float(c), Column::Float(from)) => c.extend_from_slice(from.get(rows)?),
            (Column::Str(c), Column::Str(from)) => c.append(from, rows)?,
            (Column::Bytes(c), Column::Bytes(from)) => c.append(from, rows)?,
            (Column::F32s(c), Column::F32s(from)) => c.append(from, rows)?,
            (Column::F64s(c), Column::F64s(from)) => c.append(from, rows)?,
            (Column::Any(c), Column::Any(from)) => c.extend_from_slice(from.get(rows)?),
            _ => return None,
        }
        Some(from.bytes(first, len))
    }

    /// About how many bytes some of its rows hold.
    fn bytes(&self, first: usize, len: usize) -> usize {
        let rows = first..first + len;
        EACH * len
            + match self {
                Column::Bool(_) | Column::Int(_) | Column::Float(_) => 0,
                Column::Str(c) => span(&c.ends, &rows).len(),
                Column::Bytes(c) => span(&c.ends, &rows).len(),
                Column::F32s(c) => c.elements(&rows) * size_of::<f32>(),
                Column::F64s(c) => c.elements(&rows) * size_of::<f64>(),
                Column::Any(c) => c.get(rows).map_or(0, |c| c.iter().map(|v| crate::column::size(&v.as_ref()) - EACH).sum()),
            }
    }
}

/// Where the values of some rows lie.
fn span(ends: &[u32], rows: &Range<usize>) -> Range<usize> {
    let end_of = |rows: usize| rows.checked_sub(1).and_then(|row| ends.get(row)).map_or(0, |end| *end as usize);
    end_of(rows.start)..end_of(rows.end)
}

/// Appends the ends of some rows whose values begin at `start`, where they now begin at `now`; whether the last can be written down.
fn append_ends(ends: &mut Vec<u32>, now: usize, from: &[u32], rows: Range<usize>, values: &Range<usize>) -> Option<()> {
    u32::try_from(now + values.len()).ok()?;
    // Wraps where values move to the front, and wraps back.
    let shift = (now as u32).wrapping_sub(values.start as u32);
    ends.extend(from.get(rows)?.iter().map(|end| end.wrapping_add(shift)));
    Some(())
}

impl Text {
    fn append(&mut self, from: &Text, rows: Range<usize>) -> Option<()> {
        let values = span(&from.ends, &rows);
        let text = from.data.get(values.clone())?;
        append_ends(&mut self.ends, self.data.len(), &from.ends, rows, &values)?;
        self.data.push_str(text);
        Some(())
    }
}

impl<T: Copy> Packed<T> {
    fn append(&mut self, from: &Packed<T>, rows: Range<usize>) -> Option<()> {
        let values = span(&from.ends, &rows);
        let block = from.data.get(values.clone())?;
        append_ends(&mut self.ends, self.data.len(), &from.ends, rows, &values)?;
        self.data.extend_from_slice(block);
        Some(())
    }
}

impl<T: Copy> Vectors<T> {
    fn append(&mut self, from: &Vectors<T>, rows: Range<usize>) -> Option<()> {
        match (self, from) {
            (Vectors::Fixed(width, data), Vectors::Fixed(theirs, from)) if width == theirs => {
                let width = *width as usize;
                data.extend_from_slice(from.get(rows.start * width..rows.end * width)?);
                Some(())
            }
            (Vectors::Varied(packed), Vectors::Varied(from)) => packed.append(from, rows),
            _ => None,
        }
    }

    /// How many numbers some of its rows hold.
    fn elements(&self, rows: &Range<usize>) -> usize {
        match self {
            Vectors::Fixed(width, _) => *width as usize * rows.len(),
            Vectors::Varied(packed) => span(&packed.ends, rows).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{FieldType, Value};

    fn schema() -> Arc<Schema> {
        let kinds = [
            FieldType::Str,
            FieldType::Bytes,
            FieldType::Int,
            FieldType::Bool,
            FieldType::Float,
            FieldType::F32s(None),
            FieldType::F64s(Some(2)),
            FieldType::F64s(None),
            FieldType::Any,
        ];
        Arc::new(Schema::new(kinds.iter().enumerate().map(|(i, kind)| (format!("f{i}"), *kind))))
    }

    fn row(n: usize) -> Vec<Value> {
        let few = vec![n as f64; n % 3];
        vec![
            "é".repeat(n % 4).into(),
            Value::Bytes(vec![n as u8; n % 5]),
            Value::Int(n as i64),
            Value::Bool(n.is_multiple_of(2)),
            Value::Float(n as f64),
            Value::F32s(vec![n as f32; n % 3]),
            Value::F64s(vec![1.0, n as f64]),
            Value::F64s(few),
            if n.is_multiple_of(3) { Value::Nil } else { Value::List(vec!["x".into(), Value::Int(1)]) },
        ]
    }

    fn rows(numbers: impl Iterator<Item = usize>) -> Columns {
        let mut columns = Columns::new(schema());
        for n in numbers {
            let row = row(n);
            columns.push(&row.iter().map(Value::as_ref).collect::<Vec<_>>()).unwrap();
        }
        columns
    }

    proptest! {
        /// Slices appended are what the same rows pushed one after the other would be, their bytes included.
        #[test]
        fn appended_slices_are_the_rows_pushed(pieces in proptest::collection::vec((0usize..20, 0usize..20), 0..8)) {
            let (source, mut numbers, mut appended) = (rows(0..40), Vec::new(), Columns::new(schema()));
            for (first, len) in pieces {
                let slice = source.slice(first..first + len).unwrap();
                let (a, b) = slice.split_at(len / 3);
                prop_assert_eq!(a.bytes() + b.bytes(), slice.bytes());
                appended.append(&a).unwrap();
                appended.append(&b).unwrap();
                numbers.extend(first..first + len);
            }
            prop_assert_eq!(appended, rows(numbers.into_iter()));
        }
    }

    #[test]
    fn rows_of_another_kind_are_refused_and_change_nothing() {
        let mut few = rows(0..2);
        let other = Columns::new(Schema::new([("n", FieldType::Int)]).into());
        assert!(few.append(&other.all()).unwrap_err().starts_with("rows of (n: int) for the fields (f0: str, "));
        assert_eq!(few, rows(0..2));
    }

    #[test]
    fn a_row_beyond_the_slice_is_not_there() {
        let columns = rows(0..5);
        let slice = columns.slice(1..3).unwrap();
        assert_eq!(slice.get(1, 2), Some(ValueRef::Int(2)));
        assert_eq!(slice.get(2, 2), None);
        let mut rows = Vec::new();
        slice
            .each(|at, values| {
                rows.push((at, values.iter().map(ValueRef::to_value).collect::<Vec<_>>()));
                Ok(())
            })
            .unwrap();
        assert_eq!(rows, [(0, row(1)), (1, row(2))]);
    }
}
