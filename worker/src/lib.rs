//! Runs the tasks of a topology: one worker process, and everything in it. It knows no component and no policy of the
//! cluster: components come in a [`Registry`], orders from the supervisor.
//!
//! A worker binary of one's own is ten lines: list the built-in components and one's own, and call [`main`].

mod describe;
mod engine;
#[doc(hidden)]
pub mod fuzz;
mod link;
mod logging;
mod models;
mod process;
mod random;
#[doc(hidden)]
pub mod simulated;
mod supervisor;
mod sync;
mod testing;
mod token;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use testing::TestRequest;

use clap::Parser;
use squall_core::{Fault, Registry, Result};

/// Runs the tasks of a Squall topology. Started by a supervisor, not by hand.
#[derive(Parser)]
#[command(name = "worker")]
struct Args {
    /// Run as this launch file says
    #[arg(long, value_name = "FILE", group = "what")]
    run: Option<PathBuf>,
    /// Print the component types of this binary as JSON
    #[arg(long, group = "what")]
    describe: bool,
    /// Check component configurations: one JSON question a line on standard input, one answer a line on standard output
    #[arg(long, group = "what")]
    check: bool,
    /// Run a test of a topology: a request as JSON on standard input, what was other than expected as a JSON list on standard output
    #[arg(long, group = "what")]
    test: bool,
}

/// The `main` of a worker binary.
pub fn main(registry: Registry) -> ExitCode {
    run_args(registry, std::env::args_os())
}

/// The same with arguments given, the program's name first. Exit codes: 0 fine, 1 an outside fault or a bug, 2 a user's
/// fault.
pub fn run_args(mut registry: Registry, args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let result = act(&mut registry, &args);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.fault() == Fault::User { 2 } else { 1 })
        }
    }
}

fn act(registry: &mut Registry, args: &Args) -> Result<()> {
    if let Some(launch) = &args.run {
        process::run(registry, launch)
    } else if args.test {
        testing::test(registry, &mut std::io::stdin().lock(), &mut std::io::stdout().lock())
    } else if args.check {
        describe::check(registry, &mut std::io::stdin().lock(), &mut std::io::stdout().lock())
    } else {
        describe::describe(registry, &mut std::io::stdout().lock())
    }
}
