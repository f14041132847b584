//! "Did you mean …": the name that is nearest to a misspelt one.

/// The candidate nearest to `word`, if one is near: at most a third of its letters differ.
///
/// ```
/// assert_eq!(squall_core::suggest::nearest("fieldz", ["shuffle", "fields"]), Some("fields"));
/// assert_eq!(squall_core::suggest::nearest("xyz", ["shuffle", "fields"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3).max(1);
    candidates.into_iter().map(|c| (distance(word, c), c)).filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// `; did you mean …?` or nothing.
///
/// ```
/// assert_eq!(squall_core::suggest::did_you_mean("fieldz", ["fields"]), "; did you mean `fields`?");
/// ```
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or(String::new(), |c| format!("; did you mean `{c}`?"))
}

/// Edits between two words: insertions, deletions, replacements, and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_swap_counts_once() {
        assert_eq!(super::distance("cuont", "count"), 1);
        assert_eq!(super::distance("kitten", "sitting"), 3);
    }
}
