//! MurmurHash3 for 32 bits (Austin Appleby, public domain), by which `HashingVectorizer` finds columns and
//! artefacts find terms.

/// The hash of `bytes` from seed 0, signed as scikit-learn takes it.
pub(super) fn murmur3(bytes: &[u8]) -> i32 {
    let scramble = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = 0u32;
    for word in words {
        hash = (hash ^ scramble(u32::from_le_bytes(*word))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        hash ^= scramble(rest.iter().rev().fold(0, |k, b| k << 8 | u32::from(*b)));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16) as i32
}

/// The column of a term, and the sign of its hash.
pub(super) fn column(term: &str, columns: usize) -> (usize, f64) {
    let hash = murmur3(term.as_bytes());
    let column = match hash {
        // Its absolute value does not fit; scikit-learn takes this place for it.
        i32::MIN => (i32::MAX as usize).wrapping_sub(columns.wrapping_sub(1)) % columns.max(1),
        hash => hash.unsigned_abs() as usize % columns.max(1),
    };
    (column, if hash >= 0 { 1.0 } else { -1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(murmur3(b""), 0);
        assert_eq!(murmur3(b"test") as u32, 0xba6b_d213);
        assert_eq!(murmur3(b"Hello, world!") as u32, 0xc036_3e43);
        assert_eq!(murmur3(b"The quick brown fox jumps over the lazy dog") as u32, 0x2e4f_f723);
    }
}
