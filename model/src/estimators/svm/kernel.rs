//! Kernel values of rows against the support vectors.

use ndarray::{Array1, Array2, ArrayView2, Axis, CowArray, s};

use super::super::math;
use super::super::vector::{exp, tanh_all, wide};
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

#[derive(Debug, Clone, Copy)]
enum Function {
    Linear,
    /// `(gamma·<x,v> + coef0)^degree`
    Poly {
        gamma: f64,
        coef0: f64,
        degree: u32,
    },
    /// `exp(-gamma·|x-v|²)`, with rows and vectors taken from their centre, so that `|x|² + |v|² - 2<x,v>` is as good.
    Rbf {
        gamma: f64,
    },
    /// `tanh(gamma·<x,v> + coef0)`
    Sigmoid {
        gamma: f64,
        coef0: f64,
    },
    /// The row holds kernel values with all training rows.
    Precomputed,
}

pub(crate) struct Kernel {
    function: Function,
    /// Vectors by features; for precomputed kernels, none.
    vectors: Option<View<f64>>,
    /// For radial kernels: what the vectors are relative to, and their squared lengths.
    centred: Option<(View<f64>, View<f64>)>,
    /// For precomputed kernels, which training rows the vectors were.
    support: Option<View<i64>>,
    n_vectors: usize,
    n_features: usize,
}

/// Kernel values computed at once: enough rows for a good matrix product, few enough to stay in cache.
const BLOCK: usize = 1 << 16;

impl Kernel {
    pub(crate) fn import(object: &Obj<'_>, builder: &mut Builder, node: &mut Node) -> Result<usize, Error> {
        let Some(name) = object.need("kernel")?.text() else {
            return Err(Error::unsupported(
                object.class(),
                "its kernel is a Python function; use kernel=\"precomputed\" and compute it in a bolt",
            ));
        };
        node.set("kernel", &*name);
        if &*name == "precomputed" {
            let support = object.ints("support_")?;
            // The features of a precomputed kernel are the training rows.
            let shape = object.ints("shape_fit_")?;
            let n_features = shape.iter().copied().next().and_then(|n| usize::try_from(n).ok());
            node.n_features = Some(n_features.ok_or_else(|| object.wrong("shape_fit_", "is no shape"))?);
            let n = support.len();
            builder.i64(node, "support", support.iter().copied().collect())?;
            return Ok(n);
        }
        if &*name != "linear" {
            // `gamma` may say "scale"; this is what it came to.
            node.set_f64("gamma", object.float("_gamma")?);
            node.set_f64("coef0", object.float("coef0")?);
        }
        if &*name == "poly" {
            let degree = object.float("degree")?;
            if degree.fract() != 0.0 || !(0.0..=1e6).contains(&degree) {
                return Err(object.wrong("degree", "is no small whole number"));
            }
            node.set("degree", degree as u64);
        }
        let mut vectors = object.matrix("support_vectors_")?;
        let (n, features) = vectors.dim();
        node.n_features = Some(features);
        if &*name == "rbf" {
            let centre = vectors.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(features));
            vectors -= &centre;
            let norms = vectors.outer_iter().map(|v| v.dot(&v)).collect();
            builder.vec(node, "centre", centre.to_vec())?;
            builder.vec(node, "norms", norms)?;
        }
        builder.f64(node, "vectors", vectors.into_dyn())?;
        Ok(n)
    }

    pub(crate) fn load(node: &Node, store: &Store) -> Result<Kernel, Error> {
        let function = match node.text("kernel")? {
            "linear" => Function::Linear,
            "poly" => Function::Poly {
                gamma: node.f64("gamma")?,
                coef0: node.f64("coef0")?,
                degree: u32::try_from(node.usize("degree")?).unwrap_or(u32::MAX),
            },
            "rbf" => Function::Rbf { gamma: node.f64("gamma")? },
            "sigmoid" => Function::Sigmoid { gamma: node.f64("gamma")?, coef0: node.f64("coef0")? },
            "precomputed" => Function::Precomputed,
            _ => return Err(node.broken("its kernel is unknown")),
        };
        if let Function::Precomputed = function {
            let support = store.i64(node, "support")?;
            let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
            let inside = |i: &i64| usize::try_from(*i).is_ok_and(|i| i < n_features);
            if !support.slice().iter().all(inside) {
                return Err(node.broken("a support vector lies outside the training rows"));
            }
            return Ok(Kernel {
                function,
                n_vectors: support.len(),
                n_features,
                vectors: None,
                centred: None,
                support: Some(support),
            });
        }
        let vectors = store.f64(node, "vectors")?;
        let [n_vectors, n_features] = *vectors.shape() else {
            return Err(node.broken("its support vectors are no matrix"));
        };
        let centred = match function {
            Function::Rbf { .. } => Some((
                store.f64(node, "centre")?.expect(node, "centre", &[n_features])?,
                store.f64(node, "norms")?.expect(node, "norms", &[n_vectors])?,
            )),
            _ => None,
        };
        Ok(Kernel { function, n_vectors, n_features, vectors: Some(vectors), centred, support: None })
    }

    pub(crate) fn n_vectors(&self) -> usize {
        self.n_vectors
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// Calls `each` with the number of every row and its kernel values with all support vectors.
    pub(crate) fn rows(&self, x: ArrayView2<'_, f64>, mut each: impl FnMut(usize, &[f64])) -> Result<(), Error> {
        let mut x = x.as_standard_layout();
        if let Some((centre, _)) = &self.centred {
            x = CowArray::from(&x - &centre.vector());
        }
        match (&self.vectors, &self.support) {
            (_, Some(support)) => {
                let mut values = vec![0.0; self.n_vectors];
                for (i, row) in x.outer_iter().enumerate() {
                    for (value, column) in values.iter_mut().zip(support.slice()) {
                        *value = row.get(*column as usize).copied().unwrap_or(f64::NAN);
                    }
                    each(i, &values);
                }
            }
            (Some(vectors), _) => {
                let vectors = vectors.matrix()?;
                let block = (BLOCK / self.n_vectors.max(1)).clamp(1, x.nrows().max(1));
                for start in (0..x.nrows()).step_by(block) {
                    let end = (start + block).min(x.nrows());
                    let mut values = math::product(x.slice(s![start..end, ..]), vectors);
                    self.finish(&mut values, x.slice(s![start..end, ..]));
                    for (i, row) in values.outer_iter().enumerate() {
                        each(start + i, row.to_slice().unwrap_or_default());
                    }
                }
            }
            (None, None) => return Err(Error::Internal("a kernel without support vectors".into())),
        }
        Ok(())
    }

    /// From the products of rows and vectors to the kernel values.
    fn finish(&self, products: &mut Array2<f64>, rows: ArrayView2<'_, f64>) {
        match (self.function, &self.centred) {
            (Function::Poly { gamma, coef0, degree }, _) => products.mapv_inplace(|v| power(gamma * v + coef0, degree)),
            (Function::Sigmoid { gamma, coef0 }, _) => {
                products.mapv_inplace(|v| gamma * v + coef0);
                math::each(products, tanh_all);
            }
            (Function::Rbf { gamma }, Some((_, norms))) => {
                for (mut products, row) in products.outer_iter_mut().zip(rows.outer_iter()) {
                    let length = row.dot(&row);
                    let Some(products) = products.as_slice_mut() else { continue };
                    wide(|| {
                        for (value, norm) in products.iter_mut().zip(norms.slice()) {
                            // A row that is a support vector may come out a little below 0.
                            *value = exp(-gamma * (length + norm - 2.0 * *value).max(0.0));
                        }
                    });
                }
            }
            _ => {}
        }
    }
}

/// Whole powers by squaring.
fn power(base: f64, mut exponent: u32) -> f64 {
    let (mut square, mut out) = (base, 1.0);
    while exponent > 0 {
        if exponent % 2 == 1 {
            out *= square;
        }
        square *= square;
        exponent /= 2;
    }
    out
}
