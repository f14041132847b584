//! What the daemons say to each other over HTTP: JSON bodies. `docs/api.md` tells the paths.

mod cluster;
mod door;
mod history;
mod live;
mod supervisor;
mod worker;

pub use cluster::*;
pub use door::*;
pub use history::*;
pub use live::*;
pub use supervisor::*;
pub use worker::*;
