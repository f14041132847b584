//! What there is to know about this machine.

/// The host's name.
pub(crate) fn host() -> String {
    line("/proc/sys/kernel/hostname").unwrap_or_else(|| "localhost".to_owned())
}

/// The machine's id.
pub(crate) fn id() -> String {
    line("/etc/machine-id").unwrap_or_else(host)
}

/// Its memory in bytes.
pub(crate) fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    total.and_then(|t| t.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).map_or(0, |kib| kib.saturating_mul(1024))
}

/// Unix time.
pub(crate) fn unix_time() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}
