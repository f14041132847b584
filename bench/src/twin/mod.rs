//! The bare twins: programs that do only the step in question, with the same column batches as the engine, so that its figures
//! can be compared with what the machine allows.

mod echo;
mod fill;
mod kernel;
mod pipe;
mod take;

use std::path::Path;
use std::time::Duration;

use squall_core::Result;

pub(crate) use echo::{Paced, peer};
pub(crate) use fill::{Fill, Row};
pub(crate) use take::Take;

/// The engine's batch: so many rows or bytes, whatever comes first.
const ROWS: usize = 256;
const BYTES: usize = 256 << 10;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// One thread fills batches and drops them.
    Drop,
    /// One thread fills batches, another one takes them in; between two workers they go through ZeroMQ.
    Hand(Take),
    /// One thread scores the rows of the digits with the model, in batches.
    Kernel,
    /// One thread sleeps so many milliseconds over each tuple.
    Sleep(u64),
}

impl Twin {
    /// What it is called in tables.
    pub(crate) fn about(self, workers: u32) -> &'static str {
        match self {
            Twin::Drop => "append and drop, one thread",
            Twin::Hand(_) if workers > 1 => "encode, ZeroMQ over tcp, decode, two threads",
            Twin::Hand(_) => "hand-over between two threads",
            Twin::Kernel => "the model over the same rows in batches of 256, one thread",
            Twin::Sleep(_) => "sleeping, one thread",
        }
    }

    /// Runs it for this time after warming up; the tuples a second.
    ///
    /// # Errors
    /// A thread or a socket cannot be had; the model cannot be read.
    pub(crate) fn run(self, fill: Fill, data: &Path, workers: u32, time: Duration) -> Result<f64> {
        match self {
            Twin::Drop => Ok(pipe::alone(fill, time)),
            Twin::Hand(take) if workers > 1 => pipe::wire(fill, take, time),
            Twin::Hand(take) => pipe::threads(fill, take, time),
            Twin::Kernel => kernel::score(data, time),
            Twin::Sleep(millis) => Ok(pipe::sleeping(Duration::from_millis(millis), time)),
        }
    }
}
