//! `--test`: runs a test of a topology with the component types of this binary, in this process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use squall_core::harness::{Surroundings, run_case};
use squall_core::topology::Case;
use squall_core::{Error, Plan, Registry, Result};

/// What `--test` reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestRequest {
    /// The topology.
    pub plan: Plan,
    /// The test's name.
    pub name: String,
    /// The test.
    pub case: Case,
    /// Model artefacts by name.
    pub models: BTreeMap<String, PathBuf>,
    /// Where components keep files.
    pub state_dir: PathBuf,
}

pub(crate) fn test(registry: &Registry, request: &mut dyn Read, out: &mut dyn Write) -> Result<()> {
    let mut text = Vec::new();
    request.read_to_end(&mut text)?;
    let request: TestRequest =
        serde_json::from_slice(&text).map_err(|e| Error::user("a test that cannot be read").because(e))?;
    let TestRequest { plan, case, models, state_dir, .. } = &request;
    let around = Surroundings { registry, models, state_dir, pause: &std::thread::sleep };
    serde_json::to_writer(&mut *out, &run_case(plan, case, &around))?;
    writeln!(out)?;
    Ok(())
}
