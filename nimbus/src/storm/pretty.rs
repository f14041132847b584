//! Numbers and times as Storm writes them.

use std::time::Duration;

use serde_json::{Value, json};
use squall_core::Histogram;

/// `1d 2h 3m 4s`, as Storm's UI has it.
pub(super) fn uptime(ms: u64) -> String {
    let s = ms / 1000;
    let parts = [(s / 86400, "d"), (s / 3600 % 24, "h"), (s / 60 % 60, "m"), (s % 60, "s")];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    parts[first..].iter().map(|(n, unit)| format!("{n}{unit}")).collect::<Vec<_>>().join(" ")
}

/// The windows that Storm keeps: seconds, as asked for, as shown.
pub(super) const WINDOWS: [(Option<u64>, &str, &str); 4] = [
    (Some(600), "600", "10m 0s"),
    (Some(10800), "10800", "3h 0m 0s"),
    (Some(86400), "86400", "1d 0h 0m 0s"),
    (None, ":all-time", "All time"),
];

/// The window that was asked for; all time for anything else.
pub(super) fn window(asked: Option<&str>) -> (Option<u64>, &'static str, &'static str) {
    WINDOWS.into_iter().find(|(_, name, _)| asked == Some(name)).unwrap_or(WINDOWS[3])
}

/// Mean milliseconds with three digits behind the point, as a text.
pub(super) fn mean(h: &Histogram) -> String {
    millis(h.mean().unwrap_or(0.0) / 1e6)
}

/// So many nanoseconds over so many tuples, as [`mean`].
pub(super) fn each(ns: u64, tuples: u64) -> String {
    millis(ns as f64 / 1e6 / tuples.max(1) as f64)
}

/// Milliseconds with three digits behind the point, as a text.
pub(super) fn millis(ms: f64) -> String {
    format!("{ms:.3}")
}

/// Bytes as megabytes, which is how Storm counts memory.
pub(super) fn mb(bytes: u64) -> f64 {
    tenths(bytes as f64 / (1 << 20) as f64)
}

/// Cores as Storm counts them: one is 100.
pub(super) fn percent(cores: f64) -> f64 {
    tenths(cores * 100.0)
}

/// One digit behind the point, and no -0, which is the sum of nothing.
pub(super) fn tenths(n: f64) -> f64 {
    (n * 10.0).round() / 10.0 + 0.0
}

/// Seconds, whole ones as Storm has them.
pub(super) fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { json!(time.as_secs()) } else { json!(time.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_less_than_nothing() {
        assert!(percent([].iter().sum()).is_sign_positive() && tenths(-0.0).is_sign_positive());
        assert_eq!([percent(0.0791), mb(3 << 19)], [7.9, 1.5]);
    }

    #[test]
    fn times_are_written_as_storm_does() {
        assert_eq!(uptime(0), "0s");
        assert_eq!(uptime(3_600_000), "1h 0m 0s");
        assert_eq!(uptime(90_061_000), "1d 1h 1m 1s");
        assert_eq!(window(Some("600")).0, Some(600));
        assert_eq!(window(Some("7")).1, ":all-time");
        assert_eq!([seconds(Duration::from_secs(30)), seconds(Duration::from_millis(1500))], [json!(30), json!(1.5)]);
    }
}
