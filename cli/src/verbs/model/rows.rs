//! Rows of numbers, or texts line by line, from a file or stdin.

use std::io::BufRead;

use crate::exit::{Failure, Outcome};

/// Reads rows of one width, in batches.
pub(in crate::verbs) struct RowReader<R> {
    input: R,
    name: String,
    /// The line read last, from 1.
    line: u64,
    width: Option<usize>,
}

impl<R: BufRead> RowReader<R> {
    /// Reads from `input`, which error messages call `name`.
    pub(in crate::verbs) fn new(input: R, name: String) -> Self {
        RowReader { input, name, line: 0, width: None }
    }

    /// Fills `values` with up to `rows` rows, one after the other, and tells their width; `None` at the end.
    pub(in crate::verbs) fn batch(&mut self, rows: usize, values: &mut Vec<f64>) -> Outcome<Option<usize>> {
        values.clear();
        let mut text = String::new();
        let mut taken = 0;
        while taken < rows {
            text.clear();
            let read = self.input.read_line(&mut text);
            if read.map_err(|e| Failure::Outside(format!("cannot read `{}`: {e}", self.name)))? == 0 {
                break;
            }
            self.line += 1;
            let row = text.trim();
            // A first line without any number is a header.
            let header = self.line == 1 && row.split(',').all(|cell| cell.trim().parse::<f64>().is_err());
            if row.is_empty() || header {
                continue;
            }
            self.row(row, values)?;
            taken += 1;
        }
        Ok(self.width.filter(|_| taken > 0))
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

    fn row(&mut self, row: &str, values: &mut Vec<f64>) -> Outcome {
        let before = values.len();
        for (i, cell) in row.split(',').enumerate() {
            let cell = cell.trim();
            let value = cell
                .parse()
                .map_err(|_| Failure::Usage(format!("{}:{}: column {}: `{cell}` is no number", self.name, self.line, i + 1)))?;
            values.push(value);
        }
        let found = values.len() - before;
        match self.width {
            None => self.width = Some(found),
            Some(width) if width == found => {}
            Some(width) => {
                let (name, line) = (&self.name, self.line);
                return Err(Failure::Usage(format!("{name}:{line}: {found} values where the rows above have {width}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome<(Option<usize>, Vec<f64>)> {
        let mut values = Vec::new();
        let width = RowReader::new(text.as_bytes(), "x.csv".into()).batch(10, &mut values)?;
        Ok((width, values))
    }

    #[test]
    fn a_header_and_empty_lines_are_skipped() {
        assert_eq!(read("a,b\n1, 2\n\n3,4e1\n").unwrap(), (Some(2), vec![1.0, 2.0, 3.0, 40.0]));
        assert_eq!(read("").unwrap(), (None, vec![]));
    }

    #[test]
    fn texts_are_lines_without_their_ends() {
        let mut reader = RowReader::new("one\r\n\ntwo words\n".as_bytes(), "x.txt".into());
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
}
