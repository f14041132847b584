//! What runs in the simulation, and a book outside all workers of what was done: who was told that a tuple is done finds in it that it is.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Waker;

use serde::Deserialize;
use serde_json::json;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Columns, Context, FieldType, Next, Output, Plan, Registry, Result, Schema, Spout,
    SpoutConfig, SpoutOutput, StreamDecl, Tuple,
};

use crate::Dice;

/// Tasks of the spout.
const SPOUTS: u64 = 2;
/// Tasks of the sink that takes everything.
const ALL: usize = 2;
/// A bolt fails once in so many tuples.
const ERRORS: usize = 80;
/// Tuples that may wait for a task.
pub(super) const QUEUE: u64 = 12;

/// What is to be done, and was done so far, by whatever process.
#[derive(Default)]
pub(super) struct Book {
    /// Tuples of each task of the spout, and how many of them there are so far.
    tuples: u64,
    come: u64,
    wakers: Vec<Waker>,
    acked: BTreeSet<u64>,
    kept: BTreeSet<i64>,
    all: [BTreeSet<i64>; ALL],
    pub(super) faults: Vec<String>,
    dice: Option<Dice>,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

/// Opens a new book for the simulation of this thread: of so many tuples of each spout so many are there at once.
pub(super) fn open_book(seed: u64, tuples: u64, come: u64) {
    BOOK.set(Book { tuples, come, dice: Some(Dice::new(!seed)), ..Book::default() });
}

/// Looks into the book.
pub(super) fn book<T>(look: impl FnOnce(&mut Book) -> T) -> T {
    BOOK.with_borrow_mut(look)
}

impl Book {
    pub(super) fn is_full(&self) -> bool {
        self.acked.len() as u64 == SPOUTS * self.tuples
    }

    /// So many more tuples are there for each task of the spout.
    pub(super) fn come(&mut self, more: u64) {
        let before = self.come;
        self.come = self.tuples.min(before.saturating_add(more));
        if self.come > before {
            self.wakers.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// What of the tuple with this id never reached whom.
    fn lacks(&self, id: u64) -> Option<String> {
        copies(id).into_iter().find_map(|n| {
            let who = if !self.kept.contains(&n) {
                "keep"
            } else if self.all.iter().any(|seen| !seen.contains(&n)) {
                "all"
            } else {
                return None;
            };
            Some(format!("tuple {id} was acked, and {n}, which came of it, never was at all of `{who}`"))
        })
    }
}

/// Whether happens what happens once in so many times.
fn one_in(times: usize) -> bool {
    book(|b| b.dice.as_mut().is_some_and(|d| d.below(times) == 0))
}

fn copies(id: u64) -> [i64; 2] {
    [2 * id as i64, 2 * id as i64 + 1]
}

pub(super) fn registry() -> Registry {
    let mut r = Registry::default();
    r.spout::<Numbers>("numbers");
    r.bolt::<Same>("same").bolt::<Twice>("twice").bolt::<Pass>("pass").bolt::<Keep>("keep").bolt::<All>("all");
    r
}

/// Numbers come in blocks or alone, stay as they are, are doubled, pass a keyed bolt, and end in two sinks, one of which has each in all of its tasks.
pub(super) fn plan(workers: u32) -> Plan {
    let n = json!([{"name": "n", "type": "int"}]);
    let input = |from: &str, grouping: serde_json::Value| json!([{"from": from, "stream": "default", "fields": n, "grouping": grouping}]);
    let outputs = json!([{"name": "default", "fields": n}]);
    let shuffle = || json!({"type": "shuffle"});
    let plan = json!({"name": "simulated",
        "settings": {"workers": workers, "message_timeout": "1h", "max_spout_pending": 20, "queue_tuples": QUEUE},
        "components": [
            {"id": "numbers", "kind": "spout", "type": "numbers", "config": {}, "parallelism": SPOUTS, "outputs": outputs},
            {"id": "same", "kind": "bolt", "type": "same", "config": {}, "parallelism": 2, "outputs": outputs,
             "inputs": input("numbers", shuffle())},
            {"id": "twice", "kind": "bolt", "type": "twice", "config": {}, "parallelism": 1, "outputs": outputs,
             "inputs": input("same", shuffle())},
            {"id": "pass", "kind": "bolt", "type": "pass", "config": {}, "parallelism": 3, "outputs": outputs,
             "inputs": input("twice", json!({"type": "fields", "fields": ["n"]}))},
            {"id": "keep", "kind": "bolt", "type": "keep", "config": {}, "parallelism": 2, "inputs": input("pass", shuffle())},
            {"id": "all", "kind": "bolt", "type": "all", "config": {}, "parallelism": ALL, "inputs": input("pass", json!({"type": "all"}))}]});
    serde_json::from_value(plan).expect("a plan")
}

fn number() -> Vec<StreamDecl> {
    vec![StreamDecl::default_stream(Schema::new([("n", FieldType::Int)]))]
}

/// Emits its share of the numbers, as far as they are not acked, and again what fails.
#[derive(Deserialize)]
struct Numbers {}

struct Counting {
    left: Vec<u64>,
    open: BTreeSet<u64>,
}

impl SpoutConfig for Numbers {
    const ABOUT: &'static str = "counts";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        let left = book(|b| {
            b.wakers.push(ctx.waker.clone());
            let mine = (0..b.tuples).map(|n| u64::from(ctx.index) * b.tuples + n);
            mine.filter(|n| !b.acked.contains(n)).collect()
        });
        Ok(Box::new(Counting { left, open: BTreeSet::new() }))
    }
}

impl Counting {
    fn close(&mut self, id: u64, how: &str) {
        if !self.open.remove(&id) {
            book(|b| b.faults.push(format!("tuple {id} {how} though it was not under way")));
        }
    }
}

impl Spout for Counting {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        if self.left.is_empty() {
            return Ok(Next::End);
        }
        let (come, of) = book(|b| (b.come, b.tuples));
        let (ready, later): (Vec<u64>, Vec<u64>) = self.left.drain(..).partition(|id| id % of < come);
        let ready_ones = ready.len();
        self.left = [later, ready].concat();
        if ready_ones == 0 {
            return Ok(Next::Wait);
        }
        let most = if one_in(2) { out.room() } else { 1 };
        let ids = self.left.split_off(self.left.len() - most.min(ready_ones));
        self.open.extend(&ids);
        let mut rows = Columns::new(Arc::new(number()[0].fields.clone()));
        ids.iter().for_each(|n| rows.push(&[(*n as i64).into()]).expect("a number"));
        out.emit_rows_with_ids(rows.all(), &ids)?;
        Ok(Next::More)
    }
    fn ack(&mut self, id: u64) {
        self.close(id, "was acked");
        book(|b| {
            b.faults.extend(b.lacks(id));
            b.acked.insert(id);
        });
    }
    fn fail(&mut self, id: u64) {
        self.close(id, "failed");
        self.left.push(id);
    }
}

/// Passes on what it gets, as a block or one by one.
#[derive(Deserialize)]
struct Same {}

impl BoltConfig for Same {
    const ABOUT: &'static str = "passes on";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(self))
    }
}

impl Bolt for Same {
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        out.emit((t.int("n")?,))
    }
    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        if one_in(2) {
            return out.emit_rows_for(batch, 0, batch.columns().all());
        }
        batch.tuples().try_for_each(|t| out.emit_for(&t, (t.int("n")?,)))
    }
}

/// Emits two numbers for each, or fails.
#[derive(Deserialize)]
struct Twice {}

impl BoltConfig for Twice {
    const ABOUT: &'static str = "doubles";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(|t: &Tuple<'_>, out: &mut Output<'_>| {
            let [one, other] = copies(t.int("n")? as u64);
            out.emit((one,))?;
            if one_in(ERRORS) {
                return Err("not now".into());
            }
            out.emit((other,))
        }))
    }
}

/// Passes on what it gets.
#[derive(Deserialize)]
struct Pass {}

impl BoltConfig for Pass {
    const ABOUT: &'static str = "passes on";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(number())
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(|t: &Tuple<'_>, out: &mut Output<'_>| out.emit((t.int("n")?,))))
    }
}

/// Writes down what any of its tasks got.
#[derive(Deserialize)]
struct Keep {}

impl BoltConfig for Keep {
    const ABOUT: &'static str = "writes down what it gets";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(|t: &Tuple<'_>, _: &mut Output<'_>| {
            let n = t.int("n")?;
            book(|b| b.kept.insert(n));
            Ok(())
        }))
    }
}

/// Writes down what each of its tasks got.
#[derive(Deserialize)]
struct All {}

impl BoltConfig for All {
    const ABOUT: &'static str = "writes down what each task gets";
    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![])
    }
    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let index = ctx.index as usize;
        Ok(Box::new(move |t: &Tuple<'_>, _: &mut Output<'_>| {
            let n = t.int("n")?;
            book(|b| b.all[index].insert(n));
            Ok(())
        }))
    }
}
