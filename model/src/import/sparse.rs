//! Sparse matrices of scipy, made dense.

use ndarray::Array2;

use super::Obj;

/// The most elements a dense copy may have (1 GiB): a sparse one of a few bytes can claim any shape.
const MAX_ELEMENTS: usize = 1 << 27;

/// A `csr` or `csc` matrix or array as a dense one.
pub(crate) fn dense(object: &Obj<'_>) -> Option<Array2<f64>> {
    let by_rows = match object.name() {
        "csr_matrix" | "csr_array" => true,
        "csc_matrix" | "csc_array" => false,
        _ => return None,
    };
    let shape = object.get("_shape").or_else(|| object.get("shape"))?.ints()?;
    let mut axes = shape.iter().map(|n| usize::try_from(*n).ok());
    let (rows, columns) = (axes.next()??, axes.next()??);
    if rows.checked_mul(columns)? > MAX_ELEMENTS {
        return None;
    }
    let data = object.get("data")?.floats()?;
    let inner = object.get("indices")?.ints()?;
    let starts = object.get("indptr")?.ints()?;
    if data.len() != inner.len() || starts.len() != if by_rows { rows } else { columns } + 1 {
        return None;
    }
    let mut out = Array2::zeros((rows, columns));
    let bounds: Option<Vec<usize>> = starts.iter().map(|n| usize::try_from(*n).ok()).collect();
    let entries: Vec<(i64, f64)> = inner.iter().copied().zip(data.iter().copied()).collect();
    for (outer, ends) in bounds?.windows(2).enumerate() {
        for (inner, value) in entries.get(ends[0]..ends[1])? {
            let inner = usize::try_from(*inner).ok()?;
            // Entries of one place add up.
            *out.get_mut(if by_rows { (outer, inner) } else { (inner, outer) })? += value;
        }
    }
    Some(out)
}
