//! What a command shows: data on stdout, all else on stderr.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::exit::{Failure, Outcome};

/// Where a command shows things, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    /// JSON instead of tables.
    pub(crate) json: bool,
    /// Colours on stderr: a terminal, and `NO_COLOR` is not set.
    pub(crate) colour: bool,
    /// Somebody watches stderr, so spinners and progress bars make sense.
    pub(crate) watched: bool,
}

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Show {
    pub(crate) fn new(json: bool) -> Show {
        let watched = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Show { json, colour: watched && !plain, watched }
    }

    /// Data, as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Failed(format!("cannot show as JSON: {e}")))?;
        self.line(&text)
    }

    /// A line of data.
    pub(crate) fn line(&self, text: &str) -> Outcome {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(written)
    }

    /// Data as a table: plain columns, which `awk` can read too. In a terminal that is too narrow for them, in another form.
    pub(crate) fn table(&self, columns: &[(&str, Align)], rows: &[Vec<String>]) -> Outcome {
        match width() {
            Some(width) => self.line(&fitting(columns, rows, width)),
            None => self.line(&table(columns, rows)),
        }
    }

    /// A remark, on stderr.
    pub(crate) fn note(&self, text: &str) {
        // When nobody can be told, nobody is.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// A remark that only helps somebody who watches.
    pub(crate) fn remark(&self, text: &str) {
        if self.watched {
            self.note(text);
        }
    }

    /// A spinner for waiting; invisible when nobody watches.
    pub(crate) fn spinner(&self, text: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target());
        bar.set_style(style("{spinner} {msg} [{elapsed}]"));
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// A bar for work of a known number of bytes; invisible when nobody watches.
    pub(crate) fn bytes_bar(&self, text: &str, total: u64) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), self.target());
        bar.set_style(style("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} eta {eta}"));
        bar.set_message(text.to_owned());
        bar
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.watched { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() }
    }
}

/// A broken pipe ends the command quietly.
pub(crate) fn written(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::Outside(format!("cannot write to stdout: {error}")),
    }
}

/// How wide the terminal is; none where the output goes elsewhere.
pub(crate) fn width() -> Option<usize> {
    let size = std::io::stdout().is_terminal().then(ratatui::crossterm::terminal::size);
    size.and_then(Result::ok).map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// Between two columns.
const SPACE: usize = 2;
/// A last column, which is often a text, is wrapped as long as it has so much room.
const TEXT: usize = 24;

/// A table; where that is too wide one whose last column is wrapped, or each row as a paragraph: broken lines are no table.
fn fitting(columns: &[(&str, Align)], rows: &[Vec<String>], width: usize) -> String {
    let wide = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).map(String::as_str).chain([columns[i].0]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + SPACE
    };
    let last = columns.len().saturating_sub(1);
    let before: usize = (0..last).map(wide).sum();
    if columns.is_empty() || before + wide(last) - SPACE <= width {
        return table(columns, rows);
    }
    if before + TEXT <= width {
        let mut table = plain(columns, rows);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::try_from(width + SPACE).unwrap_or(u16::MAX));
        for column in table.column_iter_mut().take(last) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        return table.trim_fmt();
    }
    rows.iter().map(|row| paragraph(columns, row, width)).collect::<Vec<_>>().join("\n")
}

/// A row: its first cell, and below it the others with the names of their columns.
fn paragraph(columns: &[(&str, Align)], row: &[String], width: usize) -> String {
    let mut out = row.first().cloned().unwrap_or_default();
    let mut room = 0;
    for ((name, _), cell) in columns.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
        let part = format!("{name} {cell}");
        let part = part.trim_start();
        let long = part.chars().count() + 2;
        if long > room {
            out.push_str("\n  ");
            room = width.saturating_sub(2);
        } else {
            out.push_str(", ");
        }
        out.push_str(part);
        room = room.saturating_sub(long);
    }
    out
}

/// The text of a table.
pub(crate) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    plain(columns, rows).trim_fmt()
}

fn plain(columns: &[(&str, Align)], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|(name, _)| *name));
    table.add_rows(rows);
    for (i, (_, align)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_padding((0, SPACE as u16));
            if *align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The templates are ours, so they are right; if one were not, the default does.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `1_234_567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many a second, as a whole number for people.
pub(crate) fn rate(per_s: f64) -> String {
    count(per_s.max(0.0).round() as u64)
}

/// A size in bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A time in nanoseconds for people.
pub(crate) fn nanos(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// A long time in seconds for people: `3d 4h`, `2m 5s`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Seconds since a unix time in milliseconds.
pub(crate) fn since(unix_ms: u64) -> u64 {
    now_ms().saturating_sub(unix_ms) / 1000
}

/// Seconds until a unix time in milliseconds.
pub(crate) fn until(unix_ms: u64) -> u64 {
    unix_ms.saturating_sub(now_ms()).div_ceil(1000)
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(size(512), "512 B");
        assert_eq!(size(204_800_000), "204.8 MB");
        assert_eq!(nanos(1_500), "1.5 us");
        assert_eq!(age(3_725), "1h 2m");
    }

    #[test]
    fn a_table_is_plain_columns() {
        let text = table(
            &[("name", Align::Left), ("tasks", Align::Right)],
            &[vec!["digits".into(), "7".into()], vec!["a".into(), "12".into()]],
        );
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("name"));
        assert!(lines[1].ends_with(" 7"), "{text}");
    }

    #[test]
    fn a_terminal_that_is_too_narrow_has_no_broken_lines() {
        let columns = [("component", Align::Left), ("tasks", Align::Right), ("emitted", Align::Right), ("error", Align::Left)];
        let row = |name: &str, error: &str| vec![name.to_owned(), "12".to_owned(), "1,234,567".to_owned(), error.to_owned()];
        let rows = [row("classify", "this is what went wrong in so many words"), row("end", "")];
        let longest = |text: &str| text.lines().map(|l| l.trim_end().chars().count()).max().unwrap();
        let whole = table(&columns, &rows);
        assert_eq!(fitting(&columns, &rows, 200), whole);
        assert_eq!(fitting(&columns, &rows, longest(&whole)), whole);
        let wrapped = fitting(&columns, &rows, 60);
        assert!(longest(&wrapped) <= 60 && wrapped.lines().count() > 3, "{wrapped}");
        assert!(wrapped.contains("1,234,567  this is"), "{wrapped}");
        let expected = "classify\n  tasks 12, emitted 1,234,567\n  error this is what went wrong in so many words\nend\n  tasks 12, emitted 1,234,567";
        assert_eq!(fitting(&columns, &rows, 40), expected);
    }
}
