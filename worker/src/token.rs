//! Comparing secrets.

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_equal_secrets_are_the_same() {
        assert!(super::same("abc", "abc"));
        assert!(!super::same("abc", "abd") && !super::same("abc", "ab"));
    }
}
