//! How much memory there is for models: a model that cannot fit is refused before it is read in, since the kernel would end some
//! process, perhaps another one.

use std::path::{Path, PathBuf};

/// Bytes that may be taken, in place of what the machine says.
const OVERRIDE: &str = "SQUALL_MODEL_MEMORY";

/// Bytes of memory that this process can still have by what the machine and its control group tell, page cache that would give way
/// included; none where nothing tells. `SQUALL_MODEL_MEMORY` overrides both.
pub fn available_memory() -> Option<u64> {
    if let Some(bytes) = std::env::var(OVERRIDE).ok().and_then(|v| v.trim().parse().ok()) {
        return Some(bytes);
    }
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text));
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok();
    let group = groups.and_then(|text| of_group(Path::new("/sys/fs/cgroup"), &text));
    machine.into_iter().chain(group).min()
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least that a control group of the process, or one around it, has left (version 2 of control groups).
fn of_group(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut folder: PathBuf = root.join(path);
    let mut least = None;
    while folder.starts_with(root) {
        least = left(&folder).into_iter().chain(least).min();
        if !folder.pop() {
            break;
        }
    }
    least
}

/// What a control group has left; none where it has no limit.
fn left(folder: &Path) -> Option<u64> {
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max")?;
    // Its page cache gives way.
    let cache = std::fs::read_to_string(folder.join("memory.stat")).ok().map_or(0, |text| {
        let one = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        one("active_file ").unwrap_or(0) + one("inactive_file ").unwrap_or(0)
    });
    Some(limit.saturating_sub(number("memory.current")?.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_in_kilobytes() {
        assert_eq!(of_machine("MemTotal:  9 kB\nMemFree: 1 kB\nMemAvailable:    40 kB\n"), Some(40 * 1024));
        assert_eq!(of_machine("MemTotal:  9 kB\n"), None);
    }

    #[test]
    fn the_tightest_group_counts_and_cache_gives_way() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |folder: &Path, name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write(&inner, "memory.max", "max\n");
        write(&inner, "memory.current", "5\n");
        assert_eq!(of_group(root.path(), "0::/a/b\n"), None);
        let outer = root.path().join("a");
        write(&outer, "memory.max", "1000\n");
        write(&outer, "memory.current", "600\n");
        write(&outer, "memory.stat", "anon 100\ninactive_file 300\nactive_file 200\n");
        assert_eq!(of_group(root.path(), "12:cpu:/x\n0::/a/b\n"), Some(900));
        write(&inner, "memory.max", "100\n");
        assert_eq!(of_group(root.path(), "0::/a/b\n"), Some(95));
        assert_eq!(of_group(root.path(), "3:memory:/a\n"), None);
    }
}
