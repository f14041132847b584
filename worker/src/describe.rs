//! `--describe` and `--check`: the worker binary tells what component types it has, and checks configurations of theirs.

use std::io::{BufRead, Write};

use squall_core::{Catalog, Error, Refused, Registry, ResolveRequest, Resolved, Result};

/// Prints the types as a JSON list.
pub(crate) fn describe(registry: &Registry, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, &registry.describe())?;
    writeln!(out)?;
    Ok(())
}

/// Answers one question a line: [`ResolveRequest`] in, `{"Ok": Resolved}` or `{"Err": Refused}` out.
pub(crate) fn check(registry: &mut Registry, questions: &mut dyn BufRead, out: &mut dyn Write) -> Result<()> {
    for line in questions.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let request: ResolveRequest =
            serde_json::from_str(&line).map_err(|e| Error::user("a question that cannot be read").because(e))?;
        let answer: std::result::Result<Resolved, Refused> = registry.resolve(&request)?;
        serde_json::to_writer(&mut *out, &answer)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}
