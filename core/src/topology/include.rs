//! Reading a topology's files and laying them over one another.

use std::path::{Component, Path, PathBuf};

use super::Sources;
use super::fault::Faults;
use super::source::{File, Span};
use super::tree::{Builder, Entry, Substitution, Table, Val};

/// More files than this in one topology are refused: paths may go in circles through links, which core cannot see.
const FILES: usize = 256;

/// The tables that files share: each may add to them.
const SHARED: [&str; 4] = ["config", "models", "spouts", "bolts"];

/// Everything that was read.
#[derive(Debug, Default, Clone)]
pub(crate) struct Loaded {
    pub(crate) files: Vec<File>,
    pub(crate) root: Table,
    pub(crate) faults: Faults,
    pub(crate) substitutions: Vec<Substitution>,
    pub(crate) secrets: Vec<String>,
    /// Whether all files could be read, so that what is missing is really missing.
    pub(crate) complete: bool,
}

/// Reads the file and all that it includes.
pub(crate) fn load(path: &Path, sources: &mut Sources<'_>) -> Loaded {
    let mut loaded = Loaded { complete: true, ..Loaded::default() };
    match (sources.read)(path) {
        Ok(text) => {
            let mut paths = vec![normal(path)];
            loaded.file(path, text, None, &mut vec![0], &mut paths, sources);
        }
        Err(error) => {
            loaded.files.push(File::new(path.display().to_string(), String::new(), None));
            loaded.faults.add(None, format!("cannot read the topology: {error}"));
            loaded.complete = false;
        }
    }
    loaded
}

impl Loaded {
    /// `trail` is the files being read, each including the next; `paths` those read at all.
    fn file(
        &mut self,
        path: &Path,
        text: String,
        at: Option<Span>,
        trail: &mut Vec<usize>,
        paths: &mut Vec<PathBuf>,
        sources: &mut Sources<'_>,
    ) {
        let file = self.files.len();
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        let mut builder = Builder {
            file,
            text: &text,
            var: sources.var,
            faults: &mut self.faults,
            substitutions: &mut self.substitutions,
            secrets: &mut self.secrets,
            hidden: Vec::new(),
        };
        let table = builder.build();
        let hidden = builder.hidden;
        let mut read = File::new(path.display().to_string(), text, at);
        read.hidden = hidden;
        self.files.push(read);
        let Some(mut table) = table else {
            self.complete = false;
            return;
        };
        let include = table.0.iter().position(|e| e.key == "include").map(|i| table.0.remove(i));
        self.lay_over(table);
        for (wanted, span) in include.map(|e| self.wanted(&e)).unwrap_or_default() {
            self.include(path, &wanted, span, trail, paths, sources);
        }
    }

    /// The files that an `include` names.
    fn wanted(&mut self, entry: &Entry) -> Vec<(String, Span)> {
        let expected = "expected a list of files such as [\"models.toml\"]";
        let Val::List(list) = &entry.node.value else {
            if !matches!(entry.node.value, Val::Broken) {
                self.faults.add(entry.node.span, format!("`include` is {}, {expected}", entry.node.value.describe()));
            }
            self.complete = false;
            return Vec::new();
        };
        let mut wanted = Vec::new();
        for node in list {
            match &node.value {
                Val::Text(t) if !t.text.is_empty() => wanted.push((t.text.clone(), node.span)),
                other => {
                    self.complete = false;
                    if !matches!(other, Val::Broken) {
                        let what = if matches!(other, Val::Text(_)) { "empty".to_owned() } else { other.describe() };
                        self.faults.add(node.span, format!("the file to include is {what}, expected a path"));
                    }
                }
            }
        }
        wanted
    }

    fn include(
        &mut self,
        from: &Path,
        wanted: &str,
        span: Span,
        trail: &mut Vec<usize>,
        paths: &mut Vec<PathBuf>,
        sources: &mut Sources<'_>,
    ) {
        let path = normal(&from.parent().unwrap_or(Path::new("")).join(wanted));
        if let Some(known) = paths.iter().position(|p| *p == path) {
            // Read before: once is enough, unless it is being read right now.
            if let Some(start) = trail.iter().position(|f| *f == known) {
                let mut names: Vec<String> = trail[start..].iter().map(|f| self.files[*f].path.clone()).collect();
                names.push(self.files[known].path.clone());
                let inner: Vec<Span> = trail[start + 1..].iter().filter_map(|f| self.files[*f].included_at).collect();
                let fault = self.faults.add(span, format!("files include each other: {}", names.join(" → ")));
                fault.help("take one of the includes out");
                for span in inner {
                    fault.also(span, "included here");
                }
            }
            return;
        }
        if paths.len() >= FILES {
            self.faults.add(span, format!("more than {FILES} files in one topology"));
            self.complete = false;
            return;
        }
        match (sources.read)(&path) {
            Ok(text) => {
                trail.push(self.files.len());
                paths.push(path.clone());
                self.file(&path, text, Some(span), trail, paths, sources);
                trail.pop();
            }
            Err(error) => {
                self.complete = false;
                let help = "the path is relative to the file that includes it";
                self.faults.add(span, format!("cannot read {}: {error}", path.display())).help(help);
            }
        }
    }

    /// Adds a file's tables to those read before it.
    fn lay_over(&mut self, table: Table) {
        for entry in table.0 {
            let shared = SHARED.contains(&entry.key.as_str());
            if shared && !matches!(entry.node.value, Val::Table(_)) {
                self.section_fault(&entry);
                continue;
            }
            let Some(have) = self.root.0.iter_mut().find(|e| e.key == entry.key) else {
                self.root.0.push(entry);
                continue;
            };
            match (&mut have.node.value, entry.node.value) {
                (Val::Table(into), Val::Table(more)) if shared => {
                    for inner in more.0 {
                        match into.get(&inner.key) {
                            Some(first) => {
                                let (what, first) = (format!("[{}] `{}`", entry.key, inner.key), first.key_span);
                                twice(&mut self.faults, &what, first, inner.key_span);
                            }
                            None => into.0.push(inner),
                        }
                    }
                }
                _ => twice(&mut self.faults, &format!("`{}`", entry.key), have.key_span, entry.key_span),
            }
        }
    }

    fn section_fault(&mut self, entry: &Entry) {
        self.complete = false;
        let expected = match entry.key.as_str() {
            "config" => "a table [config]".to_owned(),
            key => format!("tables [{key}.NAME]"),
        };
        if !matches!(entry.node.value, Val::Broken) {
            let what = entry.node.value.describe();
            self.faults.add(entry.node.span, format!("`{}` is {what}, expected {expected}", entry.key));
        }
    }
}

fn twice(faults: &mut Faults, what: &str, first: Span, second: Span) {
    faults
        .add(second, format!("{what} is defined twice"))
        .help("included files add to a topology; they replace nothing")
        .also(first, "first defined here");
}

/// The path without `.` and with `..` taken back, so that one file has one name.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
