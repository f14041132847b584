//! Writing a log: one file, put aside when it is full.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::numbered;

/// A log file is turned over at this size; this many old ones are kept.
const LARGEST: u64 = 16 << 20;
const KEPT: u32 = 4;

/// A log that is written to.
///
/// ```
/// use std::io::Write;
/// let dir = tempfile::tempdir().unwrap();
/// let mut log = squall_logs::Rotating::open(&dir.path().join("nimbus.log")).unwrap();
/// writeln!(log, "a line").unwrap();
/// ```
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Rotating {
    /// Goes on with a log, or begins one.
    ///
    /// # Errors
    /// The file cannot be written to.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, size })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        for n in (1..KEPT).rev() {
            match std::fs::rename(numbered(&self.path, n), numbered(&self.path, n + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        *self = Rotating::open(&self.path)?;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size + bytes.len() as u64 > LARGEST && self.size > 0 {
            // A log that cannot be turned over is still a log.
            if let Err(error) = self.turn_over() {
                let _ = writeln!(self.file, "cannot rotate {}: {error}", self.path.display());
                self.size = 0;
            }
        }
        let n = self.file.write(bytes)?;
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_turned_over_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("worker.log");
        let mut log = Rotating::open(&path).unwrap();
        for n in 0..7u8 {
            log.size = LARGEST;
            log.write_all(&[b'0' + n]).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "6");
        assert_eq!(std::fs::read_to_string(dir.path().join("worker.log.1")).unwrap(), "5");
        assert_eq!(std::fs::read_to_string(dir.path().join("worker.log.4")).unwrap(), "2");
        assert!(!dir.path().join("worker.log.5").exists());
    }
}
