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
