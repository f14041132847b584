//! Batches of rows through layers of weights: products, offsets and activations of a few rows at a time, so that what lies
//! between two layers stays in the first cache.

use ndarray::{Array2, ArrayView1, ArrayView2};
use pulp::{Simd, WithSimd};

/// Rows that go through all layers before the next: a multiple of every number of rows a product takes at once.
const ROWS: usize = 48;

/// Weights are rearranged for every batch; more of them than this (1 MB) are not, so that a process needs the same memory for a
/// large model as for a small one.
const MOST_WEIGHTS: usize = 128 * 1024;

/// One layer: `act(x · weightsᵀ + bias)`.
pub(crate) struct Layer<'a> {
    /// Outputs by inputs.
    pub(crate) weights: ArrayView2<'a, f64>,
    pub(crate) bias: ArrayView1<'a, f64>,
    /// Works on several rows at once, and on numbers beyond the last output, which mean nothing.
    pub(crate) act: Option<fn(&mut [f64])>,
}

/// What comes out of the last layer; none where another way is as good: few rows, many weights, no vector instructions.
pub(crate) fn forward(layers: &[Layer<'_>], x: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let weights: usize = layers.iter().map(|l| l.weights.len()).sum();
    if x.nrows() < ROWS / 4 || weights > MOST_WEIGHTS || layers.iter().any(|l| l.weights.is_empty()) {
        return None;
    }
    let x = x.as_standard_layout();
    pulp::Arch::new().dispatch(Forward { layers, x: x.as_slice()?, rows: x.nrows() })
}

struct Forward<'a, 'l> {
    layers: &'a [Layer<'l>],
    x: &'a [f64],
    rows: usize,
}

impl WithSimd for Forward<'_, '_> {
    type Output = Option<Array2<f64>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        if S::IS_SCALAR {
            return None;
        }
        let layers: Vec<Packed> = self.layers.iter().map(Packed::new::<S>).collect();
        let last = layers.last()?;
        let mut out = Array2::zeros((self.rows, last.outputs));
        let widest = layers.iter().map(|l| l.stride).max()?;
        let (mut from, mut to) = (vec![0.0; ROWS * widest], vec![0.0; ROWS * widest]);
        let features = layers.first()?.inputs;
        let chunks = out.as_slice_mut()?.chunks_mut(ROWS * last.outputs);
        for (x, out) in self.x.chunks(ROWS * features).zip(chunks) {
            let rows = x.len() / features;
            let mut stride = features;
            for (i, layer) in layers.iter().enumerate() {
                let input = if i == 0 { x } else { &from };
                layer.products(simd, input, stride, rows, &mut to);
                if let Some(act) = layer.act {
                    act(&mut to[..rows * layer.stride]);
                }
                std::mem::swap(&mut from, &mut to);
                stride = layer.stride;
            }
            for (row, out) in from.chunks_exact(stride).zip(out.chunks_exact_mut(last.outputs)) {
                out.copy_from_slice(&row[..last.outputs]);
            }
        }
        Some(out)
    }
}

/// A layer as products want it: vectors of outputs in panels of up to [`widest`], each with its inputs in order.
struct Packed {
    panels: Vec<f64>,
    /// Where in `panels` the first begins: at a cache line.
    begin: usize,
    bias: Vec<f64>,
    inputs: usize,
    outputs: usize,
    /// Outputs, and what is missing to full vectors.
    stride: usize,
    act: Option<fn(&mut [f64])>,
}

/// Vectors of a panel at most: sums of as many rows as vectors fit into the registers.
#[inline(always)]
fn widest<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 4 } else { 3 }
}

/// First vector of each panel, and its vectors: as even as they can be.
fn split(vectors: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = vectors.div_ceil(widest);
    (0..count).map(move |i| (i * vectors / count, (i + 1) * vectors / count - i * vectors / count))
}

impl Packed {
    #[inline(always)]
    fn new<S: Simd>(layer: &Layer<'_>) -> Packed {
        let (outputs, inputs) = layer.weights.dim();
        let lanes = S::F64_LANES;
        let vectors = outputs.div_ceil(lanes);
        let stride = vectors * lanes;
        let mut panels = vec![0.0; stride * inputs + 8];
        let begin = panels.as_ptr().align_offset(64).min(8);
        for (first, width) in split(vectors, widest::<S>()) {
            let panel = &mut panels[begin + first * lanes * inputs..][..width * lanes * inputs];
            for (output, weights) in layer.weights.outer_iter().enumerate().skip(first * lanes).take(width * lanes) {
                let places = panel[output - first * lanes..].iter_mut().step_by(width * lanes);
                places.zip(weights).for_each(|(place, weight)| *place = *weight);
            }
        }
        let mut bias = vec![0.0; stride];
        bias.iter_mut().zip(layer.bias).for_each(|(to, from)| *to = *from);
        Packed { panels, begin, bias, inputs, outputs, stride, act: layer.act }
    }

    /// `rows` rows of `out` from as many of `x`, which are `x_stride` apart.
    #[inline(always)]
    fn products<S: Simd>(&self, simd: S, x: &[f64], x_stride: usize, rows: usize, out: &mut [f64]) {
        let lanes = S::F64_LANES;
        for (first, width) in split(self.stride / lanes, widest::<S>()) {
            let panel = &self.panels[self.begin + first * lanes * self.inputs..][..width * lanes * self.inputs];
            let part =
                Part { panel, bias: &self.bias[first * lanes..], x, x_stride, rows, first: first * lanes, stride: self.stride };
            match (width, S::REGISTER_COUNT >= 32) {
                (4, _) => part.sums::<S, 6, 4>(simd, out),
                (3, true) => part.sums::<S, 8, 3>(simd, out),
                (2, true) => part.sums::<S, 8, 2>(simd, out),
                (_, true) => part.sums::<S, 8, 1>(simd, out),
                (3, false) => part.sums::<S, 4, 3>(simd, out),
                (2, false) => part.sums::<S, 4, 2>(simd, out),
                (_, false) => part.sums::<S, 8, 1>(simd, out),
            }
        }
    }
}

/// Rows and one panel of weights.
struct Part<'a> {
    panel: &'a [f64],
    bias: &'a [f64],
    x: &'a [f64],
    x_stride: usize,
    rows: usize,
    /// The first output of the panel, and how far rows of outputs are apart.
    first: usize,
    stride: usize,
}

impl Part<'_> {
    /// `M` rows times `N` vectors at a time, all sums in registers.
    #[inline(always)]
    fn sums<S: Simd, const M: usize, const N: usize>(&self, simd: S, out: &mut [f64]) {
        let (panel, _) = S::as_simd_f64s(self.panel);
        let (weights, _) = panel.as_chunks::<N>();
        let inputs = weights.len();
        let bias: [S::f64s; N] = std::array::from_fn(|j| S::as_simd_f64s(self.bias).0[j]);
        for row in (0..self.rows).step_by(M) {
            // The last rows may be fewer; one of them is then computed several times.
            let x: [&[f64]; M] = std::array::from_fn(|i| {
                let row = (row + i).min(self.rows - 1);
                &self.x[row * self.x_stride..][..inputs]
            });
            let mut sums = [bias; M];
            for (k, weights) in weights.iter().enumerate() {
                for (sums, x) in sums.iter_mut().zip(&x) {
                    let x = simd.splat_f64s(x[k]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f64s(x, *weight, *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(self.rows - row) {
                let out = &mut out[(row + i) * self.stride + self.first..][..N * S::F64_LANES];
                S::as_mut_simd_f64s(out).0.copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: usize, widths: &[usize]) {
        let number = |i: usize| ((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
        let matrix = |n: usize, m: usize| Array2::from_shape_fn((n, m), |(i, j)| number(i * m + j));
        let x = matrix(rows, widths[0]);
        let parts: Vec<_> = widths.windows(2).map(|w| (matrix(w[1], w[0]), matrix(1, w[1]).row(0).to_owned())).collect();
        let relu: fn(&mut [f64]) = |values| values.iter_mut().for_each(|v| *v = v.max(0.0));
        let layers: Vec<_> = parts.iter().map(|(w, b)| Layer { weights: w.view(), bias: b.view(), act: Some(relu) }).collect();
        let mut expected = x.clone();
        for (weights, bias) in &parts {
            expected = (expected.dot(&weights.t()) + bias).mapv(|v| v.max(0.0));
        }
        let close = |out: &Array2<f64>| {
            assert_eq!(out.dim(), expected.dim());
            assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rows} rows, {widths:?}");
        };
        let run = || Forward { layers: &layers, x: x.as_slice().unwrap(), rows };
        if let Some(out) = forward(&layers, x.view()) {
            close(&out);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            close(&Simd::vectorize(simd, run()).unwrap());
        }
        assert!(Simd::vectorize(pulp::Scalar, run()).is_none());
    }

    #[test]
    fn layers_of_every_shape_are_as_their_products() {
        for rows in [1, 5, 12, 47, 48, 49, 100] {
            for widths in [&[1, 1][..], &[3, 7, 2], &[32, 100, 50, 4], &[5, 8, 16, 24, 32, 33, 1], &[64, 129]] {
                check(rows, widths);
            }
        }
    }

    #[test]
    fn few_rows_and_many_weights_are_left_to_others() {
        let weights = Array2::zeros((400, 400));
        let bias = ndarray::Array1::zeros(400);
        let layer = || Layer { weights: weights.view(), bias: bias.view(), act: None };
        assert!(forward(&[layer()], Array2::zeros((64, 400)).view()).is_none());
        let small = Layer { weights: weights.slice(ndarray::s![..4, ..]), bias: bias.slice(ndarray::s![..4]), act: None };
        assert!(forward(&[small], Array2::zeros((1, 400)).view()).is_none());
    }
}
