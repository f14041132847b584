//! Starts real `squall` processes for tests: a cluster with its own folders on free ports, or one command.
//!
//! Nothing here sleeps to let something happen: [`wait_for`] asks again until it has, or until a deadline, and then
//! shows what the daemons logged. Everything that was started is killed on drop, workers too. [`simulation`] and [`fuzz`] start
//! nothing: they run daemons' and workers' own state in a thread.

mod binary;
pub mod browser;
pub mod chaos;
mod cluster;
mod daemon;
mod dice;
pub mod fuzz;
pub mod model_file;
mod output;
mod process;
pub mod simulation;

use std::time::{Duration, Instant};

pub use binary::{repository, squall, target_dir};
pub use cluster::{Cluster, Machine, NIMBUS};
pub use daemon::Daemon;
pub use dice::Dice;
pub use output::{Ran, command, run};
pub use process::{alive, kill_9, memory_of, pause, resume, started_in, terminate};

/// How long anything may take: machines that test are slow and busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
///
/// # Panics
/// There is none by the deadline.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let until = begun + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            // For those who ask why a test is slow, or failed afterwards.
            if begun.elapsed() > DEADLINE / 6 {
                eprintln!("waited {:?} for {what}", begun.elapsed());
            }
            return answer;
        }
        assert!(Instant::now() < until, "waited {DEADLINE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks until it is so.
///
/// # Panics
/// It is not so by the deadline.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
