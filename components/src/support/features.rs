//! Features: from the fields of a batch to the matrix that a model scores.

use std::ops::Range;

use ndarray::{ArrayView2, LinalgScalar, aview1};
use serde::Deserialize;
use squall_core::{Batch, Check, Error, FieldType, Result, ValueRef};
use squall_model::{Model, Rows, Texts};

use super::{at, schemas::number};

/// Which fields hold the features: one vector field, or several numeric fields put together, or one text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected the name of a vector field or a list of names of numeric fields")]
pub(crate) enum Features {
    One(String),
    Several(Vec<String>),
}

impl Features {
    /// Checks the fields against the model; the number of features if it is known.
    pub(crate) fn check(&self, check: &Check<'_>, name: &str, model: &Model) -> Result<Option<usize>> {
        let fits = |from: &str, field: &str, width: usize| match model.n_features() {
            Some(n) if n != width => {
                let (s, number) = (if n == 1 { "" } else { "s" }, if width == 1 { "number" } else { "numbers" });
                Err(at("features", format!("model `{name}` takes {n} feature{s}, but {field}{from} has {width} {number}")))
            }
            _ => Ok(Some(width)),
        };
        if model.takes_texts() {
            return self.check_text(check, name).map(|()| None);
        }
        let mut found = model.n_features();
        match self {
            Features::Several(names) => {
                for (i, field) in names.iter().enumerate() {
                    let kind = check.field(field, FieldType::Any).map_err(|e| at(&format!("features[{i}]"), e))?;
                    if !matches!(kind, FieldType::Float | FieldType::Int | FieldType::Any) {
                        return Err(at(&format!("features[{i}]"), format!("field `{field}` is {kind}, not a number")));
                    }
                }
                found = fits("", "the list", names.len())?;
            }
            Features::One(field) => {
                check.field(field, FieldType::Any).map_err(|e| at("features", e))?;
                for input in check.inputs {
                    let kind = input.fields.field(field).map_or(FieldType::Any, |f| f.kind);
                    let from = format!(" of `{}`", input.from);
                    match kind {
                        FieldType::F32s(Some(n)) | FieldType::F64s(Some(n)) => {
                            found = fits(&from, &format!("`{field}`"), n as usize)?;
                        }
                        FieldType::Float | FieldType::Int => found = fits(&from, &format!("`{field}`"), 1)?,
                        FieldType::F32s(None) | FieldType::F64s(None) | FieldType::Any => {}
                        other => {
                            return Err(at("features", format!("field `{field}`{from} is {other}, not a vector of numbers")));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// A model of texts takes one field of them.
    fn check_text(&self, check: &Check<'_>, name: &str) -> Result<()> {
        let Features::One(field) = self else {
            return Err(at("features", format!("model `{name}` takes a text: name one field, and not a list")));
        };
        match check.field(field, FieldType::Any).map_err(|e| at("features", e))? {
            FieldType::Str | FieldType::Any => Ok(()),
            other => Err(at("features", format!("model `{name}` takes a text, but field `{field}` is {other}"))),
        }
    }

    /// What the model takes of these rows of a batch; none where no row is good. `gathered` tells which rows are, and what is wrong
    /// with the others.
    pub(crate) fn rows<'b>(
        &self,
        batch: &'b Batch,
        rows: Range<usize>,
        model: &Model,
        gathered: &'b mut Gathered,
    ) -> Result<Option<Rows<'b>>> {
        match model.takes_texts() {
            true => self.gather_texts(batch, rows, gathered),
            false => self.gather(batch, rows, model.n_features(), gathered),
        }
    }

    fn gather_texts<'b>(&self, batch: &Batch, rows: Range<usize>, gathered: &'b mut Gathered) -> Result<Option<Rows<'b>>> {
        let Gathered { good, bad, text, ends, .. } = gathered;
        good.clear();
        bad.clear();
        text.clear();
        ends.clear();
        let Features::One(name) = self else {
            return Err(Error::internal("a list of fields for a model of texts"));
        };
        let column = batch.schema().index(name);
        let column = column.ok_or_else(|| Error::internal(format!("no field `{name}` in ({})", batch.schema())))?;
        for row in rows {
            match batch.columns().get(row, column).unwrap_or(ValueRef::Nil) {
                ValueRef::Str(value) => {
                    text.push_str(value);
                    ends.push(text.len());
                    good.push(row);
                }
                other => bad.push((row, format!("field `{name}` is {}, not a text", other.type_name()))),
            }
        }
        if ends.is_empty() {
            return Ok(None);
        }
        let texts = Texts::new(text, ends).ok_or_else(|| Error::internal("texts that do not follow each other"))?;
        Ok(Some(Rows::Texts(texts)))
    }

    /// A matrix. A fixed-width vector field is viewed where it lies, without a copy, unless a row has to be left out.
    fn gather<'b>(
        &self,
        batch: &'b Batch,
        rows: Range<usize>,
        width: Option<usize>,
        gathered: &'b mut Gathered,
    ) -> Result<Option<Rows<'b>>> {
        gathered.good.clear();
        gathered.bad.clear();
        let columns = batch.columns();
        let index = |name: &String| {
            batch.schema().index(name).ok_or_else(|| Error::internal(format!("no field `{name}` in ({})", batch.schema())))
        };
        match self {
            Features::One(name) => {
                let column = index(name)?;
                if let Some((n, data)) = columns.f64_block(column).filter(|(n, _)| width.is_none_or(|w| w == *n)) {
                    let Gathered { f64s, good, bad, .. } = gathered;
                    let view = block(name, data, n, rows, |x: f64| x.is_finite(), f64s, good, bad)?;
                    return Ok(view.map(Rows::F64));
                }
                if let Some((n, data)) = columns.f32_block(column).filter(|(n, _)| width.is_none_or(|w| w == *n)) {
                    let Gathered { f32s, good, bad, .. } = gathered;
                    let view = block(name, data, n, rows, |x: f32| x.is_finite(), f32s, good, bad)?;
                    return Ok(view.map(Rows::F32));
                }
                gathered.each(rows, width, |row, out| vector(name, columns.get(row, column), out))
            }
            Features::Several(names) => {
                let positions = names.iter().map(index).collect::<Result<Vec<_>>>()?;
                gathered.each(rows, width, |row, out| {
                    for (name, column) in names.iter().zip(&positions) {
                        let value = columns.get(row, *column).unwrap_or(ValueRef::Nil);
                        out.push(
                            number(value).ok_or_else(|| format!("field `{name}` is {}, not a number", value.type_name()))?,
                        );
                    }
                    match out[out.len() - names.len()..].iter().position(|x| !x.is_finite()) {
                        Some(i) => Err(format!("field `{}` is not finite", names[i])),
                        None => Ok(()),
                    }
                })
            }
        }
    }
}

/// Which rows were put together, and the memory for those that had to be copied.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The rows of the batch that the matrix has, in order.
    pub(crate) good: Vec<usize>,
    /// The other rows, each with the reason.
    pub(crate) bad: Vec<(usize, String)>,
    f32s: Vec<f32>,
    f64s: Vec<f64>,
    text: String,
    ends: Vec<usize>,
}

impl Gathered {
    /// Copies row by row; a row that `read` refuses, or whose width differs, is bad.
    fn each(
        &mut self,
        rows: Range<usize>,
        width: Option<usize>,
        read: impl Fn(usize, &mut Vec<f64>) -> Result<(), String>,
    ) -> Result<Option<Rows<'_>>> {
        let Gathered { good, bad, f64s, .. } = self;
        f64s.clear();
        let mut width = width;
        for row in rows {
            let before = f64s.len();
            let read = read(row, f64s).and_then(|()| {
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
fn vector(name: &str, value: Option<ValueRef<'_>>, out: &mut Vec<f64>) -> Result<(), String> {
    let before = out.len();
    match value.unwrap_or(ValueRef::Nil) {
        ValueRef::F64s(v) => out.extend_from_slice(v),
        ValueRef::F32s(v) => out.extend(v.iter().map(|x| f64::from(*x))),
        ValueRef::List(v) => {
            for x in v {
                out.push(number(x.as_ref()).ok_or_else(|| format!("`{name}` holds {}", x.as_ref().type_name()))?);
            }
        }
        other => out.push(number(other).ok_or_else(|| format!("`{name}` is {}, not a vector of numbers", other.type_name()))?),
    }
    match out[before..].iter().position(|x| !x.is_finite()) {
        Some(i) => Err(not_finite(name, i)),
        None => Ok(()),
    }
}

fn not_finite(name: &str, position: usize) -> String {
    format!("`{name}` has a number that is not finite at position {position}")
}

/// The rows of a block: all of them in place, or the finite ones copied.
#[expect(clippy::too_many_arguments, reason = "the same for two number types; a struct for one call says less")]
fn block<'b, T: LinalgScalar>(
    name: &str,
    data: &'b [T],
    width: usize,
    rows: Range<usize>,
    finite: impl Fn(T) -> bool,
    scratch: &'b mut Vec<T>,
    good: &mut Vec<usize>,
    bad: &mut Vec<(usize, String)>,
) -> Result<Option<ArrayView2<'b, T>>> {
    let data =
        data.get(rows.start * width..rows.end * width).ok_or_else(|| Error::internal("a block shorter than its rows"))?;
    // A sum is finite unless a number is not, or many are huge; then all are looked at, with no way out within a chunk, so that
    // the compiler may look at several at once.
    if finite(aview1(data).sum()) || data.chunks(256).all(|chunk| chunk.iter().fold(true, |all, x| all & finite(*x))) {
        good.extend(rows);
        return matrix(data, good.len(), width);
    }
    scratch.clear();
    for (row, values) in rows.zip(data.chunks_exact(width)) {
        match values.iter().position(|x| !finite(*x)) {
            None => {
                scratch.extend_from_slice(values);
                good.push(row);
            }
            Some(i) => bad.push((row, not_finite(name, i))),
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
    use squall_core::{Schema, Value};

    use super::*;

    fn f64s(rows: Option<Rows<'_>>) -> Vec<Vec<f64>> {
        match rows {
            Some(Rows::F64(x)) => x.rows().into_iter().map(|r| r.to_vec()).collect(),
            Some(Rows::F32(x)) => x.rows().into_iter().map(|r| r.iter().map(|x| f64::from(*x)).collect()).collect(),
            Some(Rows::Texts(_)) | None => Vec::new(),
        }
    }

    #[test]
    fn a_block_is_viewed_where_it_lies() {
        let schema = Schema::new([("x", FieldType::F64s(Some(2)))]);
        let batch = Batch::of(schema, [(vec![1.0, 2.0],), (vec![3.0, 4.0],)]).unwrap();
        let mut gathered = Gathered::default();
        let rows = Features::One("x".into()).gather(&batch, 0..2, Some(2), &mut gathered).unwrap();
        let Some(Rows::F64(view)) = rows else { panic!("64-bit rows") };
        assert_eq!(view.as_ptr(), batch.columns().f64_block(0).unwrap().1.as_ptr());
        assert_eq!(view.shape(), [2, 2]);
    }

    #[test]
    fn only_rows_that_cannot_be_scored_are_left_out() {
        let one = Features::One("x".into());
        let schema = Schema::new([("x", FieldType::F32s(Some(2)))]);
        let batch = Batch::of(schema, [(vec![1f32, 2.0],), (vec![f32::NAN, 0.0],), (vec![5.0, 6.0],)]).unwrap();
        let mut gathered = Gathered::default();
        assert_eq!(f64s(one.gather(&batch, 0..3, Some(2), &mut gathered).unwrap()), [[1.0, 2.0], [5.0, 6.0]]);
        assert_eq!(gathered.good, [0, 2]);
        assert_eq!(gathered.bad, [(1, "`x` has a number that is not finite at position 0".to_owned())]);

        let schema = Schema::new([("x", FieldType::F64s(None))]);
        let batch = Batch::of(schema, [(vec![1.0],), (vec![1.0, 2.0],), (vec![f64::INFINITY, 0.0],)]).unwrap();
        assert_eq!(f64s(one.gather(&batch, 0..3, Some(2), &mut gathered).unwrap()), [[1.0, 2.0]]);
        assert_eq!(gathered.bad[0], (0, "1 features, not 2".to_owned()));
        assert_eq!(gathered.bad.len(), 2);
        assert!(one.gather(&batch, 0..1, Some(2), &mut gathered).unwrap().is_none());
    }

    #[test]
    fn fields_are_put_together_in_the_order_of_the_list() {
        let schema = Schema::new([("a", FieldType::Int), ("b", FieldType::Any)]);
        let rows = [(1, Value::Float(2.5)), (2, Value::from("x")), (3, Value::Int(4))];
        let batch = Batch::of(schema, rows).unwrap();
        let mut gathered = Gathered::default();
        let several = Features::Several(vec!["b".into(), "a".into()]);
        assert_eq!(f64s(several.gather(&batch, 0..3, Some(2), &mut gathered).unwrap()), [[2.5, 1.0], [4.0, 3.0]]);
        assert_eq!(gathered.bad, [(1, "field `b` is str, not a number".to_owned())]);
    }
}
