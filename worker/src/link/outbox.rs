//! What tasks leave for the link thread: one outbox for each other worker. Frames grow until they are full or the tasks
//! pause: to wake the link thread and ZeroMQ's takes longer than to fill a batch. How much can be in here is bounded by the
//! gates.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use squall_core::wire::{Credit, Delta, HEADER, Item, MAX_FRAME, decode_items, encode_batch, encode_deltas, encode_item};
use squall_core::{Columns, Lineage, Root};

use super::wake::Waker;
use crate::engine::Links;
use crate::sync::{lock, read, write};

/// A data frame is closed when it is this large.
const FRAME: usize = 64 << 10;
/// Bytes of buffers kept to be used again, and of those kept while there is nothing to send.
const SPARE: usize = 4 << 20;
const SPARE_IDLE: usize = 256 << 10;
/// Larger buffers are freed.
const LARGEST: usize = 8 * FRAME;
/// No more than so many bytes wait for the ledgers of a worker.
const MOST_FOR_LEDGERS: usize = MAX_FRAME / 4;

/// Frames for one worker, without their headers filled in.
pub(super) struct Outbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    open: Vec<u8>,
    ready: VecDeque<Vec<u8>>,
    control: Vec<u8>,
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
    /// The incarnation that what is in here is for, or was; 0 before there was any.
    incarnation: u64,
    /// That incarnation is there.
    is_up: bool,
    /// The worker that it is for.
    worker: u32,
    /// What was left out that a ledger was to be told, since there was room last.
    left_out: u64,
}

impl Inner {
    fn say(&mut self, add: impl FnOnce(&mut Vec<u8>)) {
        if self.control.is_empty() {
            self.control.extend_from_slice(&HEADER);
        }
        add(&mut self.control);
    }

    /// Says so many things to a ledger, or leaves them out where too much waits. Spouts whose trees nobody tells them about emit no more,
    /// so that only trees of very many tuples bring it to that, or one incarnation after the other that dies. A tree whose ledger was
    /// not told everything is never taken for done, for its ids do not cancel out: it fails at the message time-out.
    fn say_to_ledger(&mut self, things: usize, add: impl FnOnce(&mut Vec<u8>)) {
        if self.control.len() < MOST_FOR_LEDGERS {
            return self.say(add);
        }
        if self.left_out == 0 {
            let (worker, most) = (self.worker, MOST_FOR_LEDGERS);
            log::warn!("{most} bytes wait for the ledgers of worker {worker}; what else is to be said is left out");
        }
        self.left_out += things as u64;
    }

    /// What waited for ledgers goes.
    fn made_room(&mut self) {
        let (worker, left_out) = (self.worker, std::mem::take(&mut self.left_out));
        if left_out > 0 {
            log::warn!(
                "{left_out} deltas for ledgers of worker {worker} were left out: their trees fail at the message time-out"
            );
        }
    }

    /// Says what a control frame has for a ledger once more.
    fn repeat_to_ledger(&mut self, frame: &[u8]) {
        let items = frame.get(HEADER.len()..).and_then(|body| decode_items(body).ok()).unwrap_or_default();
        for item in items.iter().filter(|i| matches!(i, Item::Deltas(_) | Item::Reason { .. })) {
            let things = if let Item::Deltas(deltas) = item { deltas.len() } else { 1 };
            self.say_to_ledger(things, |out| encode_item(out, item));
        }
    }

    fn buffer(&mut self) -> Vec<u8> {
        let buffer = self.spare.pop().unwrap_or_default();
        self.spare_bytes -= buffer.capacity();
        buffer
    }
}

/// The outboxes by worker.
pub(crate) struct Outboxes {
    boxes: RwLock<Vec<Arc<Outbox>>>,
    /// Something waits that the link thread has not been woken for.
    waits: AtomicBool,
    pub(super) waker: Waker,
}

impl Outbox {
    pub(super) fn control(&self, item: &Item) {
        lock(&self.inner).say(|out| encode_item(out, item));
    }

    /// The same for this incarnation only; false if it is not there (any more).
    fn control_to(&self, incarnation: u64, item: &Item) -> bool {
        let mut inner = lock(&self.inner);
        let is_there = inner.is_up && inner.incarnation == incarnation;
        if is_there {
            inner.say(|out| encode_item(out, item));
        }
        is_there
    }

    /// The next frame to go: what is not held back by credit first.
    pub(super) fn take(&self) -> Option<(bool, Vec<u8>)> {
        let mut inner = lock(&self.inner);
        if !inner.control.is_empty() {
            inner.made_room();
            let spare = inner.buffer();
            return Some((true, std::mem::replace(&mut inner.control, spare)));
        }
        if let Some(frame) = inner.ready.pop_front() {
            return Some((false, frame));
        }
        if inner.open.is_empty() {
            return None;
        }
        let spare = inner.buffer();
        Some((false, std::mem::replace(&mut inner.open, spare)))
    }

    pub(super) fn has_frames(&self) -> bool {
        let inner = lock(&self.inner);
        !inner.control.is_empty() || !inner.open.is_empty() || !inner.ready.is_empty()
    }

    pub(super) fn recycle(&self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes <= LARGEST {
            buffer.clear();
            let mut inner = lock(&self.inner);
            if inner.spare_bytes + bytes <= SPARE {
                inner.spare_bytes += bytes;
                inner.spare.push(buffer);
            }
        }
    }

    /// There is nothing to send and nothing to be acknowledged.
    pub(super) fn rest(&self) {
        let mut inner = lock(&self.inner);
        while inner.spare_bytes > SPARE_IDLE {
            inner.buffer();
        }
    }

    /// This incarnation is there. It gets what waits for a ledger, unless it may have got that before.
    pub(super) fn set_up(&self, incarnation: u64) {
        let mut inner = lock(&self.inner);
        inner.is_up = true;
        if std::mem::replace(&mut inner.incarnation, incarnation) == incarnation {
            inner.control.clear();
        }
    }

    /// Nobody is there any more; the data frames that are thrown away. What was said to ledgers there, and was not acknowledged, is said to
    /// the next incarnation: that may have planted trees already whose tuples came here through others, and their deltas went to one that
    /// had died. What is of the dead one fits no tree of its successor.
    pub(super) fn set_down<'a>(&self, unacknowledged: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut inner = lock(&self.inner);
        inner.is_up = false;
        let said = std::mem::take(&mut inner.control);
        unacknowledged.for_each(|frame| inner.repeat_to_ledger(frame));
        inner.repeat_to_ledger(&said);
        let mut frames: Vec<Vec<u8>> = inner.ready.drain(..).collect();
        frames.push(std::mem::take(&mut inner.open));
        frames.retain(|f| !f.is_empty());
        frames
    }
}

impl Outboxes {
    pub(crate) fn new(waker: Waker) -> Self {
        Outboxes { boxes: RwLock::default(), waits: AtomicBool::new(false), waker }
    }

    /// The outbox for a worker. Indices come from orders, never from a link.
    pub(super) fn of(&self, worker: u32) -> Arc<Outbox> {
        if let Some(outbox) = read(&self.boxes).get(worker as usize) {
            return outbox.clone();
        }
        let mut boxes = write(&self.boxes);
        while boxes.len() <= worker as usize {
            let inner = Inner { worker: boxes.len() as u32, ..Inner::default() };
            boxes.push(Arc::new(Outbox { inner: Mutex::new(inner) }));
        }
        boxes[worker as usize].clone()
    }

    fn known(&self, worker: u32) -> Option<Arc<Outbox>> {
        read(&self.boxes).get(worker as usize).cloned()
    }
}

impl Links for Outboxes {
    fn send(&self, worker: u32, stream: u32, source: u32, columns: &Columns, receivers: &[(u32, &Lineage)]) {
        let Some(outbox) = self.known(worker) else {
            log::warn!("rows for worker {worker}, which nobody has heard of; their trees fail at the message time-out");
            return;
        };
        let is_full = {
            let mut inner = lock(&outbox.inner);
            if inner.open.is_empty() {
                inner.open.extend_from_slice(&HEADER);
            }
            encode_batch(&mut inner.open, stream, source, columns, receivers);
            let is_full = inner.open.len() >= FRAME;
            if is_full {
                let spare = inner.buffer();
                let full = std::mem::replace(&mut inner.open, spare);
                inner.ready.push_back(full);
            }
            is_full
        };
        if is_full {
            self.waker.wake();
        } else {
            self.waits.store(true, Ordering::SeqCst);
        }
    }

    fn deltas(&self, worker: u32, deltas: &[Delta]) {
        let Some(outbox) = self.known(worker) else { return };
        lock(&outbox.inner).say_to_ledger(deltas.len(), |out| encode_deltas(out, deltas));
        self.waits.store(true, Ordering::SeqCst);
    }

    fn reason(&self, worker: u32, root: Root, text: String) {
        let Some(outbox) = self.known(worker) else { return };
        lock(&outbox.inner).say_to_ledger(1, |out| encode_item(out, &Item::Reason { root, text }));
        self.waits.store(true, Ordering::SeqCst);
    }

    fn credit(&self, (worker, incarnation): (u32, u64), task: u32, tuples: u64, bytes: u64) {
        let Some(outbox) = self.known(worker) else { return };
        if outbox.control_to(incarnation, &Item::Credit(Credit { task, tuples, bytes })) {
            self.waits.store(true, Ordering::SeqCst);
        }
    }

    fn go(&self) {
        if self.waits.load(Ordering::Relaxed) && self.waits.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::wake::pair;
    use squall_core::wire::Verdict;

    fn delta(slot: u32) -> Delta {
        Delta { root: Root { task: 1, slot, generation: 7 }, rows: 1, xor: 5, workers: 1, verdict: Verdict::Going }
    }

    fn taken(outbox: &Outbox) -> Vec<Item> {
        let frames = std::iter::from_fn(|| outbox.take());
        frames.flat_map(|(_, frame)| decode_items(&frame[HEADER.len()..]).unwrap()).collect()
    }

    #[test]
    fn what_a_ledger_was_told_goes_to_the_next_incarnation_and_nothing_else() {
        let outboxes = Outboxes::new(pair().unwrap().0);
        let outbox = outboxes.of(1);
        outboxes.deltas(1, &[delta(0)]);
        outbox.set_up(10);
        outboxes.credit((1, 10), 3, 4, 5);
        let (_, sent) = outbox.take().unwrap();
        outboxes.deltas(1, &[delta(1)]);
        outboxes.credit((1, 10), 3, 4, 5);
        assert!(outbox.set_down([sent.as_slice()].into_iter()).is_empty());
        outboxes.deltas(1, &[delta(2)]);
        outboxes.credit((1, 10), 3, 4, 5);
        outbox.set_up(11);
        outboxes.credit((1, 10), 3, 4, 5);
        assert_eq!(taken(&outbox), [0, 1, 2].map(|slot| Item::Deltas(vec![delta(slot)])));
    }

    /// However much it is, what waits for a worker that is down is bounded, and what was left out is counted until it comes up.
    #[test]
    fn what_waits_for_ledgers_is_bounded_and_the_rest_is_counted() {
        let outboxes = Outboxes::new(pair().unwrap().0);
        let outbox = outboxes.of(1);
        outbox.set_up(10);
        outbox.set_down(std::iter::empty());
        let (times, many) = (1000, vec![delta(0); 1000]);
        (0..times).for_each(|_| outboxes.deltas(1, &many));
        let waits = lock(&outbox.inner).control.len();
        assert!((MOST_FOR_LEDGERS..MOST_FOR_LEDGERS + many.len() * 33).contains(&waits), "{waits}");
        outbox.set_up(11);
        let left_out = lock(&outbox.inner).left_out;
        let said = taken(&outbox);
        assert_eq!((said.len() * many.len()) as u64 + left_out, (times * many.len()) as u64);
        assert!(left_out > 0 && said.iter().all(|item| *item == Item::Deltas(many.clone())));
        outboxes.deltas(1, &[delta(0)]);
        assert_eq!((taken(&outbox).len(), lock(&outbox.inner).left_out), (1, 0), "and there is room again");
    }

    #[test]
    fn what_an_incarnation_may_have_had_it_does_not_get_again() {
        let outboxes = Outboxes::new(pair().unwrap().0);
        let outbox = outboxes.of(1);
        outbox.set_up(10);
        outboxes.deltas(1, &[delta(0)]);
        let (_, sent) = outbox.take().unwrap();
        outbox.set_down([sent.as_slice()].into_iter());
        outbox.set_up(10);
        assert_eq!(taken(&outbox), []);
    }
}
