//! Spouts: where tuples come from.

use std::time::Duration;

use crate::{Context, Error, Result, Row, Slice, StreamId, ValueRef};

/// What a spout has to say after [`Spout::next_tuple`].
///
/// ```
/// assert_ne!(squall_core::Next::More, squall_core::Next::End);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There may be more at once.
    More,
    /// Nothing now; ask again after this time, or when woken.
    After(Duration),
    /// Nothing now; ask again when woken through [`Context::waker`](crate::Context::waker), or after an ack or a fail.
    Wait,
    /// Nothing ever again, except for what fails and is emitted anew.
    End,
}

/// A spout: one instance per task, never called by two threads at once.
///
/// A tuple emitted with an id is tracked: once all that descends from it is done, [`ack`](Spout::ack) is called with the
/// id, otherwise [`fail`](Spout::fail), and a spout that can replays it.
///
/// ```
/// use squall_core::{Next, Result, Spout, SpoutOutput};
/// struct Numbers(i64);
/// impl Spout for Numbers {
///     fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
///         self.0 += 1;
///         out.emit_with_id((self.0,), self.0 as u64)?;
///         Ok(Next::More)
///     }
///     fn fail(&mut self, id: u64) { eprintln!("{id} failed") }
/// }
/// ```
pub trait Spout: Send {
    /// Emits zero or more tuples. Emit few (one, or up to [`SpoutOutput::room`]) and return: it is called again at once.
    ///
    /// # Errors
    /// An error is counted and shown; the spout is asked again after a pause.
    ///
    /// ```
    /// use squall_core::{Next, Result, Spout, SpoutOutput};
    /// fn run(spout: &mut dyn Spout, out: &mut SpoutOutput<'_>) -> Result<Next> { spout.next_tuple(out) }
    /// ```
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next>;

    /// Called once, before all else.
    ///
    /// # Errors
    /// An error stops the worker's start and is shown with the component's name.
    ///
    /// ```
    /// use squall_core::{Context, Result, Spout};
    /// fn run(spout: &mut dyn Spout, ctx: &Context) -> Result<()> { spout.open(ctx) }
    /// ```
    fn open(&mut self, ctx: &Context) -> Result<()> {
        let _ = ctx;
        Ok(())
    }

    /// The tuple emitted with this id, and all that descends from it, is done.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.ack(1) }
    /// ```
    fn ack(&mut self, id: u64) {
        let _ = id;
    }

    /// The tuple emitted with this id failed, timed out, or was lost with a worker.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.fail(1) }
    /// ```
    fn fail(&mut self, id: u64) {
        let _ = id;
    }

    /// The tuples emitted with these ids are done. What the engine calls: once for many, which are then told one after the other
    /// without its help. Each id is taken out before it is told, so that after a panic the rest can be.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.ack_all(&mut [1, 2].iter()) }
    /// ```
    fn ack_all(&mut self, ids: &mut std::slice::Iter<'_, u64>) {
        ids.for_each(|id| self.ack(*id));
    }

    /// The topology goes on after it was deactivated.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.activate() }
    /// ```
    fn activate(&mut self) {}

    /// The topology pauses: `next_tuple` is not called until [`activate`](Spout::activate).
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.deactivate() }
    /// ```
    fn deactivate(&mut self) {}

    /// Called when the task stops in good order. After a crash nobody calls it.
    ///
    /// # Errors
    /// An error is counted and shown.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.close().unwrap() }
    /// ```
    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    /// How far the spout has come: all up to here was emitted and acked. `None` for a spout that cannot go back.
    ///
    /// # Errors
    /// An error aborts the checkpoint.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { assert!(spout.position().unwrap().is_none()) }
    /// ```
    fn position(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Goes (back) to a place that [`position`](Spout::position) gave, after `open`.
    ///
    /// # Errors
    /// A place that cannot be found again stops the task.
    ///
    /// ```
    /// fn run(spout: &mut dyn squall_core::Spout) { spout.seek(&[]).unwrap() }
    /// ```
    fn seek(&mut self, position: &[u8]) -> Result<()> {
        let _ = position;
        Ok(())
    }
}

/// What the engine puts behind a [`SpoutOutput`]. Spout authors do not implement it.
///
/// ```
/// fn takes_any_engine(_: &mut dyn squall_core::SpoutSink) {}
/// ```
pub trait SpoutSink {
    /// The position of a stream by its name.
    ///
    /// ```
    /// fn f(sink: &dyn squall_core::SpoutSink) -> bool { sink.stream("late").is_some() }
    /// ```
    fn stream(&self, name: &str) -> Option<StreamId>;

    /// Routes one row and, with an id, begins a tree.
    ///
    /// # Errors
    /// As [`Sink::emit`](crate::Sink::emit).
    ///
    /// ```
    /// use squall_core::{SpoutSink, StreamId};
    /// fn f(sink: &mut dyn SpoutSink) { let _ = sink.emit(StreamId::DEFAULT, None, Some(1), &[1i64.into()], None); }
    /// ```
    fn emit(
        &mut self,
        stream: StreamId,
        task: Option<u32>,
        id: Option<u64>,
        row: &[ValueRef<'_>],
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()>;

    /// Routes one row of the default stream that begins no tree. What nearly every emit is: apart, so that it passes next to
    /// nothing.
    ///
    /// # Errors
    /// As [`Sink::emit`](crate::Sink::emit).
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::SpoutSink) { let _ = sink.emit_untracked(&[1i64.into()]); }
    /// ```
    fn emit_untracked(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.emit(StreamId::DEFAULT, None, None, row, None)
    }

    /// The same for a row with an id, which begins a tree.
    ///
    /// # Errors
    /// As [`Sink::emit`](crate::Sink::emit).
    ///
    /// ```
    /// fn f(sink: &mut dyn squall_core::SpoutSink) { let _ = sink.emit_tracked(&[1i64.into()], 7); }
    /// ```
    fn emit_tracked(&mut self, row: &[ValueRef<'_>], id: u64) -> Result<()> {
        self.emit(StreamId::DEFAULT, None, Some(id), row, None)
    }

    /// Routes rows of the default stream, each with the id of its place, if ids are given, which begins a tree.
    ///
    /// # Errors
    /// As [`Sink::emit`](crate::Sink::emit), and if there are more or fewer ids than rows. Then no row was emitted.
    ///
    /// ```
    /// use squall_core::{Slice, SpoutSink};
    /// fn f(sink: &mut dyn SpoutSink, rows: Slice<'_>) { let _ = sink.emit_rows(rows, None); }
    /// ```
    fn emit_rows(&mut self, rows: Slice<'_>, ids: Option<&[u64]>) -> Result<()>;

    /// How many more tuples are welcome in this turn.
    ///
    /// ```
    /// fn f(sink: &dyn squall_core::SpoutSink) -> usize { sink.room() }
    /// ```
    fn room(&self) -> usize;
}

/// Where a spout emits.
///
/// ```
/// use squall_core::{Result, SpoutOutput};
/// fn f(out: &mut SpoutOutput<'_>) -> Result<()> { out.emit(("untracked",)) }
/// ```
pub struct SpoutOutput<'a> {
    sink: &'a mut dyn SpoutSink,
}

impl<'a> SpoutOutput<'a> {
    /// An output over a sink; for engines and harnesses.
    ///
    /// ```
    /// use squall_core::{SpoutOutput, SpoutSink};
    /// fn f(sink: &mut dyn SpoutSink) { let _ = SpoutOutput::new(sink); }
    /// ```
    pub fn new(sink: &'a mut dyn SpoutSink) -> Self {
        SpoutOutput { sink }
    }

    /// Emits an untracked tuple on the default stream.
    ///
    /// # Errors
    /// The row does not fit the stream's schema.
    ///
    /// ```
    /// fn f(out: &mut squall_core::SpoutOutput<'_>) -> squall_core::Result<()> { out.emit((1i64,)) }
    /// ```
    #[inline]
    pub fn emit(&mut self, row: impl Row) -> Result<()> {
        row.with(|row| self.sink.emit_untracked(row))
    }

    /// Emits a tracked tuple on the default stream.
    ///
    /// # Errors
    /// The row does not fit the stream's schema.
    ///
    /// ```
    /// fn f(out: &mut squall_core::SpoutOutput<'_>) -> squall_core::Result<()> { out.emit_with_id((1i64,), 1) }
    /// ```
    #[inline]
    pub fn emit_with_id(&mut self, row: impl Row, id: u64) -> Result<()> {
        row.with(|row| self.sink.emit_tracked(row, id))
    }

    /// Emits untracked tuples on the default stream. Faster than one by one, for spouts that have many at once: whole columns are
    /// copied. Those of a slice are to be no more than [`SpoutOutput::room`].
    ///
    /// # Errors
    /// The rows are not of the stream's schema, or one is too large. Then none was emitted.
    ///
    /// ```
    /// use squall_core::{Columns, Result, SpoutOutput};
    /// fn f(rows: &Columns, out: &mut SpoutOutput<'_>) -> Result<()> { out.emit_rows(rows.all()) }
    /// ```
    pub fn emit_rows(&mut self, rows: Slice<'_>) -> Result<()> {
        self.sink.emit_rows(rows, None)
    }

    /// Emits tracked tuples on the default stream, each with the id in its place; see [`SpoutOutput::emit_rows`].
    ///
    /// # Errors
    /// As [`SpoutOutput::emit_rows`], and if there are more or fewer ids than rows.
    ///
    /// ```
    /// use squall_core::{Result, Slice, SpoutOutput};
    /// fn f(two: Slice<'_>, out: &mut SpoutOutput<'_>) -> Result<()> { out.emit_rows_with_ids(two, &[7, 8]) }
    /// ```
    pub fn emit_rows_with_ids(&mut self, rows: Slice<'_>, ids: &[u64]) -> Result<()> {
        self.sink.emit_rows(rows, Some(ids))
    }

    /// Emits on a named stream; tracked if an id is given, to a certain task if the stream is direct.
    ///
    /// # Errors
    /// No such stream, a row that does not fit it, or a task given where none is wanted, or the reverse.
    ///
    /// ```
    /// fn f(out: &mut squall_core::SpoutOutput<'_>) -> squall_core::Result<()> {
    ///     out.emit_to("answers", (1i64,), Some(1), Some(7))
    /// }
    /// ```
    pub fn emit_to(&mut self, stream: &str, row: impl Row, id: Option<u64>, task: Option<u32>) -> Result<()> {
        let Some(stream) = self.sink.stream(stream) else {
            return Err(Error::user(format!("the component declares no stream `{stream}`")));
        };
        row.with(|row| self.sink.emit(stream, task, id, row, None))
    }

    /// Emits on a stream looked up before and tells the tasks that the row goes to.
    ///
    /// # Errors
    /// As [`SpoutOutput::emit_to`].
    ///
    /// ```
    /// use squall_core::{Result, SpoutOutput, StreamId};
    /// fn f(out: &mut SpoutOutput<'_>, tasks: &mut Vec<u32>) -> Result<()> {
    ///     out.emit_on(StreamId::DEFAULT, (1i64,), None, None, Some(tasks))
    /// }
    /// ```
    pub fn emit_on(
        &mut self,
        stream: StreamId,
        row: impl Row,
        id: Option<u64>,
        task: Option<u32>,
        targets: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        row.with(|row| self.sink.emit(stream, task, id, row, targets))
    }

    /// How many more tuples are welcome in this turn; at least one when `next_tuple` is called.
    ///
    /// ```
    /// fn f(out: &squall_core::SpoutOutput<'_>) -> usize { out.room() }
    /// ```
    pub fn room(&self) -> usize {
        self.sink.room()
    }
}
