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
    /// What knows models and components: a command that is `squall model`, so that nimbus knows no model format and a file that breaks
    /// an import breaks another process. It takes `import FILE --output ARTEFACT --json` and `fits`, both with `--memory BYTES`. None:
    /// uploads of model files are refused, and whether a version fits its topology is left to the workers.
    pub model_command: Option<Vec<OsString>>,
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
            model_command: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
