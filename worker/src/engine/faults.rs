//! Errors of components: counted, kept for the next report, logged without flooding the log.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use squall_core::control::ErrorReport;

use crate::sync::lock;

/// A task's errors are logged at most this often; the rest are counted.
const LOG_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Faults(Mutex<BTreeMap<u32, Entry>>);

struct Entry {
    report: ErrorReport,
    logged: Option<Instant>,
    unlogged: u64,
}

impl Faults {
    pub(crate) fn note(&self, component: &str, task: u32, message: String, panic: bool) {
        let mut faults = lock(&self.0);
        let entry = faults.entry(task).or_insert_with(|| Entry {
            report: ErrorReport { component: component.to_owned(), task, message: String::new(), count: 0, panic },
            logged: None,
            unlogged: 0,
        });
        entry.report.count += 1;
        entry.report.panic |= panic;
        if entry.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let more = match std::mem::take(&mut entry.unlogged) {
                0 => String::new(),
                n => format!(" ({n} more since the last)"),
            };
            log::error!("{component} (task {task}): {message}{more}");
            entry.logged = Some(Instant::now());
        } else {
            entry.unlogged += 1;
        }
        entry.report.message = message;
    }

    /// What there is to report, and zero from there on.
    pub(crate) fn take(&self) -> Vec<ErrorReport> {
        let mut faults = lock(&self.0);
        let new: Vec<ErrorReport> = faults.values().filter(|e| e.report.count > 0).map(|e| e.report.clone()).collect();
        faults.values_mut().for_each(|e| {
            e.report.count = 0;
            e.report.panic = false;
        });
        new
    }
}
