//! Watched streams: now and then a tuple is copied, or written to the log, on its way into the first bolt that takes the stream, or,
//! where none does, when it is emitted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use squall_core::control::{Instructions, Sample, Tap, cut};
use squall_core::{Batch, Columns, Grouping, Lineage, Plan, Schema, Source, ValueRef};

use crate::logging::EVENTS;
use crate::sync::lock;

/// Samples that wait to be reported; the newest are dropped.
const MOST: usize = 1000;
/// Their size together, about.
const MOST_BYTES: usize = 1 << 20;
/// Elements of a list and bytes of a text that are shown.
const LONGEST: usize = 256;
/// Tuples of a stream that are written to the log a second at most, whatever the share.
const LOGGED_PER_SECOND: u32 = 100;

/// All taps of the worker. Without any, a batch costs one look at `on`.
#[derive(Default)]
pub(crate) struct Taps {
    on: AtomicBool,
    taps: RwLock<Vec<Watched>>,
    caught: Mutex<(Vec<Sample>, usize)>,
}

struct Watched {
    component: String,
    stream: String,
    to: To,
    at: Place,
    allowance: Mutex<Allowance>,
}

/// What becomes of a tuple.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Tap { id: u64, per_second: u32 },
    Log { percent: u8 },
}

struct Allowance {
    /// What may still be caught: a bucket that holds what a second allows.
    left: f64,
    since: Instant,
    /// The part of a tuple that is due by the share, in percent.
    due: u64,
}

/// Where every tuple of a stream passes once.
#[derive(Clone, Copy)]
enum Place {
    /// Into the component that takes the stream, and of its tasks this one if all get every tuple.
    Into(usize, Option<u32>),
    /// Out of the component that emits: nobody takes it.
    OutOf,
}

impl Taps {
    /// Watches these streams and no other, and writes these shares of what components emit to the log. One that is watched already
    /// goes on with its allowance.
    pub(crate) fn set(&self, taps: &[Tap], debug: &BTreeMap<String, u8>, plan: &Plan) {
        let tapped = taps.iter().map(|t| (&t.component, &t.stream, To::Tap { id: t.id, per_second: t.per_second }));
        let logged = plan.components.iter().filter_map(|c| Some((c, Instructions::share(debug, &c.id)?)));
        let logged = logged.flat_map(|(c, percent)| c.outputs.iter().map(move |o| (&c.id, &o.name, To::Log { percent })));
        let wanted: Vec<_> = tapped.chain(logged).collect();
        let mut taps = self.taps.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        taps.retain(|w| wanted.contains(&(&w.component, &w.stream, w.to)));
        for (component, stream, to) in wanted {
            if taps.iter().any(|w| (&w.component, &w.stream, w.to) == (component, stream, to)) {
                continue;
            }
            let allowance = Allowance { left: 1.0, since: Instant::now(), due: 0 };
            taps.push(Watched {
                component: component.clone(),
                stream: stream.clone(),
                to,
                at: place(plan, component, stream),
                allowance: Mutex::new(allowance),
            });
        }
        self.on.store(!taps.is_empty(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// A batch is about to be taken in by a task.
    #[cold]
    pub(crate) fn see(&self, component: usize, task: u32, batch: &Batch) {
        let taps = self.taps.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let passes = |at: Place| match at {
            Place::Into(c, only) => c == component && only.is_none_or(|only| only == task),
            Place::OutOf => false,
        };
        for watched in taps.iter().filter(|w| passes(w.at) && w.is_of(batch.source())) {
            self.catch(watched, batch);
        }
    }

    /// A row is emitted on a stream that nobody takes.
    #[cold]
    pub(crate) fn see_row(&self, source: &Source, schema: &Arc<Schema>, row: &[ValueRef<'_>]) {
        let taps = self.taps.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for watched in taps.iter().filter(|w| matches!(w.at, Place::OutOf) && w.is_of(source)) {
            let mut columns = Columns::new(schema.clone());
            if columns.push(row).is_ok() {
                self.catch(watched, &Batch::new(source.clone(), columns.into(), Lineage::default()));
            }
        }
    }

    fn catch(&self, watched: &Watched, batch: &Batch) {
        let n = watched.allowed(batch.len());
        // Spread over the batch: its first rows alone may be of one kind.
        for i in 0..n {
            let Some(tuple) = batch.tuple(i * batch.len() / n) else { continue };
            let mut json = tuple.to_json();
            let cut = shorten(&mut json);
            let task = batch.source().task;
            match watched.to {
                To::Tap { id, .. } => self.keep(Sample { tap: id, task, unix_ms: unix_ms(), tuple: json, cut }),
                To::Log { .. } => log::info!(target: EVENTS, "{}/{} task {task}: {json}", watched.component, watched.stream),
            }
        }
    }

    fn keep(&self, sample: Sample) {
        let mut caught = lock(&self.caught);
        let size = rough_size(&sample.tuple);
        if caught.0.len() < MOST && caught.1 + size <= MOST_BYTES {
            caught.0.push(sample);
            caught.1 += size;
        }
    }

    /// What was caught since it was taken last.
    pub(crate) fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *lock(&self.caught)).0
    }
}

impl Watched {
    fn is_of(&self, source: &Source) -> bool {
        *self.component == *source.component && *self.stream == *source.stream
    }

    /// How many of so many tuples are caught now.
    fn allowed(&self, tuples: usize) -> usize {
        let mut allowance = lock(&self.allowance);
        let (rate, share) = match self.to {
            To::Tap { per_second, .. } => (per_second, 100),
            To::Log { percent } => (LOGGED_PER_SECOND, u64::from(percent)),
        };
        let (rate, grown) = (f64::from(rate), allowance.since.elapsed().min(Duration::from_secs(1)));
        allowance.left = (allowance.left + grown.as_secs_f64() * rate).min(rate);
        allowance.since = Instant::now();
        let due = allowance.due + tuples as u64 * share;
        allowance.due = due % 100;
        let n = (allowance.left as usize).min((due / 100) as usize);
        allowance.left -= n as f64;
        n
    }
}

fn place(plan: &Plan, from: &str, stream: &str) -> Place {
    let taken = plan.components.iter().enumerate().find_map(|(c, component)| {
        let input = component.inputs.iter().find(|i| i.from == from && i.stream == stream)?;
        Some(Place::Into(c, (input.grouping == Grouping::All).then(|| plan.tasks(c).start)))
    });
    taken.unwrap_or(Place::OutOf)
}

/// Cuts what is long; whether anything was.
fn shorten(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let was_cut = cut(text, LONGEST);
            if was_cut {
                text.push('…');
            }
            was_cut
        }
        Value::Array(list) => {
            let long = list.len() > LONGEST;
            list.truncate(LONGEST);
            list.iter_mut().fold(long, |cut, v| shorten(v) | cut)
        }
        Value::Object(map) => map.values_mut().fold(false, |cut, v| shorten(v) | cut),
        _ => false,
    }
}

fn rough_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 16,
        Value::Array(list) => 16 + list.iter().map(rough_size).sum::<usize>(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + rough_size(v)).sum(),
        _ => 16,
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use squall_core::Settings;

    #[test]
    fn a_stream_is_caught_once_at_its_rate_and_only_while_it_is_watched() {
        let plan = crate::tests::support::plan(
            Settings::default(),
            &[
                ("numbers", "numbers", 1, json!({"to": 1}), &[]),
                ("all", "sink", 2, json!({}), &[("numbers", Grouping::All)]),
                ("other", "sink", 1, json!({}), &[("numbers", Grouping::Shuffle)]),
            ],
        );
        let schema = squall_core::Schema::new([("n", squall_core::FieldType::Int)]);
        let rows: Vec<(i64,)> = (0..1000).map(|n| (n,)).collect();
        let (columns, lineage) = Batch::of(schema.clone(), rows).unwrap().into_parts();
        let source = squall_core::Source { component: "numbers".into(), stream: "default".into(), task: 1 };
        let batch = Batch::new(source, columns, lineage);
        let (taps, none) = (Taps::default(), BTreeMap::new());
        assert!(!taps.is_on());
        let tap = |id, stream: &str| Tap { id, component: "numbers".into(), stream: stream.into(), per_second: 50 };
        taps.set(&[tap(1, "late"), tap(2, "default")], &none, &plan);
        assert!(taps.is_on());
        // Both tasks of `all` get every batch, and `other` too.
        let begun = Instant::now();
        for _ in 0..200 {
            for (component, task) in [(1, 2), (1, 3), (2, 4)] {
                taps.see(component, task, &batch);
            }
        }
        let caught = taps.take();
        let most = 1.0 + 50.0 * (begun.elapsed().as_secs_f64() + 1.0);
        assert!(!caught.is_empty() && caught.len() as f64 <= most, "{} caught", caught.len());
        assert!(caught.iter().all(|s| s.tap == 2 && s.task == 1 && s.tuple["n"].is_i64()));
        // On a stream that nobody takes, what is emitted.
        taps.set(&[tap(3, "late")], &none, &plan);
        let late = squall_core::Source { component: "numbers".into(), stream: "late".into(), task: 1 };
        taps.see_row(&late, &Arc::new(schema.clone()), &[ValueRef::Int(7)]);
        taps.see_row(batch.source(), &Arc::new(schema.clone()), &[ValueRef::Int(8)]);
        let caught = taps.take();
        assert_eq!(caught.iter().map(|s| (s.tap, s.tuple["n"].as_i64())).collect::<Vec<_>>(), [(3, Some(7))]);
        taps.set(&[], &none, &plan);
        assert!(!taps.is_on() && taps.take().is_empty());
    }

    #[test]
    fn a_share_of_tuples_is_due_for_the_log_up_to_a_rate() {
        let to = To::Log { percent: 30 };
        let allowance = Mutex::new(Allowance { left: 50.0, since: Instant::now(), due: 0 });
        let (component, stream, at) = (String::new(), String::new(), Place::OutOf);
        let watched = Watched { component, stream, to, at, allowance };
        let due: Vec<usize> = (0..10).map(|_| watched.allowed(1)).collect();
        assert_eq!(due.iter().sum::<usize>(), 3, "{due:?}");
        assert!(watched.allowed(1_000_000) <= LOGGED_PER_SECOND as usize);
    }

    #[test]
    fn long_values_are_cut() {
        let mut value = json!({"a": "ü".repeat(300), "b": [vec![1; 3], vec![2; 400]], "c": 1});
        assert!(shorten(&mut value));
        assert_eq!(value["b"][1].as_array().unwrap().len(), LONGEST);
        assert!(value["a"].as_str().unwrap().ends_with('…'));
        assert!(!shorten(&mut json!({"a": 1})));
    }
}
