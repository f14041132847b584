//! One other worker as the protocol knows it: the line to it, what was sent and not acknowledged, and what comes
//! from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::wire::{FrameKind, Hello, decode_frame, encode_hello, seal};

use super::line::Line;
use super::outbox::Outbox;
use super::window::{ReceiveWindow, SendWindow};

/// Frames and bytes that may be with ZeroMQ and not acknowledged: its own queues stay short, and what waits waits in the
/// outbox, where it can be dropped when the peer dies.
const UNDER_WAY: (usize, usize) = (256, 8 << 20);
/// Without an acknowledgement for this long, everything is sent again.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was done about a frame.
pub(super) enum Sent {
    All,
    /// ZeroMQ takes no more for now.
    Stalled,
}

pub(super) struct Peer<L> {
    pub(super) worker: u32,
    pub(super) incarnation: u64,
    /// Known from orders, not only from its own HELLO: newer orders may say that it is gone.
    pub(super) ordered: bool,
    pub(super) line: L,
    pub(super) outbox: Arc<Outbox>,
    /// Our HELLO was accepted.
    pub(super) welcomed: bool,
    /// It said that nothing follows.
    pub(super) bye: bool,
    pub(super) stalled: bool,
    pub(super) key: u64,
    hello: Vec<u8>,
    window: SendWindow,
    heard: Instant,
    connected_before: bool,
    /// Bytes handed to ZeroMQ since it was last asked.
    pub(super) sent_bytes: u64,
}

/// What comes from another worker.
pub(super) struct Incoming {
    pub(super) worker: u32,
    pub(super) incarnation: u64,
    pub(super) window: ReceiveWindow,
    pub(super) owed_bytes: usize,
    pub(super) owed_since: Option<Instant>,
}

impl<L: Line> Peer<L> {
    /// Begins with the HELLO.
    pub(super) fn new(mut line: L, hello: &Hello, (key, epoch): (u64, u64), outbox: Arc<Outbox>, now: Instant) -> Self {
        let hello_frame = encode_hello(hello, key, epoch);
        // Should it not be taken now, it is said again after a while without an answer.
        let _ = line.send(&hello_frame);
        Peer {
            worker: hello.to.0,
            incarnation: hello.to.1,
            ordered: false,
            line,
            outbox,
            welcomed: false,
            bye: false,
            stalled: false,
            key,
            hello: hello_frame,
            window: SendWindow::default(),
            heard: now,
            connected_before: false,
            sent_bytes: 0,
        }
    }

    /// A connection was made: after the first time something may have been lost with the one before.
    pub(super) fn connected(&mut self, now: Instant) {
        if std::mem::replace(&mut self.connected_before, true) {
            log::info!("connected to worker {} again; sending {} frames again", self.worker, self.window.held().0);
            self.send_again(now);
        }
    }

    pub(super) fn send_again(&mut self, now: Instant) {
        self.heard = now;
        // If no more is taken now, there will be another time.
        let _ = self.line.send(&self.hello);
        self.window.rewind();
    }

    pub(super) fn acked(&mut self, seq: u64, resend: bool, now: Instant) {
        let Peer { window, outbox, heard, .. } = self;
        if window.ack(seq, |frame| outbox.recycle(frame)) {
            *heard = now;
            if window.is_empty() && !outbox.has_frames() {
                outbox.rest();
            }
        }
        if resend {
            self.window.rewind();
        }
    }

    /// Sends what there is to send, as far as it goes.
    pub(super) fn pump(&mut self, epoch: u64, now: Instant) -> Result<Sent, String> {
        loop {
            if self.window.unsent().is_none() {
                let (frames, bytes) = self.window.held();
                if frames >= UNDER_WAY.0 || bytes >= UNDER_WAY.1 {
                    return Ok(Sent::All);
                }
                let Some((control, mut frame)) = self.outbox.take() else { return Ok(Sent::All) };
                let kind = if control { FrameKind::Control } else { FrameKind::Data };
                seal(&mut frame, kind, self.key, self.window.next_seq(), epoch);
                if self.window.is_empty() {
                    self.heard = now;
                }
                self.window.push(frame);
            }
            let Some(frame) = self.window.unsent() else { continue };
            if !self.line.send(frame)? {
                return Ok(Sent::Stalled);
            }
            self.sent_bytes += frame.len() as u64;
            self.window.sent();
        }
    }

    /// Frames of a kind that were sent and not acknowledged.
    pub(super) fn unacknowledged(&self, kind: FrameKind) -> impl Iterator<Item = &[u8]> {
        self.window.frames().filter(move |f| decode_frame(f).is_ok_and(|f| f.kind == kind))
    }

    /// When patience with unacknowledged frames ends.
    pub(super) fn patient_until(&self) -> Option<Instant> {
        (!self.window.is_empty() || !self.welcomed).then(|| self.heard + PATIENCE)
    }

    /// Nothing is left to send or to be acknowledged, or nobody is left to acknowledge it.
    pub(super) fn is_settled(&self) -> bool {
        let sent = self.window.unsent().is_none() && !self.outbox.has_frames();
        sent && (self.window.is_empty() || self.bye)
    }
}
