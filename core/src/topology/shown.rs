//! The topology's source as people may see it: variables filled in, secrets masked.

use std::collections::BTreeSet;

use super::include::Loaded;
use super::source::Span;
use super::width::safe;

/// All files, one after the other; `typed` are the strings that were taken for numbers or booleans.
pub(crate) fn source(loaded: &Loaded, typed: &BTreeSet<Span>) -> String {
    let mut out = String::new();
    for (i, file) in loaded.files.iter().enumerate() {
        if i > 0 {
            let gap = if out.ends_with('\n') { "\n" } else { "\n\n" };
            out.push_str(&format!("{gap}# included: {}\n", safe(&file.path)));
        }
        let mut subs: Vec<_> = loaded.substitutions.iter().filter(|s| s.span.file == i).collect();
        subs.sort_by_key(|s| s.span);
        let mut at = 0;
        for sub in subs.into_iter().filter(|s| s.span.end <= file.text.len()) {
            if sub.span.start < at {
                continue;
            }
            out.push_str(&file.shown(at..sub.span.start));
            if typed.contains(&sub.span) {
                out.push_str(&sub.shown);
            } else {
                out.push_str(&toml::Value::String(sub.shown.clone()).to_string());
            }
            at = sub.span.end;
        }
        out.push_str(&file.shown(at..file.text.len()));
    }
    out
}
