//! The few kernels that estimators share, over batches of rows.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// Below this many rows, packing the weights for a matrix product costs more than it saves.
const FEW_ROWS: usize = 4;

/// Lanes summed apart, so that the compiler may use vector instructions.
const LANES: usize = 8;

/// Sum of products.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    fold(a, b, |x, y| x * y)
}

/// Squared Euclidean distance, from the differences themselves: exact for near points, where
/// `|a|² + |b|² - 2ab` cancels.
pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    fold(a, b, |x, y| (x - y) * (x - y))
}

/// Sum of absolute differences.
pub(crate) fn manhattan(a: &[f64], b: &[f64]) -> f64 {
    fold(a, b, |x, y| (x - y).abs())
}

#[inline(always)]
fn fold(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let mut rest = 0.0;
    for (x, y) in a_chunks.remainder().iter().zip(b_chunks.remainder()) {
        rest += f(*x, *y);
    }
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `x · weightsᵀ + offset`: weights are outputs by inputs, one offset per output.
pub(crate) fn affine(x: ArrayView2<'_, f64>, weights: ArrayView2<'_, f64>, offset: ArrayView1<'_, f64>) -> Array2<f64> {
    let mut out = product(x, weights);
    out += &offset;
    out
}

/// `x · weightsᵀ`, row-major.
pub(crate) fn product(x: ArrayView2<'_, f64>, weights: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), weights.nrows()));
    if x.nrows() >= FEW_ROWS {
        general_mat_mul(1.0, &x, &weights.t(), 0.0, &mut out);
        return out;
    }
    let x = x.as_standard_layout();
    for (row, mut sums) in x.outer_iter().zip(out.outer_iter_mut()) {
        let Some(row) = row.to_slice() else { continue };
        for (w, sum) in weights.outer_iter().zip(sums.iter_mut()) {
            *sum = match w.to_slice() {
                Some(w) => dot(row, w),
                None => w.iter().zip(row).map(|(a, b)| a * b).sum(),
            };
        }
    }
    out
}

/// The logistic function.
pub(crate) fn expit(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// Each row to probabilities, shifted by its largest score so that nothing overflows.
pub(crate) fn softmax_rows(scores: &mut Array2<f64>) {
    for mut row in scores.outer_iter_mut() {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|v| (v - top).exp());
        let sum = row.sum();
        row /= sum;
    }
}

/// Position of the largest score; the first of equals, as numpy has it.
pub(crate) fn argmax(row: ArrayView1<'_, f64>) -> u32 {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = i;
        }
    }
    best as u32
}

/// Class per row: the largest score, or for a single column whether it is above 0.
pub(crate) fn decide(scores: &Array2<f64>, out: &mut Vec<u32>) {
    if scores.ncols() == 1 {
        out.extend(scores.iter().map(|v| u32::from(*v > 0.0)));
    } else {
        out.extend(scores.axis_iter(Axis(0)).map(argmax));
    }
}

/// Probabilities from one logistic score per class, or from the one score of two classes.
pub(crate) fn one_versus_rest(scores: Array2<f64>) -> Array2<f64> {
    one_versus_rest_by(scores, expit)
}

/// The same with another function from score to probability.
pub(crate) fn one_versus_rest_by(scores: Array2<f64>, link: impl Fn(f64) -> f64) -> Array2<f64> {
    if scores.ncols() == 1 {
        let mut out = Array2::zeros((scores.nrows(), 2));
        for (mut row, score) in out.outer_iter_mut().zip(&scores) {
            let p = link(*score);
            row[0] = 1.0 - p;
            row[1] = p;
        }
        return out;
    }
    let mut out = scores.mapv_into(link);
    let even = 1.0 / out.ncols() as f64;
    for mut row in out.outer_iter_mut() {
        let sum = row.sum();
        if sum == 0.0 {
            row.fill(even);
        } else {
            row /= sum;
        }
    }
    out
}
