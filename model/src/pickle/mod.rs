//! Pickles read as data.
//!
//! A pickle is a program for a small stack machine that can import and call anything. The machine
//! here builds plain values instead: a class or function becomes a name, an instance becomes
//! (name, arguments, state), and only numpy's arrays are put together, by our own code. A name that
//! is not on the list in `known.rs` ends the reading.
//!
//! The opcodes are those of Python's `pickletools`, protocols 0 to 5; the layouts of numpy and
//! joblib are read off their documented `__reduce__` and `NumpyArrayWrapper`.

mod calls;
mod heap;
mod joblib;
mod known;
mod machine;
mod numpy;
mod reader;

pub(crate) use heap::{Array, Dtype, Elements, Heap, Id, Value};

use crate::Error;

/// Reads the pickle that is the whole of `source`.
pub(crate) fn load<'a>(source: &'a [u8], progress: &mut dyn FnMut(usize)) -> Result<(Heap<'a>, Id), Error> {
    machine::run(source, progress)
}
