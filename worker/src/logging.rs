//! What the worker logs: every line with time, level and target, into a file that is rotated; and how much, which may change.

use std::io;
use std::path::Path;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use env_filter::Filter;
use env_logger::Target;
use log::{LevelFilter, Log, Metadata, Record};
use squall_core::control::{Level, LogLevel};
use squall_logs::Rotating;

/// What decides about each record before it is written.
type Shared = Arc<RwLock<Filter>>;

struct Switched {
    filter: Shared,
    inner: env_logger::Logger,
}

impl Log for Switched {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.read().unwrap_or_else(PoisonError::into_inner).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.read().unwrap_or_else(PoisonError::into_inner).matches(record) {
            self.inner.log(record);
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// How much is logged: what the topology says, and what was ordered for a time.
pub(crate) struct Levels {
    usual: String,
    ordered: Vec<LogLevel>,
    /// Tuples are written too.
    events: bool,
    filter: Shared,
}

/// What writes tuples to the log.
pub(crate) const EVENTS: &str = "squall::events";

/// Sets up logging to `file`, at the level (or env_logger's per-module form) of the topology.
pub(crate) fn init(file: &Path, filter: &str) -> io::Result<Levels> {
    let rotating = Rotating::open(file)?;
    let inner = env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        .format_timestamp_millis()
        .target(Target::Pipe(Box::new(rotating)))
        .build();
    let levels = Levels::new(filter);
    log::set_boxed_logger(Box::new(Switched { filter: levels.filter.clone(), inner })).map_err(io::Error::other)?;
    log::set_max_level(levels.apply());
    Ok(levels)
}

impl Levels {
    fn new(usual: &str) -> Self {
        let filter = Arc::new(RwLock::new(env_filter::Builder::new().build()));
        Levels { usual: usual.to_owned(), ordered: Vec::new(), events: false, filter }
    }

    /// Has loggers log at these levels, and all others as usual; and tuples, or not.
    pub(crate) fn set(&mut self, ordered: Vec<LogLevel>, events: bool) {
        if std::mem::replace(&mut self.events, events) != events {
            log::set_max_level(self.apply());
        }
        if ordered == self.ordered {
            return self.expire();
        }
        let text = |l: &LogLevel| format!("{}={}", if l.logger.is_empty() { "all" } else { &l.logger }, l.level);
        match ordered.as_slice() {
            [] => log::info!("log levels as usual again"),
            some => log::info!("log levels for a time: {}", some.iter().map(text).collect::<Vec<_>>().join(", ")),
        }
        self.ordered = ordered;
        self.ordered.retain(|l| l.until_unix_ms > unix_ms());
        log::set_max_level(self.apply());
    }

    /// What was ordered for a time that is over does not count any more. The supervisor may be away, so the worker sees to it.
    pub(crate) fn expire(&mut self) {
        let (now, before) = (unix_ms(), self.ordered.len());
        self.ordered.retain(|l| l.until_unix_ms > now);
        if self.ordered.len() < before {
            log::set_max_level(self.apply());
            log::info!("the time of a log level is over");
        }
    }

    /// The most that anything logs.
    fn apply(&self) -> LevelFilter {
        let mut builder = env_filter::Builder::new();
        builder.parse(&self.usual);
        for l in &self.ordered {
            let level = match l.level {
                Level::Off => LevelFilter::Off,
                Level::Error => LevelFilter::Error,
                Level::Warn => LevelFilter::Warn,
                Level::Info => LevelFilter::Info,
                Level::Debug => LevelFilter::Debug,
                Level::Trace => LevelFilter::Trace,
            };
            builder.filter(Some(l.logger.as_str()).filter(|m| !m.is_empty()), level);
        }
        if self.events {
            builder.filter(Some(EVENTS), LevelFilter::Info);
        }
        let filter = builder.build();
        let most = filter.filter();
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
        most
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_counts_for_its_logger_and_its_time() {
        let mut levels = Levels::new("warn,noisy=error");
        let logs = |levels: &Levels, target: &str, level: log::Level| {
            let filter = levels.filter.read().unwrap();
            filter.enabled(&Metadata::builder().target(target).level(level).build())
        };
        assert_eq!(levels.apply(), LevelFilter::Warn);
        assert!(logs(&levels, "a", log::Level::Warn) && !logs(&levels, "noisy", log::Level::Warn));
        let order = |logger: &str, level, until_unix_ms| LogLevel { logger: logger.to_owned(), level, until_unix_ms };
        levels.ordered = vec![order("noisy::x", Level::Debug, u64::MAX), order("", Level::Off, 1)];
        assert_eq!(levels.apply(), LevelFilter::Debug);
        assert!(logs(&levels, "noisy::x::y", log::Level::Debug) && !logs(&levels, "noisy", log::Level::Warn));
        assert!(!logs(&levels, "a", log::Level::Error));
        levels.events = true;
        levels.expire();
        assert!(logs(&levels, EVENTS, log::Level::Info) && !logs(&levels, "b", log::Level::Info));
        assert!(logs(&levels, "a", log::Level::Warn) && logs(&levels, "noisy::x", log::Level::Debug));
    }
}
