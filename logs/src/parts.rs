//! A log over its rotations: the file that is written to and those that were put aside, told apart by their inodes, so that
//! whoever follows it goes on in the next file only when the one before has been read to its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::numbered;

/// No log has more files put aside.
pub(crate) const MOST: u32 = 9;

/// A log's files, oldest first.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    (0..=MOST).rev().map(|n| numbered(path, n)).filter(|p| p.exists()).collect()
}

/// A file of a log.
#[derive(Debug)]
struct Part {
    file: File,
    id: u64,
    size: u64,
}

/// The files of a log as they are now, newest first; none where there is no log yet.
///
/// A log may be turned over meanwhile. A file then only moves on to a name that is still to be looked at, so it is seen twice
/// at most and never missed.
#[derive(Debug)]
pub(crate) struct Parts(Vec<Part>);

/// A place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which of its files, by inode; 0 where there is none.
    pub(crate) file: u64,
    /// The byte in this file.
    pub(crate) offset: u64,
}

impl Parts {
    pub(crate) fn open(path: &Path) -> io::Result<Parts> {
        let mut parts: Vec<Part> = Vec::new();
        for n in 0..=MOST {
            let file = match File::open(numbered(path, n)) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            let meta = file.metadata()?;
            if parts.iter().all(|p| p.id != meta.ino()) {
                parts.push(Part { file, id: meta.ino(), size: meta.len() });
            }
        }
        Ok(Parts(parts))
    }

    /// So many bytes before the end.
    pub(crate) fn tail(&self, mut bytes: u64) -> Position {
        for part in &self.0 {
            if part.size >= bytes {
                return Position { file: part.id, offset: part.size - bytes };
            }
            bytes -= part.size;
        }
        Position { file: self.0.last().map_or(0, |p| p.id), offset: 0 }
    }

    /// Where to read on for one who has come so far, in the newest file unless another is named: there, or at the beginning of
    /// the next file with something in it. A file that is gone was the oldest, so what is left begins after it; one that is
    /// shorter than before began anew.
    pub(crate) fn after(&self, file: Option<u64>, offset: u64) -> Position {
        let newest = 0;
        let (mut at, mut offset) = match file {
            None | Some(0) => (newest, offset),
            Some(id) => match self.0.iter().position(|p| p.id == id) {
                Some(at) => (at, offset),
                None => (self.0.len().saturating_sub(1), 0),
            },
        };
        while at > newest && offset >= self.0[at].size {
            (at, offset) = (at - 1, 0);
        }
        match self.0.get(at) {
            Some(part) if offset <= part.size => Position { file: part.id, offset },
            Some(part) => Position { file: part.id, offset: 0 },
            None => Position { file: 0, offset: 0 },
        }
    }

    /// How long a file is.
    pub(crate) fn size(&self, file: u64) -> u64 {
        self.0.iter().find(|p| p.id == file).map_or(0, |p| p.size)
    }

    /// At most `limit` bytes from a position.
    pub(crate) fn read(&self, from: Position, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(mut file) = self.0.iter().find(|p| p.id == from.file).map(|p| &p.file) {
            file.seek(SeekFrom::Start(from.offset))?;
            file.take(limit).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_on(path: &Path, at: &mut Position, limit: u64) -> String {
        let parts = Parts::open(path).unwrap();
        let from = parts.after(Some(at.file), at.offset);
        let bytes = parts.read(from, limit).unwrap();
        *at = Position { file: from.file, offset: from.offset + bytes.len() as u64 };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn nothing_is_missed_when_a_log_is_turned_over() {
        let dir = tempfile::tempdir().unwrap();
        let [log, one, two] = ["worker.log", "worker.log.1", "worker.log.2"].map(|name| dir.path().join(name));
        let mut at = Position { file: 0, offset: 0 };
        assert_eq!(read_on(&log, &mut at, 9), "", "there is none yet");
        std::fs::write(&log, "aaa").unwrap();
        assert_eq!(read_on(&log, &mut at, 2), "aa");
        // Turned over twice before it was read to its end.
        std::fs::rename(&log, &one).unwrap();
        std::fs::write(&log, "bb").unwrap();
        std::fs::rename(&one, &two).unwrap();
        std::fs::rename(&log, &one).unwrap();
        std::fs::write(&log, "c").unwrap();
        let rest: Vec<String> = (0..4).map(|_| read_on(&log, &mut at, 9)).collect();
        assert_eq!(rest, ["a", "bb", "c", ""]);
    }

    #[test]
    fn what_was_thrown_away_is_skipped_and_a_shorter_file_began_anew() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("worker.log");
        std::fs::write(dir.path().join("worker.log.1"), "old").unwrap();
        std::fs::write(&log, "new").unwrap();
        let parts = Parts::open(&log).unwrap();
        let newest = parts.tail(3);
        assert_eq!(parts.read(newest, 9).unwrap(), b"new");
        assert_eq!(parts.read(parts.after(Some(u64::MAX), 70), 9).unwrap(), b"old");
        assert_eq!(parts.after(Some(newest.file), 70), Position { offset: 0, ..newest });
        assert_eq!(parts.after(None, 1), Position { offset: 1, ..newest });
    }

    #[test]
    fn the_end_reaches_back_into_older_files() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("worker.log");
        std::fs::write(dir.path().join("worker.log.1"), "older").unwrap();
        std::fs::write(&log, "new").unwrap();
        let parts = Parts::open(&log).unwrap();
        assert_eq!(parts.read(parts.tail(5), 9).unwrap(), b"er");
        assert_eq!(parts.read(parts.tail(50), 9).unwrap(), b"older");
    }
}
