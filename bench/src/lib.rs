//! Measures Squall beside bare programs that do only the step in question.
//!
//! A [`Scenario`] is a topology and what of it is counted. [`run`] submits it to a private cluster, lets it warm up, takes the
//! difference of two reports of exact counters, and does the same several times in turn with the scenario's bare twin, so that
//! both see the same machine. [`compare`] tells what got slower between two [`Report`]s. How it is meant: `docs/benchmarks.md`.
#![warn(missing_docs)]

mod clock;
mod compare;
mod data;
mod ground;
mod machine;
mod measure;
mod model;
mod report;
mod run;
mod scenario;
mod statistics;
pub mod table;
mod twin;

pub use compare::{Change, Comparison, Verdict, compare};
pub use data::lines;
pub use ground::Ground;
pub use machine::Conditions;
pub use model::{Method, Timing, time_model};
pub use report::{Entry, Latency, Report};
pub use run::{Options, run};
pub use scenario::{SCENARIOS, Scenario};
pub use statistics::Spread;

/// The receiving process of the bare twin of open loops; [`Ground::peer`] names the command that calls it.
///
/// # Errors
/// No socket can be had; nothing comes for a while; something else comes than was sent.
pub fn peer(out: &mut dyn std::io::Write) -> squall_core::Result<()> {
    twin::peer(out)
}
