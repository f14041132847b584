//! How much of the machine is in use, and how much each worker takes of it, as the kernel tells.

use std::collections::BTreeMap;
use std::time::Instant;

use squall_core::control::{MachineUsage, ProcessUsage};

/// Processor time is a difference: what was read last.
#[derive(Debug)]
pub(crate) struct Meter {
    read: Instant,
    /// Processor time of the machine that was not idle, in ticks.
    busy: Option<u64>,
    /// Processor time of each process, in ticks.
    of: BTreeMap<u32, u64>,
}

impl Default for Meter {
    fn default() -> Self {
        Meter { read: Instant::now(), busy: None, of: BTreeMap::new() }
    }
}

impl Meter {
    /// The use since the last reading; of processes that were not there then there is no processor time yet.
    pub(crate) fn read(&mut self, pids: &[u32]) -> (MachineUsage, BTreeMap<u32, ProcessUsage>) {
        let elapsed = std::mem::replace(&mut self.read, Instant::now()).elapsed().as_secs_f64();
        let cores = |before: Option<u64>, now: Option<u64>| match (before, now) {
            (Some(before), Some(now)) if elapsed > 0.0 => seconds(now.saturating_sub(before)) / elapsed,
            _ => 0.0,
        };
        let busy = std::fs::read_to_string("/proc/stat").ok().and_then(|t| busy_ticks(&t));
        let machine = MachineUsage {
            cores_busy: cores(std::mem::replace(&mut self.busy, busy), busy),
            memory_used_bytes: std::fs::read_to_string("/proc/meminfo").ok().and_then(|t| used_memory(&t)).unwrap_or(0),
        };
        let before = std::mem::take(&mut self.of);
        let mut found = BTreeMap::new();
        for pid in pids {
            let text = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
            let Some(ticks) = text("stat").and_then(|t| process_ticks(&t)) else { continue };
            let usage = ProcessUsage {
                cores_busy: cores(before.get(pid).copied(), Some(ticks)),
                rss_bytes: text("status").and_then(|t| kib(&t, "VmRSS:")).unwrap_or(0),
            };
            self.of.insert(*pid, ticks);
            found.insert(*pid, usage);
        }
        (machine, found)
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// All but idle and waiting for disks, in the text of `/proc/stat`. Time of guests is in that of users already.
fn busy_ticks(stat: &str) -> Option<u64> {
    let numbers: Vec<u64> = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().flat_map(str::parse).collect();
    let of = |i: usize| numbers.get(i).copied().unwrap_or(0);
    (numbers.len() >= 4).then(|| [0, 1, 2, 5, 6, 7].into_iter().map(of).sum())
}

/// The time in its own code and in the kernel's, in the text of `/proc/PID/stat`.
fn process_ticks(stat: &str) -> Option<u64> {
    // The name before may hold anything, brackets too.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn used_memory(meminfo: &str) -> Option<u64> {
    Some(kib(meminfo, "MemTotal:")?.saturating_sub(kib(meminfo, "MemAvailable:")?))
}

/// A number of KiB, in bytes.
fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_understood() {
        assert_eq!(busy_ticks("cpu  10 1 5 1000 50 2 3 4 0 0\ncpu0 1 1 1 1"), Some(25));
        assert_eq!(busy_ticks("nonsense"), None);
        assert_eq!(process_ticks("7 (a) b) c) S 1 7 7 0 -1 4194304 1 0 0 0 30 12 0 0 20 0"), Some(42));
        assert_eq!(used_memory("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   40 kB\n"), Some(60 * 1024));
    }

    #[test]
    fn this_process_takes_memory_and_time() {
        let (pid, mut meter) = (std::process::id(), Meter::default());
        meter.read(&[pid]);
        // However long it takes to get a processor.
        let ticks = || process_ticks(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        let before = ticks();
        while ticks() <= before + 1 {}
        let (machine, of) = meter.read(&[pid, u32::MAX]);
        assert!(machine.memory_used_bytes > 0 && of[&pid].rss_bytes > 0, "{machine:?} {of:?}");
        assert!(of[&pid].cores_busy > 0.0 && of.len() == 1, "{of:?}");
    }
}
