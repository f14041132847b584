//! Typed reading of keys: what is there, or a fault that says what was expected.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::Faults;
use super::source::Span;
use super::tree::{Entry, Node, Table, Text, Val};
use crate::suggest::nearest;
use crate::units;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// Reads values, collects faults.
pub(crate) struct Reader<'a> {
    pub(crate) faults: &'a mut Faults,
    /// The strings that were taken for numbers or booleans.
    pub(crate) typed: &'a mut BTreeSet<Span>,
}

impl Reader<'_> {
    /// Reports keys that are none of `known`; `habits` are words of other systems and what to write instead.
    pub(crate) fn unknown_keys(&mut self, table: &Table, whose: &str, known: &[&str], habits: &[(&str, &str)]) {
        for entry in table.0.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let help = match habits.iter().find(|(key, _)| *key == entry.key) {
                Some((_, help)) => (*help).to_owned(),
                None => near_or_list(&entry.key, known, "known keys"),
            };
            self.faults.add(entry.key_span, format!("unknown key `{}` {whose}", entry.key)).help(help);
        }
    }

    pub(crate) fn wrong(&mut self, key: &str, node: &Node, expected: &str) {
        if !matches!(node.value, Val::Broken) {
            // "an input" and the like are no keys.
            let what = if key.contains(' ') { key.to_owned() } else { format!("`{key}`") };
            self.faults.add(node.span, format!("{what} is {}, expected {expected}", node.value.describe()));
        }
    }

    pub(crate) fn text<'n>(&mut self, key: &str, node: &'n Node, expected: &str) -> Option<&'n Text> {
        match &node.value {
            Val::Text(text) => Some(text),
            _ => {
                self.wrong(key, node, expected);
                None
            }
        }
    }

    /// A text that is not empty, with its place.
    pub(crate) fn name(&mut self, key: &str, node: &Node, expected: &str) -> Option<At<String>> {
        let text = self.text(key, node, expected)?;
        if text.text.trim().is_empty() {
            self.faults.add(node.span, format!("`{key}` is empty, expected {expected}"));
            return None;
        }
        Some(At { value: text.text.clone(), span: node.span })
    }

    pub(crate) fn whole(&mut self, entry: &Entry, range: RangeInclusive<u64>) -> Option<At<u64>> {
        let (key, node) = (&entry.key, &entry.node);
        let (least, most) = range.into_inner();
        let expected = format!("a whole number of at least {least}");
        let Val::Int(n) = *self.resolve(node) else {
            self.wrong(key, node, &expected);
            return None;
        };
        match u64::try_from(n) {
            Ok(n) if n > most => {
                let message = format!("`{key}` is {n}, expected at most {}", grouped(most));
                self.faults.add(node.span, message);
                None
            }
            Ok(n) if n >= least => Some(At { value: n, span: node.span }),
            _ => {
                self.faults.add(node.span, format!("`{key}` is {n}, expected {expected}"));
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, entry: &Entry) -> Option<bool> {
        match *self.resolve(&entry.node) {
            Val::Bool(b) => Some(b),
            _ => {
                self.wrong(&entry.key, &entry.node, "true or false");
                None
            }
        }
    }

    /// A duration above zero.
    pub(crate) fn duration(&mut self, entry: &Entry) -> Option<Duration> {
        let node = &entry.node;
        let parsed = match &node.value {
            Val::Text(t) => units::duration(&t.text).map_err(|_| format!("\"{}\"", t.shown)),
            Val::Int(n) => Duration::try_from_secs_f64(*n as f64).map_err(|_| n.to_string()),
            Val::Float(f) => Duration::try_from_secs_f64(*f).map_err(|_| f.to_string()),
            _ => {
                self.wrong(&entry.key, node, "a duration such as \"30s\"");
                return None;
            }
        };
        match parsed {
            Ok(d) if d.is_zero() => {
                self.faults.add(node.span, format!("`{}` is zero, expected a duration such as \"30s\"", entry.key));
                None
            }
            Ok(d) => Some(d),
            Err(shown) => {
                let message = format!("`{}` is {shown}, expected a duration such as \"250ms\", \"30s\" or \"2h\"", entry.key);
                self.faults.add(node.span, message);
                None
            }
        }
    }

    /// A size above zero, as a number of bytes or with a unit.
    pub(crate) fn bytes(&mut self, entry: &Entry) -> Option<u64> {
        match &entry.node.value {
            Val::Text(t) => match units::bytes(&t.text) {
                Ok(n) if n > 0 => Some(n),
                _ => {
                    let message = format!("`{}` is \"{}\", expected a size such as \"8MiB\"", entry.key, t.shown);
                    self.faults.add(entry.node.span, message);
                    None
                }
            },
            _ => self.whole(entry, 1..=i64::MAX as u64).map(|n| n.value),
        }
    }

    /// The value, or what a lone variable stands for.
    fn resolve<'n>(&mut self, node: &'n Node) -> std::borrow::Cow<'n, Val> {
        match &node.value {
            Val::Text(text) => match text.typed() {
                Some(typed) => {
                    self.typed.insert(node.span);
                    std::borrow::Cow::Owned(typed)
                }
                None => std::borrow::Cow::Borrowed(&node.value),
            },
            other => std::borrow::Cow::Borrowed(other),
        }
    }
}

/// `did you mean …?`, or what there is.
pub(crate) fn near_or_list(word: &str, known: &[&str], what: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => String::new(),
        None => format!("{what}: {}", known.join(", ")),
    }
}

/// 1000000 as 1,000,000.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!(super::grouped(1_000_000), "1,000,000");
        assert_eq!(super::grouped(999), "999");
    }
}
