//! Diagnostics as text for a terminal, in the manner of rustc.

use super::diagnostic::{Diagnostic, Place, Severity};
use super::width::{char_width, safe, safe_char, width};

/// Columns of a source line that are shown; a longer one is cut around the caret.
const COLUMNS: usize = 110;
/// A remedy up to this length stands behind the caret, a longer one in a line of its own.
const BESIDE_CARET: usize = 72;

#[derive(Clone, Copy)]
struct Paint {
    on: bool,
}

impl Paint {
    fn put(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    fn frame(self, text: &str) -> String {
        self.put("1;34", text)
    }
}

pub(crate) fn diagnostic(d: &Diagnostic, colour: bool) -> String {
    let paint = Paint { on: colour };
    let (word, code) = match d.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let mut out = format!("{}{}\n", paint.put(code, word), paint.put("1", &format!(": {}", safe(&d.message))));

    let gutter = std::iter::once(&d.place).chain(d.also.iter().map(|a| &a.place)).map(|p| p.line).max().unwrap_or(0);
    let gutter = gutter.to_string().len();
    let help = d.help.as_deref().map(safe);
    let beside = help.as_deref().filter(|h| width(h) <= BESIDE_CARET && d.place.line > 0).unwrap_or("");
    snippet(&mut out, &d.place, ("-->", "^", code), beside, gutter, paint);
    for also in &d.also {
        snippet(&mut out, &also.place, (":::", "-", "1;34"), &safe(&also.label), gutter, paint);
    }
    if let Some(help) = help.as_deref().filter(|_| beside.is_empty()) {
        out.push_str(&format!("{} {} help: {help}\n", " ".repeat(gutter), paint.frame("=")));
    }
    out
}

pub(crate) fn in_a_line(d: &Diagnostic) -> String {
    let word = if d.severity == Severity::Error { "error" } else { "warning" };
    let help = d.help.as_ref().map_or(String::new(), |h| format!("; {}", safe(h)));
    format!("{}: {word}: {}{help}", position(&d.place), safe(&d.message))
}

fn position(place: &Place) -> String {
    match place.line {
        0 => safe(&place.file),
        line => format!("{}:{line}:{}", safe(&place.file), place.column),
    }
}

/// The place's name, its line and a mark under it; `marks` is the arrow, the mark and the mark's colour.
fn snippet(out: &mut String, place: &Place, marks: (&str, &str, &str), label: &str, gutter: usize, paint: Paint) {
    let (arrow, mark, code) = marks;
    let pad = " ".repeat(gutter);
    out.push_str(&format!("{pad}{} {}\n", paint.frame(arrow), position(place)));
    if place.line == 0 {
        return;
    }
    let (line, indent, length) = cut(place);
    let number = format!("{:>gutter$}", place.line);
    let bar = paint.frame("|");
    out.push_str(&format!("{pad} {bar}\n{} {bar} {line}\n", paint.frame(&number)));
    let label = if label.is_empty() { String::new() } else { format!(" {label}") };
    out.push_str(&format!(
        "{pad} {bar} {}{}\n",
        " ".repeat(indent),
        paint.put(code, &format!("{}{label}", mark.repeat(length)))
    ));
}

/// The line as it is shown, the columns before the mark, and the mark's columns.
fn cut(place: &Place) -> (String, usize, usize) {
    let cells: Vec<(String, usize)> = place
        .line_text
        .chars()
        .map(|c| {
            let mut text = String::new();
            safe_char(c, &mut text);
            let columns = if text.chars().eq([c]) { char_width(c) } else { text.len() };
            (text, columns)
        })
        .collect();
    let start = place.column.saturating_sub(1).min(cells.len());
    let end = (start + place.length).min(cells.len());
    let columns = |cells: &[(String, usize)]| cells.iter().map(|(_, w)| w).sum::<usize>();

    let (mut from, mut to) = (0, cells.len());
    if columns(&cells) > COLUMNS {
        // A third of the room before the mark, the rest for the mark and what follows.
        from = start;
        while from > 0 && columns(&cells[from - 1..start]) <= COLUMNS / 3 {
            from -= 1;
        }
        to = from;
        while to < cells.len() && columns(&cells[from..=to]) <= COLUMNS {
            to += 1;
        }
        while to == cells.len() && from > 0 && columns(&cells[from - 1..to]) <= COLUMNS {
            from -= 1;
        }
    }
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < cells.len() { "…" } else { "" });
    let line: String = cells[from..to].iter().map(|(text, _)| text.as_str()).collect();
    let indent = columns(&cells[from..start]) + width(before);
    let length = columns(&cells[start..end.clamp(start, to.max(start))]).max(1);
    (format!("{before}{line}{after}"), indent, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Related;

    fn place(line_text: &str, column: usize, length: usize) -> Place {
        Place { file: "t.toml".into(), line: 14, column, length, line_text: line_text.into() }
    }

    fn fault(place: Place) -> Diagnostic {
        Diagnostic { severity: Severity::Error, message: "wrong".into(), place, help: None, also: vec![] }
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_caret_under_its_text() {
        let text = fault(place("\tname = \"日本\" # x", 10, 2)).render(false);
        assert_eq!(text, "error: wrong\n  --> t.toml:14:10\n   |\n14 |     name = \"日本\" # x\n   |             ^^^^\n");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}WRONG{}", "a".repeat(300), "b".repeat(300));
        let text = fault(place(&line, 301, 5)).render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[3].contains("…aaa") && lines[3].ends_with("b…"), "{}", lines[3]);
        assert!(width(lines[3]) <= COLUMNS + 10);
        let caret = lines[4].find('^').unwrap();
        assert_eq!(lines[3].chars().skip(caret).take(5).collect::<String>(), "WRONG");
    }

    #[test]
    fn a_long_line_keeps_its_end_when_the_caret_is_there() {
        let text = fault(place(&"x".repeat(200), 201, 1)).render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[3].ends_with('x') && lines[3].contains('…'));
        assert_eq!(lines[4].find('^').unwrap(), lines[3].chars().count());
    }

    #[test]
    fn control_characters_are_escaped_everywhere() {
        let mut d = fault(place("a\x1b[2J", 2, 1));
        d.message = "bad \x1b]0;x\x07".into();
        d.help = Some("line\nbreak".into());
        d.place.file = "\x1bx".into();
        let text = d.render(false);
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text}");
        assert!(text.contains("line\\nbreak"));
        assert!(text.lines().nth(4).unwrap().ends_with("^^^^^^ line\\nbreak"), "{text}");
    }

    #[test]
    fn other_places_follow_and_a_long_remedy_stands_alone() {
        let mut d = fault(place("a = 1", 1, 1));
        d.also.push(Related { place: Place { line: 2, ..place("a = 2", 1, 1) }, label: "first here".into() });
        d.help = Some("h".repeat(100));
        let text = d.render(false);
        assert!(text.contains("  ::: t.toml:2:1\n   |\n 2 | a = 2\n   | - first here\n"), "{text}");
        assert!(text.ends_with(&format!("   = help: {}\n", "h".repeat(100))), "{text}");
    }

    #[test]
    fn a_file_without_a_line_is_only_named() {
        let d = fault(Place { file: "t.toml".into(), ..Place::default() });
        assert_eq!(d.render(false), "error: wrong\n --> t.toml\n");
        assert_eq!(d.in_a_line(), "t.toml: error: wrong");
    }
}
