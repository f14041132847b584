//! Components for tests. What they saw is in their counters.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Columns, Context, Counter, FieldType, Held, Next, Output, Registry, Result, Schema, Spout,
    SpoutConfig, SpoutOutput, StreamDecl, Tuple,
};

pub(super) fn registry() -> Registry {
    let mut r = Registry::default();
    r.spout::<Numbers>("numbers");
    r.bolt::<Pass>("pass")
        .bolt::<Sink>("sink")
        .bolt::<Moody>("moody")
        .bolt::<Hoard>("hoard")
        .bolt::<Patient>("patient")
        .bolt::<Slow>("slow");
    r.bolt::<Direct>("direct").bolt::<Stuck>("stuck").bolt::<Unstick>("unstick");
    r
}

fn number() -> Vec<StreamDecl> {
    vec![StreamDecl::default_stream(Schema::new([("n", FieldType::Int)]))]
}

/// Emits 1 to `to`, and again what fails.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    to: u64,
    #[serde(default = "yes")]
    tracked: bool,
    /// Panics whenever many are acked, before it has taken any.
    #[serde(default)]
    jumpy: bool,
    /// Emits the multiples of it on a second stream.
    #[serde(default)]
    late: Option<u64>,
}
fn yes() -> bool {
    true
}
struct Counting {
    config: Numbers,
    at: u64,
    again: Vec<u64>,
    replays: Counter,
    /// Ids under way; acked or failed twice is a mistake.
    open: BTreeMap<u64, ()>,
    mistakes: Counter,
}
impl SpoutConfig for Numbers {
    const ABOUT: &'static str = "counts";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let late = number().into_iter().map(|s| StreamDecl { name: "late".into(), ..s });
        Ok(number().into_iter().chain(late.filter(|_| self.late.is_some())).collect())
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        let (replays, mistakes) = (ctx.metrics.counter("replays"), ctx.metrics.counter("mistakes"));
        Ok(Box::new(Counting { config: self, at: 0, again: Vec::new(), replays, open: BTreeMap::new(), mistakes }))
    }
}
impl Counting {
    /// The next number; none at the end.
    fn number(&mut self) -> Option<u64> {
        let n = self.again.pop().or_else(|| {
            let next = self.at + 1;
            (next <= self.config.to).then(|| {
                self.at = next;
                next
            })
        })?;
        if self.config.tracked {
            self.open.insert(n, ());
        }
        Some(n)
    }
    /// Whether it is emitted on the second stream, which then is done.
    fn is_late(&self, n: u64, out: &mut SpoutOutput<'_>) -> Result<bool> {
        let late = self.config.late.is_some_and(|every| n.is_multiple_of(every));
        if late {
            out.emit_to("late", (n,), self.config.tracked.then_some(n), None)?;
        }
        Ok(late)
    }
}
impl Spout for Counting {
    /// Alone, or some at once: one way after the other.
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let Some(n) = self.number() else { return Ok(Next::End) };
        if self.is_late(n, out)? {
            return Ok(Next::More);
        }
        let mut ids = vec![n];
        if n % 4 != 0 {
            match self.config.tracked {
                true => out.emit_with_id((n,), n)?,
                false => out.emit((n,))?,
            }
            return Ok(Next::More);
        }
        while ids.len() < out.room().min(12) {
            let Some(n) = self.number() else { break };
            if !self.is_late(n, out)? {
                ids.push(n);
            }
        }
        let mut rows = Columns::new(Arc::new(number()[0].fields.clone()));
        ids.iter().for_each(|n| rows.push(&[(*n as i64).into()]).unwrap());
        match self.config.tracked {
            true => out.emit_rows_with_ids(rows.all(), &ids)?,
            false => out.emit_rows(rows.all())?,
        }
        Ok(Next::More)
    }
    fn ack_all(&mut self, ids: &mut std::slice::Iter<'_, u64>) {
        assert!(!self.config.jumpy || ids.len() == 0, "too many");
        ids.for_each(|id| self.ack(*id));
    }
    fn ack(&mut self, id: u64) {
        self.mistakes.add(u64::from(self.open.remove(&id).is_none()));
    }
    fn fail(&mut self, id: u64) {
        self.mistakes.add(u64::from(self.open.remove(&id).is_none()));
        self.replays.add(1);
        self.again.push(id);
    }
}

/// Emits what it gets, `times` times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pass {
    #[serde(default = "one")]
    times: u32,
    #[serde(skip)]
    batches: u32,
}
fn one() -> u32 {
    1
}
impl BoltConfig for Pass {
    const ABOUT: &'static str = "passes on";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(self))
    }
}
impl Bolt for Pass {
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        (0..self.times).try_for_each(|_| out.emit((t.int("n")?,)))
    }
    /// Every other batch as a whole, in two parts.
    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        self.batches += 1;
        if self.times == 1 && self.batches.is_multiple_of(2) {
            let (some, others) = batch.columns().all().split_at(batch.len() / 3);
            out.emit_rows_for(batch, 0, some)?;
            return out.emit_rows_for(batch, some.len(), others);
        }
        for tuple in batch.tuples() {
            out.begin(&tuple);
            let result = self.execute(&tuple, out);
            out.finish(&tuple, result);
        }
        Ok(())
    }
}

/// Counts and adds up; `distinct` counts different numbers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sink {}
impl BoltConfig for Sink {
    const ABOUT: &'static str = "counts what it gets";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let (sum, distinct) = (ctx.metrics.counter("sum"), ctx.metrics.counter("distinct"));
        let mut seen = std::collections::HashSet::new();
        Ok(Box::new(move |t: &Tuple<'_>, _: &mut Output<'_>| {
            let n = t.int("n")?;
            sum.add(n as u64);
            distinct.add(u64::from(seen.insert(n)));
            Ok(())
        }))
    }
}

/// Fails each number divisible by `by` the first time, or always, with an error or a panic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moody {
    by: i64,
    panic: bool,
    #[serde(default)]
    always: bool,
}
impl BoltConfig for Moody {
    const ABOUT: &'static str = "fails now and then";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        let mut seen = std::collections::HashSet::new();
        Ok(Box::new(move |t: &Tuple<'_>, out: &mut Output<'_>| {
            let n = t.int("n")?;
            if n % self.by == 0 && (seen.insert(n) || self.always) {
                assert!(!self.panic, "{n} is divisible by {}", self.by);
                return Err("not now".into());
            }
            out.emit((n,))
        }))
    }
}

/// Holds its first tuple for ever, and joins each two that follow into one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hoard {}
#[derive(Default)]
struct Hoarding {
    first: Option<Held>,
    pair: Option<(Held, i64)>,
}
impl BoltConfig for Hoard {
    const ABOUT: &'static str = "holds tuples";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Hoarding::default()))
    }
}
impl Bolt for Hoarding {
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        let (held, n) = (out.hold(t), t.int("n")?);
        if self.first.is_none() {
            self.first = Some(held);
        } else if let Some((other, m)) = self.pair.take() {
            out.to("default").anchored(&[&held, &other]).row((n + m,))?;
            out.ack(held);
            out.ack(other);
        } else {
            self.pair = Some((held, n));
        }
        Ok(())
    }
}

/// Holds 1 and has its time-out begin anew until 2, which it forgets, has come three times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patient {}
struct Waiting {
    one: Option<Held>,
    twos: u32,
    /// How often 1 came though it was held.
    again: Counter,
}
impl BoltConfig for Patient {
    const ABOUT: &'static str = "takes long";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Waiting { one: None, twos: 0, again: ctx.metrics.counter("again") }))
    }
}
impl Bolt for Waiting {
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        if t.int("n")? == 1 {
            self.again.add(u64::from(self.one.is_some()));
            self.one = Some(out.hold(t));
            return Ok(());
        }
        self.twos += 1;
        if self.twos < 3 {
            drop(out.hold(t));
        } else if let Some(one) = self.one.take() {
            out.ack(one);
        }
        Ok(())
    }
    fn tick(&mut self, out: &mut Output<'_>) -> Result<()> {
        self.one.iter().for_each(|one| out.extend(one));
        Ok(())
    }
}

/// Takes its time, on a thread of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    micros: u64,
}
impl BoltConfig for Slow {
    const ABOUT: &'static str = "sleeps";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(move |t: &Tuple<'_>, out: &mut Output<'_>| {
            std::thread::sleep(Duration::from_micros(self.micros));
            out.emit((t.int("n")?,))
        }))
    }
    fn blocking(&self) -> bool {
        true
    }
}

/// Sends each number to the sink's task that it names: 1 is the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Direct {
    to: String,
}
impl BoltConfig for Direct {
    const ABOUT: &'static str = "names its receivers";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number().into_iter().map(|s| StreamDecl { direct: true, ..s }).collect())
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let tasks = ctx.tasks[&self.to].clone();
        Ok(Box::new(move |t: &Tuple<'_>, out: &mut Output<'_>| {
            let n = t.int("n")?;
            let mut reached = Vec::new();
            let task = tasks[n as usize % tasks.len()];
            out.to("default").task(task).targets(&mut reached).row((n,))?;
            assert_eq!(reached, [task]);
            Ok(())
        }))
    }
}

/// How many are stuck, and whether they may go.
static STUCK: (Mutex<(u32, bool)>, Condvar) = (Mutex::new((0, false)), Condvar::new());

/// Blocks until an [`Unstick`] lets it go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stuck {}
impl BoltConfig for Stuck {
    const ABOUT: &'static str = "blocks";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(|_: &Tuple<'_>, _: &mut Output<'_>| {
            let mut state = STUCK.0.lock().unwrap();
            state.0 += 1;
            while !state.1 {
                state = STUCK.1.wait(state).unwrap();
            }
            Ok(())
        }))
    }
}

/// Fails its tuples until two are stuck, then lets them go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unstick {}
impl BoltConfig for Unstick {
    const ABOUT: &'static str = "unblocks";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(|_: &Tuple<'_>, _: &mut Output<'_>| {
            let mut state = STUCK.0.lock().unwrap();
            if state.0 < 2 {
                return Err("not stuck yet".into());
            }
            state.1 = true;
            STUCK.1.notify_all();
            Ok(())
        }))
    }
}
