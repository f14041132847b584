//! The files that scenarios read: words by a rule, and the digits and their model as the repository has them.

use std::fmt::Write;
use std::path::Path;

use squall_core::{Error, Result};

pub(crate) const DIGITS: &str = include_str!("../../topologies/data/digits.csv");
const MODEL: &[u8] = include_bytes!("../../topologies/models/digits.pkl");

/// Lines and words as in the file that storm-perf ships: about 1.08 MB in all.
const LINES: usize = 14_049;
const WORDS: usize = 98_436;
const VOCABULARY: u64 = 10_000;

/// Writes them all into a folder.
pub(crate) fn write(dir: &Path) -> Result<()> {
    let lines = lines();
    let words: String = lines.split_whitespace().fold(String::new(), |all, word| all + word + "\n");
    for (name, bytes) in [
        ("lines.txt", lines.as_bytes()),
        ("words.txt", words.as_bytes()),
        ("digits.csv", DIGITS.as_bytes()),
        ("digits.pkl", MODEL),
    ] {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::external(format!("cannot write {}", path.display())).because(e))?;
    }
    Ok(())
}

/// Lines of seven words or so, some words far more often than others; the same ones every time.
pub fn lines() -> String {
    let mut text = String::new();
    let mut written = 0;
    for line in 0..LINES {
        // Spread so that all words are used up with the last line.
        let until = WORDS * (line + 1) / LINES;
        while written < until {
            let random = mix(written as u64);
            // The square of a number between 0 and 1 is mostly small.
            let share = (random >> 40) as f64 / (1u64 << 24) as f64;
            word(&mut text, (share * share * VOCABULARY as f64) as u64);
            written += 1;
            text.push(if written == until { '\n' } else { ' ' });
        }
    }
    text
}

/// Five to fifteen letters.
fn word(text: &mut String, number: u64) {
    let mut random = mix(number ^ 0x5eed);
    for _ in 0..5 + random % 11 {
        random = mix(random);
        let _ = write!(text, "{}", (b'a' + (random % 26) as u8) as char);
    }
}

/// The finisher of SplitMix64.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_have_the_shape_of_storms() {
        let text = lines();
        assert_eq!(text.lines().count(), LINES);
        assert_eq!(text.split_whitespace().count(), WORDS);
        assert!((1_000_000..1_200_000).contains(&text.len()), "{}", text.len());
        let distinct: std::collections::HashSet<&str> = text.split_whitespace().collect();
        assert!((8_000..=10_000).contains(&distinct.len()), "{}", distinct.len());
    }
}
