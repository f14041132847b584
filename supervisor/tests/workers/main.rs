//! A real supervisor with a pretended nimbus, and real processes that are pretended workers: this very program, started with
//! `--run`. So it has no test harness of its own making, but the loop below.

mod http;
mod lives;
mod nimbus;
mod rig;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "--run") {
        return worker::main(&arguments[at + 1]);
    }
    let filter = arguments.iter().skip(1).find(|a| !a.starts_with('-'));
    if arguments.iter().any(|a| a == "--list") {
        lives::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = Vec::new();
    for (name, test) in lives::ALL.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str()))) {
        let begun = std::time::Instant::now();
        let fine = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {} ({} ms)", if fine { "ok" } else { "FAILED" }, begun.elapsed().as_millis());
        if !fine {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}
