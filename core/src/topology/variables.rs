//! `${NAME}`, `${NAME:-default}`, `${secret:NAME}` and `$$` in string values.

use std::ops::Range;

/// Defaults within defaults beyond this depth are refused.
const DEPTH: usize = 8;

/// A string after substitution.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// The same with `***` for what is secret.
    pub(crate) shown: String,
    /// One variable and nothing else: it may stand for a number or a boolean.
    pub(crate) whole: bool,
    /// The secret values in it.
    pub(crate) secrets: Vec<String>,
    /// Where defaults of secrets stand in the string as it was given.
    pub(crate) hidden: Vec<Range<usize>>,
    pub(crate) faults: Vec<VariableFault>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VariableFault {
    /// Where in the string as it was given.
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Substitutes; nothing if there is nothing to substitute.
pub(crate) fn expand(given: &str, var: &dyn Fn(&str) -> Option<String>) -> Option<Expanded> {
    if !given.contains("${") && !given.contains("$$") {
        return None;
    }
    let mut out = Expanded { whole: is_whole(given), ..Expanded::default() };
    piece(given, 0, 0, var, &mut out);
    Some(out)
}

fn is_whole(given: &str) -> bool {
    given.starts_with("${") && closing(given, 2) == Some(given.len() - 1)
}

/// Where the brace that closes the one opened before `from` is.
fn closing(text: &str, from: usize) -> Option<usize> {
    let mut depth = 1;
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'$' if bytes.get(at + 1) == Some(&b'$') => at += 1,
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                depth += 1;
                at += 1;
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Expands `text`, which begins at `offset` of the string as it was given.
fn piece(text: &str, offset: usize, depth: usize, var: &dyn Fn(&str) -> Option<String>, out: &mut Expanded) {
    let mut rest = 0;
    while let Some(at) = text[rest..].find('$').map(|i| rest + i) {
        out.both(&text[rest..at]);
        match text.as_bytes().get(at + 1) {
            Some(b'$') => {
                out.both("$");
                rest = at + 2;
            }
            Some(b'{') => {
                let Some(end) = closing(text, at + 2) else {
                    let range = offset + at..offset + text.len();
                    out.fault(range, "`${` without `}`", "write `$$` for a dollar sign");
                    return;
                };
                placeholder(&text[at + 2..end], offset + at + 2, depth, var, out);
                rest = end + 1;
            }
            _ => {
                out.both("$");
                rest = at + 1;
            }
        }
    }
    out.both(&text[rest..]);
}

/// What stands between `${` and `}`.
fn placeholder(inner: &str, offset: usize, depth: usize, var: &dyn Fn(&str) -> Option<String>, out: &mut Expanded) {
    let range = offset - 2..offset + inner.len() + 1;
    let (secret, plain) = inner.strip_prefix("secret:").map_or((false, inner), |rest| (true, rest));
    let (name, default) = plain.split_once(":-").map_or((plain, None), |(name, default)| (name, Some(default)));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        let message = format!("`{name}` is no name of a variable");
        out.fault(range, message, "write ${NAME}, ${NAME:-default} or ${secret:NAME}, and `$$` for a dollar sign");
        return;
    }
    let default_at = offset + inner.len() - default.map_or(0, str::len)..offset + inner.len();
    if secret && !default_at.is_empty() {
        out.hidden.push(default_at.clone());
    }
    // As in a shell, `:-` also stands in for an empty value.
    let found = var(name).filter(|v| default.is_none() || !v.is_empty());
    let mut inner = Expanded::default();
    match (found, default) {
        (Some(value), _) => inner.both(&value),
        (None, Some(_)) if depth == DEPTH => out.fault(range, "too many defaults within defaults", ""),
        (None, Some(default)) => piece(default, default_at.start, depth + 1, var, &mut inner),
        (None, None) => {
            let marked = if secret { "secret:" } else { "" };
            let help = format!("set it with --set {name}=… or in the environment, or write ${{{marked}{name}:-default}}");
            out.fault(range, format!("variable `{name}` is not set"), help);
        }
    }
    if secret {
        if !inner.text.is_empty() {
            inner.secrets.push(inner.text.clone());
        }
        inner.shown = "***".to_owned();
    }
    out.text.push_str(&inner.text);
    out.shown.push_str(&inner.shown);
    out.secrets.append(&mut inner.secrets);
    out.hidden.append(&mut inner.hidden);
    out.faults.append(&mut inner.faults);
}

impl Expanded {
    fn both(&mut self, text: &str) {
        self.text.push_str(text);
        self.shown.push_str(text);
    }

    fn fault(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(VariableFault { range, message: message.into(), help: help.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &str) -> Expanded {
        let var = |name: &str| match name {
            "HOST" => Some("db".to_owned()),
            "EMPTY" => Some(String::new()),
            "PW" => Some("t0p".to_owned()),
            _ => None,
        };
        expand(given, &var).unwrap_or(Expanded { text: given.into(), shown: given.into(), ..Expanded::default() })
    }

    #[test]
    fn variables_defaults_and_dollars() {
        assert_eq!(of("${HOST}:${PORT:-80}/$x$").text, "db:80/$x$");
        assert_eq!(of("$${HOST} costs $$5").text, "${HOST} costs $5");
        assert_eq!(of("${EMPTY}|${EMPTY:-d}|${A:-}").text, "|d|");
        assert_eq!(of("${A:-${B:-${HOST}}}").text, "db");
        assert_eq!(of("${A:-x:-y}").text, "x:-y");
    }

    #[test]
    fn only_a_lone_variable_is_whole() {
        assert!(of("${A:-${B:-4}}").whole);
        assert!(!of("${HOST}${HOST}").whole && !of(" ${HOST}").whole && !of("$${HOST}").whole);
    }

    #[test]
    fn secrets_are_not_shown() {
        let e = of("user:${secret:PW}@${HOST}");
        assert_eq!((e.text.as_str(), e.shown.as_str()), ("user:t0p@db", "user:***@db"));
        assert_eq!(e.secrets, ["t0p"]);
        let e = of("${secret:NO:-hunter2}");
        assert_eq!((e.text.as_str(), e.shown.as_str()), ("hunter2", "***"));
        assert_eq!(&"${secret:NO:-hunter2}"[e.hidden[0].clone()], "hunter2");
        assert_eq!(of("${A:-${secret:PW}}").shown, "***");
    }

    #[test]
    fn faults_are_placed() {
        let given = "x ${NOPE} ${A:-${ALSO}} ${9}";
        let faults = of(given).faults;
        let texts: Vec<&str> = faults.iter().map(|f| &given[f.range.clone()]).collect();
        assert_eq!(texts, ["${NOPE}", "${ALSO}", "${9}"]);
        assert_eq!(faults[0].message, "variable `NOPE` is not set");
        assert_eq!(of("a ${B").faults[0].range, 2..5);
        assert_eq!(of(&format!("{}x{}", "${A:-".repeat(5000), "}".repeat(5000))).faults.len(), 1);
    }
}
