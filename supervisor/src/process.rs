//! A worker's process: started by this supervisor, or by an earlier one and adopted.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use squall_core::{Error, Result};
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

/// A process that leads a group of its own, so that signals to the supervisor's do not reach it.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    handle: Handle,
}

#[derive(Debug)]
enum Handle {
    Child(Child),
    Adopted(AsyncFd<OwnedFd>),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) how: String,
    /// By itself and without a fault, as far as can be known.
    pub(crate) well: bool,
}

impl Process {
    /// Starts a command; what it writes to stdout and stderr is appended to a file.
    pub(crate) fn start(mut command: Command, output: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot write {}", output.display())).because(e);
        let out = std::fs::OpenOptions::new().create(true).append(true).open(output).map_err(cannot)?;
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(cannot)?).stderr(out).process_group(0);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|e| Error::external(format!("cannot start {program}")).because(e))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id as i32));
        let pid = pid.ok_or_else(|| Error::external(format!("{program} ended at once")))?;
        Ok(Process { pid, handle: Handle::Child(child) })
    }

    /// Takes over a process that is still the one that started at this time; `None` if it is no more.
    pub(crate) fn adopt(pid: u32, started: u64) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        // Asked after the descriptor was opened: from now on it is this process and no later one of the same number.
        if start_time(pid.as_raw_pid() as u32) != Some(started) || is_zombie(pid) {
            return None;
        }
        #[allow(
            deprecated,
            reason = "what is unsound about it is a descriptor that is not owned; its successor is unsafe to call"
        )]
        let fd = AsyncFd::new(fd).ok()?;
        Some(Process { pid, handle: Handle::Adopted(fd) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid() as u32
    }

    /// Waits for its end, and says how it was; may be asked again if the asking was broken off.
    pub(crate) async fn ended(&mut self) -> End {
        let (how, well) = match &mut self.handle {
            Handle::Child(child) => match child.wait().await {
                Ok(status) => (status.to_string(), status.success()),
                Err(e) => (format!("unknown: {e}"), false),
            },
            Handle::Adopted(fd) => match fd.readable().await {
                Ok(_) => ("unknown: an earlier supervisor started it".to_owned(), true),
                Err(e) => (format!("unknown: {e}"), false),
            },
        };
        End { how, well }
    }

    /// Stops it: SIGTERM, and after `grace` SIGKILL; then whatever it left of its group. Says how it ended.
    pub(crate) async fn stop(&mut self, grace: Duration) -> End {
        let _ = kill_process_group(self.pid, Signal::TERM);
        let end = match tokio::time::timeout(grace, self.ended()).await {
            Ok(end) => end,
            Err(_) => {
                log::warn!(pid = self.pid(); "worker did not stop in time and is killed");
                End { well: false, ..self.kill().await }
            }
        };
        self.clean_up();
        end
    }

    /// Kills it with all its group, and says how it ended.
    pub(crate) async fn kill(&mut self) -> End {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.ended().await
    }

    /// Kills what a process that has ended left of its group.
    pub(crate) fn clean_up(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

/// When a process started, in clock ticks since boot: with its number it names it for ever.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    stat(pid)?.split(' ').nth(19)?.parse().ok()
}

fn is_zombie(pid: Pid) -> bool {
    stat(pid.as_raw_pid() as u32).is_none_or(|s| s.starts_with('Z'))
}

/// What stands behind the name in `/proc/PID/stat`; the name may hold anything.
fn stat(pid: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ").map(|(_, rest)| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> Process {
        let mut command = Command::new("sleep");
        command.arg("60");
        Process::start(command, &dir.join("out")).unwrap()
    }

    #[tokio::test]
    async fn only_the_very_process_is_adopted_and_its_end_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut own = sleeper(dir.path());
        let started = start_time(own.pid()).unwrap();
        assert!(Process::adopt(own.pid(), started + 1).is_none(), "another process of the same number");
        let mut adopted = Process::adopt(own.pid(), started).unwrap();
        let (end, _) = tokio::join!(own.stop(Duration::from_secs(5)), adopted.ended());
        assert!(end.how.contains("signal: 15") && !end.well, "{end:?}");
        assert!(Process::adopt(own.pid(), started).is_none());
    }

    #[tokio::test]
    async fn what_does_not_heed_sigterm_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("out");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 60 & echo $!; while :; do sleep 60; done"]);
        let mut process = Process::start(command, &ready).unwrap();
        let child: u32 = loop {
            if let Ok(pid) = std::fs::read_to_string(&ready).unwrap_or_default().trim().parse() {
                break pid;
            }
            tokio::task::yield_now().await;
        };
        let end = process.stop(Duration::from_millis(50)).await;
        assert!(end.how.contains("signal: 9") && !end.well, "{end:?}");
        while stat(child).is_some_and(|s| !s.starts_with('Z')) {
            tokio::task::yield_now().await;
        }
    }
}
