//! A small set of component types, and topologies in strings.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use squall_core::topology::{Diagnostic, PreparedModel, Severity, Sources, check, parse};
use squall_core::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    #[serde(rename = "path")]
    _path: String,
    #[serde(default, rename = "cycle")]
    _cycle: bool,
    #[serde(default, rename = "only")]
    _only: Option<Only>,
    #[serde(default, rename = "rows")]
    _rows: u32,
    #[serde(default, rename = "period", with = "units::duration_text::option")]
    _period: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    #[serde(default = "line")]
    field: String,
    #[serde(default, rename = "auth")]
    _auth: Option<Auth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Auth {
    user: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Only {
    One(u32),
    Some(Vec<u32>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Column {
    Label,
    Proba,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Classifier {
    model: String,
    features: String,
    #[serde(default)]
    emit: Vec<Column>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Console {}

#[derive(Deserialize)]
struct Shell {}

fn line() -> String {
    "line".into()
}

fn never<T: ?Sized>() -> Result<Box<T>> {
    Err(Error::internal("not built here"))
}

macro_rules! spout {
    ($t:ty, $about:literal, $keys:expr, $outputs:expr) => {
        impl SpoutConfig for $t {
            const ABOUT: &'static str = $about;
            const KEYS: &'static [(&'static str, &'static str)] = &$keys;
            fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
                let f: fn(&Self, &Check<'_>) -> Result<Vec<StreamDecl>> = $outputs;
                f(self, check)
            }
            fn build(self, _: &Context) -> Result<Box<dyn Spout>> {
                never()
            }
        }
    };
}
macro_rules! bolt {
    ($t:ty, $about:literal, $outputs:expr) => {
        impl BoltConfig for $t {
            const ABOUT: &'static str = $about;
            fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
                let f: fn(&Self, &Check<'_>) -> Result<Vec<StreamDecl>> = $outputs;
                f(self, check)
            }
            fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
                never()
            }
        }
    };
}

fn default<const N: usize>(fields: [(&str, FieldType); N]) -> Result<Vec<StreamDecl>> {
    Ok(vec![StreamDecl::default_stream(Schema::new(fields))])
}

spout!(Lines, "lines of a file", [("path", "the file to read"), ("only", "a line's number, or a list of them")], |_, _| {
    default([("line", FieldType::Str), ("n", FieldType::Int)])
});
spout!(Numbers, "numbers", [], |_, _| default([("x", FieldType::Float), ("v", FieldType::F32s(Some(4)))]));
bolt!(Split, "words of a line", |c, check| {
    check.at("field", check.field(&c.field, FieldType::Str));
    default([("word", FieldType::Str)])
});
bolt!(Count, "counts words", |_, check| {
    check.field("word", FieldType::Str)?;
    default([("word", FieldType::Str), ("count", FieldType::Int)])
});
bolt!(Classifier, "scores with a model", |c, check| {
    check.model(&c.model).map_err(|e| Error::user(format!("`model`: {e}")))?;
    check.field(&c.features, FieldType::F32s(None)).map_err(|e| Error::user(format!("`features`: {e}")))?;
    let fields = check.inputs[0].fields.clone().with(c.emit.iter().map(|column| match column {
        Column::Label => Field::new("label", FieldType::Str),
        Column::Proba => Field::new("proba", FieldType::F64s(None)),
    }));
    Ok(vec![StreamDecl::default_stream(fields)])
});
bolt!(Route, "sends late lines elsewhere", |_, check| {
    check.field("line", FieldType::Str)?;
    let late = StreamDecl { direct: true, ..StreamDecl::named("late", Schema::new([("line", FieldType::Str)])) };
    Ok(vec![default([("line", FieldType::Str)])?.remove(0), late])
});
bolt!(Console, "prints", |_, _| Ok(vec![]));
bolt!(Shell, "a component in another language", |_, _| Ok(vec![]));

pub(crate) struct Types(Registry);

pub(crate) fn types() -> Types {
    let mut r = Registry::default();
    r.spout::<Lines>("lines").spout::<Numbers>("numbers").bolt::<Split>("split").bolt::<Count>("count");
    r.bolt::<Classifier>("classifier").bolt::<Route>("route").bolt::<Console>("console").bolt::<Shell>("shell");
    Types(r)
}

impl Catalog for Types {
    fn types(&mut self) -> Result<Vec<TypeInfo>> {
        let mut types = self.0.types()?;
        types.iter_mut().for_each(|t| t.outputs_in_topology = t.name == "shell");
        Ok(types)
    }
    fn resolve(&mut self, request: &ResolveRequest) -> Result<Result<Resolved, Refused>> {
        self.0.resolve(request)
    }
}

pub(crate) type Models = BTreeMap<String, Result<PreparedModel, String>>;

pub(crate) fn model(name: &str) -> Models {
    let prepared = PreparedModel {
        artefact: "a.safetensors".into(),
        sha256: "a".repeat(64),
        source: "b".repeat(64),
        bytes: 10,
        file: "m.pkl".into(),
    };
    BTreeMap::from([(name.to_owned(), Ok(prepared))])
}

pub(crate) type Checked = std::result::Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Checks files (the first is the topology) with variables and models.
pub(crate) fn run(files: &[(&str, &str)], vars: &[(&str, &str)], models: &Models) -> Checked {
    let mut read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or(io::Error::new(io::ErrorKind::NotFound, "no such file"))
    };
    let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    let spec = parse(Path::new(files[0].0), &mut Sources { read: &mut read, var: &var });
    check(&spec, &mut types(), models)
}

pub(crate) fn one(text: &str) -> Checked {
    run(&[("t.toml", text)], &[], &Models::new())
}

/// `LINE:COLUMN+LENGTH MESSAGE | HELP`, warnings with a `?` before.
pub(crate) fn short(d: &Diagnostic) -> String {
    let mark = if d.severity == Severity::Warning { "?" } else { "" };
    let help = d.help.as_ref().map_or(String::new(), |h| format!(" | {h}"));
    format!("{mark}{}:{}+{} {}{help}", d.place.line, d.place.column, d.place.length, d.message)
}

pub(crate) fn shorts(faults: &[Diagnostic]) -> Vec<String> {
    faults.iter().map(short).collect()
}

/// Asserts exactly these faults.
#[track_caller]
pub(crate) fn expect(text: &str, wanted: &[&str]) {
    match one(text) {
        Ok((_, warnings)) => panic!("accepted, with {:?}", shorts(&warnings)),
        Err(faults) => assert_eq!(shorts(&faults), wanted),
    }
}

/// A sound topology of a spout and a bolt, on seven lines, with a piece added after it from line 8.
pub(crate) fn with(extra: &str) -> String {
    format!(
        "name = \"t\"\n[spouts.in]\ntype = \"lines\"\nconfig = {{ path = \"x\" }}\n[bolts.split]\ntype = \"split\"\n\
         inputs = [{{ from = \"in\", grouping = \"shuffle\" }}]\n{extra}"
    )
}
