//! What /proc tells of processes and of the machine.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::clock;

/// Time of processes in user and kernel mode.
pub(crate) fn cpu_seconds(pids: &[u32]) -> f64 {
    let ticks = |pid: &u32| cpu_ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    pids.iter().filter_map(ticks).sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// utime and stime stand 12th and 13th behind the name, which may hold anything and ends with the last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Memory of the largest of these processes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) rss: u64,
    /// The most that was.
    pub(crate) peak: u64,
}

impl Memory {
    pub(crate) fn of(pids: &[u32]) -> Memory {
        let statuses: Vec<String> =
            pids.iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok()).collect();
        let most = |key| statuses.iter().filter_map(|s| memory_line(s, key)).max().unwrap_or(0);
        Memory { rss: most("VmRSS:"), peak: most("VmHWM:") }
    }
}

fn memory_line(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix(key))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Time of all processors since the machine started: stolen by the host, and in all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Processors {
    stolen: u64,
    all: u64,
}

impl Processors {
    pub(crate) fn now() -> Processors {
        std::fs::read_to_string("/proc/stat").map(|text| processors(&text)).unwrap_or_default()
    }

    /// The share of the time since then that the host gave to others, in percent.
    pub(crate) fn steal_since(self, then: Processors) -> f64 {
        let (stolen, all) = (self.stolen.saturating_sub(then.stolen), self.all.saturating_sub(then.all));
        if all == 0 { 0.0 } else { stolen as f64 / all as f64 * 100.0 }
    }
}

/// user nice system idle iowait irq softirq steal; guest time is in user already.
fn processors(stat: &str) -> Processors {
    let line = stat.lines().find_map(|l| l.strip_prefix("cpu ")).unwrap_or_default();
    let times: Vec<u64> = line.split_whitespace().take(8).filter_map(|t| t.parse().ok()).collect();
    Processors { stolen: times.get(7).copied().unwrap_or(0), all: times.iter().sum() }
}

/// Under what conditions figures were taken; without them they mean nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// The processor's name.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The program measured, and its version.
    pub version: String,
    /// The commit of the folder it was run in; empty outside a repository.
    pub commit: String,
    /// The day, in UTC.
    pub date: String,
    /// Processes that were ready to run when it began, on average over a minute: above 0 others were at work too.
    pub load: f64,
    /// Seconds of each measurement, and of warming up before it.
    pub seconds: f64,
    /// As above.
    pub warm_up: f64,
    /// How often each figure was taken.
    pub rounds: u32,
    /// Anything else that matters, such as settings of another system.
    pub notes: Vec<String>,
}

impl Conditions {
    /// Of this machine, now.
    pub(crate) fn here() -> Conditions {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|l| l.starts_with(key)).unwrap_or_default().to_owned();
            line.split_once(':').map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
        };
        let memory = value(&read("/proc/meminfo"), "MemTotal");
        Conditions {
            cpu: value(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_bytes: memory.trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024,
            version: format!("squall {}", env!("CARGO_PKG_VERSION")),
            commit: commit(Path::new(".")),
            date: clock::today(),
            load: read("/proc/loadavg").split_whitespace().next().and_then(|l| l.parse().ok()).unwrap_or(0.0),
            ..Conditions::default()
        }
    }
}

/// The commit in short, with `+` if files differ from it.
fn commit(dir: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(dir).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return String::new() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    if changed { commit + "+" } else { commit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 1000 50";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a"), None);
        assert!(cpu_seconds(&[std::process::id(), u32::MAX]) >= 0.0);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!((memory_line(status, "VmHWM:"), memory_line(status, "VmRSS:")), (Some(2 << 20), Some(1024)));
        let own = Memory::of(&[std::process::id()]);
        assert!(own.rss > 100_000 && own.peak >= own.rss, "{own:?}");
        assert_eq!(Memory::of(&[]), Memory::default());
    }

    #[test]
    fn stolen_time_is_a_share_of_all() {
        let then = processors("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1 1 1 1\n");
        let now = processors("cpu  20 0 20 130 0 0 0 30 9 0\n");
        assert!((now.steal_since(then) - 20.0).abs() < 1e-9);
        assert_eq!(now.steal_since(now), 0.0);
    }

    #[test]
    fn the_conditions_are_those_of_a_machine() {
        let here = Conditions::here();
        assert!(here.cores > 0 && here.memory_bytes > 1 << 20 && !here.kernel.is_empty(), "{here:?}");
        assert_eq!(here.date.len(), 10);
    }
}
