//! What is wrong with a topology, where, and what to do about it.

use serde::Serialize;

use super::render;

/// Whether a topology can run in spite of it.
///
/// ```
/// use squall_core::topology::Severity;
/// assert_ne!(Severity::Error, Severity::Warning);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but perhaps not as meant.
    Warning,
}

/// A place in a file.
///
/// ```
/// let p = squall_core::topology::Place::default();
/// assert_eq!(p.line, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 where the fault is not in a line (a file that cannot be read).
    pub line: usize,
    /// The column in characters, from 1; 0 where the line is.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// The line itself; secrets in it are `*`.
    pub line_text: String,
}

/// A further place that has to do with a fault.
///
/// ```
/// use squall_core::topology::{Place, Related};
/// let r = Related { place: Place::default(), label: "first defined here".into() };
/// assert_eq!(r.label, "first defined here");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// One fault or warning. As JSON: `severity`, `message`, `file`, `line`, `column`, `length`, `line_text`, `help`, `also`.
///
/// ```
/// use squall_core::topology::{Diagnostic, Place, Severity};
/// let d = Diagnostic {
///     severity: Severity::Error, message: "unknown grouping `fieldz`".into(),
///     place: Place { file: "a.toml".into(), line: 3, column: 12, length: 8, line_text: "grouping = \"fieldz\"".into() },
///     help: Some("did you mean `fields`?".into()), also: vec![],
/// };
/// assert_eq!(d.render(false), "\
/// error: unknown grouping `fieldz`
///  --> a.toml:3:12
///   |
/// 3 | grouping = \"fieldz\"
///   |            ^^^^^^^^ did you mean `fields`?
/// ");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// An error or a warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What to do.
    pub help: Option<String>,
    /// Other places that have to do with it.
    pub also: Vec<Related>,
}

impl Diagnostic {
    /// The diagnostic for a terminal: the message, the line, a caret, the remedy; ends with a line break.
    ///
    /// ```
    /// # use squall_core::topology::{Diagnostic, Place, Severity};
    /// # let d = Diagnostic { severity: Severity::Warning, message: "x".into(), place: Place::default(), help: None, also: vec![] };
    /// assert!(d.render(true).contains("\x1b["));
    /// assert!(!d.render(false).contains("\x1b["));
    /// ```
    pub fn render(&self, colour: bool) -> String {
        render::diagnostic(self, colour)
    }

    /// The diagnostic in one line, for logs: `FILE:LINE:COLUMN: error: MESSAGE; HELP`.
    ///
    /// ```
    /// # use squall_core::topology::{Diagnostic, Place, Severity};
    /// # let place = Place { file: "a.toml".into(), line: 1, column: 2, ..Place::default() };
    /// # let d = Diagnostic { severity: Severity::Error, message: "bad".into(), place, help: None, also: vec![] };
    /// assert_eq!(d.in_a_line(), "a.toml:1:2: error: bad");
    /// ```
    pub fn in_a_line(&self) -> String {
        render::in_a_line(self)
    }
}
