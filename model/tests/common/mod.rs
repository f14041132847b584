//! What the kernel counts for a process, in bytes.

/// A key of the maps of the file `path` in a process, summed.
pub(crate) fn mapped(pid: u32, path: &str, key: &str) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut inside = false;
    let mut sum = 0;
    for line in maps.lines() {
        if line.split_whitespace().next().is_some_and(|w| w.contains('-') && !w.ends_with(':')) {
            inside = line.ends_with(path);
        } else if let (true, Some(rest)) = (inside, line.strip_prefix(key).and_then(|r| r.strip_prefix(':'))) {
            sum += bytes(rest);
        }
    }
    sum
}

/// Memory of a process that lies in no file.
pub(crate) fn anonymous(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    bytes(status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap())
}

/// Of `  123 kB`.
fn bytes(size: &str) -> u64 {
    size.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
