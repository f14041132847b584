//! What a nimbus is started with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// What a nimbus is started with; [`Options::new`] has the defaults.
#[derive(Clone)]
pub struct Options {
    /// Where its state, its blobs and its token are; made if missing.
    pub dir: PathBuf,
    /// The file that this process logs to, for whoever asks for it; none: it logs to no file.
    pub log_file: Option<PathBuf>,
    /// Where to write its address for clients of the same user; none: nowhere. See [`discovery_path`](crate::discovery_path).
    pub discovery: Option<PathBuf>,
    /// How long a supervisor may be silent before its workers are given to others.
    pub lease: Duration,
    /// The largest blob it takes, in bytes.
    pub blob_limit: u64,
    /// How long a blob is kept that no topology names and nobody asks for.
    pub blob_grace: Duration,
    /// What makes an artefact of a model file: a command that takes `FILE --output ARTEFACT --json` besides and is
    /// `squall model import`, so that nimbus knows no model format and a file that breaks the import breaks another process; none:
    /// uploads of model files are refused.
    pub importer: Option<Vec<OsString>>,
    /// The clock; another one only in tests.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults: a lease of 3 s, blobs up to 8 GiB, kept for an hour, no discovery file.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Options {
            dir: dir.into(),
            log_file: None,
            discovery: None,
            lease: Duration::from_secs(3),
            blob_limit: 8 << 30,
            blob_grace: Duration::from_secs(3600),
            importer: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
