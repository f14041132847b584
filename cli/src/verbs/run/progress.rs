//! The line that shows how a run gets on, where somebody watches.

use std::time::Duration;

use indicatif::ProgressBar;
use squall_core::ComponentKind;
use squall_core::control::TopologyStatus;

use crate::show::{Show, count};
use crate::verbs::status::ms;

/// A spinner with the numbers that matter.
pub(super) struct Progress {
    bar: ProgressBar,
    duration: Option<Duration>,
}

impl Progress {
    pub(super) fn new(duration: Option<Duration>, show: &Show) -> Progress {
        Progress { bar: show.spinner("starting"), duration }
    }

    /// Shows the topology's numbers.
    pub(super) fn show(&self, status: &TopologyStatus, elapsed: Duration) {
        self.bar.set_message(line(status, self.duration.map(|d| d.saturating_sub(elapsed))));
    }

    pub(super) fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Prints something without tearing the line.
    pub(super) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(status: &TopologyStatus, left: Option<Duration>) -> String {
    let spouts = status.components.iter().filter(|c| c.kind == ComponentKind::Spout);
    let (mut emitted, mut rate, mut failed) = (0, 0.0, 0);
    let mut p99 = String::new();
    for spout in spouts {
        emitted += spout.emitted;
        rate += spout.emitted_per_s;
        failed += spout.failed;
        if p99.is_empty() {
            p99 = ms(&spout.complete, spout.complete.p99_ms);
        }
    }
    let up = status.workers.iter().filter(|w| w.pid.is_some()).count();
    let mut text = format!("{}: {}/{} workers", status.name, up, status.workers.len());
    text.push_str(&format!(", {} tuples, {}/s", count(emitted), count(rate.round() as u64)));
    if !p99.is_empty() {
        text.push_str(&format!(", p99 {p99}"));
    }
    if failed > 0 {
        text.push_str(&format!(", {} failed", count(failed)));
    }
    if let Some(left) = left {
        text.push_str(&format!(", {} s left", left.as_secs()));
    }
    if let Some(waiting) = &status.waiting {
        text.push_str(&format!("; {waiting}"));
    }
    text
}
