//! `jsonl`: tuples as lines of JSON, appended to a file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::Deserialize;
use squall_core::{Batch, Bolt, BoltConfig, Check, Context, Counter, Error, FieldType, Output, Result, StreamDecl, Tuple};

use crate::support::files;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    path: PathBuf,
    #[serde(default)]
    fields: Option<Vec<String>>,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "appends every tuple as a line of JSON to a file; on the disk for certain at every tick";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file; relative to the topology's state directory; task N of several has NAME-N.jsonl"),
        ("fields", "the fields to write; all unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        for (i, field) in self.fields.iter().flatten().enumerate() {
            check.at(&format!("fields[{i}]"), check.field(field, FieldType::Any));
        }
        if self.path.file_name().is_none() {
            check.fault("path", format!("`{}` names no file", self.path.display()));
        }
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let path = files::output(ctx, &self.path);
        files::make_parent(&path)?;
        let open = || {
            let mut file = File::options().read(true).append(true).create(true).open(&path)?;
            let torn = is_torn(&mut file)?;
            Ok((file, torn))
        };
        let cannot = |e: std::io::Error| Error::external(format!("cannot open {}", path.display())).because(e);
        let (file, torn) = open().map_err(cannot)?;
        let written = ctx.metrics.counter("lines");
        Ok(Box::new(Jsonl { fields: self.fields, path, file, buffer: Vec::new(), torn, unsynced: false, written }))
    }

    fn blocking(&self) -> bool {
        true
    }
}

struct Jsonl {
    fields: Option<Vec<String>>,
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// The file may end within a line: a process died while it wrote, or the disk was full.
    torn: bool,
    unsynced: bool,
    written: Counter,
}

/// Whether a file ends within a line.
fn is_torn(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

impl Jsonl {
    fn add(&mut self, tuple: &Tuple<'_>) -> Result<()> {
        let mut json = tuple.to_json();
        if let (Some(fields), Some(object)) = (&self.fields, json.as_object_mut()) {
            object.retain(|name, _| fields.contains(name));
        }
        serde_json::to_writer(&mut self.buffer, &json)?;
        self.buffer.push(b'\n');
        Ok(())
    }

    /// Hands the lines to the system, so that what is acked outlives this process.
    fn flush(&mut self, lines: u64) -> Result<()> {
        if self.torn && is_torn(&mut self.file).unwrap_or(true) {
            // What was begun stays a line of its own: it was not acked, and is written again.
            self.buffer.insert(0, b'\n');
        }
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        self.torn = written.is_err();
        written.map_err(|e| Error::external(format!("cannot write {}", self.path.display())).because(e))?;
        self.unsynced = true;
        self.written.add(lines);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data().map_err(|e| Error::external(format!("cannot write {}", self.path.display())).because(e))?;
        }
        Ok(())
    }
}

impl Bolt for Jsonl {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Output<'_>) -> Result<()> {
        self.add(tuple)?;
        self.flush(1)
    }

    fn execute_batch(&mut self, batch: &Batch, _: &mut Output<'_>) -> Result<()> {
        self.buffer.clear();
        batch.tuples().try_for_each(|tuple| self.add(&tuple))?;
        self.flush(batch.len() as u64)
    }

    fn tick(&mut self, _: &mut Output<'_>) -> Result<()> {
        self.sync()
    }

    fn cleanup(&mut self) -> Result<()> {
        self.sync()
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Schema;
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn lines_are_appended_and_there_when_the_tuple_is_acked() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let input = Schema::new([("word", FieldType::Str), ("x", FieldType::Float), ("y", FieldType::Int)]);
            let config = serde_json::json!({"path": "out.jsonl", "fields": ["word", "x"]});
            Harness::default().input(input).state_dir(dir.path()).task(1, 2).bolt_config::<Config>(config).unwrap()
        };
        let mut bolt = open();
        bolt.feed([("a\n\"b\"", 0.5, 1), ("c", f64::NAN, 2)]).unwrap();
        assert_eq!(bolt.acked(), [0, 1]);
        let text = || std::fs::read_to_string(dir.path().join("out-1.jsonl")).unwrap();
        assert_eq!(text(), "{\"word\":\"a\\n\\\"b\\\"\",\"x\":0.5}\n{\"word\":\"c\",\"x\":null}\n");
        bolt.tick().unwrap();
        open().feed([("d", 1.0, 3)]).unwrap();
        assert_eq!(text().lines().count(), 3);
        assert_eq!(bolt.metrics().counter("lines").get(), 2);
    }

    #[test]
    fn a_line_that_was_begun_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        std::fs::write(&path, "{\"word\":\"a\"}\n{\"wo").unwrap();
        let input = Schema::new([("word", FieldType::Str)]);
        let config = serde_json::json!({"path": "out.jsonl"});
        let mut bolt = Harness::default().input(input).state_dir(dir.path()).bolt_config::<Config>(config).unwrap();
        bolt.feed([("b",), ("c",)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"word\":\"a\"}\n{\"wo\n{\"word\":\"b\"}\n{\"word\":\"c\"}\n");
    }
}
