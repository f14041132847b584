//! Collects the arrays of a model while it is imported.

use std::collections::HashMap;

use ndarray::ArrayD;

use super::Node;
use crate::Error;

/// The elements of one tensor.
#[derive(Debug)]
pub(crate) enum Data {
    F64(Vec<f64>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

impl Tensor {
    pub(crate) fn dtype(&self) -> &'static str {
        match self.data {
            Data::F64(_) => "F64",
            Data::I64(_) => "I64",
            Data::U8(_) => "U8",
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::F64(v) => bytemuck::cast_slice(v),
            Data::I64(v) => bytemuck::cast_slice(v),
            Data::U8(v) => v,
        }
    }
}

/// Tensors so far, and what was noteworthy.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) warnings: Vec<String>,
    /// Bytes that may still be added. A small hostile file can name one large array many times.
    left: usize,
    depth: usize,
    /// Codes of texts that are categories.
    codes: HashMap<String, usize>,
}

impl Builder {
    /// A builder for a source of `source` bytes.
    pub(crate) fn new(source: usize) -> Builder {
        let mut builder =
            Builder { tensors: Vec::new(), warnings: Vec::new(), left: 64 << 20, depth: 0, codes: HashMap::new() };
        builder.allow(source as u64);
        builder
    }

    /// Makes room for so many bytes more of the source.
    pub(crate) fn allow(&mut self, source: u64) {
        self.left = self.left.saturating_add(usize::try_from(source).unwrap_or(usize::MAX).saturating_mul(16));
    }

    /// Stores `array` as the `role` of `node`.
    pub(crate) fn f64(&mut self, node: &mut Node, role: &str, array: ArrayD<f64>) -> Result<(), Error> {
        let shape = array.shape().to_vec();
        let data = match array.as_standard_layout().into_owned().into_raw_vec_and_offset() {
            (data, None | Some(0)) => data,
            _ => return Err(Error::Internal("an array with an offset".into())),
        };
        self.put(node, role, shape, Data::F64(data))
    }

    pub(crate) fn vec(&mut self, node: &mut Node, role: &str, data: Vec<f64>) -> Result<(), Error> {
        self.put(node, role, vec![data.len()], Data::F64(data))
    }

    pub(crate) fn i64(&mut self, node: &mut Node, role: &str, data: Vec<i64>) -> Result<(), Error> {
        self.put(node, role, vec![data.len()], Data::I64(data))
    }

    pub(crate) fn u8(&mut self, node: &mut Node, role: &str, data: Vec<u8>) -> Result<(), Error> {
        self.put(node, role, vec![data.len()], Data::U8(data))
    }

    fn put(&mut self, node: &mut Node, role: &str, shape: Vec<usize>, data: Data) -> Result<(), Error> {
        let name = format!("{}.{}.{role}", self.tensors.len(), node.op);
        let tensor = Tensor { name: name.clone(), shape, data };
        self.spend(tensor.bytes().len() + 256)?;
        node.tensors.insert(role.to_owned(), name);
        self.tensors.push(tensor);
        Ok(())
    }

    /// Accounts for a part of the model, be it array or estimator.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        self.left = self.left_after(bytes)?;
        Ok(())
    }

    /// What might still be added after so many bytes.
    pub(crate) fn left_after(&self, bytes: usize) -> Result<usize, Error> {
        self.left.checked_sub(bytes).ok_or_else(|| Error::damaged(0, "the model is far larger than its file"))
    }

    /// Imports something one level down.
    pub(crate) fn deeper<T>(&mut self, work: impl FnOnce(&mut Builder) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= super::MAX_DEPTH {
            return Err(Error::damaged(0, format!("estimators nested more than {} deep", super::MAX_DEPTH)));
        }
        self.spend(1024)?;
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    /// The code of a text: the same in all of the model.
    pub(crate) fn code(&mut self, text: &str) -> Result<f64, Error> {
        if let Some(code) = self.codes.get(text) {
            return Ok(*code as f64);
        }
        self.spend(text.len() + 64)?;
        let code = self.codes.len();
        self.codes.insert(text.to_owned(), code);
        Ok(code as f64)
    }

    /// All codes given out, in order.
    pub(crate) fn take_codes(&mut self) -> Vec<(String, usize)> {
        let mut codes: Vec<(String, usize)> = std::mem::take(&mut self.codes).into_iter().collect();
        codes.sort_by_key(|(_, code)| *code);
        codes
    }

    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if self.warnings.len() < 100 && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
