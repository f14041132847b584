//! Processes, as the kernel sees them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Kills a process as the power going out would.
pub fn kill_9(pid: u32) {
    send(pid, Signal::KILL);
}

/// Asks a process to end.
pub fn terminate(pid: u32) {
    send(pid, Signal::TERM);
}

/// Stops a process as if its machine hung; see [`resume`].
pub fn pause(pid: u32) {
    send(pid, Signal::STOP);
}

/// Lets a process go on that was paused.
pub fn resume(pid: u32) {
    send(pid, Signal::CONT);
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid as i32) {
        // It may be gone already, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process is there and not merely waiting to be reaped.
pub fn alive(pid: u32) -> bool {
    let there = Pid::from_raw(pid as i32).is_some_and(|pid| test_kill_process(pid).is_ok());
    // `PID (NAME) STATE …`
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    there && !matches!(state, None | Some('Z' | 'X'))
}

/// The living processes that have a file of this folder among their arguments: its daemons and their workers.
pub fn started_in(dir: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let inside = |arg: &[u8]| arg.windows(dir.as_os_str().len()).any(|part| part == dir.as_os_str().as_bytes());
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id())
        .filter(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.split(|b| *b == 0).any(inside)))
        .filter(|pid| alive(*pid))
        .collect()
}

/// A number of `/proc/PID/smaps_rollup`, such as `Pss` or `Private_Dirty`, in bytes.
pub fn memory_of(pid: u32, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|l| l.split(':').next() == Some(key))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
