//! Texts that others wrote, kept to a length.

/// Cuts what is longer than `most` bytes, between two characters; whether there was anything to cut.
pub(crate) fn cut(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = "aäb".to_owned();
        assert!(!cut(&mut text, 4));
        assert!(cut(&mut text, 2));
        assert_eq!(text, "a");
    }
}
