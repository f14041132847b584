//! Links between workers, over ZeroMQ: one PULL socket that others send to, one PUSH socket for each other worker, all of
//! them owned by one thread. `docs/wire.md` is the specification.

mod line;
mod outbox;
mod peers;
mod protocol;
mod thread;
mod wake;
mod window;

pub(crate) use protocol::{Command, News, Settings};
pub(crate) use thread::{LinkHandle, start};

/// For the simulation and for fuzzers, which have lines of their own.
pub(crate) mod parts {
    pub use super::line::{Line, Lines};
    pub(crate) use super::outbox::Outboxes;
    pub(crate) use super::protocol::{Around, Counts, Protocol};
    pub(crate) use super::wake::pair;
}
