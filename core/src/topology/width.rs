//! How text looks in a terminal: how wide it is, and what must not be written there as it is.

/// Columns a character takes in a terminal: 0 for combining marks, 2 for East Asian wide ones and emoji.
///
/// A short list of ranges instead of Unicode's tables: a caret that is one column off in rare scripts is no harm.
pub(crate) fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x0483..=0x0489 | 0x0591..=0x05bd | 0x064b..=0x065f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff => 0,
        0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xa960..=0xa97f | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f680..=0x1f6ff => 2,
        0x1f900..=0x1f9ff | 0x1fa70..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Whether a character could move the cursor, hide text or turn its direction.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c as u32, 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x2069 | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
}

/// A character as it may be written to a terminal: tabs as four columns, unsafe ones escaped.
pub(crate) fn safe_char(c: char, out: &mut String) {
    match c {
        '\t' => out.push_str("    "),
        c if is_unsafe(c) => out.extend(c.escape_default()),
        c => out.push(c),
    }
}

/// A text as it may be written to a terminal, in one line.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| safe_char(c, &mut out));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_reach_the_terminal() {
        assert_eq!(safe("a\x1b[31m\u{202e}\tb\n"), "a\\u{1b}[31m\\u{202e}    b\\n");
    }

    #[test]
    fn wide_and_combining_characters_are_measured() {
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("🦀x"), 3);
    }
}
