//! From one thread to another: through a bounded channel, or encoded through a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use squall_core::wire::{decode_batches, encode_batch};
use squall_core::{Columns, Error, Lineage, Result};

use super::Fill;
use super::take::{Take, Taker};

/// Batches under way at most.
const QUEUE: usize = 16;
/// How long a receiver waits before it looks whether it is over.
const LOOK: i32 = 50;

/// Counts tuples and tells when it is over.
#[derive(Default)]
struct Meter {
    taken: AtomicU64,
    over: AtomicBool,
}

impl Meter {
    /// Waits while others work; the tuples a second, without a warm-up.
    fn watch(&self, time: Duration) -> f64 {
        thread::sleep(time.div_f64(5.0).min(Duration::from_millis(500)));
        let (begun, before) = (Instant::now(), self.taken.load(Ordering::Relaxed));
        thread::sleep(time);
        let rate = (self.taken.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
        self.over.store(true, Ordering::Relaxed);
        rate
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn add(&self, n: u64) {
        self.taken.fetch_add(n, Ordering::Relaxed);
    }
}

/// A batch is filled and dropped, again and again.
pub(super) fn alone(mut fill: Fill, time: Duration) -> f64 {
    let meter = Meter::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !meter.is_over() {
                let mut columns = Columns::new(fill.schema.clone());
                if fill.fill(&mut columns).is_err() {
                    return;
                }
                meter.add(std::hint::black_box(&columns).len() as u64);
            }
        });
        meter.watch(time)
    })
}

/// Tuples that are slept over.
pub(super) fn sleeping(each: Duration, time: Duration) -> f64 {
    let meter = Meter::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !meter.is_over() {
                thread::sleep(each);
                meter.add(1);
            }
        });
        meter.watch(time)
    })
}

/// Through a bounded channel, and another one back, so that memory is used again as in the engine.
pub(super) fn threads(mut fill: Fill, take: Take, time: Duration) -> Result<f64> {
    let meter = Meter::default();
    let (sender, receiver) = bounded::<Arc<Columns>>(QUEUE);
    let (give_back, used) = bounded::<Columns>(QUEUE);
    let copies = if let Take::Copies(n) = take { n } else { 1 };
    thread::scope(|scope| {
        let meter = &meter;
        let producer = scope.spawn(move || {
            while !meter.is_over() {
                let mut columns = used.try_recv().unwrap_or_else(|_| Columns::new(fill.schema.clone()));
                fill.fill(&mut columns)?;
                let columns = Arc::new(columns);
                for _ in 0..copies {
                    if sender.send(columns.clone()).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        scope.spawn(move || {
            let mut taker = Taker::new(take);
            // Ends when the producer does.
            for columns in receiver {
                meter.add(taker.take(&columns));
                if let Some(mut columns) = Arc::into_inner(columns) {
                    columns.clear();
                    // If the way back is full there is enough already.
                    let _ = give_back.try_send(columns);
                }
            }
        });
        let rate = meter.watch(time);
        producer.join().unwrap_or_else(|_| Err(Error::internal("a bare twin panicked")))?;
        Ok(rate)
    })
}

/// Encoded, through a ZeroMQ PUSH and PULL over tcp on loopback, decoded; both ends use their memory again.
pub(super) fn wire(mut fill: Fill, take: Take, time: Duration) -> Result<f64> {
    let meter = Meter::default();
    let failed = |e: zmq::Error| Error::external(format!("ZeroMQ: {e}"));
    // One context for each end, as there would be in two processes.
    let (here, there) = (zmq::Context::new(), zmq::Context::new());
    let (push, pull) = (here.socket(zmq::PUSH).map_err(failed)?, there.socket(zmq::PULL).map_err(failed)?);
    push.set_sndhwm(QUEUE as i32).and_then(|()| push.set_linger(0)).and_then(|()| push.set_sndtimeo(LOOK)).map_err(failed)?;
    pull.set_rcvhwm(QUEUE as i32).and_then(|()| pull.set_linger(0)).and_then(|()| pull.set_rcvtimeo(LOOK)).map_err(failed)?;
    pull.bind("tcp://127.0.0.1:*").map_err(failed)?;
    let endpoint = pull.get_last_endpoint().map_err(failed)?.unwrap_or_default();
    push.connect(&endpoint).map_err(failed)?;
    let copies = if let Take::Copies(n) = take { n } else { 1 };
    let schema = fill.schema.clone();
    thread::scope(|scope| {
        let meter = &meter;
        let producer = scope.spawn(move || {
            let (mut columns, mut body) = (Columns::new(fill.schema.clone()), Vec::new());
            let none = Lineage::default();
            // One batch for all receivers of the other worker, as the engine sends it.
            let receivers: Vec<(u32, &Lineage)> = (0..copies).map(|task| (task as u32, &none)).collect();
            while !meter.is_over() {
                columns.clear();
                body.clear();
                fill.fill(&mut columns)?;
                encode_batch(&mut body, 0, 1, &columns, &receivers);
                while let Err(e) = push.send(&body[..], 0) {
                    match e {
                        zmq::Error::EAGAIN if meter.is_over() => return Ok(()),
                        zmq::Error::EAGAIN | zmq::Error::EINTR => {}
                        e => return Err(failed(e)),
                    }
                }
            }
            Ok(())
        });
        let consumer = scope.spawn(move || {
            let mut taker = Taker::new(take);
            let mut message = zmq::Message::new();
            let mut spare: Vec<Columns> = Vec::new();
            loop {
                match pull.recv(&mut message, 0) {
                    Ok(()) => {}
                    Err(zmq::Error::EAGAIN) if meter.is_over() => return Ok(()),
                    Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
                    Err(e) => return Err(failed(e)),
                }
                let mut storage = |_| Some(spare.pop().unwrap_or_else(|| Columns::new(schema.clone())));
                let batches = decode_batches(&message, &mut storage)
                    .map_err(|e| Error::internal(format!("a bare twin cannot read its own batch: {e}")))?;
                for batch in batches {
                    for _ in 0..batch.receivers.len() {
                        meter.add(taker.take(&batch.columns));
                    }
                    if let Some(mut columns) = Arc::into_inner(batch.columns) {
                        columns.clear();
                        spare.push(columns);
                    }
                }
            }
        });
        let rate = meter.watch(time);
        let panicked = |_| Err(Error::internal("a bare twin panicked"));
        producer.join().unwrap_or_else(panicked)?;
        consumer.join().unwrap_or_else(panicked)?;
        Ok(rate)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn every_pipe_moves_tuples_and_ends() {
        assert!(alone(Fill::new(Row::SomeData), SHORT) > 0.0);
        assert!(sleeping(Duration::from_millis(1), SHORT) < 1000.0);
        assert!(threads(Fill::new(Row::SomeData), Take::Copies(8), SHORT).unwrap() > 0.0);
        assert!(threads(Fill::new(Row::Words), Take::Count { split: false }, SHORT).unwrap() > 0.0);
        assert!(wire(Fill::new(Row::F32s(784)), Take::Copies(2), SHORT).unwrap() > 0.0);
        assert!(wire(Fill::new(Row::SomeData), Take::Copy, SHORT).unwrap() > 0.0);
    }
}
