//! Figures for people: as columns on a terminal, and as Markdown for the book.

use crate::machine::Conditions;
use crate::report::{Entry, Latency, Report};
use crate::statistics::Spread;

/// The columns' titles.
pub const COLUMNS: [&str; 13] = [
    "scenario",
    "workers",
    "acked",
    "load",
    "tuples/s",
    "bare/s",
    "ratio [min–max]",
    "p50 / p99 / p99.9",
    "bare p50 / p99 / p99.9",
    "CPU s/M",
    "cores",
    "RSS MB (growth)",
    "steal %",
];

/// A row of text for each figure, under [`COLUMNS`].
pub fn rows(report: &Report) -> Vec<Vec<String>> {
    report.entries.iter().map(row).collect()
}

fn row(e: &Entry) -> Vec<String> {
    let median = |s: &Option<Spread>, show: &dyn Fn(f64) -> String| s.map_or(String::new(), |s| show(s.median));
    // Time is counted in hundredths of a second: of a few tuples it says nothing.
    let busy = e.cores.is_some_and(|c| c.median >= 0.05);
    vec![
        e.scenario.clone(),
        e.workers.to_string(),
        if e.acking { "yes" } else { "no" }.to_owned(),
        e.load.clone(),
        median(&e.per_second, &count),
        median(&e.bare_per_second, &count),
        e.ratio.map_or(String::new(), ratio),
        e.latency.as_ref().map_or(String::new(), latency),
        e.bare_latency.as_ref().map_or(String::new(), latency),
        median(&e.cpu_per_million.filter(|_| busy), &significant),
        median(&e.cores, &|c| format!("{c:.2}")),
        format!("{:.1} ({:+.1})", e.peak_rss as f64 / 1e6, e.rss_growth as f64 / 1e6),
        format!("{:.1}", e.steal),
    ]
}

fn ratio(r: Spread) -> String {
    if r.min == r.max {
        significant(r.median)
    } else {
        format!("{} [{}–{}]", significant(r.median), significant(r.min), significant(r.max))
    }
}

fn latency(l: &Latency) -> String {
    format!("{} / {} / {}", time(l.p50.median), time(l.p99.median), time(l.p999.median))
}

/// `12.3 M`: three digits are more than such figures have.
pub(crate) fn count(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{} G", significant(n / 1e9)),
        n if n >= 1e6 => format!("{} M", significant(n / 1e6)),
        n if n >= 1e4 => format!("{} k", significant(n / 1e3)),
        n => significant(n),
    }
}

/// Nanoseconds in the unit that suits.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 1e9 => format!("{} s", significant(ns / 1e9)),
        ns if ns >= 1e6 => format!("{} ms", significant(ns / 1e6)),
        ns if ns >= 1e3 => format!("{} µs", significant(ns / 1e3)),
        ns => format!("{ns:.0} ns"),
    }
}

fn significant(n: f64) -> String {
    match n.abs() {
        a if a >= 100.0 => format!("{n:.0}"),
        a if a >= 10.0 => format!("{n:.1}"),
        a if a >= 1.0 || a == 0.0 => format!("{n:.2}"),
        _ => format!("{n:.3}"),
    }
}

/// The conditions, a line each.
pub fn conditions(c: &Conditions) -> Vec<String> {
    let mut lines = vec![
        format!("{}, {} cores, {:.1} GB", c.cpu, c.cores, c.memory_bytes as f64 / 1e9),
        format!("Linux {}, load {:.2} at the start", c.kernel, c.load),
        format!("{}, commit {}, {}", c.version, if c.commit.is_empty() { "unknown" } else { &c.commit }, c.date),
        format!("{} rounds of {} s, each after {} s of warming up", c.rounds, c.seconds, c.warm_up),
    ];
    lines.extend(c.notes.iter().cloned());
    lines
}

/// A section of the book: conditions as a list, figures as a table.
pub fn markdown(report: &Report) -> String {
    let mut text: String = conditions(&report.conditions).iter().map(|line| format!("- {line}\n")).collect();
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push('\n');
    text.push_str(&line(&COLUMNS.map(str::to_owned)));
    text.push_str(&format!("|{}\n", "---|".repeat(COLUMNS.len())));
    rows(report).iter().for_each(|row| text.push_str(&line(row)));
    for e in report.entries.iter().filter(|e| e.failed > 0) {
        text.push_str(&format!("\n{}: {} tuples failed.\n", e.title(), e.failed));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(123_456_789.0), "123 M");
        assert_eq!(count(1_234_567.0), "1.23 M");
        assert_eq!(count(12_345.0), "12.3 k");
        assert_eq!(count(999.4), "999");
        assert_eq!(time(0.0), "0 ns");
        assert_eq!(time(41_500.0), "41.5 µs");
        assert_eq!(time(2.5e9), "2.50 s");
        assert_eq!(significant(0.0123), "0.012");
    }

    #[test]
    fn a_report_becomes_a_table_and_a_section() {
        let spread = |m: f64| Spread { median: m, min: m * 0.9, max: m * 1.1 };
        let latency = Latency { p50: spread(1e4), p99: spread(1e5), p999: spread(1e6), max: spread(1e7) };
        let entry = Entry {
            scenario: "latency".into(),
            workers: 2,
            load: "50 %".into(),
            per_second: Some(spread(2e6)),
            ratio: Some(spread(0.5)),
            latency: Some(latency),
            failed: 3,
            ..Entry::default()
        };
        let conditions = Conditions { cpu: "Some CPU".into(), cores: 2, notes: vec!["a note".into()], ..Conditions::default() };
        let report = Report { conditions, entries: vec![entry] };
        let rows = rows(&report);
        assert_eq!(rows[0].len(), COLUMNS.len());
        assert_eq!(rows[0][4..8], ["2.00 M", "", "0.500 [0.450–0.550]", "10.0 µs / 100 µs / 1.00 ms"]);
        let text = markdown(&report);
        assert!(text.starts_with("- Some CPU, 2 cores"), "{text}");
        assert!(text.contains("- a note\n\n| scenario |"), "{text}");
        assert!(text.contains("| latency | 2 | no | 50 % | 2.00 M |"), "{text}");
        assert!(text.ends_with("latency, 2 workers, 50 %: 3 tuples failed.\n"), "{text}");
        let columns = text.lines().filter(|l| l.starts_with('|')).map(|l| l.matches('|').count()).collect::<Vec<_>>();
        assert_eq!(columns, [COLUMNS.len() + 1; 3]);
    }
}
