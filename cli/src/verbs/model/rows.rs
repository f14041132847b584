//! Rows of a CSV file, or texts line by line, from a file or stdin.

use std::io::BufRead;

use csv::StringRecord;
use squall_model::{Column, Model, Table};

use crate::exit::{Failure, Outcome};

/// Reads the rows of a CSV file as a model takes them, in batches.
///
/// Where the model knows the names of its features and the file has a header, columns are found by name; otherwise they stand in the
/// model's order.
pub(in crate::verbs) struct RowReader<R> {
    input: csv::Reader<R>,
    name: String,
    shape: Shape,
    record: StringRecord,
    /// A row that was read to see whether it is a header, and is none.
    pending: bool,
    begun: bool,
    /// Where each column of the model is in the file; none as they come.
    order: Option<Vec<Option<usize>>>,
    /// Cells of a row of the file.
    width: Option<usize>,
    /// The line of each row of the last batch.
    lines: Vec<u64>,
}

/// What the model takes.
#[derive(Default)]
pub(in crate::verbs) struct Shape {
    names: Option<Vec<String>>,
    columns: Option<Vec<Column>>,
}

impl Shape {
    pub(in crate::verbs) fn of(model: &Model) -> Shape {
        Shape { names: model.feature_names().map(<[String]>::to_vec), columns: model.columns().map(<[Column]>::to_vec) }
    }

    fn takes(&self, column: usize) -> Column {
        self.columns.as_ref().map_or(Column::Number, |c| c.get(column).copied().unwrap_or(Column::Unused))
    }

    /// Whether a row without any number can only be a header.
    fn has_numbers(&self) -> bool {
        self.columns.as_ref().is_none_or(|c| c.contains(&Column::Number))
    }
}

impl<R: BufRead> RowReader<R> {
    /// Reads from `input`, which error messages call `name`.
    pub(in crate::verbs) fn new(input: R, name: String, shape: Shape) -> Self {
        let input = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(input);
        RowReader {
            input,
            name,
            shape,
            record: StringRecord::new(),
            pending: false,
            begun: false,
            order: None,
            width: None,
            lines: Vec::new(),
        }
    }

    /// Fills `values` with up to `rows` rows of numbers, one after the other, and tells their width; `None` at the end.
    pub(in crate::verbs) fn batch(&mut self, rows: usize, values: &mut Vec<f64>) -> Outcome<Option<usize>> {
        values.clear();
        self.lines.clear();
        while self.lines.len() < rows && self.next()? {
            for column in 0..self.columns() {
                let (at, cell) = self.cell(column);
                values.push(number(cell).ok_or_else(|| self.wrong(at, cell))?);
            }
            self.lines.push(self.line());
        }
        Ok((!self.lines.is_empty()).then(|| self.columns()))
    }

    /// Fills `table` with up to `rows` rows; false at the end.
    pub(super) fn table(&mut self, rows: usize, table: &mut Table) -> Outcome<bool> {
        table.clear(0);
        self.lines.clear();
        while self.lines.len() < rows && self.next()? {
            if self.lines.is_empty() {
                table.clear(self.columns());
            }
            for column in 0..self.columns() {
                let (at, cell) = self.cell(column);
                match self.shape.takes(column) {
                    Column::Unused => table.missing(),
                    _ if cell.is_empty() => table.missing(),
                    Column::Text => table.text(cell),
                    Column::Number => table.number(number(cell).ok_or_else(|| self.wrong(at, cell))?),
                }
            }
            self.lines.push(self.line());
        }
        Ok(!self.lines.is_empty())
    }

    /// Where a row of the last batch stood: `flowers.csv:7`.
    pub(super) fn place(&self, row: usize) -> String {
        match self.lines.get(row) {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.clone(),
        }
    }

    /// Reads the next row; false at the end.
    fn next(&mut self) -> Outcome<bool> {
        if !self.begun {
            self.begun = true;
            self.pending = self.read()?;
            if self.pending && self.is_header()? {
                self.pending = false;
            }
        }
        if !std::mem::take(&mut self.pending) && !self.read()? {
            return Ok(false);
        }
        let found = self.record.len();
        match self.width {
            None => self.width = Some(found),
            Some(width) if width == found => {}
            Some(width) => {
                let (name, line) = (&self.name, self.line());
                return Err(Failure::Usage(format!("{name}:{line}: {found} values where the rows above have {width}")));
            }
        }
        Ok(true)
    }

    fn read(&mut self) -> Outcome<bool> {
        loop {
            let read = self.input.read_record(&mut self.record);
            if !read.map_err(|e| Failure::Outside(format!("cannot read `{}`: {e}", self.name)))? {
                return Ok(false);
            }
            // A line of blanks is no row.
            if self.record.len() > 1 || self.record.get(0).is_some_and(|cell| !cell.is_empty()) {
                return Ok(true);
            }
        }
    }

    /// Whether the row in hand is a header; then also where it says that the model's columns are.
    fn is_header(&mut self) -> Outcome<bool> {
        let no_number = self.record.iter().all(|cell| cell.parse::<f64>().is_err());
        let Some(names) = &self.shape.names else { return Ok(no_number && self.shape.has_numbers()) };
        let find = |(column, name): (usize, &String)| match self.record.iter().position(|cell| cell == name) {
            None if self.shape.takes(column) != Column::Unused => Err(name.clone()),
            place => Ok(place),
        };
        let order: Result<Vec<_>, String> = names.iter().enumerate().map(find).collect();
        match order {
            Ok(order) => {
                self.order = Some(order);
                self.width = Some(self.record.len());
                Ok(true)
            }
            Err(_) if !(no_number && self.shape.has_numbers()) => Ok(false),
            Err(lacks) => Err(Failure::Usage(format!(
                "{}: no column is called `{lacks}`; the model takes {}. Without a header columns go by their order",
                self.name,
                names.join(", "),
            ))),
        }
    }

    /// Columns of a row as the model sees it.
    fn columns(&self) -> usize {
        self.order.as_ref().map_or(self.width.unwrap_or(0), Vec::len)
    }

    /// A cell by the model's column, and where it is in the file.
    fn cell(&self, column: usize) -> (usize, &str) {
        let at = self.order.as_ref().map_or(Some(column), |order| order.get(column).copied().flatten());
        (at.unwrap_or(column), at.and_then(|at| self.record.get(at)).unwrap_or_default())
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn wrong(&self, at: usize, cell: &str) -> Failure {
        Failure::Usage(format!("{}:{}: column {}: `{cell}` is no number", self.name, self.line(), at + 1))
    }
}

/// A number, a truth as 1 or 0, or NaN where there is nothing.
fn number(cell: &str) -> Option<f64> {
    match cell {
        "" => Some(f64::NAN),
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        cell => cell.parse().ok(),
    }
}

/// Reads texts line by line.
pub(super) struct TextReader<R> {
    input: R,
    name: String,
}

impl<R: BufRead> TextReader<R> {
    /// Reads from `input`, which error messages call `name`.
    pub(super) fn new(input: R, name: String) -> Self {
        TextReader { input, name }
    }

    /// Fills `text` with up to `rows` lines, without what ends them, and `ends` with where each ends; false at the end.
    pub(super) fn texts(&mut self, rows: usize, text: &mut String, ends: &mut Vec<usize>) -> Outcome<bool> {
        text.clear();
        ends.clear();
        while ends.len() < rows {
            let read = self.input.read_line(text);
            if read.map_err(|e| Failure::Outside(format!("cannot read `{}`: {e}", self.name)))? == 0 {
                break;
            }
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
            ends.push(text.len());
        }
        Ok(!ends.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome<(Option<usize>, Vec<f64>)> {
        let mut values = Vec::new();
        let width = RowReader::new(text.as_bytes(), "x.csv".into(), Shape::default()).batch(10, &mut values)?;
        Ok((width, values))
    }

    #[test]
    fn a_header_and_empty_lines_are_skipped() {
        assert_eq!(read("a,b\n1, 2\n\n3,4e1\n").unwrap(), (Some(2), vec![1.0, 2.0, 3.0, 40.0]));
        assert_eq!(read("").unwrap(), (None, vec![]));
    }

    #[test]
    fn texts_are_lines_without_their_ends() {
        let mut reader = TextReader::new("one\r\n\ntwo words\n".as_bytes(), "x.txt".into());
        let (mut text, mut ends) = (String::new(), Vec::new());
        assert!(reader.texts(2, &mut text, &mut ends).unwrap());
        assert_eq!((&*text, &*ends), ("one", &[3, 3][..]));
        assert!(reader.texts(2, &mut text, &mut ends).unwrap());
        assert_eq!((&*text, &*ends), ("two words", &[9][..]));
        assert!(!reader.texts(2, &mut text, &mut ends).unwrap());
    }

    #[test]
    fn faults_name_line_and_column() {
        assert_eq!(read("1,2\n1,x\n").unwrap_err().to_string(), "x.csv:2: column 2: `x` is no number");
        assert!(read("1,2\n1\n").unwrap_err().to_string().contains("x.csv:2: 1 values where the rows above have 2"));
    }

    fn customers(text: &str) -> Outcome<(usize, String)> {
        let names = Some(["age", "town", "id"].map(str::to_owned).to_vec());
        let shape = Shape { names, columns: Some(vec![Column::Number, Column::Text, Column::Unused]) };
        let mut table = Table::default();
        RowReader::new(text.as_bytes(), "x.csv".into(), shape).table(10, &mut table)?;
        Ok((table.nrows(), format!("{table:?}")))
    }

    #[test]
    fn columns_are_found_by_the_names_in_the_header() {
        let (rows, by_name) = customers("town,other,age\n\"Bern, CH\",x,5\n,,\n").unwrap();
        let (_, in_order) = customers("5,\"Bern, CH\",7\nNaN,,\n").unwrap();
        assert_eq!((rows, by_name), (2, in_order));
        let error = customers("town,id\nBern,5\n").unwrap_err().to_string();
        assert!(error.starts_with("x.csv: no column is called `age`; the model takes age, town, id."), "{error}");
        let error = customers("town,other,age\nBern\n").unwrap_err().to_string();
        assert_eq!(error, "x.csv:2: 1 values where the rows above have 3");
        assert_eq!(customers("age,town\nold,Bern\n").unwrap_err().to_string(), "x.csv:2: column 1: `old` is no number");
    }
}
