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
    /// It takes one row at a time.
    pub(super) single: bool,
}

impl Input {
    /// Only an input that is `alone` may leave open how wide a row is.
    pub(super) fn of(name: &str, dtype: &ValueType, alone: bool) -> Result<Input, Error> {
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
        Ok(Input { name: name.to_owned(), element: *ty, tail: known, single: *rows == 1 })
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
        let tensor = match self.element {
            TensorElementType::Float64 => Tensor::from_array((shape, x.iter().copied().collect::<Vec<f64>>())).map(Into::into),
            TensorElementType::Int64 => Tensor::from_array((shape, self.whole(x, row, column, |v| v as i64)?)).map(Into::into),
            TensorElementType::Int32 => Tensor::from_array((shape, self.whole(x, row, column, |v| v as i32)?)).map(Into::into),
            _ => Tensor::from_array((shape, x.iter().map(|v| *v as f32).collect::<Vec<f32>>())).map(Into::into),
        };
        tensor.map_err(said)
    }

    /// The values as whole numbers with a sign, each of which `to` makes; refused unless all are such.
    fn whole<T>(&self, x: ArrayView2<'_, f64>, row: usize, column: usize, to: fn(f64) -> T) -> Result<Vec<T>, Error> {
        let bits = 8 * size_of::<T>();
        let limit = 2f64.powi(bits as i32 - 1);
        // What is not finite has a fraction that is no number.
        match x.indexed_iter().find(|(_, v)| v.fract() != 0.0 || !(-limit..limit).contains(*v)) {
            None => Ok(x.iter().map(|v| to(*v)).collect()),
            Some(((i, j), v)) => {
                let what = format!(
                    "is {v:?}; the model's input `{}` takes whole numbers of {bits} bits: round it before, or drop such rows",
                    self.name
                );
                Err(Error::Value { row: row + i, column: column + j, what })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn whole_numbers_are_never_cut_to_fit() {
        let input = Input { name: "ids".into(), element: TensorElementType::Int32, tail: None, single: false };
        let whole = |v: f64| input.whole(arr2(&[[0.0, v]]).view(), 7, 3, |v| v as i32);
        assert_eq!(whole(2_147_483_647.0).unwrap(), [0, i32::MAX]);
        assert_eq!(whole(-2_147_483_648.0).unwrap(), [0, i32::MIN]);
        for wrong in [2_147_483_648.0, -2_147_483_649.0, 0.5, f64::NAN, f64::NEG_INFINITY] {
            let error = whole(wrong).unwrap_err();
            assert!(matches!(error, Error::Value { row: 7, column: 4, .. }), "{error}");
            let told = format!("is {wrong:?}; the model's input `ids` takes whole numbers of 32 bits: round it before");
            assert!(error.to_string().contains(&told), "{error}");
        }
        let far = arr2(&[[2f64.powi(63)]]);
        assert!(input.whole(far.view(), 0, 0, |v| v as i64).is_err());
        assert_eq!(input.whole((-far).view(), 0, 0, |v| v as i64).unwrap(), [i64::MIN]);
    }
}
