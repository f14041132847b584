//! The few kernels that estimators share, over batches of rows.

use super::layers::{self, Layer};
use super::vector::{exp_all, expit_all, wide};
use crate::Classes;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

/// Below this many rows, packing the weights for a matrix product costs more than it saves.
const FEW_ROWS: usize = 4;

/// From this many rows on it pays to rearrange the weights for vectors of outputs.
const MANY_ROWS: usize = 32;

/// Lanes summed apart, so that the compiler may use vector instructions.
const LANES: usize = 8;

/// Rows of so many columns may be nearly all zero, and are looked at first.
const MANY_COLUMNS: usize = 1024;

/// Sum of products.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    fold(a, b, |x, y| x * y)
}

/// Squared Euclidean distance, from the differences themselves: exact for near points, where
/// `|a|² + |b|² - 2ab` cancels.
#[inline(always)]
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
    if x.nrows() >= MANY_ROWS
        && x.ncols() < MANY_COLUMNS
        && let Some(out) = layers::forward(&[Layer { weights, bias: offset, act: None }], x)
    {
        return out;
    }
    let mut out = product(x, weights);
    out += &offset;
    out
}

/// Whether rows are wide and nearly all zero, as counts of words are: what is not zero is then gone through by itself.
pub(crate) fn sparse(x: ArrayView2<'_, f64>) -> bool {
    x.ncols() >= MANY_COLUMNS && x.iter().filter(|v| **v != 0.0).count() < x.len() / 8
}

/// `x · weightsᵀ`, row-major.
pub(crate) fn product(x: ArrayView2<'_, f64>, weights: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), weights.nrows()));
    let sparse = sparse(x);
    if x.nrows() >= FEW_ROWS && !sparse {
        general_mat_mul(1.0, &x, &weights.t(), 0.0, &mut out);
        return out;
    }
    let (x, weights) = (x.as_standard_layout(), weights.as_standard_layout());
    let (features, outputs) = (weights.ncols(), weights.nrows());
    let (Some(x), Some(weights), Some(sums)) = (x.as_slice(), weights.as_slice(), out.as_slice_mut()) else {
        return out;
    };
    if features == 0 || outputs == 0 {
        return out;
    }
    let mut places = Vec::new();
    for (row, sums) in x.chunks_exact(features).zip(sums.chunks_exact_mut(outputs)) {
        let weights = weights.chunks_exact(features).zip(sums);
        if sparse {
            places.clear();
            places.extend(row.iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, _)| i));
            weights.for_each(|(w, sum)| *sum = places.iter().map(|i| row[*i] * w[*i]).sum());
        } else {
            wide(|| weights.for_each(|(w, sum)| *sum = dot(row, w)));
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
        row.iter_mut().for_each(|v| *v -= top);
    }
    each(scores, exp_all);
    for mut row in scores.outer_iter_mut() {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|v| *v /= sum);
    }
}

/// The rows of several matrices in one; none unless there are some, of one width.
pub(crate) fn stack(mut parts: Vec<Array2<f64>>) -> Option<Array2<f64>> {
    if parts.len() == 1 {
        return parts.pop();
    }
    let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
    concatenate(Axis(0), &views).ok()
}

/// Does `work` to all values at once, or to each where they do not lie together.
pub(crate) fn each(values: &mut Array2<f64>, work: fn(&mut [f64])) {
    match values.as_slice_memory_order_mut() {
        Some(values) => work(values),
        None => values.iter_mut().for_each(|v| work(std::slice::from_mut(v))),
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

/// Class of each target per row: the largest of its scores. The scores of all targets stand side by side.
pub(crate) fn decide_each(scores: &Array2<f64>, targets: &[Classes], out: &mut Vec<u32>) {
    for row in scores.outer_iter() {
        let mut start = 0;
        for classes in targets {
            out.push(argmax(row.slice(s![start..start + classes.len()])));
            start += classes.len();
        }
    }
}

/// Probabilities from one logistic score per class, or from the one score of two classes.
pub(crate) fn one_versus_rest(mut scores: Array2<f64>) -> Array2<f64> {
    each(&mut scores, expit_all);
    one_versus_rest_by(scores, |v| v)
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
