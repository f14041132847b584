//! The signals that end the program: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Watches for signals from the time it is made.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Nothing under `nohup`, which ignores it on purpose.
    hangup: Option<Signal>,
}

impl Signals {
    /// Begins to watch; within a runtime.
    pub(crate) fn watch() -> io::Result<Signals> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if ignores_hangup(&status) { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The number of the next one.
    pub(crate) async fn next(&mut self) -> i32 {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = self.interrupt.recv() => 2, _ = self.terminate.recv() => 15, () = hangup => 1 }
    }
}

/// Whether `/proc/PID/status` has SIGHUP, the lowest bit, among the ignored signals.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_seen() {
        assert!(ignores_hangup("Name:\tsquall\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
