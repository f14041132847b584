//! What an ONNX model takes: the columns of a row go to its inputs one after the other, each in the shape it wants.

use ndarray::ArrayView2;
use ort::session::SessionInputValue;
use ort::value::{Tensor, TensorElementType, ValueType};

use super::said;
use crate::Error;

#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    element: TensorElementType,
    /// Its axes behind that of the rows; none where it takes rows of any width.
    tail: Option<Vec<usize>>,
}

impl Input {
    /// An input, and whether it takes one row at a time. Only an input that is `alone` may leave open how wide a row is.
    pub(super) fn of(name: &str, dtype: &ValueType, alone: bool) -> Result<(Input, bool), Error> {
        let ValueType::Tensor { ty, shape, .. } = dtype else {
            return Err(said(format!("the model's input `{name}` is no tensor")));
        };
        use TensorElementType::{Float32, Float64, Int32, Int64};
        if !matches!(ty, Float32 | Float64 | Int32 | Int64) {
            return Err(said(format!(
                "the model's input `{name}` is of type {ty}; floats and integers of 32 and 64 bits are taken"
            )));
        }
        let Some((rows, tail)) = shape.split_first() else {
            return Err(said(format!("the model's input `{name}` is a single number; rows are taken")));
        };
        let known: Option<Vec<usize>> = tail.iter().map(|n| usize::try_from(*n).ok().filter(|n| *n > 0)).collect();
        if known.is_none() && !(alone && tail.len() == 1) {
            return Err(said(format!("the model's input `{name}` has shape {shape:?}: how wide a row is has to be known")));
        }
        Ok((Input { name: name.to_owned(), element: *ty, tail: known }, *rows == 1))
    }

    /// How many columns of a row go to it.
    pub(super) fn columns(&self) -> Option<usize> {
        let tail = self.tail.as_ref()?;
        Some(tail.iter().fold(1, |columns, n| columns.saturating_mul(*n)))
    }

    /// Its columns of some rows as it wants them. `row` and `column` say where in the batch they begin.
    pub(super) fn value(&self, x: ArrayView2<'_, f64>, row: usize, column: usize) -> Result<SessionInputValue<'static>, Error> {
        let mut shape = vec![x.nrows()];
        shape.extend(self.tail.clone().unwrap_or_else(|| vec![x.ncols()]));
        let whole = || match x.indexed_iter().find(|(_, v)| v.fract() != 0.0) {
            // What is not finite has a fraction that is no number.
            Some(((i, j), v)) => {
                let what = format!("is {v}; the model takes whole numbers in it");
                Err(Error::Value { row: row + i, column: column + j, what })
            }
            None => Ok(()),
        };
        let tensor = match self.element {
            TensorElementType::Float64 => Tensor::from_array((shape, x.iter().copied().collect::<Vec<f64>>())).map(Into::into),
            TensorElementType::Int64 => {
                whole()?;
                Tensor::from_array((shape, x.iter().map(|v| *v as i64).collect::<Vec<i64>>())).map(Into::into)
            }
            TensorElementType::Int32 => {
                whole()?;
                Tensor::from_array((shape, x.iter().map(|v| *v as i32).collect::<Vec<i32>>())).map(Into::into)
            }
            _ => Tensor::from_array((shape, x.iter().map(|v| *v as f32).collect::<Vec<f32>>())).map(Into::into),
        };
        tensor.map_err(said)
    }
}
