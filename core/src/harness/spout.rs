//! A spout under test.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::Streams;
use crate::{Context, Metrics, Next, Result, Slice, Spout, SpoutOutput, SpoutSink, StreamId, Value, ValueRef};

/// A row that a spout emitted.
///
/// ```
/// let row = squall_core::harness::Sent { stream: "default".into(), task: None, id: Some(1), values: vec![] };
/// assert_eq!(row.id, Some(1));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The stream's name.
    pub stream: String,
    /// The task it was emitted to, on a direct stream.
    pub task: Option<u32>,
    /// The id, if it is tracked.
    pub id: Option<u64>,
    /// Its values in the order of the stream's fields.
    pub values: Vec<Value>,
}

/// A spout under test; made by [`Harness::spout`](super::Harness::spout) and its siblings.
///
/// ```
/// use squall_core::harness::Harness;
/// use squall_core::{FieldType, Next, Result, Schema, Spout, SpoutOutput};
/// struct Once(bool);
/// impl Spout for Once {
///     fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
///         if !std::mem::replace(&mut self.0, true) { out.emit_with_id(("hello",), 1)?; }
///         Ok(Next::End)
///     }
///     fn fail(&mut self, _: u64) { self.0 = false }
/// }
/// let output = Schema::new([("text", FieldType::Str)]);
/// let mut spout = Harness::default().output(output).spout(Once(false)).unwrap();
/// assert_eq!(spout.run().unwrap(), Next::End);
/// spout.fail(1);
/// spout.run().unwrap();
/// assert_eq!(spout.rows("default"), [["hello".into()], ["hello".into()]]);
/// ```
pub struct SpoutHarness {
    spout: Box<dyn Spout>,
    ctx: Context,
    sink: Recorder,
    bell: Arc<Bell>,
}

impl SpoutHarness {
    pub(super) fn open(mut spout: Box<dyn Spout>, ctx: Context, bell: Arc<Bell>) -> Result<Self> {
        spout.open(&ctx)?;
        let sink =
            Recorder { streams: Streams::new(&ctx.outputs), sent: vec![], pending: BTreeMap::new(), per_turn: 64, left: 64 };
        Ok(SpoutHarness { spout, ctx, sink, bell })
    }

    /// How many tuples are welcome in one call of `next_tuple`; 64 unless told.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { spout.room(1) }
    /// ```
    pub fn room(&mut self, tuples: usize) {
        self.sink.per_turn = tuples;
    }

    /// Asks the spout once.
    ///
    /// # Errors
    /// What `next_tuple` returns.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { let _ = spout.next().unwrap(); }
    /// ```
    #[expect(clippy::should_implement_trait, reason = "it is what the spout's own method is called")]
    pub fn next(&mut self) -> Result<Next> {
        self.sink.left = self.sink.per_turn;
        self.spout.next_tuple(&mut SpoutOutput::new(&mut self.sink))
    }

    /// Asks the spout until it has no more at once, at most 100,000 times.
    ///
    /// # Errors
    /// What `next_tuple` returns first.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { assert_eq!(spout.run().unwrap(), squall_core::Next::End) }
    /// ```
    pub fn run(&mut self) -> Result<Next> {
        for _ in 0..100_000 {
            match self.next()? {
                Next::More => {}
                next => return Ok(next),
            }
        }
        Ok(Next::More)
    }

    /// Whether the spout woke its task, within this time, since this was asked last.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) -> bool { spout.woken(std::time::Duration::from_secs(5)) }
    /// ```
    pub fn woken(&self, within: Duration) -> bool {
        let rung = self.bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.heard.wait_timeout_while(rung, within, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }

    /// All rows emitted so far.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) -> usize { spout.sent().len() }
    /// ```
    pub fn sent(&self) -> &[Sent] {
        &self.sink.sent
    }

    /// The rows emitted since they were taken last.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { assert!(spout.take().is_empty()) }
    /// ```
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sink.sent)
    }

    /// The values of the rows emitted on a stream.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) -> bool { spout.rows("default").is_empty() }
    /// ```
    pub fn rows(&self, stream: &str) -> Vec<Vec<Value>> {
        self.sink.sent.iter().filter(|s| s.stream == stream).map(|s| s.values.clone()).collect()
    }

    /// The ids that are neither acked nor failed.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) { assert!(spout.pending().is_empty()) }
    /// ```
    pub fn pending(&self) -> Vec<u64> {
        self.sink.pending.keys().copied().collect()
    }

    /// Acks what was emitted with this id.
    ///
    /// # Panics
    /// Nothing is pending under this id.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { spout.ack(1) }
    /// ```
    pub fn ack(&mut self, id: u64) {
        self.sink.settle(id);
        self.spout.ack(id);
    }

    /// Fails what was emitted with this id.
    ///
    /// # Panics
    /// Nothing is pending under this id.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { spout.fail(1) }
    /// ```
    pub fn fail(&mut self, id: u64) {
        self.sink.settle(id);
        self.spout.fail(id);
    }

    /// Acks all that is pending.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { spout.ack_all() }
    /// ```
    pub fn ack_all(&mut self) {
        self.pending().into_iter().for_each(|id| self.ack(id));
    }

    /// The spout itself, for what the harness has no name for: `position`, `seek`, `activate`, `close`.
    ///
    /// ```
    /// fn f(spout: &mut squall_core::harness::SpoutHarness) { spout.spout().close().unwrap() }
    /// ```
    pub fn spout(&mut self) -> &mut dyn Spout {
        &mut *self.spout
    }

    /// The spout's own numbers.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) -> u64 { spout.metrics().counter("lines").get() }
    /// ```
    pub fn metrics(&self) -> &Metrics {
        &self.ctx.metrics
    }

    /// What the spout was told about its surroundings: its output streams among other things.
    ///
    /// ```
    /// fn f(spout: &squall_core::harness::SpoutHarness) -> String { spout.context().outputs[0].fields.to_string() }
    /// ```
    pub fn context(&self) -> &Context {
        &self.ctx
    }
}

/// What the spout's waker rings.
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn new(ctx: &mut Context) -> Arc<Self> {
        let bell = Arc::new(Bell { rung: Mutex::new(false), heard: Condvar::new() });
        ctx.waker = Waker::from(bell.clone());
        bell
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_all();
    }
}

/// The harness's end of a [`SpoutOutput`].
struct Recorder {
    streams: Streams,
    sent: Vec<Sent>,
    /// How many tuples are under way for each id.
    pending: BTreeMap<u64, u32>,
    per_turn: usize,
    left: usize,
}

impl Recorder {
    fn settle(&mut self, id: u64) {
        assert!(self.pending.remove(&id).is_some(), "nothing is pending under the id {id}");
    }
}

impl SpoutSink for Recorder {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.streams.find(name)
    }

    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: Option<u64>,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        let (stream, values) = self.streams.take(stream, task, row)?;
        if let Some(id) = id {
            *self.pending.entry(id).or_default() += 1;
        }
        targets.into_iter().for_each(|targets| targets.push(task.unwrap_or(1)));
        self.left = self.left.saturating_sub(1);
        self.sent.push(Sent { stream, task, id, values });
        Ok(())
    }

    fn emit_rows(&mut self, rows: Slice<'_>, ids: Option<&[u64]>) -> Result<()> {
        self.streams.fit(&rows)?;
        rows.check_ids(ids)?;
        rows.each(|at, row| self.emit(StreamId::DEFAULT, None, ids.map(|ids| ids[at]), row, None))
    }

    fn room(&self) -> usize {
        self.left
    }
}
