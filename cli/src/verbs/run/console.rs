//! What console bolts print: the lines of one target in the workers' logs, passed on as they come.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::verbs::logs::Lines;

/// The target that console bolts log to.
const TARGET: &str = "squall::console";

/// Follows every log below a folder.
#[derive(Debug, Default)]
pub(super) struct Console {
    dir: PathBuf,
    logs: BTreeMap<PathBuf, Log>,
}

/// An open log: it can be read to its end even when it was renamed or removed.
#[derive(Debug)]
struct Log {
    file: File,
    identity: (u64, u64),
    lines: Lines,
}

impl Console {
    pub(super) fn new(dir: PathBuf) -> Console {
        Console { dir, logs: BTreeMap::new() }
    }

    /// Gives every line that console bolts printed since the last call.
    pub(super) fn read(&mut self, each: &mut dyn FnMut(&str)) {
        let mut found = Vec::new();
        find(&self.dir, 5, &mut found);
        for path in found {
            let Ok(file) = File::open(&path) else { continue };
            let Ok(meta) = file.metadata() else { continue };
            let identity = (meta.dev(), meta.ino());
            match self.logs.get_mut(&path) {
                Some(log) if log.identity == identity => {}
                // Rotated: first what is left of the old one.
                Some(log) => {
                    log.read(each);
                    *log = Log { file, identity, lines: Lines::default() };
                }
                None => drop(self.logs.insert(path, Log { file, identity, lines: Lines::default() })),
            }
        }
        self.logs.values_mut().for_each(|log| log.read(each));
    }
}

impl Log {
    fn read(&mut self, each: &mut dyn FnMut(&str)) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut buffer) {
                Ok(n) if n > 0 => self.lines.add(&buffer[..n], |line| {
                    if let Some(text) = printed(line) {
                        each(text);
                    }
                }),
                // Whatever the disk says, the next call tries again.
                _ => return,
            }
        }
    }
}

/// All files `*.log` below a folder.
fn find(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.as_ref().is_ok_and(|k| k.is_dir()) && depth > 0 {
            find(&path, depth - 1, found);
        } else if path.extension().is_some_and(|e| e == "log") {
            found.push(path);
        }
    }
}

/// What a console bolt printed, if it is its line: `[TIME LEVEL squall::console] TEXT`.
fn printed(line: &str) -> Option<&str> {
    let head = line.split_once(']')?;
    let text = head.0.trim_end().strip_suffix(TARGET)?;
    text.starts_with('[').then(|| head.1.strip_prefix(' ').unwrap_or(head.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_console_lines_are_printed() {
        assert_eq!(printed("[2026-01-01T00:00:00.000Z INFO  squall::console] a b ] c"), Some("a b ] c"));
        assert_eq!(printed("[2026-01-01T00:00:00.000Z INFO  squall_worker] up"), None);
        assert_eq!(printed("text squall::console] x"), None);
        assert_eq!(printed(""), None);
    }

    #[test]
    fn logs_are_followed_over_rotation_and_removal() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("topologies/t/0");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("worker.log");
        let mut console = Console::new(dir.path().to_path_buf());
        let mut seen = Vec::new();
        let line = |n: u32| format!("[t INFO squall::console] {n}\n");

        let mut first = File::create(&path).unwrap();
        first.write_all(line(1).as_bytes()).unwrap();
        console.read(&mut |l| seen.push(l.to_owned()));
        first.write_all(line(2).as_bytes()).unwrap();
        std::fs::rename(&path, folder.join("worker.log.1")).unwrap();
        let mut second = File::create(&path).unwrap();
        second.write_all(line(3).as_bytes()).unwrap();
        console.read(&mut |l| seen.push(l.to_owned()));
        second.write_all(line(4).as_bytes()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        console.read(&mut |l| seen.push(l.to_owned()));
        assert_eq!(seen, ["1", "2", "3", "4"]);
    }
}
