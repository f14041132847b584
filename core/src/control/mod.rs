//! What the daemons say to each other over HTTP: JSON bodies. `docs/api.md` tells the paths.

mod cluster;
mod door;
mod errors;
mod history;
mod instruct;
mod live;
mod logs;
mod models;
mod supervisor;
mod tap;
mod worker;

pub use cluster::*;
pub use door::*;
pub use errors::*;
pub use history::*;
pub use instruct::*;
pub use live::*;
pub use logs::*;
pub use models::*;
pub use supervisor::*;
pub use tap::*;
pub use worker::*;
