//! From a TOML file to a checked [`Plan`](crate::Plan), with all that is wrong told at once.
//!
//! [`parse`] reads the file and what it includes; the caller imports the models that [`Spec::models`] lists; [`check`]
//! compares names and types with a [`Catalog`](crate::Catalog) and makes the plan. Faults are [`Diagnostic`]s: each with
//! file, line, column, the line itself and a remedy.
//!
//! ```
//! use std::collections::BTreeMap;
//! use squall_core::{Registry, topology::{Sources, check, parse}};
//!
//! let text = "name = \"words\"\n[spouts.lines]\ntype = \"fiel\"\n";
//! let read = &mut |_: &std::path::Path| Ok(text.to_owned());
//! let spec = parse("words.toml".as_ref(), &mut Sources { read, var: &|_| None });
//! let faults = check(&spec, &mut Registry::default(), &BTreeMap::new()).unwrap_err();
//! assert!(faults[0].render(false).starts_with("error: unknown spout type `fiel`\n --> words.toml:3:8\n"));
//! ```

mod cases;
mod check;
mod component;
mod config;
mod diagnostic;
mod fault;
mod graph;
mod include;
mod parse;
mod read;
mod render;
mod resolve;
mod shown;
mod source;
mod spec;
mod subscribe;
mod tree;
mod variables;
mod width;
mod words;

use std::io;
use std::path::Path;

pub use cases::{Case, Expect};
pub use check::{PreparedModel, check};
pub use diagnostic::{Diagnostic, Place, Related, Severity};
pub use parse::parse;
pub use spec::{ModelLocation, ModelSpec, Spec};

/// Where a topology's text and variables come from: core itself reads nothing.
///
/// ```
/// use squall_core::topology::Sources;
/// let sources = Sources {
///     read: &mut |path: &std::path::Path| std::fs::read_to_string(path),
///     var: &|name: &str| std::env::var(name).ok(),
/// };
/// ```
pub struct Sources<'a> {
    /// Reads a file: the topology's, or one it includes.
    pub read: &'a mut dyn FnMut(&Path) -> io::Result<String>,
    /// The value of a variable: what `--set` gave, else the environment.
    pub var: &'a dyn Fn(&str) -> Option<String>,
}
