//! `squall test`: runs the tests that topologies carry.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use squall_core::Plan;
use squall_core::harness::{Surroundings, run_case};
use squall_core::topology::Case;

use crate::exit::{Failure, Outcome};
use crate::show::{Show, nanos};
use crate::topology::{self, Given};

/// Runs the tests that topology files carry: rows in, expected rows, predictions and counts out.
///
/// In this process, without a cluster: each component has one task, and runs after those it takes from. Tests stand in the
/// file as [tests.NAME]; docs/topology.md tells how they are written. Ends with code 1 when any fails.
///
/// Examples:
///   squall test topologies/wordcount.toml
///   squall test topologies/*.toml
///   squall test mine.toml --worker target/release/mine --only "two lines"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Topologies.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only tests whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Gives the variable ${NAME} of the files a value; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = topology::setting)]
    set: Vec<(String, String)>,
    /// The worker binary that has the topologies' own component types.
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

/// How a test went.
#[derive(Debug, Serialize)]
struct Told {
    file: PathBuf,
    topology: String,
    test: String,
    passed: bool,
    faults: Vec<String>,
    took_ms: f64,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let (mut all, mut invalid) = (Vec::new(), false);
    for file in &args.files {
        let given = Given { file: file.clone(), set: args.set.clone(), worker: args.worker.clone() };
        let checked = topology::checked(&given, show)?;
        let (plan, warnings) = match checked.result {
            Ok(fine) => fine,
            Err(faults) => {
                topology::render(&faults, show);
                show.note(&topology::summary(file, &faults));
                invalid = true;
                continue;
            }
        };
        topology::render(&warnings, show);
        let wanted = |c: &&Case| args.only.as_ref().is_none_or(|only| c.name.contains(only.as_str()));
        let artefact =
            |m: &squall_core::PlannedModel| checked.files.get(&m.artefact).map(|f| f.path.clone()).unwrap_or_default();
        let models: BTreeMap<String, PathBuf> = plan.models.iter().map(|(name, m)| (name.clone(), artefact(m))).collect();
        if checked.tests.is_empty() {
            show.note(&format!("{}: no tests", file.display()));
        }
        for case in checked.tests.iter().filter(wanted) {
            let begun = Instant::now();
            let faults = faults_of(&plan, case, &models, args.worker.as_ref())?;
            let took = begun.elapsed();
            let told = Told {
                file: file.clone(),
                topology: plan.name.clone(),
                test: case.name.clone(),
                passed: faults.is_empty(),
                faults,
                took_ms: took.as_secs_f64() * 1e3,
            };
            if !show.json {
                line(&told, took, show)?;
            }
            all.push(told);
        }
    }
    let failed = all.iter().filter(|t| !t.passed).count();
    if show.json {
        show.json(&all)?;
    } else if !all.is_empty() {
        show.line(&format!("{} of {} tests passed", all.len() - failed, all.len()))?;
    }
    match (invalid, failed) {
        (true, _) => Err(Failure::Shown),
        (_, 0) => match &args.only {
            // A slip of the pen in a script is not to pass for success.
            Some(only) if all.is_empty() => Err(Failure::NotFound(format!("no test has `{only}` in its name"))),
            _ => Ok(()),
        },
        (_, n) => Err(Failure::Failed(format!("{n} {} failed", if n == 1 { "test" } else { "tests" }))),
    }
}

fn line(told: &Told, took: Duration, show: &Show) -> Outcome {
    let verdict = match told.passed {
        true => format!("ok ({})", nanos(took.as_nanos() as u64)),
        false => "FAILED".to_owned(),
    };
    show.line(&format!("{}: {} … {verdict}", told.topology, told.test))?;
    told.faults.iter().try_for_each(|fault| show.line(&format!("  {fault}")))
}

fn faults_of(plan: &Plan, case: &Case, models: &BTreeMap<String, PathBuf>, worker: Option<&PathBuf>) -> Outcome<Vec<String>> {
    let dir = tempfile::tempdir().map_err(|e| Failure::Outside(format!("cannot make a folder: {e}")))?;
    if let Some(worker) = worker {
        return ask(
            worker,
            &squall_worker::TestRequest {
                plan: plan.clone(),
                name: case.name.clone(),
                case: case.clone(),
                models: models.clone(),
                state_dir: dir.path().to_owned(),
            },
        );
    }
    let registry = squall_components::registry();
    let around = Surroundings { registry: &registry, models, state_dir: dir.path(), pause: &std::thread::sleep };
    Ok(run_case(plan, case, &around))
}

/// Has a worker binary run a test with its own component types.
fn ask(worker: &PathBuf, request: &squall_worker::TestRequest) -> Outcome<Vec<String>> {
    let cannot = |e: std::io::Error| Failure::Outside(format!("cannot ask `{}`: {e}", worker.display()));
    let mut child = Command::new(worker).arg("--test").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let text = serde_json::to_vec(request).map_err(|e| Failure::Failed(e.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&text).map_err(cannot)?;
    }
    let output = child.wait_with_output().map_err(cannot)?;
    if !output.status.success() {
        return Err(Failure::Outside(format!("`{} --test` ended with {}", worker.display(), output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| Failure::Outside(format!("`{} --test` answers something else: {e}", worker.display())))
}
