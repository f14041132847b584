//! `sequence`: the numbers 1, 2, 3, … at a given rate.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use squall_core::control::position_file;
use squall_core::{Check, Context, Error, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl};

use crate::support::{files, pending::Pending, together::Together, yes};

/// How often the position is written at most.
const CHECKPOINT: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    keys: Option<u64>,
    #[serde(default)]
    checkpoint: bool,
    #[serde(default = "yes")]
    tracked: bool,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "the numbers 1, 2, 3, …, shared among its tasks, each with a key if keys are wanted";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("limit", "the last number; endless unless given"),
        ("rate", "numbers per second of all tasks together, kept whatever becomes of them; as fast as they go unless given"),
        ("keys", "how many keys: a field `key`, number n having key n modulo keys; no such field unless given"),
        ("checkpoint", "write down how far all is acked, and go on from there after a restart; false unless given"),
        ("tracked", "replay numbers that fail; true unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            check.fault("rate", "`rate` must be a number above 0; leave it out for as fast as they go");
        }
        if self.keys == Some(0) {
            check.fault("keys", "`keys` must be at least 1; leave it out for numbers without keys");
        }
        if self.checkpoint && !self.tracked {
            check.fault("checkpoint", "numbers that are not tracked cannot be checkpointed");
        }
        let key = self.keys.map(|_| ("key", FieldType::Int));
        Ok(vec![StreamDecl::default_stream(Schema::new(key.into_iter().chain([("n", FieldType::Int)])))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        let tasks = u64::from(ctx.parallelism.max(1));
        let checkpoint = self.checkpoint.then(|| Checkpoint::new(ctx));
        let mut next = u64::from(ctx.index) + 1;
        if let Some(kept) = checkpoint.as_ref().map(Checkpoint::read).transpose()?.flatten() {
            log::info!(target: "squall::sequence", "going on at {kept}");
            next = kept;
        }
        Ok(Box::new(Sequence {
            next,
            step: tasks,
            checkpoint,
            paused: false,
            last: self.limit.unwrap_or(i64::MAX as u64),
            keys: self.keys,
            pace: self.rate.map(|rate| Pace { per_second: rate / tasks as f64, start: None, sent: 0 }),
            pending: self.tracked.then(Pending::default),
            together: Together::new(ctx, self.tracked),
        }))
    }

    fn blocking(&self) -> bool {
        self.checkpoint
    }
}

/// Task i of p has the numbers i+1, i+1+p, …; ids are the numbers.
struct Sequence {
    next: u64,
    step: u64,
    last: u64,
    keys: Option<u64>,
    pace: Option<Pace>,
    pending: Option<Pending<()>>,
    checkpoint: Option<Checkpoint>,
    paused: bool,
    together: Together,
}

impl Sequence {
    /// All numbers of this task below this one are acked.
    fn lowest(&self) -> u64 {
        self.pending.as_ref().and_then(Pending::lowest).map_or(self.next, |(id, ())| id)
    }

    /// While it pauses nobody asks for more, and it may be moved as soon as nothing is under way: then it goes on from here.
    fn write_if_at_rest(&mut self) {
        if self.paused && self.pending.as_ref().is_some_and(|p| p.lowest().is_none()) {
            let next = self.next;
            let written = self.checkpoint.as_mut().map_or(Ok(()), |checkpoint| checkpoint.write(next));
            if let Err(error) = written {
                log::warn!(target: "squall::sequence", "{error}");
            }
        }
    }

    #[inline]
    fn push(&mut self, n: u64) -> Result<()> {
        match self.keys {
            Some(keys) => self.together.push((n % keys, n), n),
            None => self.together.push((n,), n),
        }
    }

    /// Takes up to so many numbers together.
    fn collect(&mut self, most: usize) -> Result<Next> {
        while self.together.len() < most {
            if let Some((n, ())) = self.pending.as_mut().and_then(Pending::next_again) {
                self.push(n)?;
                continue;
            }
            if self.next > self.last {
                return Ok(Next::End);
            }
            if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.wait(Instant::now())) {
                return Ok(Next::After(wait));
            }
            self.push(self.next)?;
            self.pending.iter_mut().for_each(|p| p.sent(self.next, ()));
            self.next += self.step;
        }
        Ok(Next::More)
    }
}

impl Spout for Sequence {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let lowest = self.lowest();
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.write_sometimes(lowest, Instant::now())?;
        }
        let said = self.collect(out.room())?;
        self.together.emit(out)?;
        Ok(said)
    }

    fn ack(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.ack(id));
        self.write_if_at_rest();
    }

    fn activate(&mut self) {
        self.paused = false;
    }

    fn deactivate(&mut self) {
        self.paused = true;
        self.write_if_at_rest();
    }

    fn fail(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.fail(id));
    }

    fn close(&mut self) -> Result<()> {
        let lowest = self.lowest();
        self.checkpoint.as_mut().map_or(Ok(()), |checkpoint| checkpoint.write(lowest))
    }

    fn position(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.pending.as_ref().map(|_| self.lowest().to_le_bytes().to_vec()))
    }

    fn seek(&mut self, position: &[u8]) -> Result<()> {
        let position = position.try_into().map_err(|_| Error::internal("a sequence position is 8 bytes"))?;
        self.next = u64::from_le_bytes(position);
        self.pending.iter_mut().for_each(Pending::clear);
        Ok(())
    }
}

/// `COMPONENT.INDEX-of-TASKS.position` in the topology's state directory. With another number of tasks each has other
/// numbers: then all begin again, for numbers that come twice are no loss.
struct Checkpoint {
    file: PathBuf,
    written: Option<(u64, Instant)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    next: u64,
}

impl Checkpoint {
    fn new(ctx: &Context) -> Self {
        let name = position_file(&ctx.component, ctx.index, ctx.parallelism.max(1));
        Checkpoint { file: ctx.state_dir.join(name), written: None }
    }

    fn read(&self) -> Result<Option<u64>> {
        let file = self.file.display();
        let text = match std::fs::read(&self.file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::external(format!("cannot read {file}")).because(e)),
        };
        let kept: Kept = serde_json::from_slice(&text)
            .map_err(|e| Error::user(format!("{file} is damaged; remove it to begin with the first number")).because(e))?;
        Ok(Some(kept.next))
    }

    fn write_sometimes(&mut self, next: u64, now: Instant) -> Result<()> {
        match self.written {
            Some((_, at)) if now - at < CHECKPOINT => Ok(()),
            written => {
                // What could not be written is tried again later; the numbers do not wait for it.
                self.written = Some((written.map_or(0, |(before, _)| before), now));
                self.write(next)
            }
        }
    }

    /// Writes the position down, if it is a new one.
    fn write(&mut self, next: u64) -> Result<()> {
        if self.written.is_none_or(|(before, _)| before != next) {
            let text = serde_json::to_vec(&Kept { next })?;
            files::replace(&self.file, |w| w.write_all(&text))?;
        }
        self.written = Some((next, Instant::now()));
        Ok(())
    }
}

/// An open loop: how many are due depends on the time alone, so that a slow receiver shows as latency, not as fewer tuples.
struct Pace {
    per_second: f64,
    start: Option<Instant>,
    sent: u64,
}

impl Pace {
    /// How long to wait; `None` when a number is due, which counts as emitted.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let elapsed = now - *self.start.get_or_insert(now);
        let due = Duration::from_secs_f64(self.sent as f64 / self.per_second);
        if elapsed < due {
            return Some(due - elapsed);
        }
        self.sent += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Value;
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn tasks_share_the_numbers_and_failed_ones_come_again() {
        let config = serde_json::json!({"limit": 7, "keys": 3});
        let mut spout = Harness::default().task(1, 2).spout_config::<Config>(config).unwrap();
        assert_eq!(spout.run().unwrap(), Next::End);
        let row = |key: i64, n: i64| vec![Value::Int(key), Value::Int(n)];
        assert_eq!(spout.rows("default"), [row(2, 2), row(1, 4), row(0, 6)]);
        spout.ack(2);
        assert_eq!(spout.spout().position().unwrap(), Some(4u64.to_le_bytes().to_vec()));
        spout.take();
        spout.fail(4);
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(spout.rows("default"), [row(1, 4)]);
        spout.spout().seek(&6u64.to_le_bytes()).unwrap();
        spout.take();
        spout.run().unwrap();
        assert_eq!(spout.rows("default"), [row(0, 6)]);
    }

    #[test]
    fn a_restarted_task_goes_on_at_the_lowest_number_that_is_not_acked() {
        let dir = tempfile::tempdir().unwrap();
        let open = |tasks| {
            let config = serde_json::json!({"limit": 12, "checkpoint": true});
            let mut spout = Harness::default().state_dir(dir.path()).task(1, tasks).spout_config::<Config>(config).unwrap();
            assert_eq!(spout.run().unwrap(), Next::End);
            spout
        };
        let mut first = open(2);
        [2, 4, 8].into_iter().for_each(|n| first.ack(n));
        first.spout().close().unwrap();
        assert_eq!(open(2).rows("default"), [[Value::Int(6)], [Value::Int(8)], [Value::Int(10)], [Value::Int(12)]]);
        assert_eq!(open(3).rows("default")[0], [Value::Int(2)], "numbers are dealt out anew");
        std::fs::write(dir.path().join("damaged"), b"{").unwrap();
        let damaged = Checkpoint { file: dir.path().join("damaged"), written: None };
        assert!(damaged.read().unwrap_err().to_string().contains("remove it"));
    }

    #[test]
    fn the_rate_does_not_depend_on_when_it_is_asked() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace { per_second: 100.0, start: None, sent: 0 };
        assert_eq!(pace.wait(at(0)), None);
        assert_eq!(pace.wait(at(4)), Some(Duration::from_millis(6)));
        let late = (0..100).take_while(|_| pace.wait(at(100)).is_none()).count();
        assert_eq!(late, 10, "after 100 ms the numbers of 10 to 100 ms are due");
    }

    #[test]
    fn wrong_rates_and_keys_are_refused() {
        for (config, place) in [
            (serde_json::json!({"rate": 0}), "config.rate"),
            (serde_json::json!({"keys": 0}), "config.keys"),
            (serde_json::json!({"tracked": false, "checkpoint": true}), "config.checkpoint"),
        ] {
            let error = Harness::default().spout_config::<Config>(config).err().unwrap().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
