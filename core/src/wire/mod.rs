//! What travels over links between workers; `docs/wire.md` is the specification. Pure functions from bytes to structs and
//! back: no sockets here, so that everything can be tested and fuzzed.

mod batch;
mod control;
mod frame;
mod read;
mod value;

pub use batch::{Addressed, DecodedBatch, decode_batches, encode_batch};
pub use control::{Credit, Delta, Item, Verdict, decode_items, encode_deltas, encode_item};
pub use frame::{Frame, FrameKind, HEADER, HEADER_LEN, Hello, decode_frame, encode_hello, seal};
pub use read::WireError;

/// The version of the wire format this build speaks, and the oldest it understands.
pub const VERSION: u8 = 2;
/// The oldest version understood. Version 1 knew no runs, and no release spoke it.
pub const OLDEST: u8 = 2;
/// No frame is larger; ZeroMQ closes a connection that announces a larger one.
pub const MAX_FRAME: usize = 64 << 20;
