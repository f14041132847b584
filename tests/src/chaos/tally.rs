//! What reached the sink: every line of its files, counted by number.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A line of `topologies/sequence-window.toml`'s sink.
#[derive(Debug, Deserialize)]
struct Line {
    key: u64,
    last: Vec<u64>,
}

/// Reads the files of a folder as they grow.
#[derive(Debug)]
pub struct Tally {
    dir: PathBuf,
    keys: u64,
    files: BTreeMap<PathBuf, (u64, Vec<u8>)>,
    /// How often each number came, by number; 0 is not used.
    counts: Vec<u32>,
    /// The largest number of each key so far.
    largest: BTreeMap<u64, u64>,
    /// Lines whose number is not larger than all before of its key: replays, whether the first try had come or not.
    pub replayed: u64,
    /// Lines that were cut off because their writer died.
    pub torn: u64,
    /// All whole lines.
    pub lines: u64,
    /// Lines whose number is not larger than the one before it in its key's list.
    pub out_of_order: u64,
}

impl Tally {
    /// Of numbers from 1 to `limit`, number n having key n modulo `keys`.
    pub fn new(dir: &Path, limit: usize, keys: u64) -> Tally {
        Tally {
            dir: dir.to_owned(),
            keys,
            files: BTreeMap::new(),
            counts: vec![0; limit + 1],
            largest: BTreeMap::new(),
            replayed: 0,
            torn: 0,
            lines: 0,
            out_of_order: 0,
        }
    }

    /// Reads what came since.
    ///
    /// # Panics
    /// A line holds what it cannot hold.
    #[track_caller]
    pub fn read(&mut self) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "jsonl") {
                continue;
            }
            let (mut from, mut rest) = self.files.remove(&path).unwrap_or_default();
            let mut fresh = Vec::new();
            if let Ok(mut file) = std::fs::File::open(&path)
                && file.seek(SeekFrom::Start(from)).is_ok()
                && file.read_to_end(&mut fresh).is_ok()
            {
                from += fresh.len() as u64;
                rest.extend_from_slice(&fresh);
                let whole = rest.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                let lines: Vec<u8> = rest.drain(..whole).collect();
                lines.split(|b| *b == b'\n').filter(|l| !l.is_empty()).for_each(|line| self.take(line));
            }
            self.files.insert(path, (from, rest));
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Ok(Line { key, last }) = serde_json::from_slice::<Line>(line) else {
            self.torn += 1;
            return;
        };
        self.lines += 1;
        let fits = |n: &u64| *n >= 1 && (*n as usize) < self.counts.len() && n % self.keys == key;
        assert!((1..=4).contains(&last.len()) && last.iter().all(fits), "key {key} has {last:?}");
        self.out_of_order += u64::from(last.windows(2).any(|w| w[0] >= w[1]));
        if let Some(n) = last.last() {
            self.counts[*n as usize] += 1;
            let largest = self.largest.entry(key).or_default();
            self.replayed += u64::from(n <= largest);
            *largest = (*largest).max(*n);
        }
    }

    /// How many different numbers came.
    pub fn distinct(&self) -> usize {
        self.counts[1..].iter().filter(|c| **c > 0).count()
    }

    /// How many lines came more than once.
    pub fn repeated(&self) -> u64 {
        self.lines - self.distinct() as u64
    }

    /// The numbers that never came.
    pub fn missing(&self) -> Vec<usize> {
        (1..self.counts.len()).filter(|n| self.counts[*n] == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_repeated_and_torn_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let mut tally = Tally::new(dir.path(), 5, 2);
        std::fs::write(&path, "{\"key\":1,\"last\":[1]}\n{\"key\":1,\"last\":[1,3]}\n{\"key\":1,\"la").unwrap();
        tally.read();
        assert_eq!((tally.missing(), tally.repeated()), (vec![2, 4, 5], 0));
        let more = "{\"key\":1,\"last\":[1]}\n{\"key\":1,\"last\":[1,3]}\n{\"key\":1,\"la\n{\"key\":1,\"last\":[3,1]}\n";
        std::fs::write(&path, more).unwrap();
        tally.read();
        assert_eq!((tally.repeated(), tally.replayed, tally.torn, tally.out_of_order), (1, 1, 1, 1));
    }

    #[test]
    #[should_panic(expected = "key 1 has [2]")]
    fn a_number_of_another_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.jsonl"), "{\"key\":1,\"last\":[2]}\n").unwrap();
        Tally::new(dir.path(), 5, 2).read();
    }
}
