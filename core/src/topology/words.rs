//! What serde says about a configuration, in the words of this crate.

use crate::suggest::nearest;

/// How serde speaks of an untagged enum.
const NO_VARIANT: &str = "data did not match any variant";

/// A message and, if there is one, the remedy.
pub(crate) type Said = (String, Option<String>);

/// Rewrites a serde message about the value at `path`; other messages only part with their remedy.
pub(crate) fn plain(path: &str, message: &str) -> Said {
    let key = path.rsplit('.').next().unwrap_or(path);
    let about = if key.is_empty() { "the configuration".to_owned() } else { format!("`{key}`") };
    if let Some((found, expected)) = two(message, "invalid type: ") {
        return (format!("{about} is {}, expected {}", found_words(found), expected_words(expected)), None);
    }
    if let Some((found, expected)) = two(message, "invalid value: ") {
        return (format!("{about} is {}, expected {}", value_of(found), expected_words(expected)), None);
    }
    if let Some((found, expected)) = two(message, "invalid length ") {
        return (format!("{about} has {found} elements, expected {}", expected_words(expected)), None);
    }
    if let Some(field) = message.strip_prefix("missing field ").and_then(ticked) {
        let at = if key.is_empty() { String::new() } else { format!(" in {about}") };
        return (format!("`{field}` is missing{at}"), None);
    }
    for (start, what) in [("unknown variant ", "value"), ("unknown field ", "key")] {
        if let Some((found, expected)) = two(message, start).or_else(|| message.strip_prefix(start)?.split_once(", ")) {
            let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            let name = ticked(found).unwrap_or(found);
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None if known.is_empty() => None,
                None => Some(format!("expected {}", known.join(", "))),
            };
            let at = if what == "value" && !key.is_empty() { format!(" of {about}") } else { String::new() };
            return (format!("unknown {what} `{name}`{at}"), help);
        }
    }
    if message.starts_with(NO_VARIANT) {
        return (format!("{about} has none of the forms it can have"), None);
    }
    let remedies = ["; did you mean ", "; known keys", "; expected "];
    match remedies.iter().filter_map(|r| message.find(r)).min() {
        Some(at) => (message[..at].to_owned(), Some(message[at + 2..].replace("?; ", "? "))),
        None => (message.to_owned(), None),
    }
}

fn two<'m>(message: &'m str, start: &str) -> Option<(&'m str, &'m str)> {
    message.strip_prefix(start)?.rsplit_once(", expected ")
}

fn ticked(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.split('`').next()
}

fn found_words(found: &str) -> String {
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        "null" | "unit value" => "missing".to_owned(),
        _ if found.starts_with("string ") => "text".to_owned(),
        _ => value_of(found),
    }
}

fn value_of(found: &str) -> String {
    for kind in ["integer ", "floating point ", "boolean ", "string ", "character "] {
        if let Some(value) = found.strip_prefix(kind) {
            return ticked(value).unwrap_or(value).to_owned();
        }
    }
    found.to_owned()
}

fn expected_words(expected: &str) -> String {
    match expected {
        "a string" | "str" | "string" | "path string" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        _ if expected.starts_with("a nonzero u") => "a whole number of at least 1".to_owned(),
        _ if expected.starts_with("struct ") => "a table".to_owned(),
        _ if expected.starts_with("expected ") => expected["expected ".len()..].to_owned(),
        _ => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, message: &str) -> String {
        let (message, help) = plain(path, message);
        help.map_or(message.clone(), |h| format!("{message} | {h}"))
    }

    #[test]
    fn serde_speaks_plainly() {
        assert_eq!(said("path", "invalid type: integer `3`, expected a string"), "`path` is 3, expected text");
        assert_eq!(
            said("rows", "invalid type: string \"x, expected y\", expected u32"),
            "`rows` is text, expected a whole number of at least 0"
        );
        assert_eq!(
            said("emit[1]", "invalid value: integer `-1`, expected u8"),
            "`emit[1]` is -1, expected a whole number from 0 to 255"
        );
        assert_eq!(said("auth", "missing field `user`"), "`user` is missing in `auth`");
        assert_eq!(said("", "missing field `path`"), "`path` is missing");
        assert_eq!(
            said("emit[0]", "unknown variant `lable`, expected one of `label`, `proba`"),
            "unknown value `lable` of `emit[0]` | did you mean `label`?"
        );
        assert_eq!(said("a", "unknown field `zz`, there are no fields"), "unknown key `zz`");
        assert_eq!(said("", "unknown key `pth`; did you mean `path`?"), "unknown key `pth` | did you mean `path`?");
        assert_eq!(
            said("emit", "data did not match any variant of untagged enum Emit"),
            "`emit` has none of the forms it can have"
        );
        assert_eq!(said("x", "no `a`; did you mean `b`?; there are b, c"), "no `a` | did you mean `b`? there are b, c");
        assert_eq!(said("x", "the sky; is blue"), "the sky; is blue");
        assert_eq!(said("x", "invalid type: map, expected expected a duration"), "`x` is a table, expected a duration");
    }
}
