//! Faults as they are collected: with spans, not yet with lines and columns.

use super::diagnostic::{Diagnostic, Place, Related, Severity};
use super::source::{File, Span};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    /// Nothing for a fault of the whole topology.
    pub(crate) span: Option<Span>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) also: Vec<(Span, String)>,
}

impl Fault {
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        let help = help.into();
        // Suggestions come as "; did you mean …?".
        let help = help.strip_prefix("; ").unwrap_or(&help);
        if !help.is_empty() {
            self.help = Some(help.to_owned());
        }
        self
    }

    pub(crate) fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.also.push((span, label.into()));
        self
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>) -> &mut Fault {
        self.put(Severity::Error, span.into(), message.into())
    }

    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) -> &mut Fault {
        self.put(Severity::Warning, Some(span), message.into())
    }

    fn put(&mut self, severity: Severity, span: Option<Span>, message: String) -> &mut Fault {
        let at = self.0.len();
        self.0.push(Fault { severity, span, message, help: None, also: Vec::new() });
        &mut self.0[at]
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|f| f.severity == Severity::Error)
    }

    /// In order of file, line and column, each once.
    pub(crate) fn diagnostics(&self, files: &[File]) -> Vec<Diagnostic> {
        let mut faults: Vec<&Fault> = self.0.iter().collect();
        faults.sort_by_key(|f| f.span.map(|s| (s.file, s.start)));
        faults.dedup();
        faults.into_iter().map(|f| diagnostic(f, files)).collect()
    }
}

fn diagnostic(fault: &Fault, files: &[File]) -> Diagnostic {
    let place = |span: Span| files.get(span.file).map_or(Place::default(), |f| f.place(span.start, span.end));
    let main = || Place { file: files.first().map_or(String::new(), |f| f.path.clone()), ..Place::default() };
    Diagnostic {
        severity: fault.severity,
        message: fault.message.clone(),
        place: fault.span.map_or_else(main, place),
        help: fault.help.clone(),
        also: fault.also.iter().map(|(span, label)| Related { place: place(*span), label: label.clone() }).collect(),
    }
}
