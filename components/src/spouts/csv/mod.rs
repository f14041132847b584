//! `csv`: the rows of a CSV file with a header.

mod layout;
mod rows;
mod spout;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use squall_core::{Check, Context, FieldType, Result, Schema, Spout, SpoutConfig, StreamDecl};

use crate::support::{at, files, yes};
use layout::Layout;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) path: PathBuf,
    #[serde(default)]
    pub(crate) vectors: BTreeMap<String, Vector>,
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, FieldType>,
    #[serde(default)]
    pub(crate) skip: Vec<String>,
    #[serde(default)]
    pub(crate) missing: Vec<String>,
    #[serde(default)]
    pub(crate) row: Option<String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default = "comma")]
    pub(crate) delimiter: char,
    #[serde(default)]
    pub(crate) cycle: bool,
    #[serde(default, with = "squall_core::units::duration_text::option")]
    pub(crate) period: Option<Duration>,
    #[serde(default = "yes")]
    pub(crate) tracked: bool,
}

/// A vector field and the columns it is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) columns: Columns,
    #[serde(default, rename = "type")]
    pub(crate) kind: Element,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a range of columns such as \"p0..p63\" (both ends included) or a list of columns")]
pub(crate) enum Columns {
    Range(String),
    List(Vec<String>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Element {
    F32,
    #[default]
    F64,
}

fn comma() -> char {
    ','
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "the rows of a CSV file, once or for ever, with columns put together as vectors";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file, absolute; its first line names the columns"),
        ("vectors", "vector fields: name = { columns = \"p0..p63\" or a list, type = \"f64\" or \"f32\" }"),
        ("fields", "types of the other columns: int, float, bool or str; str where none is given"),
        ("skip", "columns to leave out"),
        ("missing", "columns whose empty cells are missing values: nil, or NaN in a float column"),
        ("row", "name of a field for the row's number, from 0; none unless given"),
        ("text", "name of a field for the whole row as text; none unless given"),
        ("delimiter", "between columns; `,` unless given"),
        ("cycle", "begin again at the end, for ever; false unless given"),
        ("period", "one row in this time, such as \"100ms\"; as fast as they go if it is 0 or not given"),
        ("tracked", "replay rows that fail; true unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![StreamDecl::default_stream(self.schema(check)?)])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        Ok(Box::new(spout::CsvSpout::new(self, ctx)?))
    }
}

impl Config {
    /// As little as possible said about a file.
    pub(crate) fn of(path: PathBuf) -> Self {
        Config {
            path,
            vectors: BTreeMap::new(),
            fields: BTreeMap::new(),
            missing: Vec::new(),
            skip: Vec::new(),
            row: None,
            text: None,
            delimiter: comma(),
            cycle: false,
            period: None,
            tracked: true,
        }
    }

    /// What the rows look like; reads the file's first line.
    fn schema(&self, check: &Check<'_>) -> Result<Schema> {
        let absolute = files::absolute(check, "path", &self.path);
        let delimiter = self.delimiter()?;
        if !absolute {
            return Err(check.stop());
        }
        let header = rows::header(&self.path, delimiter).map_err(|e| at("path", e))?;
        Ok(Layout::new(self, &header, check).schema)
    }

    pub(crate) fn delimiter(&self) -> Result<u8> {
        u8::try_from(self.delimiter)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| at("delimiter", format!("`{}` is not a single ASCII character", self.delimiter)))
    }
}
