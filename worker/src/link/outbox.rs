//! What tasks leave for the link thread: one outbox for each other worker. Frames grow until they are full or the tasks
//! pause: to wake the link thread and ZeroMQ's takes longer than to fill a batch. How much can be in here is bounded by the
//! gates.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use squall_core::wire::{Credit, Delta, HEADER, Item, encode_batch, encode_deltas, encode_item};
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

/// Frames for one worker, without their headers filled in.
#[derive(Default)]
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    /// Somebody is there; deltas for a ledger that is not there are dropped, for they fit no tree of its next incarnation.
    up: AtomicBool,
}

#[derive(Default)]
struct Inner {
    open: Vec<u8>,
    ready: VecDeque<Vec<u8>>,
    control: Vec<u8>,
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

impl Inner {
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
    fn with_control(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = lock(&self.inner);
        if inner.control.is_empty() {
            inner.control.extend_from_slice(&HEADER);
        }
        add(&mut inner.control);
    }

    pub(super) fn control(&self, item: &Item) {
        self.with_control(|out| encode_item(out, item));
    }

    /// The next frame to go: what is not held back by credit first.
    pub(super) fn take(&self) -> Option<(bool, Vec<u8>)> {
        let mut inner = lock(&self.inner);
        if !inner.control.is_empty() {
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

    pub(super) fn set_up(&self) {
        self.up.store(true, Ordering::SeqCst);
    }

    /// Nobody is there any more; the data frames that are thrown away.
    pub(super) fn set_down(&self) -> Vec<Vec<u8>> {
        self.up.store(false, Ordering::SeqCst);
        let mut inner = lock(&self.inner);
        inner.control.clear();
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
            boxes.push(Arc::default());
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
        let Some(outbox) = self.known(worker).filter(|o| o.up.load(Ordering::SeqCst)) else { return };
        outbox.with_control(|out| encode_deltas(out, deltas));
        self.waits.store(true, Ordering::SeqCst);
    }

    fn reason(&self, worker: u32, root: Root, text: String) {
        let Some(outbox) = self.known(worker).filter(|o| o.up.load(Ordering::SeqCst)) else { return };
        outbox.control(&Item::Reason { root, text });
        self.waits.store(true, Ordering::SeqCst);
    }

    fn credit(&self, worker: u32, task: u32, tuples: u64, bytes: u64) {
        let Some(outbox) = self.known(worker) else { return };
        outbox.control(&Item::Credit(Credit { task, tuples, bytes }));
        self.waits.store(true, Ordering::SeqCst);
    }

    fn go(&self) {
        if self.waits.load(Ordering::Relaxed) && self.waits.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}
