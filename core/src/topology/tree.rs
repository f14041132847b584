//! A TOML document as a tree in the order of the file, with spans everywhere and variables substituted.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::source::{File, Span};
use super::variables::expand;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Val,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Val {
    Text(Text),
    /// Fits `i64` or `u64`.
    Int(i128),
    Float(f64),
    Bool(bool),
    Date(String),
    List(Vec<Node>),
    Table(Table),
    /// Reported already; nothing more is to be said about it.
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// With `***` for what is secret.
    pub(crate) shown: String,
    /// One variable and nothing else, so it may stand for a number or a boolean.
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// A string that was written anew, for the source as people are shown it.
#[derive(Debug, Clone)]
pub(crate) struct Substitution {
    pub(crate) span: Span,
    pub(crate) shown: String,
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|e| e.key == key)
    }
}

impl Text {
    pub(crate) fn is_secret(&self) -> bool {
        self.text != self.shown
    }

    /// The number or boolean that a lone variable stands for.
    pub(crate) fn typed(&self) -> Option<Val> {
        let text = self.text.trim();
        let like_a_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-._eE".contains(&b));
        let plain = text.replace('_', "");
        match text {
            _ if !self.whole => None,
            "true" => Some(Val::Bool(true)),
            "false" => Some(Val::Bool(false)),
            _ if !like_a_number => None,
            _ => match plain.parse::<i128>() {
                Ok(n) => fits(n).then_some(Val::Int(n)),
                Err(_) => plain.parse().ok().filter(|f: &f64| f.is_finite()).map(Val::Float),
            },
        }
    }
}

impl Val {
    /// What it is, for "`key` is …, expected …".
    pub(crate) fn describe(&self) -> String {
        match self {
            Val::Text(t) if t.whole => format!("\"{}\"", t.shown),
            Val::Text(_) => "text".to_owned(),
            Val::Int(n) => n.to_string(),
            Val::Float(f) => f.to_string(),
            Val::Bool(b) => b.to_string(),
            Val::Date(_) => "a date".to_owned(),
            Val::List(_) => "a list".to_owned(),
            Val::Table(_) => "a table".to_owned(),
            Val::Broken => "broken".to_owned(),
        }
    }

    /// As JSON; nothing where JSON cannot say it (nan, inf).
    pub(crate) fn plain_json(&self) -> Option<Json> {
        Some(match self {
            Val::Text(t) => t.text.as_str().into(),
            Val::Int(n) => i64::try_from(*n).map(Json::from).or_else(|_| u64::try_from(*n).map(Json::from)).ok()?,
            Val::Float(f) => serde_json::Number::from_f64(*f)?.into(),
            Val::Bool(b) => (*b).into(),
            Val::Date(d) => d.as_str().into(),
            Val::List(_) | Val::Table(_) | Val::Broken => return None,
        })
    }
}

fn fits(n: i128) -> bool {
    i64::try_from(n).is_ok() || u64::try_from(n).is_ok()
}

/// What is made while a file's tree is built.
pub(crate) struct Builder<'a> {
    pub(crate) file: usize,
    pub(crate) text: &'a str,
    pub(crate) var: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) faults: &'a mut Faults,
    pub(crate) substitutions: &'a mut Vec<Substitution>,
    pub(crate) secrets: &'a mut Vec<String>,
    pub(crate) hidden: Vec<std::ops::Range<usize>>,
}

impl Builder<'_> {
    /// The tree of the file; nothing if it is no TOML, which is reported.
    pub(crate) fn build(&mut self) -> Option<Table> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let file = File::new(String::new(), self.text.to_owned(), None);
        let mut lines = Vec::new();
        let mut twice = 0..0;
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            // What follows in the same line is mostly a consequence.
            let line = file.place(span.start, span.end).line;
            if lines.contains(&line) {
                continue;
            }
            let duplicate = error.message() == "duplicate key";
            // So are the keys of a table that is there twice.
            if duplicate && twice.contains(&span.start) {
                continue;
            }
            lines.push(line);
            if duplicate {
                let begin = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
                if self.text[begin..].trim_start().starts_with('[') {
                    let end = self.text[span.end..].find("\n[").map_or(self.text.len(), |at| span.end + at);
                    twice = span.end..end;
                }
                let key = self.text[span.clone()].trim_matches(['"', '\'']);
                let message = format!("not TOML: `{key}` is there twice");
                self.faults.add(Span::new(self.file, span), message).help("take one out, or give it another name");
                continue;
            }
            let (what, help) = error.message().split_once(", ").unwrap_or((error.message(), ""));
            self.faults.add(Span::new(self.file, span), format!("not TOML: {what}")).help(help);
        }
        errors.is_empty().then(|| self.table(table.get_ref()))
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_span: self.span(key.span()),
                node: self.node(value.get_ref(), self.span(value.span())),
            })
            .collect();
        entries.sort_by_key(|e| e.key_span);
        Table(entries)
    }

    fn node(&mut self, value: &DeValue<'_>, span: Span) -> Node {
        let value = match value {
            DeValue::String(text) => self.string(text, span),
            DeValue::Integer(n) => match i128::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| fits(*n)) {
                Some(n) => Val::Int(n),
                None => self.broken(span, "the number is too large: whole numbers have 64 bits"),
            },
            DeValue::Float(f) => match f.as_str().parse::<f64>() {
                Ok(f) if f.is_finite() || self.text[span.start..span.end].contains("inf") || f.is_nan() => Val::Float(f),
                _ => self.broken(span, "the number is too large: floats have 64 bits"),
            },
            DeValue::Boolean(b) => Val::Bool(*b),
            DeValue::Datetime(d) => Val::Date(d.to_string()),
            DeValue::Array(list) => Val::List(list.iter().map(|v| self.node(v.get_ref(), self.span(v.span()))).collect()),
            DeValue::Table(table) => Val::Table(self.table(table)),
        };
        Node { value, span }
    }

    fn broken(&mut self, span: Span, message: &str) -> Val {
        self.faults.add(span, message);
        Val::Broken
    }

    fn string(&mut self, given: &str, span: Span) -> Val {
        let Some(mut e) = expand(given, self.var) else {
            return Val::Text(Text { text: given.to_owned(), shown: given.to_owned(), whole: false });
        };
        // Without escapes the string stands in the file as it is, so a place in it is a place in the file.
        let inner = self.text[span.start..span.end].find(given).map(|at| span.start + at);
        let place = |r: &std::ops::Range<usize>| inner.map_or(span.start..span.end, |at| at + r.start..at + r.end);
        self.hidden.extend(e.hidden.iter().map(place));
        self.secrets.append(&mut e.secrets);
        let broken = !e.faults.is_empty();
        for fault in e.faults {
            self.faults.add(Span::new(self.file, place(&fault.range)), fault.message).help(fault.help);
        }
        self.substitutions.push(Substitution { span, shown: e.shown.clone() });
        if broken { Val::Broken } else { Val::Text(Text { text: e.text, shown: e.shown, whole: e.whole }) }
    }
}
