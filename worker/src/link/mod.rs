//! Links between workers, over ZeroMQ: one PULL socket that others send to, one PUSH socket for each other worker, all of
//! them owned by one thread. `docs/wire.md` is the specification.

mod outbox;
mod peers;
mod thread;
mod wake;
mod window;

pub(crate) use thread::{Command, LinkHandle, News, Settings, start};
