//! Bolts: what transforms tuples.

use crate::{Batch, Context, Output, Result, Tuple};

/// A bolt: one instance per task, never called by two threads at once.
///
/// Only [`execute`](Bolt::execute) is required. `Ok` acks the tuple, `Err` fails it back to its spout (and is counted and
/// shown, never fatal); a panic is caught and fails the batch in hand.
///
/// ```
/// use squall_core::{Bolt, Output, Result, Tuple};
/// struct Shout;
/// impl Bolt for Shout {
///     fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
///         out.emit((tuple.str("word")?.to_uppercase(),))
///     }
/// }
/// ```
pub trait Bolt: Send {
    /// Handles one tuple.
    ///
    /// # Errors
    /// Any error fails the tuple.
    ///
    /// ```
    /// use squall_core::{Bolt, Output, Result, Tuple};
    /// fn run(bolt: &mut dyn Bolt, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> { bolt.execute(tuple, out) }
    /// ```
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()>;

    /// Handles a batch; by default tuple by tuple. Bolts that gain from columns (a classifier scores all rows with one
    /// matrix product) do it here: emit with [`Output::emit_for`], fail single tuples with [`Output::fail_tuple`].
    ///
    /// # Errors
    /// Any error fails all tuples that are not settled or held yet.
    ///
    /// ```
    /// use squall_core::{Batch, Bolt, Output, Result};
    /// fn run(bolt: &mut dyn Bolt, batch: &Batch, out: &mut Output<'_>) -> Result<()> { bolt.execute_batch(batch, out) }
    /// ```
    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        for tuple in batch.tuples() {
            out.begin(&tuple);
            let result = self.execute(&tuple, out);
            out.finish(&tuple, result);
        }
        Ok(())
    }

    /// Called once, before the first tuple: open files, look up streams, register counters.
    ///
    /// # Errors
    /// An error stops the worker's start and is shown with the component's name.
    ///
    /// ```
    /// use squall_core::{Bolt, Context, Result};
    /// fn run(bolt: &mut dyn Bolt, ctx: &Context) -> Result<()> { bolt.prepare(ctx) }
    /// ```
    fn prepare(&mut self, ctx: &Context) -> Result<()> {
        let _ = ctx;
        Ok(())
    }

    /// Called every `tick` period, if the topology gives the component one. What is emitted here is not anchored.
    ///
    /// # Errors
    /// An error is counted and shown.
    ///
    /// ```
    /// use squall_core::{Bolt, Output, Result};
    /// fn run(bolt: &mut dyn Bolt, out: &mut Output<'_>) -> Result<()> { bolt.tick(out) }
    /// ```
    fn tick(&mut self, out: &mut Output<'_>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Called when the task stops in good order. After a crash nobody calls it.
    ///
    /// # Errors
    /// An error is counted and shown.
    ///
    /// ```
    /// fn run(bolt: &mut dyn squall_core::Bolt) { bolt.cleanup().unwrap() }
    /// ```
    fn cleanup(&mut self) -> Result<()> {
        Ok(())
    }

    /// The bolt's state, for a checkpoint; `None` for a bolt without state.
    ///
    /// # Errors
    /// An error aborts the checkpoint.
    ///
    /// ```
    /// fn run(bolt: &mut dyn squall_core::Bolt) { assert!(bolt.snapshot().unwrap().is_none()) }
    /// ```
    fn snapshot(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Takes up a state that [`snapshot`](Bolt::snapshot) gave, after `prepare` and before the first tuple.
    ///
    /// # Errors
    /// A state that cannot be read stops the task.
    ///
    /// ```
    /// fn run(bolt: &mut dyn squall_core::Bolt) { bolt.restore(&[]).unwrap() }
    /// ```
    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

/// A closure is a bolt.
///
/// ```
/// use squall_core::{Bolt, Output, Tuple};
/// let _: Box<dyn Bolt> = Box::new(|tuple: &Tuple<'_>, out: &mut Output<'_>| out.emit((tuple.int("n")? + 1,)));
/// ```
impl<F> Bolt for F
where
    F: FnMut(&Tuple<'_>, &mut Output<'_>) -> Result<()> + Send,
{
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        self(tuple, out)
    }
}
