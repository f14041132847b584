//! Errors of components: counted, kept for the next report, logged without flooding the log.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use squall_core::Error;
use squall_core::control::{ErrorReport, LONGEST_ERROR, LONGEST_STACK, cut};

use super::panics::{self, Panic};
use crate::sync::lock;

/// A task's errors are logged at most this often; the rest are counted. One whose calls were looked up is always logged.
const LOG_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Faults {
    by_task: Mutex<BTreeMap<u32, Entry>>,
    /// By component: from when on the calls of a panic are wanted again.
    wanted_ns: Vec<AtomicU64>,
}

struct Entry {
    report: ErrorReport,
    /// The calls of the panic in `report` were looked up.
    traced: bool,
    logged: Option<Instant>,
    unlogged: u64,
}

impl Faults {
    pub(crate) fn new(components: usize) -> Self {
        Faults { by_task: Mutex::default(), wanted_ns: (0..components).map(|_| AtomicU64::new(0)).collect() }
    }

    /// From when on the calls of a component's panic are wanted.
    #[inline]
    pub(super) fn wanted_ns(&self, component: usize) -> u64 {
        self.wanted_ns[component].load(Ordering::Relaxed)
    }

    /// The calls of a component's panic were looked up.
    pub(super) fn traced(&self, component: usize) {
        self.wanted_ns[component].store(panics::now_ns() + panics::EVERY.as_nanos() as u64, Ordering::Relaxed);
    }

    /// An error, which is a panic's where there is one.
    pub(crate) fn note(&self, component: &str, task: u32, error: &Error, panic: Option<&Panic>) {
        let mut message = error.to_string();
        cut(&mut message, LONGEST_ERROR);
        let mut stack = panic.map_or_else(|| panics::causes(error), Panic::text);
        cut(&mut stack, LONGEST_STACK);
        let traced = panic.is_some_and(|p| !p.calls.is_empty());
        let mut faults = lock(&self.by_task);
        let entry = faults.entry(task).or_insert_with(|| Entry {
            report: ErrorReport {
                component: component.to_owned(),
                task,
                message: String::new(),
                count: 0,
                panic: false,
                stack: String::new(),
            },
            traced: false,
            logged: None,
            unlogged: 0,
        });
        entry.report.count += 1;
        if traced || entry.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let more = match std::mem::take(&mut entry.unlogged) {
                0 => String::new(),
                n => format!(" ({n} more since the last)"),
            };
            let behind = if stack.is_empty() { "" } else { "\n" };
            log::error!("{component} (task {task}): {message}{more}{behind}{stack}");
            entry.logged = Some(Instant::now());
        } else {
            entry.unlogged += 1;
        }
        // What tells more is not lost behind the many that follow it.
        if traced || !entry.traced {
            entry.traced = traced;
            (entry.report.message, entry.report.stack, entry.report.panic) = (message, stack, panic.is_some());
        }
    }

    /// What there is to report, and zero from there on.
    pub(crate) fn take(&self) -> Vec<ErrorReport> {
        let mut faults = lock(&self.by_task);
        let new: Vec<ErrorReport> = faults.values().filter(|e| e.report.count > 0).map(|e| e.report.clone()).collect();
        faults.values_mut().for_each(|e| {
            e.report.count = 0;
            e.traced = false;
        });
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_with_its_calls_is_told_before_newer_ones_without() {
        let faults = Faults::new(1);
        let panic = |calls: &[&str]| Panic { place: "a.rs:1:2".into(), calls: calls.iter().map(|c| (*c).into()).collect() };
        faults.note("b", 3, &Error::internal("panicked: row 1"), Some(&panic(&["mine::parse"])));
        faults.note("b", 3, &Error::internal("panicked: row 2"), Some(&panic(&[])));
        let first = faults.take();
        assert_eq!((first[0].message.as_str(), first[0].count, first[0].panic), ("panicked: row 1", 2, true));
        assert_eq!(first[0].stack, "panicked at a.rs:1:2\n  at mine::parse");
        faults.note("b", 3, &Error::user("x".repeat(9999)).because(std::io::Error::other("disk")), None);
        let second = faults.take();
        assert_eq!((second[0].message.len(), second[0].stack.as_str()), (LONGEST_ERROR, "caused by: disk"));
        assert!(!second[0].panic && faults.take().is_empty());
    }

    #[test]
    fn what_is_told_as_a_panic_is_the_error_with_that_message() {
        let (faults, panic) = (Faults::new(1), Panic { place: "a.rs:1:2".into(), calls: Vec::new() });
        faults.note("b", 3, &Error::internal("panicked: row 1"), Some(&panic));
        faults.note("b", 3, &Error::user("no row").because(std::io::Error::other("disk")), None);
        let told = faults.take().remove(0);
        assert_eq!((told.count, told.message.as_str(), told.stack.as_str()), (2, "no row: disk", "caused by: disk"));
        assert!(!told.panic, "its stack is causes, not calls");
        faults.note("b", 3, &Error::user("no row"), None);
        faults.note("b", 3, &Error::internal("panicked: row 2"), Some(&panic));
        let told = faults.take().remove(0);
        assert_eq!((told.message.as_str(), told.panic), ("panicked: row 2", true));
    }
}
