//! Spouts written with `async`: a source is awaited for one row after the other.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Poll, Waker};

use crate::{Context, Error, Next, Result, Spout, SpoutOutput, Value};

/// Something that rows can be awaited from: a socket, a queue, a timer. [`AsyncSpout`] makes a spout of it.
///
/// The worker polls it inside a tokio runtime's context, so tokio's sockets and timers work in it. Whatever it awaits, it
/// holds up no other task.
///
/// ```
/// use squall_core::{AsyncSource, AsyncSpout, Result, Spout, Value};
/// struct Countdown(i64);
/// impl AsyncSource for Countdown {
///     async fn next(&mut self) -> Result<Option<Vec<Value>>> {
///         self.0 -= 1;
///         Ok((self.0 >= 0).then(|| vec![self.0.into()]))
///     }
/// }
/// let _: Box<dyn Spout> = Box::new(AsyncSpout::new(Countdown(3)));
/// ```
pub trait AsyncSource: Send + 'static {
    /// The next row, or `None` when there is nothing ever again.
    ///
    /// # Errors
    /// An error is counted and shown; the source is asked again after a pause.
    ///
    /// ```
    /// use squall_core::{AsyncSource, Result, Value};
    /// async fn f(source: &mut impl AsyncSource) -> Result<Option<Vec<Value>>> { source.next().await }
    /// ```
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<Value>>>> + Send;

    /// Called once, before all else, as [`Spout::open`].
    ///
    /// # Errors
    /// An error stops the worker's start and is shown with the component's name.
    ///
    /// ```
    /// use squall_core::{AsyncSource, Context};
    /// fn f(source: &mut impl AsyncSource) { source.open(&Context::default()).unwrap() }
    /// ```
    fn open(&mut self, ctx: &Context) -> Result<()> {
        let _ = ctx;
        Ok(())
    }

    /// The row of this number, and all that descends from it, is done. Rows are numbered from 0 in the order that `next`
    /// gave them. Called between two calls of `next`, so only when a row has come in the meantime; only for
    /// [`AsyncSpout::tracked`].
    ///
    /// ```
    /// fn f(source: &mut impl squall_core::AsyncSource) { source.acked(0) }
    /// ```
    fn acked(&mut self, number: u64) {
        let _ = number;
    }
}

/// The future of one `next`, which carries the source and gives it back.
type Turn<S> = Pin<Box<dyn Future<Output = (S, Result<Option<Vec<Value>>>)> + Send>>;

enum State<S> {
    Idle(S),
    Waiting(Turn<S>),
    Ended,
    /// `next` panicked and took the source with it.
    Lost,
}

/// An [`AsyncSource`] as a spout.
///
/// ```
/// use squall_core::{AsyncSource, AsyncSpout, Spout};
/// fn f(source: impl AsyncSource) -> Box<dyn Spout> { Box::new(AsyncSpout::tracked(source)) }
/// ```
pub struct AsyncSpout<S> {
    state: State<S>,
    waker: Waker,
    tracking: Option<Tracking>,
}

/// The rows that are under way, kept so that they can be emitted anew.
#[derive(Default)]
struct Tracking {
    next: u64,
    pending: BTreeMap<u64, Vec<Value>>,
    again: VecDeque<u64>,
    acked: Vec<u64>,
}

impl<S: AsyncSource> AsyncSpout<S> {
    /// A spout that emits the rows without ids: what gets lost is lost.
    ///
    /// ```
    /// use squall_core::{AsyncSource, AsyncSpout};
    /// fn f<S: AsyncSource>(source: S) -> AsyncSpout<S> { AsyncSpout::new(source) }
    /// ```
    pub fn new(source: S) -> Self {
        AsyncSpout { state: State::Idle(source), waker: Waker::noop().clone(), tracking: None }
    }

    /// A spout that emits the rows with their numbers as ids, keeps each in memory until it is acked, and emits it anew when
    /// it fails. A row is lost only with the worker that runs the spout.
    ///
    /// ```
    /// use squall_core::{AsyncSource, AsyncSpout};
    /// fn f<S: AsyncSource>(source: S) -> AsyncSpout<S> { AsyncSpout::tracked(source) }
    /// ```
    pub fn tracked(source: S) -> Self {
        AsyncSpout { tracking: Some(Tracking::default()), ..AsyncSpout::new(source) }
    }

    /// A row, `None` at the end, or `Pending` with the waker registered.
    fn poll(&mut self) -> Poll<Result<Option<Vec<Value>>>> {
        // Taken out: a panic in `next` leaves `Lost` behind, not a future that must not be polled again.
        let mut turn = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(mut source) => {
                self.tracking.iter_mut().for_each(|t| t.acked.drain(..).for_each(|n| source.acked(n)));
                Box::pin(async move {
                    let row = source.next().await;
                    (source, row)
                })
            }
            State::Waiting(turn) => turn,
            State::Ended => {
                self.state = State::Ended;
                return Poll::Ready(Ok(None));
            }
            State::Lost => return Poll::Ready(Err(Error::user("the source panicked; nothing more can come from it"))),
        };
        match turn.as_mut().poll(&mut std::task::Context::from_waker(&self.waker)) {
            Poll::Pending => {
                self.state = State::Waiting(turn);
                Poll::Pending
            }
            Poll::Ready((source, row)) => {
                self.state = if matches!(row, Ok(None)) { State::Ended } else { State::Idle(source) };
                Poll::Ready(row)
            }
        }
    }
}

impl<S: AsyncSource> Spout for AsyncSpout<S> {
    fn open(&mut self, ctx: &Context) -> Result<()> {
        self.waker = ctx.waker.clone();
        match &mut self.state {
            State::Idle(source) => source.open(ctx),
            _ => Err(Error::internal("an async spout was opened twice")),
        }
    }

    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        if let Some(tracking) = &mut self.tracking
            && let Some(id) = tracking.again.pop_front()
        {
            if let Some(row) = tracking.pending.get(&id) {
                out.emit_with_id(&row[..], id)?;
            }
            return Ok(Next::More);
        }
        while out.room() > 0 {
            match self.poll() {
                Poll::Pending => return Ok(Next::Wait),
                Poll::Ready(row) => match (row?, &mut self.tracking) {
                    (None, _) => return Ok(Next::End),
                    (Some(row), None) => out.emit(row)?,
                    (Some(row), Some(tracking)) => {
                        let id = tracking.next;
                        tracking.next += 1;
                        out.emit_with_id(&row[..], id)?;
                        tracking.pending.insert(id, row);
                    }
                },
            }
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: u64) {
        if let Some(tracking) = &mut self.tracking {
            tracking.pending.remove(&id);
            tracking.acked.push(id);
        }
    }

    fn fail(&mut self, id: u64) {
        self.tracking.iter_mut().for_each(|t| t.again.push_back(id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::harness::{Harness, SpoutHarness};
    use crate::{FieldType, Schema};

    /// What the test sends, each awaited; says in `acked` what it was told.
    struct Queue {
        rows: Receiver<i64>,
        acked: Arc<Mutex<Vec<u64>>>,
        waiting: Sender<Waker>,
    }

    impl AsyncSource for Queue {
        async fn next(&mut self) -> Result<Option<Vec<Value>>> {
            let (rows, waiting) = (&mut self.rows, &self.waiting);
            let n = std::future::poll_fn(move |cx| match rows.try_recv() {
                Ok(n) => Poll::Ready(Some(n)),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => Poll::Ready(None),
                Err(std::sync::mpsc::TryRecvError::Empty) => {
                    waiting.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                }
            });
            match n.await {
                Some(n) if n < 0 => Err(Error::external("negative")),
                Some(13) => panic!("thirteen"),
                n => Ok(n.map(|n| vec![n.into()])),
            }
        }

        fn acked(&mut self, number: u64) {
            self.acked.lock().unwrap().push(number);
        }
    }

    struct Test {
        spout: SpoutHarness,
        rows: Sender<i64>,
        acked: Arc<Mutex<Vec<u64>>>,
        waiting: Receiver<Waker>,
    }

    fn open(spout: impl Fn(Queue) -> AsyncSpout<Queue>) -> Test {
        let (rows, receiver) = channel();
        let (waiting, wakers) = channel();
        let acked = Arc::<Mutex<Vec<u64>>>::default();
        let spout = spout(Queue { rows: receiver, acked: acked.clone(), waiting });
        let spout = Harness::default().output(Schema::new([("n", FieldType::Int)])).spout(spout).unwrap();
        Test { spout, rows, acked, waiting: wakers }
    }

    #[test]
    fn it_waits_until_it_is_woken_and_ends() {
        let mut t = open(AsyncSpout::new);
        assert_eq!(t.spout.run().unwrap(), Next::Wait);
        t.rows.send(1).unwrap();
        t.rows.send(2).unwrap();
        assert!(!t.spout.woken(Duration::ZERO));
        t.waiting.recv().unwrap().wake();
        assert!(t.spout.woken(Duration::from_secs(5)));
        assert_eq!(t.spout.run().unwrap(), Next::Wait);
        assert_eq!(t.spout.rows("default"), [[Value::Int(1)], [Value::Int(2)]]);
        assert_eq!(t.spout.sent()[0].id, None);
        drop(t.rows);
        assert_eq!(t.spout.run().unwrap(), Next::End);
        assert_eq!(t.spout.run().unwrap(), Next::End);
    }

    #[test]
    fn an_error_is_passed_on_and_the_source_lives() {
        let mut t = open(AsyncSpout::new);
        t.rows.send(-1).unwrap();
        t.rows.send(5).unwrap();
        assert_eq!(t.spout.run().unwrap_err().to_string(), "negative");
        assert_eq!(t.spout.run().unwrap(), Next::Wait);
        assert_eq!(t.spout.rows("default"), [[Value::Int(5)]]);
    }

    #[test]
    fn tracked_rows_are_replayed_until_they_are_acked() {
        let mut t = open(AsyncSpout::tracked);
        t.rows.send(7).unwrap();
        t.rows.send(8).unwrap();
        t.spout.run().unwrap();
        assert_eq!(t.spout.pending(), [0, 1]);
        t.spout.take();
        t.spout.fail(1);
        t.spout.run().unwrap();
        assert_eq!(t.spout.rows("default"), [[Value::Int(8)]]);
        t.spout.ack_all();
        assert!(t.acked.lock().unwrap().is_empty(), "the source is away while it is awaited");
        t.rows.send(9).unwrap();
        t.spout.run().unwrap();
        assert_eq!(*t.acked.lock().unwrap(), [0, 1]);
    }

    #[test]
    fn a_panic_does_not_repeat() {
        let mut t = open(AsyncSpout::new);
        t.rows.send(13).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| t.spout.next()));
        assert!(panicked.is_err());
        assert!(t.spout.next().unwrap_err().to_string().contains("panicked"));
    }
}
