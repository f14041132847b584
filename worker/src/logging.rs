//! The worker's log: one file, rotated by size, every line with time, level and target.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use env_logger::Target;

/// A log file is turned over at this size; this many old ones are kept.
const LARGEST: u64 = 16 << 20;
const KEPT: u32 = 4;

struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Rotating {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, size })
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        name.into()
    }

    fn turn_over(&mut self) -> io::Result<()> {
        for n in (1..KEPT).rev() {
            match std::fs::rename(self.numbered(n), self.numbered(n + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.numbered(1))?;
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

/// Sets up logging to `file`, at the level (or env_logger's per-module form) of the topology.
pub(crate) fn init(file: &Path, filter: &str) -> io::Result<()> {
    let rotating = Rotating::open(file)?;
    env_logger::Builder::new()
        .parse_filters(filter)
        .format_timestamp_millis()
        .target(Target::Pipe(Box::new(rotating)))
        .try_init()
        .map_err(io::Error::other)
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
