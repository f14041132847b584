//! Columns: how a batch keeps its values. Appending a row copies bytes and allocates nothing once the columns have grown.

use std::sync::Arc;

use crate::{FieldType, Schema, Value, ValueRef};

/// Values of variable length, one after the other. Ends are offsets from the start of `data`, one per row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Packed<T> {
    pub(crate) ends: Vec<u32>,
    pub(crate) data: Vec<T>,
}

impl<T: Copy> Packed<T> {
    /// The values of a row.
    pub(crate) fn row(&self, row: usize) -> Option<&[T]> {
        let end = *self.ends.get(row)? as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        self.data.get(start..end)
    }

    #[inline]
    fn push(&mut self, values: &[T]) -> bool {
        let Ok(end) = u32::try_from(self.data.len() + values.len()) else { return false };
        self.data.extend_from_slice(values);
        self.ends.push(end);
        true
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().map_or(0, |e| *e as usize));
    }
}

/// Text, packed. The text lies in one `String`, so that a row is cut out of it without being checked again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    pub(crate) ends: Vec<u32>,
    pub(crate) data: String,
}

impl Text {
    fn row(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)? as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        self.data.get(start..end)
    }

    #[inline]
    fn push(&mut self, text: &str) -> bool {
        let Ok(end) = u32::try_from(self.data.len() + text.len()) else { return false };
        self.data.push_str(text);
        self.ends.push(end);
        true
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().map_or(0, |e| *e as usize));
    }
}

/// Vectors of one width lie in one block, rows × width, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Vectors<T> {
    /// All rows have this many elements.
    Fixed(u32, Vec<T>),
    /// Rows differ.
    Varied(Packed<T>),
}

impl<T: Copy> Vectors<T> {
    fn new(width: Option<u32>) -> Self {
        match width {
            Some(width) => Vectors::Fixed(width, Vec::new()),
            None => Vectors::Varied(Packed { ends: Vec::new(), data: Vec::new() }),
        }
    }

    fn row(&self, row: usize) -> Option<&[T]> {
        match self {
            Vectors::Fixed(width, data) => {
                let width = *width as usize;
                data.get(row.checked_mul(width)?..row.checked_add(1)?.checked_mul(width)?)
            }
            Vectors::Varied(packed) => packed.row(row),
        }
    }

    #[inline]
    fn push(&mut self, values: &[T]) -> bool {
        match self {
            Vectors::Fixed(width, _) if values.len() != *width as usize => return false,
            Vectors::Fixed(_, data) => data.extend_from_slice(values),
            Vectors::Varied(packed) => return packed.push(values),
        }
        true
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Vectors::Fixed(width, data) => data.truncate(rows * *width as usize),
            Vectors::Varied(packed) => packed.truncate(rows),
        }
    }

    fn clear(&mut self) {
        self.truncate(0);
    }
}

/// The values of one field over the rows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Booleans.
    Bool(Vec<bool>),
    /// Integers.
    Int(Vec<i64>),
    /// Floats.
    Float(Vec<f64>),
    /// Text.
    Str(Text),
    /// Bytes.
    Bytes(Packed<u8>),
    /// Vectors of 32-bit floats.
    F32s(Vectors<f32>),
    /// Vectors of 64-bit floats.
    F64s(Vectors<f64>),
    /// Anything.
    Any(Vec<Value>),
}

impl Column {
    /// An empty column for a type.
    pub fn new(kind: FieldType) -> Self {
        match kind {
            FieldType::Any => Column::Any(Vec::new()),
            FieldType::Bool => Column::Bool(Vec::new()),
            FieldType::Int => Column::Int(Vec::new()),
            FieldType::Float => Column::Float(Vec::new()),
            FieldType::Str => Column::Str(Text::default()),
            FieldType::Bytes => Column::Bytes(Packed { ends: Vec::new(), data: Vec::new() }),
            FieldType::F32s(width) => Column::F32s(Vectors::new(width)),
            FieldType::F64s(width) => Column::F64s(Vectors::new(width)),
        }
    }

    /// Appends a value and gives what it occupies, about, in bytes; none if it is none for this column, which then stays as it is.
    /// Text and integers, which nearly every row has, without a call.
    #[inline(always)]
    fn push(&mut self, value: ValueRef<'_>) -> Option<usize> {
        match (self, value) {
            (Column::Str(c), ValueRef::Str(v)) => c.push(v).then_some(EACH + v.len()),
            (Column::Int(c), ValueRef::Int(v)) => {
                c.push(v);
                Some(EACH)
            }
            (column, value) => column.push_other(value),
        }
    }

    /// The same for all other values.
    fn push_other(&mut self, value: ValueRef<'_>) -> Option<usize> {
        match (self, value) {
            (Column::Float(c), ValueRef::Float(v)) => c.push(v),
            (Column::Float(c), ValueRef::Int(v)) => c.push(v as f64),
            (Column::Bool(c), ValueRef::Bool(v)) => c.push(v),
            (Column::Bytes(c), ValueRef::Bytes(v)) => return c.push(v).then_some(EACH + v.len()),
            (Column::F32s(c), ValueRef::F32s(v)) => return c.push(v).then_some(EACH + size_of_val(v)),
            (Column::F64s(c), ValueRef::F64s(v)) => return c.push(v).then_some(EACH + size_of_val(v)),
            (Column::Any(c), v) => {
                c.push(v.to_value());
                return Some(size(&v));
            }
            _ => return None,
        }
        Some(EACH)
    }

    /// What the column takes instead of a value that was refused. Apart from `push`, which is called for every value of
    /// every row.
    #[cold]
    fn misfit(&self, value: ValueRef<'_>) -> String {
        let given = match value {
            ValueRef::F32s(v) => Some(v.len()),
            ValueRef::F64s(v) => Some(v.len()),
            _ => None,
        };
        match (self.kind(), value, given) {
            (FieldType::F32s(Some(width)), ValueRef::F32s(_), Some(n))
            | (FieldType::F64s(Some(width)), ValueRef::F64s(_), Some(n)) => {
                format!("a vector of {width} numbers, not of {n}")
            }
            (FieldType::Str, ValueRef::Str(_), _)
            | (FieldType::Bytes, ValueRef::Bytes(_), _)
            | (FieldType::F32s(None), ValueRef::F32s(_), _)
            | (FieldType::F64s(None), ValueRef::F64s(_), _) => "fewer than 4 GiB in one batch".to_owned(),
            (kind, value, _) => format!("{kind}, not {}", value.type_name()),
        }
    }

    fn kind(&self) -> FieldType {
        match self {
            Column::Bool(_) => FieldType::Bool,
            Column::Int(_) => FieldType::Int,
            Column::Float(_) => FieldType::Float,
            Column::Str(_) => FieldType::Str,
            Column::Bytes(_) => FieldType::Bytes,
            Column::F32s(Vectors::Fixed(w, _)) => FieldType::F32s(Some(*w)),
            Column::F32s(_) => FieldType::F32s(None),
            Column::F64s(Vectors::Fixed(w, _)) => FieldType::F64s(Some(*w)),
            Column::F64s(_) => FieldType::F64s(None),
            Column::Any(_) => FieldType::Any,
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Option<ValueRef<'_>> {
        Some(match self {
            Column::Bool(c) => ValueRef::Bool(*c.get(row)?),
            Column::Int(c) => ValueRef::Int(*c.get(row)?),
            Column::Float(c) => ValueRef::Float(*c.get(row)?),
            Column::Str(c) => ValueRef::Str(c.row(row)?),
            Column::Bytes(c) => ValueRef::Bytes(c.row(row)?),
            Column::F32s(c) => ValueRef::F32s(c.row(row)?),
            Column::F64s(c) => ValueRef::F64s(c.row(row)?),
            Column::Any(c) => c.get(row)?.as_ref(),
        })
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        match self {
            Column::Bool(c) => c.truncate(rows),
            Column::Int(c) => c.truncate(rows),
            Column::Float(c) => c.truncate(rows),
            Column::Str(c) => c.truncate(rows),
            Column::Bytes(c) => c.truncate(rows),
            Column::F32s(c) => c.truncate(rows),
            Column::F64s(c) => c.truncate(rows),
            Column::Any(c) => c.truncate(rows),
        }
    }
}

/// Rows of one schema, kept as columns.
///
/// ```
/// use std::sync::Arc;
/// use squall_core::{Columns, FieldType, Schema, ValueRef};
/// let mut rows = Columns::new(Arc::new(Schema::new([("n", FieldType::Int)])));
/// rows.push(&[ValueRef::Int(5)]).unwrap();
/// assert_eq!(rows.get(0, 0), Some(ValueRef::Int(5)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    pub(crate) schema: Arc<Schema>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    /// What the rows hold, about: eight bytes a value plus the length of text, bytes and vectors.
    pub(crate) bytes: usize,
}

impl Columns {
    /// No rows yet.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).is_empty());
    /// ```
    pub fn new(schema: Arc<Schema>) -> Self {
        let columns = schema.fields().iter().map(|f| Column::new(f.kind)).collect();
        Columns { schema, columns, rows: 0, bytes: 0 }
    }

    /// The schema.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).schema().is_empty());
    /// ```
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// How many rows there are.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes the rows hold.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).bytes(), 0);
    /// ```
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The column at this position.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert!(Columns::new(Schema::default().into()).column(0).is_none());
    /// ```
    pub fn column(&self, index: usize) -> Option<&Column> {
        self.columns.get(index)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A row of the wrong width or with a value of the wrong type is refused whole; the text names the field.
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema, ValueRef};
    /// let mut rows = Columns::new(Schema::new([("n", FieldType::Int)]).into());
    /// let error = rows.push(&[ValueRef::Str("five")]).unwrap_err();
    /// assert_eq!(error, "field `n` takes int, not str");
    /// assert!(rows.is_empty());
    /// ```
    #[inline(always)]
    pub fn push(&mut self, row: &[ValueRef<'_>]) -> Result<(), String> {
        if row.len() != self.columns.len() {
            return Err(self.wrong_width(row.len()));
        }
        let mut bytes = 0;
        for (i, (column, value)) in self.columns.iter_mut().zip(row).enumerate() {
            match column.push(*value) {
                Some(size) => bytes += size,
                None => return Err(self.refuse(i, *value)),
            }
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    #[cold]
    fn wrong_width(&self, n: usize) -> String {
        format!("{n} value{} for the fields ({})", if n == 1 { "" } else { "s" }, self.schema)
    }

    /// The column at `i` did not take a value: those before it give theirs back.
    #[cold]
    fn refuse(&mut self, i: usize, value: ValueRef<'_>) -> String {
        self.columns[..i].iter_mut().for_each(|c| c.truncate(self.rows));
        format!("field `{}` takes {}", self.schema.fields()[i].name, self.columns[i].misfit(value))
    }

    /// The value at a row and a column.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// assert_eq!(Columns::new(Schema::default().into()).get(0, 0), None);
    /// ```
    #[inline]
    pub fn get(&self, row: usize, column: usize) -> Option<ValueRef<'_>> {
        self.columns.get(column)?.get(row)
    }

    /// A fixed-width vector field of 32-bit floats as one block, rows × width, row-major: a matrix view without a copy.
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema, ValueRef};
    /// let mut rows = Columns::new(Schema::new([("x", FieldType::F32s(Some(2)))]).into());
    /// rows.push(&[ValueRef::F32s(&[1.0, 2.0])]).unwrap();
    /// assert_eq!(rows.f32_block(0), Some((2, &[1.0, 2.0][..])));
    /// ```
    pub fn f32_block(&self, column: usize) -> Option<(usize, &[f32])> {
        match self.columns.get(column)? {
            Column::F32s(Vectors::Fixed(width, data)) => Some((*width as usize, data)),
            _ => None,
        }
    }

    /// The same for 64-bit floats; see [`Columns::f32_block`].
    ///
    /// ```
    /// # use squall_core::{Columns, FieldType, Schema};
    /// let rows = Columns::new(Schema::new([("x", FieldType::F64s(Some(2)))]).into());
    /// assert_eq!(rows.f64_block(0), Some((2, &[][..])));
    /// ```
    pub fn f64_block(&self, column: usize) -> Option<(usize, &[f64])> {
        match self.columns.get(column)? {
            Column::F64s(Vectors::Fixed(width, data)) => Some((*width as usize, data)),
            _ => None,
        }
    }

    /// Takes back the rows after the first `rows`; `bytes` is what [`Columns::bytes`] was then.
    ///
    /// ```
    /// use squall_core::{Columns, FieldType, Schema};
    /// let mut columns = Columns::new(Schema::new([("n", FieldType::Int)]).into());
    /// columns.push(&[5i64.into()]).unwrap();
    /// columns.truncate(0, 0);
    /// assert!(columns.is_empty());
    /// ```
    pub fn truncate(&mut self, rows: usize, bytes: usize) {
        if rows < self.rows {
            self.columns.iter_mut().for_each(|c| c.truncate(rows));
            self.rows = rows;
            self.bytes = bytes;
        }
    }

    /// Forgets the rows and keeps the memory.
    ///
    /// ```
    /// # use squall_core::{Columns, Schema};
    /// Columns::new(Schema::default().into()).clear();
    /// ```
    pub fn clear(&mut self) {
        for column in &mut self.columns {
            match column {
                Column::F32s(c) => c.clear(),
                Column::F64s(c) => c.clear(),
                c => c.truncate(0),
            }
        }
        self.rows = 0;
        self.bytes = 0;
    }
}

/// What each value occupies beside the length of text, bytes, vectors and what it is made of.
pub(crate) const EACH: usize = 8;

/// About what a value occupies, in bytes.
pub(crate) fn size(value: &ValueRef<'_>) -> usize {
    EACH + match value {
        ValueRef::Str(v) => v.len(),
        ValueRef::Bytes(v) => v.len(),
        ValueRef::F32s(v) => size_of_val(*v),
        ValueRef::F64s(v) => size_of_val(*v),
        ValueRef::List(v) => v.iter().map(|v| size(&v.as_ref())).sum(),
        ValueRef::Map(v) => v.iter().map(|(k, v)| size(&k.as_ref()) + size(&v.as_ref())).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Columns {
        Columns::new(
            Schema::new([
                ("s", FieldType::Str),
                ("x", FieldType::F64s(Some(2))),
                ("v", FieldType::F32s(None)),
                ("a", FieldType::Any),
            ])
            .into(),
        )
    }

    #[test]
    fn values_come_back_as_they_went_in() {
        let mut c = rows();
        c.push(&["é".into(), ValueRef::F64s(&[1.0, 2.0]), ValueRef::F32s(&[]), ValueRef::Nil]).unwrap();
        c.push(&["".into(), ValueRef::F64s(&[3.0, 4.0]), ValueRef::F32s(&[1.5]), ValueRef::Bool(true)]).unwrap();
        assert_eq!(c.get(0, 0), Some(ValueRef::Str("é")));
        assert_eq!(c.get(1, 0), Some(ValueRef::Str("")));
        assert_eq!(c.get(1, 1), Some(ValueRef::F64s(&[3.0, 4.0])));
        assert_eq!(c.get(0, 2), Some(ValueRef::F32s(&[])));
        assert_eq!(c.get(1, 3), Some(ValueRef::Bool(true)));
        assert_eq!(c.get(2, 0), None);
        assert_eq!(c.f64_block(1), Some((2, &[1.0, 2.0, 3.0, 4.0][..])));
    }

    #[test]
    fn a_refused_row_leaves_nothing_behind() {
        let mut c = rows();
        let error = c.push(&["é".into(), ValueRef::F64s(&[1.0]), ValueRef::F32s(&[]), ValueRef::Nil]).unwrap_err();
        assert_eq!(error, "field `x` takes a vector of 2 numbers, not of 1");
        assert_eq!(c, rows());
    }
}
