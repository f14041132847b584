//! A bolt under test.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Streams;
use crate::lineage::{Edge, Lineage, Root};
use crate::{
    Batch, Bolt, Columns, Context, Error, Metrics, Output, Result, Row, Sink, Slice, Source, StreamId, Value, ValueRef,
};

/// A row that a bolt emitted.
///
/// ```
/// let row = squall_core::harness::Emitted { stream: "default".into(), task: None, values: vec![], anchors: vec![0] };
/// assert_eq!(row.anchors, [0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// The stream's name.
    pub stream: String,
    /// The task it was emitted to, on a direct stream.
    pub task: Option<u32>,
    /// Its values in the order of the stream's fields.
    pub values: Vec<Value>,
    /// The inputs it descends from, by number; empty if it is unanchored.
    pub anchors: Vec<usize>,
}

/// A bolt under test; made by [`Harness::bolt`](super::Harness::bolt) and its siblings.
///
/// Inputs are numbered from 0 in the order they are fed.
///
/// ```
/// use squall_core::harness::Harness;
/// use squall_core::{FieldType, Output, Schema, Tuple};
/// let halve = |t: &Tuple<'_>, out: &mut Output<'_>| match t.int("n")? {
///     n if n % 2 == 0 => out.emit((n / 2,)),
///     n => Err(format!("{n} is odd").into()),
/// };
/// let ints = || Schema::new([("n", FieldType::Int)]);
/// let mut bolt = Harness::default().input(ints()).output(ints()).bolt(halve).unwrap();
/// bolt.feed([(4,), (5,)]).unwrap();
/// assert_eq!(bolt.emitted()[0].anchors, [0]);
/// assert_eq!(bolt.failed(), [(1, "5 is odd".to_string())]);
/// ```
pub struct BoltHarness {
    bolt: Box<dyn Bolt>,
    ctx: Context,
    sink: Recorder,
}

impl BoltHarness {
    pub(super) fn prepare(mut bolt: Box<dyn Bolt>, ctx: Context) -> Result<Self> {
        bolt.prepare(&ctx)?;
        let sink =
            Recorder { streams: Streams::new(&ctx.outputs), emitted: Vec::new(), fates: BTreeMap::new(), extended: vec![] };
        Ok(BoltHarness { bolt, ctx, sink })
    }

    /// Feeds rows from the first input as one batch, each tracked.
    ///
    /// # Errors
    /// A row that does not fit the input's schema. What the bolt makes of the rows is in [`BoltHarness::failed`].
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.feed([("word", 1)]).unwrap() }
    /// ```
    pub fn feed<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<()> {
        self.batch(0, rows, true)
    }

    /// Feeds rows from the input of this component as one batch, each tracked.
    ///
    /// # Errors
    /// As [`BoltHarness::feed`], or there is no such input.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.feed_from("orders", [("word", 1)]).unwrap() }
    /// ```
    pub fn feed_from<R: Row>(&mut self, component: &str, rows: impl IntoIterator<Item = R>) -> Result<()> {
        let input = self.ctx.inputs.iter().position(|i| i.from == component);
        let input = input.ok_or_else(|| Error::user(format!("the harness has no input from `{component}`")))?;
        self.batch(input, rows, true)
    }

    /// Feeds rows from this stream of this component as one batch, each tracked.
    ///
    /// # Errors
    /// As [`BoltHarness::feed`], or there is no such input.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.feed_stream("orders", "late", [("word", 1)]).unwrap() }
    /// ```
    pub fn feed_stream<R: Row>(&mut self, component: &str, stream: &str, rows: impl IntoIterator<Item = R>) -> Result<()> {
        let input = self.ctx.inputs.iter().position(|i| i.from == component && i.stream == stream);
        let input = input.ok_or_else(|| Error::user(format!("the harness has no input from `{stream}` of `{component}`")))?;
        self.batch(input, rows, true)
    }

    /// Feeds rows that nobody tracks; they get no number.
    ///
    /// # Errors
    /// As [`BoltHarness::feed`].
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.feed_untracked([("word", 1)]).unwrap() }
    /// ```
    pub fn feed_untracked<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<()> {
        self.batch(0, rows, false)
    }

    fn batch<R: Row>(&mut self, input: usize, rows: impl IntoIterator<Item = R>, tracked: bool) -> Result<()> {
        let input = self.ctx.inputs.get(input).ok_or_else(|| Error::user("the harness has no input: call `Harness::input`"))?;
        let mut columns = Columns::new(Arc::new(input.fields.clone()));
        let mut lineage = Lineage::default();
        let first = self.sink.fates.len();
        for (i, row) in rows.into_iter().enumerate() {
            row.with(|values| columns.push(values)).map_err(Error::user)?;
            if tracked {
                lineage.push(i, &[edge(first + i)]);
            }
        }
        if tracked {
            self.sink.fates.extend((first..first + columns.len()).map(|n| (n, Fate::Held)));
        }
        let source = Source { component: input.from.as_str().into(), stream: input.stream.as_str().into(), task: 1 };
        let batch = Batch::new(source, Arc::new(columns), lineage);
        let mut out = Output::new(&mut self.sink);
        out.start();
        let result = self.bolt.execute_batch(&batch, &mut out);
        out.settle(&batch, result);
        Ok(())
    }

    /// One tick.
    ///
    /// # Errors
    /// What the bolt's `tick` returns.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.tick().unwrap() }
    /// ```
    pub fn tick(&mut self) -> Result<()> {
        self.bolt.tick(&mut Output::new(&mut self.sink))
    }

    /// All rows emitted so far.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) -> usize { bolt.emitted().len() }
    /// ```
    pub fn emitted(&self) -> &[Emitted] {
        &self.sink.emitted
    }

    /// The rows emitted since they were taken last.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { assert!(bolt.take().is_empty()) }
    /// ```
    pub fn take(&mut self) -> Vec<Emitted> {
        std::mem::take(&mut self.sink.emitted)
    }

    /// The values of the rows emitted on a stream.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) -> bool { bolt.rows("default") == [["word".into(), 1i64.into()]] }
    /// ```
    pub fn rows(&self, stream: &str) -> Vec<Vec<Value>> {
        self.sink.emitted.iter().filter(|e| e.stream == stream).map(|e| e.values.clone()).collect()
    }

    /// The inputs that were acked, by number.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) { assert_eq!(bolt.acked(), [0, 1]) }
    /// ```
    pub fn acked(&self) -> Vec<usize> {
        self.sink.fates.iter().filter(|(_, fate)| **fate == Fate::Acked).map(|(n, _)| *n).collect()
    }

    /// The inputs that failed, by number, each with its error's text.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) { assert_eq!(bolt.failed()[0].0, 2) }
    /// ```
    pub fn failed(&self) -> Vec<(usize, String)> {
        let failed = self.sink.fates.iter().filter_map(|(n, fate)| match fate {
            Fate::Failed(error) => Some((*n, error.clone())),
            _ => None,
        });
        failed.collect()
    }

    /// The inputs that the bolt holds: neither acked nor failed.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) { assert!(bolt.held().is_empty()) }
    /// ```
    pub fn held(&self) -> Vec<usize> {
        self.sink.fates.iter().filter(|(_, fate)| **fate == Fate::Held).map(|(n, _)| *n).collect()
    }

    /// The inputs for which the bolt asked for more time, in the order it did.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) { assert!(bolt.extended().is_empty()) }
    /// ```
    pub fn extended(&self) -> &[usize] {
        &self.sink.extended
    }

    /// The bolt's own numbers.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) -> u64 { bolt.metrics().counter("correct").get() }
    /// ```
    pub fn metrics(&self) -> &Metrics {
        &self.ctx.metrics
    }

    /// What the bolt was told about its surroundings: its output streams among other things.
    ///
    /// ```
    /// fn f(bolt: &squall_core::harness::BoltHarness) -> String { bolt.context().outputs[0].fields.to_string() }
    /// ```
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// The bolt's state.
    ///
    /// # Errors
    /// What the bolt's `snapshot` returns.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { assert!(bolt.snapshot().unwrap().is_none()) }
    /// ```
    pub fn snapshot(&mut self) -> Result<Option<Vec<u8>>> {
        self.bolt.snapshot()
    }

    /// Gives the bolt a state.
    ///
    /// # Errors
    /// What the bolt's `restore` returns.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness, state: &[u8]) { bolt.restore(state).unwrap() }
    /// ```
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.bolt.restore(state)
    }

    /// Stops the bolt in good order.
    ///
    /// # Errors
    /// What the bolt's `cleanup` returns.
    ///
    /// ```
    /// fn f(bolt: &mut squall_core::harness::BoltHarness) { bolt.cleanup().unwrap() }
    /// ```
    pub fn cleanup(&mut self) -> Result<()> {
        self.bolt.cleanup()
    }
}

/// The edge of the input with this number.
fn edge(number: usize) -> Edge {
    Edge { root: Root { task: 1, slot: number as u32, generation: 0 }, id: number as u64 + 1 }
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Held,
    Acked,
    Failed(String),
}

/// The harness's end of an [`Output`].
struct Recorder {
    streams: Streams,
    emitted: Vec<Emitted>,
    /// What became of the tracked inputs.
    fates: BTreeMap<usize, Fate>,
    extended: Vec<usize>,
}

impl Recorder {
    fn number(&self, edge: &Edge) -> usize {
        let number = edge.root.slot as usize;
        assert!(self.fates.contains_key(&number), "an edge that was never fed: {edge:?}");
        number
    }

    fn settle(&mut self, edges: &[Edge], fate: &Fate) {
        for edge in edges {
            let number = self.number(edge);
            let before = self.fates.insert(number, fate.clone());
            assert_eq!(before, Some(Fate::Held), "input {number} is settled twice; now as {fate:?}");
        }
    }
}

impl Sink for Recorder {
    fn stream(&self, name: &str) -> Option<StreamId> {
        self.streams.find(name)
    }

    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        anchors: &[Edge],
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        let mut anchors: Vec<usize> = anchors.iter().map(|e| self.number(e)).collect();
        for number in &anchors {
            let fate = &self.fates[number];
            assert_eq!(fate, &Fate::Held, "a row is anchored to input {number}, which is settled already");
        }
        anchors.sort_unstable();
        anchors.dedup();
        let (stream, values) = self.streams.take(stream, task, row)?;
        // One task is subscribed: number 1, or the one that is named.
        targets.into_iter().for_each(|targets| targets.push(task.unwrap_or(1)));
        self.emitted.push(Emitted { stream, task, values, anchors });
        Ok(())
    }

    fn emit_rows(&mut self, batch: &Batch, first: usize, rows: Slice<'_>) -> Result<()> {
        self.streams.fit(&rows)?;
        rows.check_tuples(batch, first)?;
        rows.each(|at, row| self.emit(StreamId::DEFAULT, None, &batch.lineage().row(first + at), row, None))
    }

    fn ack(&mut self, edges: &[Edge]) {
        self.settle(edges, &Fate::Acked);
    }

    fn fail(&mut self, edges: &[Edge], error: &Error) {
        self.settle(edges, &Fate::Failed(error.to_string()));
    }

    fn extend(&mut self, edges: &[Edge]) {
        let numbers: Vec<usize> = edges.iter().map(|e| self.number(e)).collect();
        self.extended.extend(numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Harness;
    use super::*;
    use crate::{FieldType, Held, Schema, StreamDecl, Tuple};

    fn ints() -> Schema {
        Schema::new([("n", FieldType::Int)])
    }

    /// Emits the sum of each two inputs, anchored to both.
    #[derive(Default)]
    struct Pairs(Vec<(i64, Held)>);

    impl Bolt for Pairs {
        fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
            self.0.push((tuple.int("n")?, out.hold(tuple)));
            if self.0.len() == 2 {
                let (b, second) = self.0.remove(1);
                let (a, first) = self.0.remove(0);
                out.to("default").anchored(&[&first, &second]).row((a + b,))?;
                out.ack(first);
                if b < 0 { out.fail(second, &"negative".into()) } else { out.ack(second) }
            }
            Ok(())
        }

        fn tick(&mut self, out: &mut Output<'_>) -> Result<()> {
            self.0.iter().for_each(|(_, held)| out.extend(held));
            out.emit((-1,))
        }
    }

    #[test]
    fn held_tuples_are_settled_later_and_anchors_name_their_inputs() {
        let mut bolt = Harness::default().input(ints()).output(ints()).bolt(Pairs::default()).unwrap();
        bolt.feed([(1,), (2,), (3,)]).unwrap();
        assert_eq!(
            bolt.take(),
            [Emitted { stream: "default".into(), task: None, values: vec![Value::Int(3)], anchors: vec![0, 1] }]
        );
        assert_eq!((bolt.acked(), bolt.held()), (vec![0, 1], vec![2]));
        bolt.tick().unwrap();
        assert_eq!(bolt.extended(), [2]);
        assert!(bolt.take()[0].anchors.is_empty());
        bolt.feed([(-5,)]).unwrap();
        assert_eq!(bolt.emitted()[0].anchors, [2, 3]);
        assert_eq!((bolt.acked(), bolt.failed()), (vec![0, 1, 2], vec![(3, "negative".to_owned())]));
    }

    #[test]
    fn rows_that_do_not_fit_and_wrong_streams_fail_the_tuple() {
        let direct = StreamDecl { direct: true, ..StreamDecl::named("answers", ints()) };
        let surroundings = Harness::default().input(ints()).output(ints()).stream(direct);
        let bolt = |t: &Tuple<'_>, out: &mut Output<'_>| match t.int("n")? {
            0 => out.emit(("zero",)),
            1 => out.emit_to("late", (1,)),
            2 => out.emit_to("answers", (2,)),
            n => out.to("answers").task(7).row((n,)),
        };
        let mut bolt = surroundings.bolt(bolt).unwrap();
        bolt.feed([(0,), (1,), (2,), (3,)]).unwrap();
        let errors: Vec<String> = bolt.failed().into_iter().map(|(_, e)| e).collect();
        assert_eq!(
            errors,
            [
                "stream `default`: field `n` takes int, not str",
                "the component declares no stream `late`",
                "stream `answers` is direct: name a task"
            ]
        );
        assert_eq!(bolt.acked(), [3]);
        assert_eq!(bolt.emitted()[0].task, Some(7));
    }

    #[test]
    #[should_panic(expected = "input 0 is settled twice")]
    fn settling_twice_is_noticed() {
        let twice = |t: &Tuple<'_>, out: &mut Output<'_>| {
            let held = out.hold(t);
            out.ack(held.clone());
            out.ack(held);
            Ok(())
        };
        let mut bolt = Harness::default().input(ints()).bolt(twice).unwrap();
        bolt.feed([(1,)]).unwrap();
    }

    #[test]
    fn untracked_rows_have_no_fate_and_inputs_are_told_apart() {
        let which = |t: &Tuple<'_>, out: &mut Output<'_>| out.emit((t.source().component.to_string(),));
        let surroundings = Harness::default().input(ints()).input_from("orders", "late", Schema::new([("id", FieldType::Str)]));
        let mut bolt = surroundings.output(Schema::new([("from", FieldType::Str)])).bolt(which).unwrap();
        bolt.feed_untracked([(1,)]).unwrap();
        bolt.feed_from("orders", [("a",)]).unwrap();
        assert_eq!(bolt.rows("default"), [["input".into()], ["orders".into()]]);
        assert_eq!(bolt.acked(), [0]);
        assert!(bolt.feed([("text",)]).unwrap_err().to_string().contains("field `n` takes int, not str"));
    }
}
