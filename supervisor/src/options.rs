//! What a supervisor is started with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What a supervisor is started with; [`Options::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its blobs, its workers' files and logs are; made if missing. One folder, one supervisor.
    pub dir: PathBuf,
    /// The file that this process logs to, for whoever asks for it; none: it logs to no file.
    pub log_file: Option<PathBuf>,
    /// Nimbus's address, `http://127.0.0.1:6700`.
    pub nimbus: String,
    /// The cluster's token.
    pub token: String,
    /// How many workers it will run.
    pub slots: u32,
    /// The machine's id; none: the system's own. Supervisors of one id are on one machine.
    pub machine_id: Option<String>,
    /// The processor cores it deals out to its workers.
    pub cores: u32,
    /// Whether each thread that runs tasks is bound to one of these cores, so that it keeps its cache and workers keep apart.
    pub pin: bool,
    /// How to start Squall's own worker: the program and its leading arguments; `--run FILE` follows. A topology's own worker
    /// binary is started with `--run FILE` only.
    pub worker: Vec<OsString>,
    /// How often nimbus hears from it when nothing happens.
    pub heartbeat: Duration,
    /// How long a worker may take to stop after SIGTERM.
    pub grace: Duration,
    /// How long a worker may neither say, ask nor do anything before it is taken for hung, killed and started again.
    pub worker_timeout: Duration,
    /// How long its workers run on when nimbus cannot be reached; none: for ever.
    pub without_nimbus: Option<Duration>,
    /// Whether its workers stop when it does; otherwise they run on and the next supervisor of the same folder adopts them.
    pub stop_workers_on_exit: bool,
}

impl Options {
    /// The defaults: 4 slots, all cores and no thread bound to one, a heartbeat every 500 ms, 5 s of grace, 3 s of silence, workers run on.
    pub fn new(dir: impl Into<PathBuf>, nimbus: impl Into<String>, token: impl Into<String>, worker: Vec<OsString>) -> Self {
        Options {
            dir: dir.into(),
            log_file: None,
            nimbus: nimbus.into(),
            token: token.into(),
            slots: 4,
            machine_id: None,
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            pin: false,
            worker,
            heartbeat: Duration::from_millis(500),
            grace: Duration::from_secs(5),
            worker_timeout: Duration::from_secs(3),
            without_nimbus: None,
            stop_workers_on_exit: false,
        }
    }
}
