//! Lines of logs, files that were put aside included.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use squall_core::control::{LineFilter, LineLevel, LogLine, LogSearch, in_order_of_time};

use crate::numbered;
use crate::parts::MOST;

/// The most lines of a search.
pub const MOST_LINES: usize = 10_000;
const LONGEST_LINE: usize = 8 << 10;

/// The newest lines of several logs that are of at least this level and hold the text, in order of time. A log is a worker's, or a
/// daemon's own. Blocks while it reads.
///
/// ```
/// use squall_core::control::LineLevel;
/// let dir = tempfile::tempdir().unwrap();
/// let log = dir.path().join("nimbus.log");
/// std::fs::write(&log, "[2026-01-02T03:04:05.678Z INFO  squall_nimbus] nimbus is here\n").unwrap();
/// let found = squall_logs::search(&[(None, log)], (LineLevel::Trace, "HERE"), 10).unwrap();
/// assert!(found.complete && found.lines.len() == 1);
/// ```
///
/// # Errors
/// A file cannot be read.
pub fn search(logs: &[(Option<u32>, PathBuf)], wanted: (LineLevel, &str), limit: usize) -> std::io::Result<LogSearch> {
    let limit = limit.min(MOST_LINES);
    let mut all = LogSearch { complete: true, ..LogSearch::default() };
    let mut found = Vec::new();
    for (worker, path) in logs {
        found.push(find(wanted, (*worker, path), limit, &mut all)?);
    }
    all.lines = in_order_of_time(found);
    let too_many = all.lines.len().saturating_sub(limit);
    all.complete &= too_many == 0;
    all.lines.drain(..too_many);
    Ok(all)
}

/// The newest lines of one log: newest file first, until there are enough.
fn find(
    (level, text): (LineLevel, &str),
    (worker, path): (Option<u32>, &Path),
    limit: usize,
    all: &mut LogSearch,
) -> std::io::Result<Vec<LogLine>> {
    let mut found: VecDeque<LogLine> = VecDeque::new();
    for file in 0..=MOST {
        let path = numbered(path, file);
        let reader = match std::fs::File::open(&path) {
            Ok(reader) => reader,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && file == 0 => continue,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => break,
            Err(e) => return Err(e),
        };
        let room = limit - found.len();
        let mut here: VecDeque<LogLine> = VecDeque::new();
        let mut filter = LineFilter::new(level, text);
        let end = each_line(reader, |offset, text| {
            if filter.wants(&text) {
                here.push_back(LogLine { worker, file, offset, text, ..LogLine::default() });
                if here.len() > room {
                    here.pop_front();
                    all.complete = false;
                }
            }
        })?;
        all.bytes += end;
        if file == 0 {
            all.ends.insert(worker.unwrap_or(0), end);
        }
        here.append(&mut found);
        found = here;
        if found.len() >= limit {
            all.complete &= !numbered(&path, file + 1).exists();
            break;
        }
    }
    Ok(found.into())
}

/// Calls `each` with every whole line; how far it came.
fn each_line(file: std::fs::File, mut each: impl FnMut(u64, String)) -> std::io::Result<u64> {
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let (mut at, mut line) = (0u64, Vec::new());
    loop {
        line.clear();
        // A line as long as memory is cut, its rest skipped.
        let read = (&mut reader).take(LONGEST_LINE as u64).read_until(b'\n', &mut line)? as u64;
        let mut length = read;
        if read == LONGEST_LINE as u64 && line.last() != Some(&b'\n') {
            length += skip_line(&mut reader)?;
            line.extend_from_slice("…".as_bytes());
        } else if line.pop().is_none_or(|end| end != b'\n') {
            // Half a line: the rest is still being written.
            return Ok(at);
        }
        each(at, String::from_utf8_lossy(&line).into_owned());
        at += length;
    }
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let n = end.map_or(buffer.len(), |e| e + 1);
        reader.consume(n);
        skipped += n as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_of_all_files_are_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("a.log.1", "[1 INFO x] one\n[2 WARN x] two\nmore of two\n");
        write("a.log", &format!("[4 ERROR x] <script>\n[6 DEBUG x] {}\n[7 INFO x] seven", "ä".repeat(LONGEST_LINE)));
        write("b.log", "[3 INFO x] three\n[5 WARN x] five\n");
        let logs = [(Some(0), dir.path().join("a.log")), (Some(1), dir.path().join("b.log"))];
        let texts = |level, text: &str, limit| {
            let found = search(&logs, (level, text), limit).unwrap();
            (found.complete, found.lines.iter().map(|l| l.text.chars().take(12).collect::<String>()).collect::<Vec<_>>())
        };
        let (complete, all) = texts(LineLevel::Trace, "", 1000);
        assert!(complete);
        let order =
            ["[1 INFO x] o", "[2 WARN x] t", "more of two", "[3 INFO x] t", "[4 ERROR x] ", "[5 WARN x] f", "[6 DEBUG x] "];
        assert_eq!(all, order, "the line that is still being written is not there yet");
        assert_eq!(texts(LineLevel::Trace, "", 2), (false, order[5..].iter().map(|s| (*s).to_owned()).collect()));
        let warned = texts(LineLevel::Warn, "", 1000).1;
        assert_eq!(warned, ["[2 WARN x] t", "more of two", "[4 ERROR x] ", "[5 WARN x] f"]);
        assert_eq!(texts(LineLevel::Trace, "SCRIPT", 1000).1, ["[4 ERROR x] "]);
        let found = search(&logs, (LineLevel::Trace, ""), 1000).unwrap();
        assert_eq!(found.ends[&1], 33);
        assert!(found.lines.iter().all(|l| l.text.len() <= LONGEST_LINE + 8));
    }
}
