//! The files a topology was read from, and places in them.

use std::ops::Range;

use super::diagnostic::Place;

/// A stretch of one file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(file: usize, range: Range<usize>) -> Self {
        Span { file, start: range.start, end: range.end.max(range.start) }
    }
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// The path as people are shown it.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Where secrets stand in the text: never shown.
    pub(crate) hidden: Vec<Range<usize>>,
    /// Where the file was asked for; nothing for the topology itself.
    pub(crate) included_at: Option<Span>,
    lines: Vec<usize>,
}

impl File {
    pub(crate) fn new(path: String, text: String, included_at: Option<Span>) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        File { path, text, hidden: Vec::new(), included_at, lines }
    }

    /// The line, column and length of a stretch; what goes beyond the first line is cut off.
    pub(crate) fn place(&self, start: usize, end: usize) -> Place {
        let start = self.boundary(start);
        let line = self.lines.partition_point(|at| *at <= start).saturating_sub(1);
        let first = self.lines.get(line).copied().unwrap_or(0);
        let last = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let text = self.text[first..last].trim_end_matches('\r');
        // A caret on the line's end is fine; one behind it is not in the file.
        let before = text.len().min(start - first);
        let within = &text[before..text.len().min(self.boundary(end).max(start) - first).max(before)];
        Place {
            file: self.path.clone(),
            line: line + 1,
            column: text[..before].chars().count() + 1,
            length: within.trim_end().chars().count().max(1),
            line_text: self.shown(first..first + text.len()),
        }
    }

    /// A piece of the text with every character of a secret as `*`, so that columns stay.
    pub(crate) fn shown(&self, range: Range<usize>) -> String {
        let mut out = String::with_capacity(range.len());
        for (i, c) in self.text[range.clone()].char_indices() {
            let hidden = self.hidden.iter().any(|h| h.contains(&(range.start + i)));
            out.push(if hidden && c != '\n' { '*' } else { c });
        }
        out
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, start: usize, end: usize) -> (usize, usize, usize, String) {
        let p = File::new("f".into(), text.into(), None).place(start, end);
        (p.line, p.column, p.length, p.line_text)
    }

    #[test]
    fn places_count_characters_and_stay_in_the_line() {
        assert_eq!(at("ab\ncdé = 1\n", 7, 20), (2, 4, 4, "cdé = 1".into()));
        assert_eq!(at("a\r\nb", 1, 3), (1, 2, 1, "a".into()));
        assert_eq!(at("a\r\nb", 2, 3), (1, 2, 1, "a".into()));
        assert_eq!(at("", 5, 9), (1, 1, 1, String::new()));
        assert_eq!(at("ü", 1, 1), (1, 1, 1, "ü".into()));
    }

    #[test]
    fn hidden_text_keeps_its_columns() {
        let mut file = File::new("f".into(), "p = \"sä\" # x".into(), None);
        file.hidden.push(5..8);
        let place = file.place(10, 11);
        assert_eq!((place.line_text.as_str(), place.column), ("p = \"**\" # x", 10));
    }
}
