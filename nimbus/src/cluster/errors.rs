//! What went wrong in a topology: the newest errors, equal ones of a task as one, and how many there were of each component.

use std::collections::{BTreeMap, VecDeque};

use squall_core::control::{ErrorEntry, ErrorReport, LONGEST_ERROR, LONGEST_STACK};

const MOST_ERRORS: usize = 100;
/// Stacks of older errors than those that together take so many bytes are let go: all of it is told again every second.
const MOST_STACKS: usize = 128 << 10;

/// A topology's errors.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    /// The newest first.
    pub(super) newest: VecDeque<ErrorEntry>,
    /// By component.
    pub(super) counts: BTreeMap<String, u64>,
}

impl Errors {
    /// Takes in what a worker reports; the entry of it where there was none of an equal one.
    pub(super) fn note(&mut self, e: &ErrorReport, worker: u32, host: &str, unix_ms: u64) -> Option<&ErrorEntry> {
        let count = self.counts.entry(e.component.clone()).or_default();
        *count = count.saturating_add(e.count);
        let message: String = e.message.chars().take(LONGEST_ERROR).collect();
        let same = |x: &ErrorEntry| x.component == e.component && x.task == e.task && x.message == message;
        let before = self.newest.iter().position(same).and_then(|i| self.newest.remove(i));
        let is_new = before.is_none();
        let stack: String = e.stack.chars().take(LONGEST_STACK).collect();
        // Of the same panic the calls are not looked up each time.
        let known = before.as_ref().map(|b| &b.stack).filter(|known| known.starts_with(&stack)).cloned();
        self.newest.push_front(ErrorEntry {
            unix_ms,
            component: e.component.clone(),
            task: e.task,
            worker,
            host: host.to_owned(),
            message,
            count: before.map_or(0, |b| b.count).saturating_add(e.count),
            panic: e.panic,
            stack: known.unwrap_or(stack),
        });
        self.newest.truncate(MOST_ERRORS);
        let mut bytes = 0;
        for error in &mut self.newest {
            bytes += error.stack.len();
            if bytes > MOST_STACKS {
                error.stack = String::new();
            }
        }
        self.newest.front().filter(|_| is_new)
    }

    /// Adds one that is nimbus's own to tell.
    pub(super) fn say(&mut self, unix_ms: u64, message: String) {
        let (component, host) = (String::new(), String::new());
        let (count, panic, stack) = (1, false, String::new());
        self.newest.push_front(ErrorEntry { unix_ms, component, task: 0, worker: 0, host, message, count, panic, stack });
        self.newest.truncate(MOST_ERRORS);
    }

    /// How many there were of a component.
    pub(super) fn of(&self, component: &str) -> u64 {
        self.counts.get(component).copied().unwrap_or(0)
    }

    /// How many there were of all components.
    pub(super) fn in_all(&self) -> u64 {
        self.counts.values().fold(0, |sum, n| sum.saturating_add(*n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_errors_are_counted_not_repeated() {
        let mut errors = Errors::default();
        let e = |message: &str, stack: &str| ErrorReport {
            component: "b".into(),
            task: 2,
            message: message.into(),
            count: 2,
            panic: false,
            stack: stack.into(),
        };
        for n in 1..=3 {
            let stack = if n == 1 { "panicked at a.rs\n  at b" } else { "panicked at a.rs" };
            assert_eq!(errors.note(&e("bad row", stack), 0, "h", n).is_some(), n == 1);
            let row = format!("row {n}");
            assert_eq!(errors.note(&e(&row, ""), 0, "h", n).unwrap().message, row);
        }
        assert_eq!(errors.newest.len(), 4);
        let same = errors.newest.iter().find(|e| e.message == "bad row").unwrap();
        assert_eq!((same.count, same.stack.as_str()), (6, "panicked at a.rs\n  at b"));
        assert_eq!((errors.of("b"), errors.of("s"), errors.in_all()), (12, 0, 12));
        for n in 0..90 {
            errors.note(&e(&n.to_string(), &"x".repeat(9999)), 0, "h", 4);
        }
        assert_eq!((errors.newest[0].message.as_str(), errors.newest[0].stack.len()), ("89", LONGEST_STACK));
        assert!(errors.newest.iter().map(|e| e.stack.len()).sum::<usize>() <= MOST_STACKS);
    }
}
