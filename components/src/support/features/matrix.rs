//! Numbers put together as a matrix.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{ArrayView2, LinalgScalar, aview1};
use squall_core::{Batch, Error, Result, ValueRef};
use squall_model::Rows;

use super::gather::{Fields, Gathered, Reader, index};
use crate::support::schemas::number;

impl Reader {
    /// A fixed-width vector field is viewed where it lies, without a copy, unless a row has to be left out.
    pub(super) fn matrix<'b>(
        &self,
        batch: &'b Batch,
        rows: Range<usize>,
        gathered: &'b mut Gathered,
    ) -> Result<Option<Rows<'b>>> {
        let columns = batch.columns();
        let (width, gaps) = (self.width, self.gaps);
        match &self.fields {
            Fields::Vector(name) => {
                let column = index(batch, name)?;
                if let Some((n, data)) = columns.f64_block(column).filter(|(n, _)| width.is_none_or(|w| w == *n)) {
                    let Gathered { f64s, good, bad, refused, .. } = gathered;
                    let fits = |x: f64, gap: bool| x.is_finite() || (gap && x.is_nan());
                    let view = block(Block { name, data, width: n, gaps, refused }, rows, fits, f64s, good, bad)?;
                    return Ok(view.map(Rows::F64));
                }
                if let Some((n, data)) = columns.f32_block(column).filter(|(n, _)| width.is_none_or(|w| w == *n)) {
                    let Gathered { f32s, good, bad, refused, .. } = gathered;
                    let fits = |x: f32, gap: bool| x.is_finite() || (gap && x.is_nan());
                    let view = block(Block { name, data, width: n, gaps, refused }, rows, fits, f32s, good, bad)?;
                    return Ok(view.map(Rows::F32));
                }
                gathered.each(rows, width, |row, out| vector(name, gaps, columns.get(row, column), out))
            }
            Fields::Numbers(names) => {
                let positions = names.iter().map(|name| index(batch, name)).collect::<Result<Vec<_>>>()?;
                gathered.each(rows, width, |row, out| {
                    for (name, column) in names.iter().zip(&positions) {
                        let value = columns.get(row, *column).unwrap_or(ValueRef::Nil);
                        out.push(
                            one(value, gaps).ok_or_else(|| format!("field `{name}` is {}, not a number", value.type_name()))?,
                        );
                    }
                    match out[out.len() - names.len()..].iter().position(|x| !(x.is_finite() || (gaps && x.is_nan()))) {
                        Some(i) => Err(format!("field `{}` is not finite", names[i])),
                        None => Ok(()),
                    }
                })
            }
            Fields::Text(_) | Fields::Table(_) => Err(Error::internal("a matrix of fields that are no numbers")),
        }
    }
}

/// A number; nil is one that is missing, where that may be.
fn one(value: ValueRef<'_>, gaps: bool) -> Option<f64> {
    match value {
        ValueRef::Nil if gaps => Some(f64::NAN),
        ValueRef::Bool(value) => Some(f64::from(u8::from(value))),
        other => number(other),
    }
}

impl Gathered {
    /// Copies row by row; a row that `read` refuses, or whose width differs, is bad.
    fn each(
        &mut self,
        rows: Range<usize>,
        width: Option<usize>,
        read: impl Fn(usize, &mut Vec<f64>) -> Result<(), String>,
    ) -> Result<Option<Rows<'_>>> {
        let Gathered { good, bad, refused, f64s, .. } = self;
        f64s.clear();
        let mut width = width;
        for row in rows {
            let before = f64s.len();
            let read = refused.get(&row).map_or_else(|| read(row, f64s), |reason| Err(reason.clone()));
            let read = read.and_then(|()| {
                let n = f64s.len() - before;
                match *width.get_or_insert(n) {
                    w if w == n => Ok(()),
                    w => Err(format!("{n} features, not {w}")),
                }
            });
            match read {
                Ok(()) => good.push(row),
                Err(reason) => {
                    f64s.truncate(before);
                    bad.push((row, reason));
                }
            }
        }
        Ok(matrix(f64s, good.len(), width.unwrap_or(0))?.map(Rows::F64))
    }
}

/// A vector from a field that may hold anything.
fn vector(name: &str, gaps: bool, value: Option<ValueRef<'_>>, out: &mut Vec<f64>) -> Result<(), String> {
    let before = out.len();
    match value.unwrap_or(ValueRef::Nil) {
        ValueRef::F64s(v) => out.extend_from_slice(v),
        ValueRef::F32s(v) => out.extend(v.iter().map(|x| f64::from(*x))),
        ValueRef::List(v) => {
            for x in v {
                out.push(one(x.as_ref(), gaps).ok_or_else(|| format!("`{name}` holds {}", x.as_ref().type_name()))?);
            }
        }
        other => {
            out.push(one(other, false).ok_or_else(|| format!("`{name}` is {}, not a vector of numbers", other.type_name()))?)
        }
    }
    match out[before..].iter().position(|x| !(x.is_finite() || (gaps && x.is_nan()))) {
        Some(i) => Err(not_finite(name, i)),
        None => Ok(()),
    }
}

fn not_finite(name: &str, position: usize) -> String {
    format!("`{name}` has a number that is not finite at position {position}")
}

/// Vectors of one width as they lie in a batch.
struct Block<'n, 'b, T> {
    name: &'n str,
    data: &'b [T],
    width: usize,
    gaps: bool,
    refused: &'n BTreeMap<usize, String>,
}

/// The rows of a block: all of them in place, or those that `fits` takes copied; it is told whether a number may be missing.
fn block<'b, T: LinalgScalar>(
    block: Block<'_, 'b, T>,
    rows: Range<usize>,
    fits: impl Fn(T, bool) -> bool,
    scratch: &'b mut Vec<T>,
    good: &mut Vec<usize>,
    bad: &mut Vec<(usize, String)>,
) -> Result<Option<ArrayView2<'b, T>>> {
    let Block { name, data, width, gaps, refused } = block;
    let data =
        data.get(rows.start * width..rows.end * width).ok_or_else(|| Error::internal("a block shorter than its rows"))?;
    // A sum is finite unless a number is not, or many are huge; then all are looked at, with no way out within a chunk, so that
    // the compiler may look at several at once.
    let all = || {
        fits(aview1(data).sum(), false) || data.chunks(256).all(|chunk| chunk.iter().fold(true, |all, x| all & fits(*x, gaps)))
    };
    if refused.is_empty() && all() {
        good.extend(rows);
        return matrix(data, good.len(), width);
    }
    scratch.clear();
    for (row, values) in rows.zip(data.chunks_exact(width)) {
        match (refused.get(&row), values.iter().position(|x| !fits(*x, gaps))) {
            (Some(reason), _) => bad.push((row, reason.clone())),
            (None, Some(i)) => bad.push((row, not_finite(name, i))),
            (None, None) => {
                scratch.extend_from_slice(values);
                good.push(row);
            }
        }
    }
    matrix(scratch, good.len(), width)
}

/// No matrix where there is no row.
fn matrix<T>(data: &[T], rows: usize, width: usize) -> Result<Option<ArrayView2<'_, T>>> {
    if rows == 0 {
        return Ok(None);
    }
    let view = ArrayView2::from_shape((rows, width), data);
    view.map(Some).map_err(|e| Error::internal("features do not make a matrix").because(e))
}

#[cfg(test)]
mod tests {
    use squall_core::{FieldType, Schema, Value};

    use super::*;

    fn reader(fields: Fields, width: usize, gaps: bool) -> Reader {
        Reader { fields, width: Some(width), gaps, names: None }
    }

    fn one(width: usize) -> Reader {
        reader(Fields::Vector("x".into()), width, false)
    }

    fn f64s(rows: Option<Rows<'_>>) -> Vec<Vec<f64>> {
        match rows {
            Some(Rows::F64(x)) => x.rows().into_iter().map(|r| r.to_vec()).collect(),
            Some(Rows::F32(x)) => x.rows().into_iter().map(|r| r.iter().map(|x| f64::from(*x)).collect()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_block_is_viewed_where_it_lies() {
        let schema = Schema::new([("x", FieldType::F64s(Some(2)))]);
        let batch = Batch::of(schema, [(vec![1.0, 2.0],), (vec![3.0, 4.0],)]).unwrap();
        let mut gathered = Gathered::default();
        let rows = one(2).rows(&batch, 0..2, &mut gathered).unwrap();
        let Some(Rows::F64(view)) = rows else { panic!("64-bit rows") };
        assert_eq!(view.as_ptr(), batch.columns().f64_block(0).unwrap().1.as_ptr());
        assert_eq!(view.shape(), [2, 2]);
    }

    #[test]
    fn only_rows_that_cannot_be_scored_are_left_out() {
        let schema = Schema::new([("x", FieldType::F32s(Some(2)))]);
        let batch = Batch::of(schema, [(vec![1f32, 2.0],), (vec![f32::NAN, 0.0],), (vec![5.0, 6.0],)]).unwrap();
        let mut gathered = Gathered::default();
        assert_eq!(f64s(one(2).rows(&batch, 0..3, &mut gathered).unwrap()), [[1.0, 2.0], [5.0, 6.0]]);
        assert_eq!(gathered.good, [0, 2]);
        assert_eq!(gathered.bad, [(1, "`x` has a number that is not finite at position 0".to_owned())]);

        let schema = Schema::new([("x", FieldType::F64s(None))]);
        let batch = Batch::of(schema, [(vec![1.0],), (vec![1.0, 2.0],), (vec![f64::INFINITY, 0.0],)]).unwrap();
        assert_eq!(f64s(one(2).rows(&batch, 0..3, &mut gathered).unwrap()), [[1.0, 2.0]]);
        assert_eq!(gathered.bad[0], (0, "1 features, not 2".to_owned()));
        assert_eq!(gathered.bad.len(), 2);
        assert!(one(2).rows(&batch, 0..1, &mut gathered).unwrap().is_none());
    }

    #[test]
    fn fields_are_put_together_in_the_order_of_the_list() {
        let schema = Schema::new([("a", FieldType::Int), ("b", FieldType::Any)]);
        let rows = [(1, Value::Float(2.5)), (2, Value::from("x")), (3, Value::Int(4))];
        let batch = Batch::of(schema, rows).unwrap();
        let mut gathered = Gathered::default();
        let several = reader(Fields::Numbers(vec!["b".into(), "a".into()]), 2, false);
        assert_eq!(f64s(several.rows(&batch, 0..3, &mut gathered).unwrap()), [[2.5, 1.0], [4.0, 3.0]]);
        assert_eq!(gathered.bad, [(1, "field `b` is str, not a number".to_owned())]);
    }

    #[test]
    fn what_is_missing_is_taken_where_it_may_be() {
        let schema = Schema::new([("x", FieldType::Any)]);
        let batch = Batch::of(schema, [(Value::Nil,), (Value::Float(f64::INFINITY),), (Value::Bool(true),)]).unwrap();
        let mut gathered = Gathered::default();
        let fields = || Fields::Numbers(vec!["x".into()]);
        let rows = f64s(reader(fields(), 1, true).rows(&batch, 0..3, &mut gathered).unwrap());
        assert!(rows[0][0].is_nan() && rows[1] == [1.0]);
        assert_eq!(gathered.bad, [(1, "field `x` is not finite".to_owned())]);
        assert_eq!(f64s(reader(fields(), 1, false).rows(&batch, 0..3, &mut gathered).unwrap()), [[1.0]]);
        assert_eq!(gathered.bad[0], (0, "field `x` is nil, not a number".to_owned()));
    }
}
