//! Numbers as OpenMetrics 1.0 text, which Prometheus reads.

use std::fmt::Write;

use crate::Histogram;

/// The content type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper edges of histograms in seconds: few, so that a histogram is few series, and wide enough for anything that is measured.
const EDGES: [f64; 14] = [1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// Metric families, written one after the other.
///
/// ```
/// use squall_core::openmetrics::Exposition;
/// let mut text = Exposition::default();
/// text.counter("squall_tuples", "Tuples.").sample(&[("component", "a\"b")], 3.0);
/// text.gauge("squall_slots", "Slots.").sample(&[], 4.0);
/// assert_eq!(
///     text.end(),
///     "# TYPE squall_tuples counter\n# HELP squall_tuples Tuples.\nsquall_tuples_total{component=\"a\\\"b\"} 3\n\
///      ## TYPE squall_slots gauge\n# HELP squall_slots Slots.\nsquall_slots 4\n# EOF\n"
/// );
/// ```
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// A family, to which samples are added.
///
/// ```
/// use squall_core::{Histogram, openmetrics::Exposition};
/// let (mut text, mut times) = (Exposition::default(), Histogram::default());
/// times.record(2_000_000, 5);
/// text.histogram("squall_latency_seconds", "seconds", "Times.").times(&[("component", "a")], &times);
/// assert!(text.end().contains("squall_latency_seconds_bucket{component=\"a\",le=\"0.005\"} 5\n"));
/// ```
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
    suffix: &'static str,
}

impl Exposition {
    /// What only grows. Its samples are named `…_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", "", help, "_total")
    }

    /// What rises and falls.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", "", help, "")
    }

    /// Facts as labels. Its samples are named `…_info` and are 1.
    pub fn info(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "info", "", help, "_info")
    }

    /// Times in buckets; its name ends with its unit.
    pub fn histogram(&mut self, name: &'static str, unit: &str, help: &str) -> Family<'_> {
        self.family(name, "histogram", unit, help, "")
    }

    fn family(&mut self, name: &'static str, kind: &str, unit: &str, help: &str, suffix: &'static str) -> Family<'_> {
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {}", escaped(help));
        Family { text: &mut self.text, name, suffix }
    }

    /// The whole text.
    pub fn end(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.line(self.suffix, labels, None, value);
        self
    }

    /// Adds a histogram of nanoseconds. The sum is that of the middles of fine buckets, at most 3 % off.
    pub fn times(&mut self, labels: &[(&str, &str)], times: &Histogram) -> &mut Self {
        let (mut seen, mut buckets) = (0u64, times.buckets().peekable());
        for edge in EDGES {
            while let Some((_, n)) = buckets.next_if(|(ns, _)| *ns as f64 / 1e9 <= edge) {
                seen = seen.saturating_add(n);
            }
            self.line("_bucket", labels, Some(edge), seen as f64);
        }
        self.line("_bucket", labels, Some(f64::INFINITY), times.count() as f64);
        self.line("_count", labels, None, times.count() as f64);
        self.line("_sum", labels, None, times.mean().unwrap_or(0.0) / 1e9 * times.count() as f64);
        self
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], edge: Option<f64>, value: f64) {
        let edge = edge.map(|e| if e.is_finite() { e.to_string() } else { "+Inf".to_owned() });
        let all = labels.iter().copied().chain(edge.as_deref().map(|e| ("le", e)));
        let labels: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.name);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}
