//! Rows of numbers and texts, and what a model makes of each of their columns.

use std::ops::Range;

use ndarray::Array2;
use serde::Serialize;

use crate::Error;
use crate::estimators::text::codes::Codes;

/// What a model takes in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Nothing looks at it: anything may stand there.
    Unused,
    /// A number.
    Number,
    /// A text: a category, or words.
    Text,
}

impl Column {
    /// What two that look at the same column take; none where they disagree.
    pub(crate) fn and(self, other: Column) -> Option<Column> {
        match (self, other) {
            (Column::Unused, one) | (one, Column::Unused) => Some(one),
            (a, b) => (a == b).then_some(a),
        }
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Column::Unused => "unused",
            Column::Number => "number",
            Column::Text => "text",
        })
    }
}

/// Rows of one width, put together cell by cell. Cleared and filled again it allocates no more.
#[derive(Debug, Clone, Default)]
pub struct Table {
    width: usize,
    cells: Vec<Cell>,
    text: String,
}

#[derive(Debug, Clone, Copy)]
enum Cell {
    Number(f64),
    /// Where it begins and ends among the texts.
    Text(usize, usize),
}

/// A cell as it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Entry<'t> {
    /// NaN is a cell without anything.
    Number(f64),
    Text(&'t str),
}

impl Table {
    /// Without rows; each will have `width` cells.
    pub fn new(width: usize) -> Table {
        Table { width, ..Table::default() }
    }

    /// Takes all rows out; the next ones have `width` cells.
    pub fn clear(&mut self, width: usize) {
        self.width = width;
        self.cells.clear();
        self.text.clear();
    }

    /// The next cell is a number; NaN counts as missing.
    pub fn number(&mut self, value: f64) {
        self.cells.push(Cell::Number(value));
    }

    /// The next cell is a text.
    pub fn text(&mut self, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        self.cells.push(Cell::Text(start, self.text.len()));
    }

    /// The next cell is empty, of whatever column.
    pub fn missing(&mut self) {
        self.number(f64::NAN);
    }

    /// Takes out the cells after the first `rows` rows, such as those of a row that turned out bad.
    pub fn truncate(&mut self, rows: usize) {
        self.cells.truncate(rows.saturating_mul(self.width));
    }

    /// Number of whole rows.
    pub fn nrows(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Cells of a row.
    pub fn ncols(&self) -> usize {
        self.width
    }

    /// A cell; none outside of the table.
    pub(crate) fn get(&self, row: usize, column: usize) -> Option<Entry<'_>> {
        let inside = column < self.width && row < self.nrows();
        match *self.cells.get(row * self.width + column).filter(|_| inside)? {
            Cell::Number(value) => Some(Entry::Number(value)),
            Cell::Text(start, end) => self.text.get(start..end).map(Entry::Text),
        }
    }

    /// The texts of a column, one after the other, and where each ends; rows count from the first of `rows`.
    pub(crate) fn column(
        &self,
        column: usize,
        rows: Range<usize>,
        text: &mut String,
        ends: &mut Vec<usize>,
    ) -> Result<(), Error> {
        text.clear();
        ends.clear();
        for (row, at) in rows.enumerate() {
            let what = match self.get(at, column) {
                Some(Entry::Text(value)) => {
                    text.push_str(value);
                    ends.push(text.len());
                    continue;
                }
                Some(Entry::Number(value)) if !value.is_nan() => format!("{value} is no text, and the model takes texts there"),
                _ => "it is missing, and the model takes texts there".to_owned(),
            };
            return Err(Error::Value { row, column, what });
        }
        Ok(())
    }

    /// Rows as numbers, as estimators take them: texts as their codes where the model has these. `columns` is what the model takes,
    /// none where that is only numbers.
    pub(crate) fn coded(&self, rows: Range<usize>, columns: Option<&[Column]>, codes: &Codes) -> Result<Array2<f64>, Error> {
        if columns.is_some_and(|c| c.len() != self.width) {
            return Err(Error::Width { expected: columns.map_or(0, <[_]>::len), found: self.width });
        }
        let mut out = Array2::zeros((rows.len(), self.width));
        for (row, (at, mut line)) in rows.zip(out.outer_iter_mut()).enumerate() {
            for (column, place) in line.iter_mut().enumerate() {
                let takes = columns.map_or(Column::Number, |c| c[column]);
                *place = match (self.get(at, column), takes) {
                    (_, Column::Unused) => 0.0,
                    (Some(Entry::Number(value)), Column::Number) => value,
                    (Some(Entry::Text(text)), Column::Text) => codes.code(text),
                    (Some(Entry::Number(value)), Column::Text) if value.is_nan() => value,
                    (Some(Entry::Number(value)), Column::Text) => {
                        let what = format!("{value} is a number, and the model takes texts there");
                        return Err(Error::Value { row, column, what });
                    }
                    (Some(Entry::Text(text)), Column::Number) => {
                        let what = format!("`{text}` is a text, and the model takes numbers there");
                        return Err(Error::Value { row, column, what });
                    }
                    (None, _) => return Err(Error::Internal("a cell outside of its table".into())),
                };
            }
        }
        Ok(out)
    }

    /// An error of rows from `first` on, with the row's place in the whole, and the text and not its code.
    pub(crate) fn place(&self, error: Error, first: usize) -> Error {
        match error {
            Error::Category { row, column, category } => {
                let row = row + first;
                let category = match self.get(row, column) {
                    Some(Entry::Text(text)) => text.to_owned(),
                    _ => category,
                };
                Error::Category { row, column, category }
            }
            Error::NotFinite { row, column, value } => Error::NotFinite { row: row + first, column, value },
            Error::Value { row, column, what } => Error::Value { row: row + first, column, what },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_were_put() {
        let mut table = Table::new(2);
        table.number(1.5);
        table.text("Bern");
        table.text("");
        assert_eq!((table.nrows(), table.ncols()), (1, 2));
        table.number(2.0);
        assert_eq!(table.get(0, 1), Some(Entry::Text("Bern")));
        assert_eq!(table.get(1, 0), Some(Entry::Text("")));
        assert_eq!((table.get(0, 2), table.get(2, 0)), (None, None));
        table.truncate(1);
        assert_eq!(table.nrows(), 1);
        table.clear(1);
        table.missing();
        assert!(matches!(table.get(0, 0), Some(Entry::Number(value)) if value.is_nan()));
        assert_eq!(Table::default().nrows(), 0);
    }
}
