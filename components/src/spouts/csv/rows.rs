//! Reading a CSV file row by row, and single rows again.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, Reader, ReaderBuilder};
use squall_core::{Error, Result, Value};

use super::layout::Layout;

/// The names of the columns.
pub(super) fn header(path: &Path, delimiter: u8) -> Result<Vec<String>> {
    let mut reader = open(path, delimiter)?;
    let header = reader.byte_headers().map_err(|e| broken(path, e))?;
    if header.is_empty() {
        return Err(Error::user(format!("{} is empty: its first line has to name the columns", path.display())));
    }
    let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map(|s| s.trim().to_owned());
    let names = header.iter().map(name).collect::<Result<_, _>>();
    names.map_err(|e| Error::user(format!("the first line of {} is not UTF-8", path.display())).because(e))
}

fn open(path: &Path, delimiter: u8) -> Result<Reader<File>> {
    let file = File::open(path).map_err(|e| Error::external(format!("cannot open {}", path.display())).because(e))?;
    // Rows of another width are told apart by us, who go on after them.
    Ok(ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file))
}

fn broken(path: &Path, error: csv::Error) -> Error {
    Error::external(format!("cannot read {}", path.display())).because(error)
}

/// A row of the file.
pub(super) struct Row {
    /// Its number, from 0.
    pub(super) number: u64,
    pub(super) place: Position,
    /// Its values, or what is wrong with it.
    pub(super) values: Result<Vec<Value>>,
}

/// The rows of a file in order, and single rows by their place.
pub(super) struct Rows {
    path: PathBuf,
    delimiter: u8,
    layout: Layout,
    reader: Reader<File>,
    /// Opened when the first row is read again, so that the reading in order goes on where it was.
    again: Option<Reader<File>>,
    record: ByteRecord,
    /// The number of the row that is next.
    pub(super) next: u64,
}

impl Rows {
    pub(super) fn open(path: PathBuf, delimiter: u8, layout: Layout) -> Result<Self> {
        let reader = open(&path, delimiter)?;
        Ok(Rows { path, delimiter, layout, reader, again: None, record: ByteRecord::new(), next: 0 })
    }

    /// The next row for which `wanted` holds, or `None` at the end of the file.
    pub(super) fn next(&mut self, wanted: impl Fn(u64) -> bool) -> Result<Option<Row>> {
        while self.reader.read_byte_record(&mut self.record).map_err(|e| broken(&self.path, e))? {
            let number = self.next;
            self.next += 1;
            if wanted(number) {
                let place = self.record.position().cloned().unwrap_or_else(Position::new);
                let values = self.layout.tuple(number, &self.record).map_err(|e| self.wrong(&place, e));
                return Ok(Some(Row { number, place, values }));
            }
        }
        Ok(None)
    }

    /// The row at a place where one was read before.
    pub(super) fn read_again(&mut self, number: u64, place: &Position) -> Result<Vec<Value>> {
        let reader = match &mut self.again {
            Some(reader) => reader,
            none => none.insert(open(&self.path, self.delimiter)?),
        };
        reader.seek(place.clone()).map_err(|e| broken(&self.path, e))?;
        if !reader.read_byte_record(&mut self.record).map_err(|e| broken(&self.path, e))? {
            return Err(Error::external(format!("{} has become shorter", self.path.display())));
        }
        self.layout.tuple(number, &self.record).map_err(|e| self.wrong(place, e))
    }

    /// Begins again with row 0.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.reader = open(&self.path, self.delimiter)?;
        self.next = 0;
        Ok(())
    }

    /// How long the file is, in bytes.
    pub(super) fn size(&self) -> Result<u64> {
        let mut file = self.reader.get_ref();
        let here = file.stream_position()?;
        let size = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(here))?;
        Ok(size)
    }

    fn wrong(&self, place: &Position, what: String) -> Error {
        Error::user(format!("{}, line {}: {what}", self.path.display(), place.line()))
    }
}
