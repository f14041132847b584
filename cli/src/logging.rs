//! What this program logs itself: to stderr, and a daemon to a file in its folder too. SQUALL_LOG or RUST_LOG say how much, in
//! env_logger's form.

use std::path::Path;

use env_logger::{Builder, Logger, Target};
use log::{Log, Metadata, Record};
use squall_logs::Rotating;

use crate::exit::{Failure, Outcome};

/// A client verb's.
pub(crate) fn to_stderr() {
    builder("warn").init();
}

/// A daemon's.
pub(crate) fn to_stderr_and(file: &Path) -> Outcome {
    let rotating = Rotating::open(file);
    let rotating = rotating.map_err(|e| Failure::Outside(format!("cannot log to `{}`: {e}", file.display())))?;
    let file = builder("info").target(Target::Pipe(Box::new(rotating))).build();
    log::set_max_level(file.filter());
    let both = Both { stderr: builder("info").build(), file };
    log::set_boxed_logger(Box::new(both)).map_err(|e| Failure::Failed(e.to_string()))
}

fn builder(default: &str) -> Builder {
    let filter = ["SQUALL_LOG", "RUST_LOG"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or(default.to_owned());
    let mut builder = Builder::new();
    builder.parse_filters(&filter).format_timestamp_millis();
    builder
}

/// Two loggers that log the same.
struct Both {
    stderr: Logger,
    file: Logger,
}

impl Log for Both {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.file.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.stderr.log(record);
        self.file.log(record);
    }

    fn flush(&self) {
        self.stderr.flush();
        self.file.flush();
    }
}
