//! Lines of logs, as they are searched and followed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How serious a line is, most serious first.
///
/// ```
/// use squall_core::control::LineLevel;
/// assert!(LineLevel::Error < LineLevel::Info);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineLevel {
    /// It needs a person.
    Error,
    /// Something went wrong and was put right.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    #[default]
    Trace,
}

impl LineLevel {
    /// Its name, as it is in JSON and in queries.
    ///
    /// ```
    /// use squall_core::control::LineLevel;
    /// assert_eq!(serde_json::to_value(LineLevel::Warn).unwrap(), LineLevel::Warn.name());
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            LineLevel::Error => "error",
            LineLevel::Warn => "warn",
            LineLevel::Info => "info",
            LineLevel::Debug => "debug",
            LineLevel::Trace => "trace",
        }
    }

    /// The level of a line `[time LEVEL target] message`; none of any other line, which goes on from the one before.
    ///
    /// ```
    /// use squall_core::control::LineLevel;
    /// assert_eq!(LineLevel::of("[2026-01-02T03:04:05.678Z WARN  squall::x] slow"), Some(LineLevel::Warn));
    /// assert_eq!(LineLevel::of("  at line 3"), None);
    /// ```
    pub fn of(line: &str) -> Option<LineLevel> {
        let level = line.strip_prefix('[')?.split_whitespace().nth(1)?;
        Some(match level {
            "ERROR" => LineLevel::Error,
            "WARN" => LineLevel::Warn,
            "INFO" => LineLevel::Info,
            "DEBUG" => LineLevel::Debug,
            "TRACE" => LineLevel::Trace,
            _ => return None,
        })
    }
}

/// Which of a worker's two logs.
///
/// ```
/// assert_eq!(squall_core::control::LogStream::default().name(), "log");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// What it logged.
    #[default]
    Log,
    /// What it wrote to stdout and stderr.
    Out,
}

impl LogStream {
    /// Its name, as it is in JSON and in queries.
    ///
    /// ```
    /// use squall_core::control::LogStream;
    /// assert_eq!(serde_json::to_value(LogStream::Out).unwrap(), LogStream::Out.name());
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            LogStream::Log => "log",
            LogStream::Out => "out",
        }
    }
}

/// The log of a daemon itself, in the list of `GET /v1/logs`.
///
/// ```
/// assert_eq!(squall_core::control::DaemonLog::default().bytes, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DaemonLog {
    /// `nimbus`, or the supervisor's id.
    pub daemon: String,
    /// A supervisor's machine.
    pub machine: String,
    /// A supervisor's host.
    pub host: String,
    /// How long the newest file is; 0 where it logs to no file, or does not answer.
    pub bytes: u64,
    /// It is a supervisor that is silent: its log cannot be had now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// What lines somebody wants, of a log that is read in order.
///
/// ```
/// use squall_core::control::{LineFilter, LineLevel};
/// let mut f = LineFilter::new(LineLevel::Warn, "disk");
/// assert!(!f.wants("[t INFO a] disk is fine"));
/// assert!(f.wants("[t ERROR a] Disk is full"));
/// assert!(f.wants("  the disk /dev/sda"), "a line without a level goes on from the one before");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineFilter {
    level: LineLevel,
    text: String,
    last: LineLevel,
}

impl LineFilter {
    /// Lines of at least this level that hold the text, in whatever case.
    pub fn new(level: LineLevel, text: &str) -> Self {
        LineFilter { level, text: text.to_lowercase(), last: LineLevel::Error }
    }

    /// Whether the next line is wanted.
    pub fn wants(&mut self, line: &str) -> bool {
        self.last = LineLevel::of(line).unwrap_or(self.last);
        self.last <= self.level && (self.text.is_empty() || line.to_lowercase().contains(&self.text))
    }
}

/// A line of a log.
///
/// ```
/// assert_eq!(squall_core::control::LogLine::default().text, "");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// The worker; none where a daemon logged it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
    /// The supervisor that has it, filled in by nimbus; empty where nimbus itself logged it.
    pub supervisor: String,
    /// The host; filled in by nimbus.
    pub host: String,
    /// In which file it is: 0 the newest, 1 the one put aside last.
    pub file: u32,
    /// Where in that file it begins, in bytes.
    pub offset: u64,
    /// The line, without its end; a very long one is cut.
    pub text: String,
}

impl LogLine {
    /// Its time as it is written, by which lines of several logs are put in order.
    ///
    /// ```
    /// use squall_core::control::LogLine;
    /// let line = LogLine { text: "[2026-01-02T03:04:05.678Z WARN  squall::x] slow".into(), ..LogLine::default() };
    /// assert_eq!(line.time(), Some("2026-01-02T03:04:05.678Z"));
    /// ```
    pub fn time(&self) -> Option<&str> {
        LineLevel::of(&self.text)?;
        self.text.strip_prefix('[')?.split(' ').next()
    }
}

/// The answer to a search.
///
/// ```
/// assert!(!squall_core::control::LogSearch::default().complete);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSearch {
    /// The lines, oldest first; the newest where there are more than was asked for.
    pub lines: Vec<LogLine>,
    /// Whether these are all.
    pub complete: bool,
    /// How much was read, in bytes.
    pub bytes: u64,
    /// How far each worker's newest file was read, for who wants to go on from there; 0 is a daemon's own log.
    pub ends: BTreeMap<u32, u64>,
    /// Supervisors that did not answer, or are silent, and may have more; filled in by nimbus.
    pub silent: Vec<String>,
}

/// Puts lines of several logs in order of time; a line without a time stays behind the one before it.
///
/// ```
/// use squall_core::control::{LogLine, in_order_of_time};
/// let line = |text: &str| LogLine { text: text.into(), ..LogLine::default() };
/// let (a, b) = (vec![line("[2 INFO a] x"), line("  more")], vec![line("[1 INFO a] y"), line("[3 INFO a] z")]);
/// let order: Vec<String> = in_order_of_time(vec![a, b]).into_iter().map(|l| l.text).collect();
/// assert_eq!(order, ["[1 INFO a] y", "[2 INFO a] x", "  more", "[3 INFO a] z"]);
/// ```
pub fn in_order_of_time(logs: Vec<Vec<LogLine>>) -> Vec<LogLine> {
    let mut all: Vec<(String, LogLine)> = Vec::new();
    for log in logs {
        let mut last = String::new();
        for line in log {
            if let Some(time) = line.time() {
                time.clone_into(&mut last);
            }
            all.push((last.clone(), line));
        }
    }
    // Stable: what has the same time stays in its order.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().map(|(_, line)| line).collect()
}
