//! What running workers do beside their tasks: log levels for a time, and taps.

use std::collections::VecDeque;
use std::time::Duration;

use squall_core::control::{Instructions, LogLevel, OpenTap, Sample, Samples, SetLog, Tap, TapOpened};
use squall_core::suggest::did_you_mean;

use super::record::Record;
use super::{Topology, World, models};
use crate::denied::{Denied, Kind};

/// Taps of a topology, and loggers with a level, at a time.
const MOST: usize = 32;
/// Samples that are kept of a tap until somebody asks.
const MOST_SAMPLES: usize = 1000;
/// A tap that nobody asked for so long is closed.
const LEASE: Duration = Duration::from_secs(30);
pub(crate) const LONGEST_LOG_MS: u64 = 7 * 24 * 3600 * 1000;
const FASTEST: u32 = 1000;

/// A tap that somebody opened; not in the store: who opened it can open it again.
pub(super) struct Opened {
    topology: String,
    tap: Tap,
    asked_at: Duration,
    /// The number of the next sample.
    next: u64,
    samples: VecDeque<Sample>,
}

impl World {
    /// What the workers of a topology are told.
    pub(super) fn instructions(&self, t: &Topology) -> Instructions {
        let taps = self.taps.values().filter(|o| o.topology == t.record.id);
        Instructions {
            log: t.record.log.clone(),
            debug: t.record.debug.clone(),
            taps: taps.map(|o| o.tap.clone()).collect(),
            models: models::orders(&t.record),
        }
    }

    /// Sets loggers' levels for a time, all or none of them; the levels that count now.
    pub(crate) fn set_log(&mut self, id: &str, all: Vec<SetLog>) -> Result<Vec<LogLevel>, Denied> {
        let wrong = |error: String, remedy: &str| Err(Denied::new(Kind::Wrong, error, remedy));
        let now = self.clock.unix_ms();
        let mut record = self.topology(id)?.record.clone();
        record.log.retain(|l| l.until_unix_ms > now);
        for set in all {
            // The name becomes part of a filter.
            let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
            if set.logger.len() > 200 || !set.logger.chars().all(fine) {
                let error = format!("`{}` is no logger", set.logger.escape_debug().take(200).collect::<String>());
                return wrong(error, "the beginning of a module's path, such as squall_worker::link");
            }
            if set.level.is_some() && !(1..=LONGEST_LOG_MS).contains(&set.for_ms) {
                return wrong("`for_ms` must be above 0 and at most 7 days".to_owned(), "a level is set for a time");
            }
            record.log.retain(|l| l.logger != set.logger);
            if let Some(level) = set.level {
                if record.log.len() >= MOST {
                    let error = format!("there are {MOST} loggers with a level already");
                    return wrong(error, "wait until the time of one is over");
                }
                record.log.push(LogLevel { logger: set.logger, level, until_unix_ms: now.saturating_add(set.for_ms) });
            }
        }
        let log = record.log.clone();
        self.save(vec![record])?;
        self.refresh();
        Ok(log)
    }

    /// The levels that count now.
    pub(crate) fn log_levels(&self, id: &str) -> Result<Vec<LogLevel>, Denied> {
        Ok(self.topology(id)?.record.log.clone())
    }

    /// Opens a tap.
    pub(crate) fn open_tap(&mut self, id: &str, open: OpenTap) -> Result<TapOpened, Denied> {
        let t = self.topology(id)?;
        let Some(component) = t.plan.components.iter().find(|c| c.id == open.component) else {
            let hint = did_you_mean(&open.component, t.plan.components.iter().map(|c| c.id.as_str()));
            let shown: String = open.component.escape_debug().take(100).collect();
            return Err(Denied::new(Kind::Unknown, format!("there is no component `{shown}`"), hint.trim_start_matches("; ")));
        };
        let stream = open.stream.escape_debug().take(100).collect::<String>();
        if !component.outputs.iter().any(|o| o.name == open.stream) {
            let names: Vec<&str> = component.outputs.iter().map(|o| o.name.as_str()).collect();
            let error = format!("`{}` emits on no stream `{stream}`", component.id);
            let remedy =
                if names.is_empty() { "it emits nothing".to_owned() } else { format!("it emits on {}", names.join(", ")) };
            return Err(Denied::new(Kind::Unknown, error, remedy));
        }
        if !(1..=FASTEST).contains(&open.per_second) {
            return Err(Denied::new(Kind::Wrong, format!("`per_second` must be 1 to {FASTEST}"), ""));
        }
        if self.taps.values().filter(|o| o.topology == id).count() >= MOST {
            return Err(Denied::new(Kind::NotNow, format!("the topology has {MOST} taps already"), "close one"));
        }
        // From the clock, so that no tap of a nimbus before has the same.
        let number = self.taps.keys().next_back().map_or(0, |last| last + 1).max(self.clock.unix_ms());
        let OpenTap { component, stream, per_second } = open;
        let opened = Opened {
            topology: id.to_owned(),
            tap: Tap { id: number, component, stream, per_second },
            asked_at: self.clock.now(),
            next: 0,
            samples: VecDeque::new(),
        };
        self.taps.insert(number, opened);
        self.refresh();
        Ok(TapOpened { id: number })
    }

    /// Somebody still watches a tap.
    pub(crate) fn renew_tap(&mut self, id: &str, tap: u64) -> Result<(), Denied> {
        let now = self.clock.now();
        let opened = self.taps.get_mut(&tap).filter(|o| o.topology == id).ok_or_else(no_tap)?;
        opened.asked_at = now;
        Ok(())
    }

    /// What a tap caught since, and what to ask with next.
    pub(crate) fn samples(&self, id: &str, tap: u64, after: u64) -> Result<Samples, Denied> {
        let opened = self.taps.get(&tap).filter(|o| o.topology == id).ok_or_else(no_tap)?;
        let new = opened.next.saturating_sub(after).min(opened.samples.len() as u64) as usize;
        let samples = opened.samples.iter().skip(opened.samples.len() - new).cloned().collect();
        Ok(Samples { next: opened.next, samples })
    }

    pub(crate) fn close_tap(&mut self, id: &str, tap: u64) -> Result<(), Denied> {
        self.renew_tap(id, tap)?;
        self.taps.remove(&tap);
        self.refresh();
        Ok(())
    }

    /// A worker's samples have come.
    pub(super) fn caught(&mut self, topology: &str, samples: Vec<Sample>) {
        for sample in samples {
            if let Some(opened) = self.taps.get_mut(&sample.tap).filter(|o| o.topology == topology) {
                opened.next += 1;
                opened.samples.push_back(sample);
                if opened.samples.len() > MOST_SAMPLES {
                    opened.samples.pop_front();
                }
            }
        }
    }

    /// Ends log levels and taps whose time is over.
    pub(super) fn expire_instructions(&mut self) -> squall_core::Result<()> {
        let (now, unix_ms) = (self.clock.now(), self.clock.unix_ms());
        let before = self.taps.len();
        let topologies = &self.topologies;
        self.taps.retain(|_, o| now.saturating_sub(o.asked_at) < LEASE && topologies.contains_key(&o.topology));
        let over = |r: &Record| r.log.iter().any(|l| l.until_unix_ms <= unix_ms);
        let mut changed: Vec<Record> = self.topologies.values().map(|t| &t.record).filter(|r| over(r)).cloned().collect();
        changed.iter_mut().for_each(|r| r.log.retain(|l| l.until_unix_ms > unix_ms));
        let any = self.taps.len() < before || !changed.is_empty();
        self.save(changed)?;
        if any {
            self.refresh();
        }
        Ok(())
    }

    /// When the time of a log level or of a tap is over next: by the wall clock in milliseconds, by the other.
    pub(super) fn instruct_deadlines(&self) -> (Option<u64>, Option<Duration>) {
        let logs = self.topologies.values().flat_map(|t| &t.record.log).map(|l| l.until_unix_ms).min();
        (logs, self.taps.values().map(|o| o.asked_at + LEASE).min())
    }
}

fn no_tap() -> Denied {
    Denied::new(
        Kind::Unknown,
        "there is no such tap; one that nobody asks is closed, and nimbus forgets all when it restarts",
        "open one",
    )
}
