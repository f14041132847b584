//! Splits by category: for each category the side it goes to, two bits each.
//!
//! A split refers to its part of one array of words by a *key* in place of its threshold: bits 0 to 31 are
//! the first word, bits 32 to 62 the number of categories, bit 63 says that all others go left.

/// Where a category goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// As the missing values do.
    Missing,
    Left,
    Right,
}

/// More categories than this are a mistake.
const MAX_CATEGORIES: usize = 1 << 24;

/// Nor do all trees together have more words than this (128 MB): a few bytes of a file can ask for many.
const MAX_WORDS: usize = 1 << 24;

/// Categories in one word.
const PER_WORD: usize = 32;

/// Adds the sides of categories 0, 1, 2 … to `words`; the key of the split.
pub(super) fn add(words: &mut Vec<i64>, sides: &[Side], others_left: bool) -> Result<u64, String> {
    let first = words.len();
    if sides.len() > MAX_CATEGORIES || first + sides.len() / PER_WORD >= MAX_WORDS {
        return Err("the trees have too many categories".into());
    }
    for part in sides.chunks(PER_WORD) {
        let bits = part.iter().enumerate().map(|(i, side)| {
            let bits: u64 = match side {
                Side::Missing => 0,
                Side::Left => 1,
                Side::Right => 2,
            };
            bits << (2 * i)
        });
        words.push(bits.fold(0, |a, b| a | b) as i64);
    }
    Ok(u64::from(others_left) << 63 | (sides.len() as u64) << 32 | first as u64)
}

fn parts(key: u64) -> (usize, usize) {
    ((key & 0xffff_ffff) as usize, (key >> 32 & 0x7fff_ffff) as usize)
}

/// Whether the words of a key are there.
pub(super) fn fits(words: &[i64], key: u64) -> bool {
    let (first, count) = parts(key);
    first.checked_add(count.div_ceil(PER_WORD)).is_some_and(|end| end <= words.len())
}

/// Whether a value goes right. Its category is its whole part; NaN is a missing value.
pub(super) fn right(words: &[i64], key: u64, value: f64, missing_left: bool) -> bool {
    if value.is_nan() {
        return !missing_left;
    }
    let (first, count) = parts(key);
    let others = key >> 63 == 0;
    // Also false for negative numbers; -0.5 is category 0, as its whole part is.
    if value <= -1.0 || value >= count as f64 {
        return others;
    }
    let category = value as usize;
    match words.get(first + category / PER_WORD).map(|w| *w as u64 >> (2 * (category % PER_WORD)) & 3) {
        Some(1) => false,
        Some(2) => true,
        _ => !missing_left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_is_found_again() {
        let mut words = vec![7];
        let sides: Vec<Side> = (0..70).map(|i| [Side::Left, Side::Right, Side::Missing][i % 3]).collect();
        let key = add(&mut words, &sides, false).unwrap();
        assert!(fits(&words, key) && !fits(&words[..3], key));
        for (i, side) in sides.iter().enumerate() {
            for missing_left in [false, true] {
                let expected = match side {
                    Side::Left => false,
                    Side::Right => true,
                    Side::Missing => !missing_left,
                };
                assert_eq!(right(&words, key, i as f64 + 0.25, missing_left), expected, "{i}");
            }
        }
        assert!(right(&words, key, 70.0, true) && right(&words, key, -1.0, true) && right(&words, key, f64::INFINITY, true));
        assert!(right(&words, key, f64::NAN, false) && !right(&words, key, f64::NAN, true));
        let key = add(&mut words, &sides, true).unwrap();
        assert!(!right(&words, key, 70.0, false));
    }
}
