//! What went wrong in a topology: the newest errors, equal ones of a task as one, and how many there were of each component.

use std::collections::{BTreeMap, HashMap, VecDeque};

use squall_core::control::{ErrorEntry, ErrorReport, LONGEST_ERROR, LONGEST_STACK, cut, let_stacks_go};

const MOST_ERRORS: usize = 100;
/// Stacks of older errors than those that together take so many bytes are let go, but for a line: all of it is told again every second.
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
    /// Counts errors of a component, whatever is known of their texts.
    pub(super) fn count(&mut self, component: &str, more: u64) {
        match self.counts.get_mut(component) {
            Some(count) => *count = count.saturating_add(more),
            None => drop(self.counts.insert(component.to_owned(), more)),
        }
    }

    /// Takes in what a worker tells of one, without counting it; the entry of it where there was none of an equal one.
    pub(super) fn note(&mut self, e: &ErrorReport, worker: u32, host: &str, unix_ms: u64) -> Option<&ErrorEntry> {
        let (mut message, mut stack) = (e.message.clone(), e.stack.clone());
        cut(&mut message, LONGEST_ERROR);
        cut(&mut stack, LONGEST_STACK);
        let same = |x: &ErrorEntry| x.component == e.component && x.task == e.task && x.message == message;
        let before = self.newest.iter().position(same).and_then(|i| self.newest.remove(i));
        let is_new = before.is_none();
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
        self.trim();
        let_stacks_go(self.newest.iter_mut().map(|e| &mut e.stack), MOST_STACKS);
        self.newest.front().filter(|_| is_new)
    }

    /// Adds one that is nimbus's own to tell.
    pub(super) fn say(&mut self, unix_ms: u64, message: String) {
        let (component, host) = (String::new(), String::new());
        let (count, panic, stack) = (1, false, String::new());
        self.newest.push_front(ErrorEntry { unix_ms, component, task: 0, worker: 0, host, message, count, panic, stack });
        self.trim();
    }

    /// Of too many the oldest goes of those of which there are most: what says something else each time does not crowd out the rest.
    fn trim(&mut self) {
        while self.newest.len() > MOST_ERRORS {
            let mut groups: HashMap<_, usize> = HashMap::new();
            self.newest.iter().for_each(|e| *groups.entry(group(e)).or_default() += 1);
            let most = groups.values().max().copied();
            let Some(oldest) = self.newest.iter().rposition(|e| groups.get(&group(e)).copied() == most) else { return };
            self.newest.remove(oldest);
        }
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

/// What goes wrong in the same way: panics by their place, other errors by their component.
fn group(e: &ErrorEntry) -> (&str, &str) {
    (&e.component, if e.panic { e.stack.lines().next().unwrap_or("") } else { "" })
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
        assert_eq!(errors.in_all(), 0, "texts are not counted");
        [("b", 4), ("s", 1), ("b", 3)].into_iter().for_each(|(component, n)| errors.count(component, n));
        assert_eq!((errors.of("b"), errors.of("t"), errors.in_all()), (7, 0, 8));
        for n in 0..90 {
            errors.note(&e(&n.to_string(), &"x".repeat(9999)), 0, "h", 4);
        }
        assert_eq!((errors.newest[0].message.as_str(), errors.newest[0].stack.len()), ("89", LONGEST_STACK));
        assert!(errors.newest.iter().map(|e| e.stack.len()).sum::<usize>() <= MOST_STACKS + MOST_ERRORS * 256);
    }

    #[test]
    fn what_says_something_else_each_time_does_not_crowd_out_the_rest() {
        let mut errors = Errors::default();
        let mut note = |component: &str, message: String, place: Option<&str>| {
            let (component, panic) = (component.to_owned(), place.is_some());
            let stack = place.map_or_else(String::new, |p| format!("panicked at {p}{}", "\n  at mine::call".repeat(400)));
            errors.note(&ErrorReport { component, task: 2, message, count: 1, panic, stack }, 0, "h", 1);
        };
        note("sink", "disk full".to_owned(), None);
        note("parse", "panicked: another place".to_owned(), Some("b.rs:7:1"));
        note("parse", "no row".to_owned(), None);
        (0..300).for_each(|n| note("parse", format!("panicked: row {n}"), Some("a.rs:1:2")));
        let kept = |errors: &Errors| errors.newest.iter().map(|e| e.message.clone()).collect::<Vec<_>>();
        let now = kept(&errors);
        assert_eq!((now.len(), now[0].as_str(), now[96].as_str()), (MOST_ERRORS, "panicked: row 299", "panicked: row 203"));
        assert_eq!(now[97..], ["no row", "panicked: another place", "disk full"]);
        assert_eq!(errors.newest[98].stack.as_str(), "panicked at b.rs:7:1");
        errors.say(2, "nimbus says".to_owned());
        assert_eq!((kept(&errors)[0].as_str(), kept(&errors)[96].as_str()), ("nimbus says", "panicked: row 204"));
    }
}
