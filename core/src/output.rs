//! What a bolt emits into, and how its input is settled.

use crate::lineage::{Edge, Edges};
use crate::{Batch, Error, Result, Row, Slice, Tuple, ValueRef};

/// A stream of the component, by its position among the declared ones; found once by
/// [`Context::stream`](crate::Context::stream), it spares the look-up at every emit.
///
/// ```
/// assert_eq!(squall_core::StreamId::DEFAULT, squall_core::StreamId(0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The first declared stream.
    ///
    /// ```
    /// let _ = squall_core::StreamId::DEFAULT;
    /// ```
    pub const DEFAULT: StreamId = StreamId(0);
}

/// What the engine (or a test harness) puts behind an [`Output`]. Bolt authors do not implement it.
///
/// ```
/// fn takes_any_engine(_: &mut dyn squall_core::Sink) {}
/// ```
pub trait Sink {
    /// The position of a stream by its name.
    ///
    /// ```
    /// fn f(sink: &dyn squall_core::Sink) -> bool { sink.stream("late").is_some() }
    /// ```
    fn stream(&self, name: &str) -> Option<StreamId>;

    /// Routes one row. `task` is given on direct streams; `anchors` are the edges the row descends from, each root once or
    /// more; the tasks it goes to are appended to `targets`.
    ///
    /// # Errors
    /// The row does not fit the stream, the stream is direct and no task is named, or the reverse.
    ///
    /// ```
    /// use squall_core::{Sink, StreamId};
    /// fn f(sink: &mut dyn Sink) { let _ = sink.emit(StreamId::DEFAULT, None, &[], &[1i64.into()], None); }
    /// ```
    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        anchors: &[Edge],
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()>;

    /// Routes one row of the default stream. What nearly every emit is: apart, so that it passes next to nothing.
    ///
    /// # Errors
    /// As [`Sink::emit`].
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink) { let _ = sink.emit_row(&[], &[1i64.into()]); }
    /// ```
    fn emit_row(&mut self, anchors: &[Edge], row: &[ValueRef<'_>]) -> Result<()> {
        self.emit(StreamId::DEFAULT, None, anchors, row, None)
    }

    /// Routes rows of the default stream, each anchored to the tuple in its place among those of the batch from `first` on.
    ///
    /// # Errors
    /// As [`Sink::emit`], and if there are fewer tuples than rows. Then no row was emitted.
    ///
    /// ```
    /// use squall_core::{Batch, Sink, Slice};
    /// fn f(sink: &mut dyn Sink, batch: &Batch, rows: Slice<'_>) { let _ = sink.emit_rows(batch, 0, rows); }
    /// ```
    fn emit_rows(&mut self, batch: &Batch, first: usize, rows: Slice<'_>) -> Result<()>;

    /// A tuple with these edges is done.
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink) { sink.ack(&[]); }
    /// ```
    fn ack(&mut self, edges: &[Edge]);

    /// All tuples of a batch are done.
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink, batch: &squall_core::Batch) { sink.ack_batch(batch); }
    /// ```
    fn ack_batch(&mut self, batch: &Batch) {
        (0..batch.len()).for_each(|row| self.ack(&batch.lineage().row(row)));
    }

    /// A tuple with these edges cannot be done; its trees fail.
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink) { sink.fail(&[], &"bad row".into()); }
    /// ```
    fn fail(&mut self, edges: &[Edge], error: &Error);

    /// A tuple with these edges cannot be done because another one of its batch broke the bolt; its trees fail, and it is to blame for
    /// nothing.
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink) { sink.fail_beside(&[], &"another row panicked".into()); }
    /// ```
    fn fail_beside(&mut self, edges: &[Edge], error: &Error) {
        self.fail(edges, error);
    }

    /// The trees of these edges start their message time-out anew.
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::Sink) { sink.extend(&[]); }
    /// ```
    fn extend(&mut self, edges: &[Edge]);
}

/// An input tuple that a bolt keeps beyond `execute`: it is neither acked nor failed until the bolt says so.
/// Forgotten, its trees fail at the message time-out.
///
/// ```
/// use squall_core::{Output, Tuple, Held, Result};
/// struct Pairs(Option<Held>);
/// impl Pairs {
///     fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
///         let held = out.hold(tuple);
///         match self.0.take() {
///             None => self.0 = Some(held),
///             Some(first) => {
///                 out.to("default").anchored(&[&first, &held]).row(("pair",))?;
///                 out.ack(first);
///                 out.ack(held);
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a tuple that is held and forgotten fails at the message time-out"]
pub struct Held {
    edges: Vec<Edge>,
}

/// Where a bolt emits, and settles its input.
///
/// A tuple for which `execute` returns `Ok` is acked, one for which it returns `Err` is failed; what is emitted meanwhile
/// is anchored to it.
///
/// ```
/// use squall_core::{Output, Result, Tuple};
/// fn execute(tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
///     for word in tuple.str("line")?.split_whitespace() {
///         out.emit((word,))?;
///     }
///     Ok(())
/// }
/// ```
pub struct Output<'a> {
    sink: &'a mut dyn Sink,
    anchors: Vec<Edge>,
    /// Rows of the batch in hand below this one are settled.
    next: usize,
    /// Rows at or above `next` that are settled or held.
    apart: Vec<usize>,
    current: Option<usize>,
}

impl<'a> Output<'a> {
    /// An output over a sink; for engines and harnesses.
    ///
    /// ```
    /// use squall_core::{Output, Sink};
    /// fn f(sink: &mut dyn Sink) { let _ = Output::new(sink); }
    /// ```
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Output { sink, anchors: Vec::new(), next: 0, apart: Vec::new(), current: None }
    }

    /// Emits on the default stream, anchored to the tuple in hand.
    ///
    /// # Errors
    /// The row does not fit the stream's schema.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.emit(("word", 1i64)) }
    /// ```
    #[inline]
    pub fn emit(&mut self, row: impl Row) -> Result<()> {
        let Output { sink, anchors, .. } = self;
        row.with(|row| sink.emit_row(anchors, row))
    }

    /// Emits on a named stream, anchored to the tuple in hand.
    ///
    /// # Errors
    /// No such stream, or the row does not fit it.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.emit_to("late", ("word",)) }
    /// ```
    pub fn emit_to(&mut self, stream: &str, row: impl Row) -> Result<()> {
        self.to(stream).row(row)
    }

    /// Emits on the default stream, anchored to the given tuple of the batch in hand; for `execute_batch`.
    ///
    /// # Errors
    /// The row does not fit the stream's schema.
    ///
    /// ```
    /// use squall_core::{Output, Result, Tuple};
    /// fn f(tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> { out.emit_for(tuple, (1i64,)) }
    /// ```
    #[inline]
    pub fn emit_for(&mut self, tuple: &Tuple<'_>, row: impl Row) -> Result<()> {
        let sink = &mut self.sink;
        row.with(|row| sink.emit_row(&tuple.edges(), row))
    }

    /// Emits rows on the default stream, each anchored to the tuple in its place among those of the batch in hand from `first` on; for
    /// `execute_batch` of bolts that emit a row for each tuple. Faster than one by one: whole columns are copied.
    ///
    /// # Errors
    /// The rows are not of the stream's schema, one is too large, or there are fewer tuples. Then none was emitted.
    ///
    /// ```
    /// use squall_core::{Batch, Output, Result};
    /// fn pass_on(batch: &Batch, out: &mut Output<'_>) -> Result<()> { out.emit_rows_for(batch, 0, batch.columns().all()) }
    /// ```
    pub fn emit_rows_for(&mut self, batch: &Batch, first: usize, rows: Slice<'_>) -> Result<()> {
        self.sink.emit_rows(batch, first, rows)
    }

    /// An emit with more to say: a stream, a task, other anchors, or which tasks it went to.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> {
    ///     out.to("default").unanchored().row(("heartbeat",))
    /// }
    /// ```
    pub fn to<'o>(&'o mut self, stream: &'o str) -> Emit<'o> {
        let Output { sink, anchors, .. } = self;
        Emit { sink: &mut **sink, stream: Target::Named(stream), task: None, anchors: Anchors::Here(anchors), targets: None }
    }

    /// The same for a stream looked up before.
    ///
    /// ```
    /// use squall_core::{Output, StreamId};
    /// fn f(out: &mut Output<'_>) -> squall_core::Result<()> { out.on(StreamId::DEFAULT).task(4).row(("for task 4",)) }
    /// ```
    pub fn on(&mut self, stream: StreamId) -> Emit<'_> {
        let Output { sink, anchors, .. } = self;
        Emit { sink: &mut **sink, stream: Target::Id(stream), task: None, anchors: Anchors::Here(anchors), targets: None }
    }

    /// Keeps a tuple of the batch in hand: it is not settled when `execute` returns.
    ///
    /// ```
    /// use squall_core::{Held, Output, Tuple};
    /// fn f(tuple: &Tuple<'_>, out: &mut Output<'_>) -> Held { out.hold(tuple) }
    /// ```
    pub fn hold(&mut self, tuple: &Tuple<'_>) -> Held {
        self.set_apart(tuple.row());
        Held { edges: tuple.edges().to_vec() }
    }

    /// A held tuple is done.
    ///
    /// ```
    /// fn f(held: squall_core::Held, out: &mut squall_core::Output<'_>) { out.ack(held); }
    /// ```
    pub fn ack(&mut self, held: Held) {
        self.sink.ack(&held.edges);
    }

    /// A held tuple cannot be done; its trees fail.
    ///
    /// ```
    /// fn f(held: squall_core::Held, out: &mut squall_core::Output<'_>) { out.fail(held, &"no answer".into()); }
    /// ```
    pub fn fail(&mut self, held: Held, error: &Error) {
        self.sink.fail(&held.edges, error);
    }

    /// A held tuple needs more time: its trees start their time-out anew.
    ///
    /// ```
    /// fn f(held: &squall_core::Held, out: &mut squall_core::Output<'_>) { out.extend(held); }
    /// ```
    pub fn extend(&mut self, held: &Held) {
        self.sink.extend(&held.edges);
    }

    /// Fails one tuple of the batch in hand, whatever `execute_batch` returns for the others.
    ///
    /// ```
    /// use squall_core::{Output, Tuple};
    /// fn f(tuple: &Tuple<'_>, out: &mut Output<'_>) { out.fail_tuple(tuple, &"NaN in `pixels`".into()); }
    /// ```
    pub fn fail_tuple(&mut self, tuple: &Tuple<'_>, error: &Error) {
        self.set_apart(tuple.row());
        self.sink.fail(&tuple.edges(), error);
    }

    fn set_apart(&mut self, row: usize) {
        if row >= self.next && !self.apart.contains(&row) {
            self.apart.push(row);
        }
    }

    /// A batch is about to be executed; for engines.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) { out.start(); }
    /// ```
    pub fn start(&mut self) {
        self.next = 0;
        self.apart.clear();
        self.current = None;
        self.anchors.clear();
    }

    /// `execute` is about to be called for this tuple; for `execute_batch` as it is by default.
    ///
    /// ```
    /// use squall_core::{Output, Tuple};
    /// fn f(tuple: &Tuple<'_>, out: &mut Output<'_>) { out.begin(tuple); out.finish(tuple, Ok(())); }
    /// ```
    #[inline]
    pub fn begin(&mut self, tuple: &Tuple<'_>) {
        self.anchors.clear();
        self.anchors.extend_from_slice(&tuple.edges());
        self.current = Some(tuple.row());
    }

    /// `execute` returned this for the tuple: it is acked or failed unless it was held or failed meanwhile.
    ///
    /// ```
    /// use squall_core::{Output, Tuple};
    /// fn f(tuple: &Tuple<'_>, out: &mut Output<'_>) { out.begin(tuple); out.finish(tuple, Err("bad".into())); }
    /// ```
    #[inline]
    pub fn finish(&mut self, tuple: &Tuple<'_>, result: Result<()>) {
        let row = tuple.row();
        self.anchors.clear();
        self.current = None;
        if result.is_ok() && row == self.next && self.apart.is_empty() {
            self.next += 1;
            return self.sink.ack(&tuple.edges());
        }
        self.finish_with_care(tuple, result);
    }

    /// The same where something is out of the ordinary; apart, so that the usual stays short.
    #[cold]
    fn finish_with_care(&mut self, tuple: &Tuple<'_>, result: Result<()>) {
        let row = tuple.row();
        if !self.apart.contains(&row) {
            match result {
                Ok(()) => self.sink.ack(&tuple.edges()),
                Err(error) => self.sink.fail(&tuple.edges(), &error),
            }
        }
        if row == self.next {
            self.next += 1;
            self.apart.retain(|r| *r != row);
        } else {
            self.set_apart(row);
        }
    }

    /// `execute_batch` returned this: all tuples not yet settled are acked or failed; for engines.
    ///
    /// ```
    /// use squall_core::{Batch, Output};
    /// fn f(batch: &Batch, out: &mut Output<'_>) { out.settle(batch, Ok(())); }
    /// ```
    pub fn settle(&mut self, batch: &Batch, result: Result<()>) {
        if self.next == 0 && self.apart.is_empty() && result.is_ok() {
            return self.sink.ack_batch(batch);
        }
        for row in self.next..batch.len() {
            if self.apart.contains(&row) {
                continue;
            }
            match &result {
                Ok(()) => self.sink.ack(&batch.lineage().row(row)),
                Err(error) if self.current.is_some_and(|at| at != row) => {
                    self.sink.fail_beside(&batch.lineage().row(row), error);
                }
                Err(error) => self.sink.fail(&batch.lineage().row(row), error),
            }
        }
        self.start();
    }
}

enum Target<'o> {
    Named(&'o str),
    Id(StreamId),
}

enum Anchors<'o> {
    Here(&'o [Edge]),
    Row(Edges<'o>),
    Given(Vec<Edge>),
}

/// An emit being put together; see [`Output::to`]. Nothing is emitted before [`Emit::row`].
///
/// ```
/// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.to("default").row((1i64,)) }
/// ```
#[must_use = "nothing is emitted before `row` is called"]
pub struct Emit<'o> {
    sink: &'o mut dyn Sink,
    stream: Target<'o>,
    task: Option<u32>,
    anchors: Anchors<'o>,
    targets: Option<&'o mut Vec<u32>>,
}

impl<'o> Emit<'o> {
    /// To this task; for direct streams.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.to("answers").task(7).row((1i64,)) }
    /// ```
    pub fn task(mut self, task: u32) -> Self {
        self.task = Some(task);
        self
    }

    /// Anchored to these tuples and to no other.
    ///
    /// ```
    /// use squall_core::{Held, Output, Result};
    /// fn f(held: &Held, out: &mut Output<'_>) -> Result<()> { out.to("default").anchored(&[held]).row((1i64,)) }
    /// ```
    pub fn anchored(mut self, held: &[&Held]) -> Self {
        self.anchors = Anchors::Given(held.iter().flat_map(|h| h.edges.iter().copied()).collect());
        self
    }

    /// Anchored to this tuple of the batch in hand and to no other.
    ///
    /// ```
    /// use squall_core::{Output, Result, Tuple};
    /// fn f(t: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> { out.to("default").anchored_to(t).row((1i64,)) }
    /// ```
    pub fn anchored_to(mut self, tuple: &Tuple<'o>) -> Self {
        self.anchors = Anchors::Row(tuple.edges());
        self
    }

    /// Anchored to nothing: if it gets lost, nobody knows.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.to("default").unanchored().row((1i64,)) }
    /// ```
    pub fn unanchored(mut self) -> Self {
        self.anchors = Anchors::Here(&[]);
        self
    }

    /// Appends the tasks that the row goes to.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<Vec<u32>> {
    ///     let mut tasks = Vec::new();
    ///     out.to("default").targets(&mut tasks).row((1i64,))?;
    ///     Ok(tasks)
    /// }
    /// ```
    pub fn targets(mut self, targets: &'o mut Vec<u32>) -> Self {
        self.targets = Some(targets);
        self
    }

    /// Emits.
    ///
    /// # Errors
    /// No such stream, a row that does not fit it, or a task given where none is wanted, or the reverse.
    ///
    /// ```
    /// fn f(out: &mut squall_core::Output<'_>) -> squall_core::Result<()> { out.to("default").row(("word",)) }
    /// ```
    pub fn row(self, row: impl Row) -> Result<()> {
        let Emit { sink, stream, task, anchors, targets } = self;
        let stream = match stream {
            Target::Id(id) => id,
            Target::Named(name) => {
                sink.stream(name).ok_or_else(|| Error::user(format!("the component declares no stream `{name}`")))?
            }
        };
        let anchors = match &anchors {
            Anchors::Here(edges) => edges,
            Anchors::Row(edges) => &edges[..],
            Anchors::Given(edges) => &edges[..],
        };
        row.with(|row| sink.emit(stream, task, anchors, row, targets))
    }
}
