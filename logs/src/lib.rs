//! Log files that are rotated. Workers and daemons write them, supervisors and nimbus serve them; how the files of one log are called,
//! and what becomes of a reader when one is put aside, is known here and nowhere else.
#![warn(missing_docs)]

#[cfg(feature = "serve")]
mod parts;
mod rotating;
#[cfg(feature = "serve")]
mod search;
#[cfg(feature = "serve")]
mod serve;

pub use rotating::Rotating;
#[cfg(feature = "serve")]
pub use search::{MOST_LINES, search};
#[cfg(feature = "serve")]
pub use serve::{Ask, Piece, download, piece};

use std::path::{Path, PathBuf};

/// The name of a file that was put aside so many times.
fn numbered(path: &Path, file: u32) -> PathBuf {
    if file == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{file}"));
    name.into()
}
