//! Reading a file line by line, knowing where each began.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use squall_core::{Error, Result};

/// A longer line is refused: it is a file without lines.
const LONGEST: u64 = 16 << 20;

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// In bytes from the start of the file.
    pub(super) offset: u64,
    /// How many lines come before it.
    pub(super) line: u64,
}

impl Place {
    /// 16 bytes: offset and line, little endian.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.offset.to_le_bytes(), self.line.to_le_bytes()].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let half = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes);
        match bytes.split_at_checked(8).map(|(a, b)| (half(a), half(b))) {
            Some((Ok(offset), Ok(line))) => Ok(Place { offset, line }),
            _ => Err(Error::user(format!("a place in a file is 16 bytes, not {}", bytes.len()))),
        }
    }
}

pub(super) struct Lines {
    path: PathBuf,
    follow: bool,
    /// None while a file that is followed does not exist.
    reader: Option<BufReader<File>>,
    place: Place,
    /// The line read last, or the beginning of one whose end is not written yet.
    line: Vec<u8>,
    again: Option<BufReader<File>>,
}

impl Lines {
    pub(super) fn open(path: &Path, follow: bool) -> Result<Self> {
        let place = Place::default();
        let mut lines = Lines { path: path.to_owned(), follow, reader: None, place, line: Vec::new(), again: None };
        lines.reader = lines.reopen()?;
        Ok(lines)
    }

    fn reopen(&self) -> Result<Option<BufReader<File>>> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(BufReader::with_capacity(64 << 10, file))),
            Err(e) if self.follow && e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error("open", e)),
        }
    }

    fn error(&self, what: &str, e: std::io::Error) -> Error {
        Error::external(format!("cannot {what} {}", self.path.display())).because(e)
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The next line without its end, and where it begins; `None` at the end of the file. The last line needs no end,
    /// unless the file is followed: then the rest of it may still be written.
    pub(super) fn next(&mut self) -> Result<Option<(Place, &[u8])>> {
        if self.reader.is_none() {
            self.reader = self.reopen()?;
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        self.line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line);
        let read = read.map_err(|e| Error::external(format!("cannot read {}", self.path.display())).because(e))? as u64;
        if read == LONGEST && !self.line.ends_with(b"\n") {
            let at = self.place;
            self.skip()?;
            return Err(Error::user(format!("{}, line {}: longer than 16 MiB", self.path.display(), at.line + 1)));
        }
        if read == 0 || (self.follow && !self.line.ends_with(b"\n")) {
            self.at_end()?;
            return Ok(None);
        }
        let place = self.place;
        self.place = Place { offset: place.offset + read, line: place.line + 1 };
        Ok(Some((place, trimmed(&self.line))))
    }

    /// Passes over the rest of a line that is too long.
    fn skip(&mut self) -> Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let passed = reader.skip_until(b'\n').map_err(|e| self.error("read", e))?;
        self.place = Place { offset: self.place.offset + LONGEST + passed as u64, line: self.place.line + 1 };
        Ok(())
    }

    /// At the end of a file that is followed: goes back to where the unfinished line begins, or to the start of a file
    /// that was emptied.
    fn at_end(&mut self) -> Result<()> {
        let (true, Some(reader)) = (self.follow, &mut self.reader) else { return Ok(()) };
        let length = reader.get_ref().metadata().map(|m| m.len()).unwrap_or(self.place.offset);
        if length < self.place.offset {
            log::warn!(target: "squall::file", "{} has become shorter: beginning again", self.path.display());
            self.place.offset = 0;
        }
        let offset = self.place.offset;
        reader.seek(SeekFrom::Start(offset)).map(drop).map_err(|e| self.error("read", e))
    }

    /// Begins again with the first line.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.seek(Place::default())
    }

    pub(super) fn seek(&mut self, place: Place) -> Result<()> {
        if let Some(reader) = &mut self.reader {
            reader.seek(SeekFrom::Start(place.offset)).map_err(|e| self.error("read", e))?;
        }
        self.place = place;
        Ok(())
    }

    /// The line that begins at a place.
    pub(super) fn read_again(&mut self, place: Place) -> Result<Vec<u8>> {
        if self.again.is_none() {
            self.again = self.reopen()?;
        }
        let Some(reader) = &mut self.again else {
            return Err(Error::external(format!("{} is gone", self.path.display())));
        };
        let mut line = Vec::new();
        let mut read = || {
            reader.seek(SeekFrom::Start(place.offset))?;
            reader.take(LONGEST).read_until(b'\n', &mut line)
        };
        read().map_err(|e| self.error("read", e))?;
        line.truncate(trimmed(&line).len());
        Ok(line)
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
