//! A topology as it was written: its structure is known, its names are not yet checked against anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cases::Case;
use super::diagnostic::{Diagnostic, Severity};
use super::include::Loaded;
use super::read::At;
use super::source::Span;
use super::tree::Node;
use crate::{ComponentKind, Grouping, Settings, StreamDecl};

/// A topology that was read, with all that is wrong with it so far; made by [`parse`](super::parse), checked by
/// [`check`](super::check).
#[derive(Debug, Clone)]
pub struct Spec {
    pub(crate) loaded: Loaded,
    pub(crate) name: Option<At<String>>,
    pub(crate) settings: Settings,
    /// Where `workers` was given.
    pub(crate) workers: Option<At<u64>>,
    pub(crate) models: Vec<ModelSpec>,
    pub(crate) components: Vec<ComponentSpec>,
    pub(crate) tests: Vec<Case>,
    /// Names of components and models that are there but too broken to be in the lists above.
    pub(crate) broken_components: BTreeSet<String>,
    pub(crate) broken_models: BTreeSet<String>,
    /// The strings that were taken for numbers or booleans.
    pub(crate) typed: BTreeSet<Span>,
}

/// Where a model's file is.
///
/// ```
/// use squall_core::topology::ModelLocation;
/// assert_eq!(ModelLocation::Url("https://x/y.pkl".into()).to_string(), "https://x/y.pkl");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelLocation {
    /// A file; a relative path was resolved against the TOML file that names it.
    File(PathBuf),
    /// Something to fetch.
    Url(String),
}

impl std::fmt::Display for ModelLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ModelLocation::File(path) => path.display().fmt(f),
            ModelLocation::Url(url) => f.write_str(url),
        }
    }
}

/// A model that a topology names, to be imported before the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// Its name in the topology.
    pub name: String,
    /// Where it is.
    pub location: ModelLocation,
    /// The SHA-256 it must have, in lower-case hex; checked by [`check`](super::check).
    pub sha256: Option<String>,
    /// How ONNX Runtime is to hold its weights, `shared` or `prepacked`; the importer knows what is usual.
    pub onnx_weights: Option<String>,
    /// The labels of its classes, where its file keeps none; the importer knows whether it does.
    pub labels: Option<Vec<String>>,
    pub(crate) location_span: Span,
    pub(crate) sha256_span: Option<Span>,
}

#[derive(Debug, Clone)]
pub(crate) struct ComponentSpec {
    pub(crate) id: String,
    pub(crate) id_span: Span,
    pub(crate) kind: ComponentKind,
    pub(crate) type_name: Option<At<String>>,
    pub(crate) parallelism: Option<At<u64>>,
    pub(crate) tick: Option<Duration>,
    pub(crate) config: ConfigSpec,
    pub(crate) inputs: Vec<InputSpec>,
    /// Whether something is wrong with the inputs that was reported.
    pub(crate) inputs_broken: bool,
    pub(crate) outputs: Option<OutputsSpec>,
}

#[derive(Debug, Clone)]
pub(crate) enum ConfigSpec {
    None,
    Given { key_span: Span, node: Node },
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct InputSpec {
    pub(crate) from: Option<At<String>>,
    pub(crate) stream: Option<At<String>>,
    pub(crate) grouping: Option<At<Grouping>>,
    /// The names in `fields`, each at its place.
    pub(crate) fields: Vec<At<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct OutputsSpec {
    pub(crate) key_span: Span,
    pub(crate) streams: Vec<StreamDecl>,
    pub(crate) broken: bool,
}

impl Spec {
    /// The topology's name, if it has a valid one.
    ///
    /// ```
    /// use squall_core::topology::{Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok("name = \"words\"".to_owned());
    /// let spec = parse("words.toml".as_ref(), &mut Sources { read, var: &|_| None });
    /// assert_eq!(spec.name(), Some("words"));
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|n| n.value.as_str())
    }

    /// The models to import before the check, in the order of the file.
    ///
    /// ```
    /// use squall_core::topology::{ModelLocation, Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok("[models.digits]\npath = \"m/digits.pkl\"".to_owned());
    /// let spec = parse("dir/a.toml".as_ref(), &mut Sources { read, var: &|_| None });
    /// assert_eq!(spec.models()[0].location, ModelLocation::File("dir/m/digits.pkl".into()));
    /// ```
    pub fn models(&self) -> &[ModelSpec] {
        &self.models
    }

    /// The tests that it carries, in the order of the file.
    ///
    /// ```
    /// use squall_core::topology::{Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok("[tests.nothing]\nlimit = 10".to_owned());
    /// assert_eq!(parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None }).tests()[0].name, "nothing");
    /// ```
    pub fn tests(&self) -> &[Case] {
        &self.tests
    }

    /// Whether something is wrong already; [`check`](super::check) will report it, with all else that it finds.
    ///
    /// ```
    /// use squall_core::topology::{Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok("name = 3".to_owned());
    /// assert!(parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None }).has_errors());
    /// ```
    pub fn has_errors(&self) -> bool {
        self.loaded.faults.has_errors()
    }

    /// What is wrong already, in order of line. For who does not go on to [`check`](super::check), which reports it too.
    ///
    /// ```
    /// use squall_core::topology::{Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok("name = \"a/b\"".to_owned());
    /// let spec = parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None });
    /// assert_eq!(spec.errors()[0].place.column, 8);
    /// ```
    pub fn errors(&self) -> Vec<Diagnostic> {
        let mut all = self.loaded.faults.diagnostics(&self.loaded.files);
        all.retain(|d| d.severity == Severity::Error);
        all
    }

    /// The files that were read, the topology's own first; to watch them, or to say which they were.
    ///
    /// ```
    /// use squall_core::topology::{Sources, parse};
    /// let read = &mut |_: &std::path::Path| Ok(String::new());
    /// let spec = parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None });
    /// assert_eq!(spec.files().collect::<Vec<_>>(), [std::path::Path::new("a.toml")]);
    /// ```
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.loaded.files.iter().map(|f| Path::new(f.path.as_str()))
    }

    pub(crate) fn component(&self, id: &str) -> Option<usize> {
        self.components.iter().position(|c| c.id == id)
    }
}
