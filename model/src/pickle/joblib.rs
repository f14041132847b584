//! Arrays as joblib writes them: a small wrapper object, then the raw elements in mid-stream.

use std::borrow::Cow;

use super::heap::{Array, Elements, Heap, Id, Value};
use super::numpy;
use super::reader::Reader;
use crate::Error;

pub(crate) const WRAPPER: &str = "joblib.numpy_pickle.NumpyArrayWrapper";
/// joblib before 0.10 kept each array in a file of its own.
pub(crate) const OLD_WRAPPER: &str = "joblib.numpy_pickle.NDArrayWrapper";

/// The array that follows the BUILD of a wrapper with this state.
///
/// An array of objects follows as a pickle of its own, which `nested` reads.
pub(crate) fn read<'a>(
    heap: &mut Heap<'a>,
    reader: &mut Reader<'a>,
    state: Id,
    nested: &mut dyn FnMut(&mut Heap<'a>, &mut Reader<'a>) -> Result<Id, Error>,
) -> Result<Array<'a>, Error> {
    let offset = reader.at();
    let wrong = |what: &str| Error::damaged(offset, format!("a joblib array {what}"));
    // Looked up again for every array: keep it cheap.
    if !matches!(heap.get(state), Value::Dict(items) if items.len() <= 32) {
        return Err(wrong("has no state"));
    }
    let shape =
        heap.entry(state, "shape").and_then(|s| numpy::parse_shape(heap, s)).ok_or_else(|| wrong("has no proper shape"))?;
    let dtype = match heap.entry(state, "dtype").map(|d| heap.get(d)) {
        Some(Value::Dtype(dtype)) => numpy::copied(heap, dtype, offset)?,
        _ => return Err(wrong("has no dtype")),
    };
    let fortran = heap.entry(state, "order").and_then(|o| heap.text(o)).is_some_and(|o| o == "F");
    if dtype.kind == b'O' {
        let id = nested(heap, reader)?;
        return match heap.get(id) {
            Value::Array(array) if matches!(array.data, Elements::Objects(_)) => Ok((**array).clone()),
            _ => Err(wrong("of objects holds something else")),
        };
    }
    // Newer versions align the data for mapping: one byte says how much padding follows.
    let aligned = heap.entry(state, "numpy_array_alignment_bytes").and_then(|a| heap.int(a)).is_some();
    if aligned {
        let padding = reader.u8("the padding of a joblib array")?;
        reader.take(u64::from(padding), "the padding of a joblib array")?;
    }
    let bytes = numpy::count(&shape).and_then(|n| n.checked_mul(dtype.size)).ok_or_else(|| wrong("has an impossible shape"))?;
    let data = reader.take(bytes as u64, "a joblib array")?;
    numpy::finish(dtype, shape, fortran, Elements::Raw(Cow::Borrowed(data)), offset)
}
