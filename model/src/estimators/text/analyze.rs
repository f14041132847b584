//! From a text to its terms, as scikit-learn's analyzers make them.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::stop_words;
use crate::Error;
use crate::artefact::Node;
use crate::import::Obj;

/// What Python means by `\w`; the regex crate would count marks too.
const WORD: &str = r"\p{L}\p{N}_";

/// Longer runs of words or characters than this are a mistake.
const MAX_N: usize = 64;

enum Unit {
    /// Matches of a pattern, but for stop words; `plain` where the pattern means any word of so many characters.
    Word {
        pattern: Regex,
        plain: Option<usize>,
        stop: HashSet<String>,
    },
    Char,
    /// Characters within words.
    CharInWord,
}

#[derive(Clone, Copy, PartialEq)]
enum Accents {
    Keep,
    Ascii,
    Unicode,
}

pub(super) struct Analyzer {
    unit: Unit,
    lowercase: bool,
    accents: Accents,
    n: RangeInclusive<usize>,
}

/// Notes how `object` makes terms.
pub(super) fn import(object: &Obj<'_>, node: &mut Node) -> Result<(), Error> {
    for attribute in ["preprocessor", "tokenizer"] {
        if object.some(attribute).is_some() {
            let what = format!("its {attribute} is a Python function; use the built-in ones, or prepare texts in a bolt");
            return Err(Error::unsupported(object.class(), what));
        }
    }
    let Some(analyzer) = object.need("analyzer")?.text() else {
        return Err(Error::unsupported(object.class(), "its analyzer is a Python function; use word, char or char_wb"));
    };
    if object.word("input", "content") != "content" {
        return Err(Error::unsupported(object.class(), "it reads files; use input=\"content\""));
    }
    let range = object.list("ngram_range")?;
    let range: Option<Vec<usize>> = range.iter().map(|v| v.int().and_then(|v| usize::try_from(v).ok())).collect();
    let Some([low, high]) = range.as_deref() else {
        return Err(object.wrong("ngram_range", "is no pair of counts"));
    };
    node.set("analyzer", &*analyzer);
    node.set("lowercase", object.flag("lowercase", true));
    node.set("ngram_low", *low);
    node.set("ngram_high", *high);
    if let Some(accents) = object.some("strip_accents") {
        let accents = accents.text().ok_or_else(|| object.wrong("strip_accents", "is no word"))?;
        node.set("strip_accents", &*accents);
    }
    if &*analyzer == "word" {
        node.set("token_pattern", &*object.text("token_pattern")?);
        match object.some("stop_words") {
            None => {}
            Some(words) if words.text().is_some_and(|w| w == "english") => node.set("stop_words", "english"),
            Some(words) => {
                let words = words.strings().ok_or_else(|| object.wrong("stop_words", "is no list of words"))?;
                node.set("stop_words", words);
            }
        }
    }
    // A pattern that cannot be used is told now, with the class that has it.
    Analyzer::load(node).map(drop).map_err(|e| match e {
        Error::Artefact { what, .. } => Error::unsupported(object.class(), what),
        other => other,
    })
}

/// The least length where a pattern is `\b\w\w+\b` or has fewer or more of `\w`: scikit-learn's own is one.
fn plain(pattern: &str) -> Option<usize> {
    let inner = pattern.strip_prefix("(?u)").unwrap_or(pattern).strip_prefix(r"\b")?.strip_suffix(r"+\b")?;
    let least = inner.len() / 2;
    ((1..=MAX_N).contains(&least) && inner == r"\w".repeat(least)).then_some(least)
}

/// A pattern of Python's `re` as the regex crate understands it.
fn translate(pattern: &str) -> String {
    let mut out = String::new();
    let mut bracket = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('w') if bracket => out.push_str(WORD),
                Some('w') => out.push_str(&format!("[{WORD}]")),
                Some('W') => out.push_str(&format!("[^{WORD}]")),
                Some('Z') => out.push_str(r"\z"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            _ => {
                bracket = (bracket || c == '[') && c != ']';
                out.push(c);
            }
        }
    }
    out
}

impl Analyzer {
    pub(super) fn load(node: &Node) -> Result<Analyzer, Error> {
        let unit = match node.text("analyzer")? {
            "char" => Unit::Char,
            "char_wb" => Unit::CharInWord,
            "word" => {
                let pattern = node.text("token_pattern")?;
                let plain = plain(pattern);
                let translated = plain.map_or_else(|| translate(pattern), |n| format!("[{WORD}]{{{n},}}"));
                let pattern = Regex::new(&translated)
                    .map_err(|e| node.broken(&format!("its token_pattern `{pattern}` is of a kind that is not known ({e})")))?;
                if pattern.captures_len() > 2 {
                    return Err(node.broken("its token_pattern has more than one group"));
                }
                let stop = match node.params.get("stop_words") {
                    None => HashSet::new(),
                    Some(word) if word == "english" => stop_words::english().map(str::to_owned).collect(),
                    Some(list) => {
                        let words = list.as_array().into_iter().flatten().map(|w| w.as_str().map(str::to_owned));
                        let words: Option<HashSet<String>> = words.collect();
                        words.ok_or_else(|| node.broken("its stop words are no texts"))?
                    }
                };
                Unit::Word { pattern, plain, stop }
            }
            _ => return Err(node.broken("its analyzer is unknown")),
        };
        let accents = match node.params.get("strip_accents").and_then(|v| v.as_str()) {
            None => Accents::Keep,
            Some("ascii") => Accents::Ascii,
            Some("unicode") => Accents::Unicode,
            Some(other) => return Err(node.broken(&format!("its strip_accents `{other}` is unknown"))),
        };
        let n = node.usize("ngram_low")?..=node.usize("ngram_high")?;
        if n.is_empty() || *n.start() == 0 || *n.end() > MAX_N {
            return Err(node.broken("its ngram_range is out of bounds"));
        }
        Ok(Analyzer { unit, lowercase: node.flag("lowercase"), accents, n })
    }

    /// Calls `each` with every term of a text, as often as it occurs.
    pub(super) fn terms(&self, text: &str, each: &mut dyn FnMut(&str)) {
        let lower = self.lowercase.then(|| text.to_lowercase());
        let text = lower.as_deref().unwrap_or(text);
        let stripped = match self.accents {
            _ if text.is_ascii() => None,
            Accents::Keep => None,
            Accents::Ascii => Some(text.nfkd().filter(char::is_ascii).collect::<String>()),
            Accents::Unicode => Some(text.nfkd().filter(|c| canonical_combining_class(*c) == 0).collect()),
        };
        let text = stripped.as_deref().unwrap_or(text);
        match &self.unit {
            Unit::Word { pattern, plain, stop } => self.words(text, pattern, *plain, stop, each),
            Unit::Char => self.grams(&one_blank(text), each),
            Unit::CharInWord => {
                for word in text.split_whitespace() {
                    self.grams_of_word(&format!(" {word} "), each);
                }
            }
        }
    }

    fn words(&self, text: &str, pattern: &Regex, plain: Option<usize>, stop: &HashSet<String>, each: &mut dyn FnMut(&str)) {
        let mut words: Vec<&str> = if let (Some(least), true) = (plain, text.is_ascii()) {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.len() >= least).collect()
        } else if pattern.captures_len() == 2 {
            // With a group, the group is the word, empty where it took no part.
            pattern.captures_iter(text).map(|c| c.get(1).map_or("", |m| m.as_str())).collect()
        } else {
            pattern.find_iter(text).map(|m| m.as_str()).collect()
        };
        if !stop.is_empty() {
            words.retain(|w| !stop.contains(*w));
        }
        let mut joined = String::new();
        for n in self.n.clone() {
            for run in words.windows(n) {
                match run {
                    [one] => each(one),
                    _ => {
                        joined.clear();
                        for (i, word) in run.iter().enumerate() {
                            if i > 0 {
                                joined.push(' ');
                            }
                            joined.push_str(word);
                        }
                        each(&joined);
                    }
                }
            }
        }
    }

    fn grams(&self, text: &str, each: &mut dyn FnMut(&str)) {
        let ends = ends(text);
        for n in self.n.clone() {
            for run in ends.windows(n + 1) {
                each(&text[run[0]..run[n]]);
            }
        }
    }

    /// A word shorter than `n` counts once, whole, and not again for longer ones.
    fn grams_of_word(&self, word: &str, each: &mut dyn FnMut(&str)) {
        let ends = ends(word);
        let length = ends.len() - 1;
        for n in self.n.clone() {
            if n >= length {
                each(word);
                break;
            }
            for run in ends.windows(n + 1) {
                each(&word[run[0]..run[n]]);
            }
        }
    }
}

/// Where each character begins, and the end.
fn ends(text: &str) -> Vec<usize> {
    text.char_indices().map(|(i, _)| i).chain([text.len()]).collect()
}

/// Runs of two or more white spaces become one blank; a single one stays what it is.
fn one_blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() && chars.peek().is_some_and(|c| c.is_whitespace()) {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(params: serde_json::Value, text: &str) -> Vec<String> {
        let mut node = Node::new("vectorizer", "x");
        node.params = params.as_object().unwrap().clone();
        let mut out = Vec::new();
        Analyzer::load(&node).unwrap().terms(text, &mut |t| out.push(t.to_owned()));
        out
    }

    #[test]
    fn words_and_runs_of_them() {
        let params = serde_json::json!({
            "analyzer": "word", "lowercase": true, "ngram_low": 1, "ngram_high": 2, "token_pattern": r"(?u)\b\w\w+\b", "stop_words": ["the"]
        });
        assert_eq!(terms(params, "The Größe of_a x 42!"), ["größe", "of_a", "42", "größe of_a", "of_a 42"]);
    }

    #[test]
    fn characters_within_words() {
        let params = serde_json::json!({"analyzer": "char_wb", "ngram_low": 3, "ngram_high": 5});
        assert_eq!(terms(params, "a bcd"), [" a ", " bc", "bcd", "cd ", " bcd", "bcd ", " bcd "]);
    }

    #[test]
    fn patterns_mean_what_python_means() {
        assert_eq!(plain(r"(?u)\b\w\w+\b"), Some(2));
        assert_eq!(plain(r"\b\w+\b"), Some(1));
        assert_eq!(plain(r"\b\w\d+\b"), None);
        assert_eq!(translate(r"[\w-]+|\W\d"), r"[\p{L}\p{N}_-]+|[^\p{L}\p{N}_]\d");
    }
}
