//! Lines out of pieces of a log.

/// Longest line that is put together; a longer one is shown in parts.
const LONGEST: usize = 1 << 20;

/// Puts lines together from pieces that end anywhere.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Adds a piece and gives every line that is complete now, without its line break.
    pub(crate) fn add(&mut self, piece: &[u8], mut each: impl FnMut(&str)) {
        for part in piece.split_inclusive(|b| *b == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") || self.rest.len() >= LONGEST {
                each(String::from_utf8_lossy(&self.rest).trim_end_matches(['\n', '\r']));
                self.rest.clear();
            }
        }
    }

    /// Bytes of the line that is not complete yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_any_cut() {
        let text = "eins\nzwei ü\r\n\ndrei\nvier";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            lines.add(&text.as_bytes()[..cut], |l| found.push(l.to_owned()));
            lines.add(&text.as_bytes()[cut..], |l| found.push(l.to_owned()));
            assert_eq!(found, ["eins", "zwei ü", "", "drei"], "cut at {cut}");
            assert_eq!(lines.unfinished(), 4);
        }
    }
}
