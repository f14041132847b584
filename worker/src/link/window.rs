//! The two ends of a link's numbering: frames stay with the sender until acknowledged, and the receiver lets each through
//! once and in order, whatever a reconnect lost or repeated. No sockets here.

use std::collections::VecDeque;

/// What a sender keeps.
#[derive(Default)]
pub(crate) struct SendWindow {
    /// Frames not acknowledged, the oldest first.
    frames: VecDeque<Vec<u8>>,
    /// The number of the oldest, less one.
    acked: u64,
    /// How many of them are with ZeroMQ.
    sent: usize,
    bytes: usize,
}

impl SendWindow {
    /// The number of the next new frame.
    pub(crate) fn next_seq(&self) -> u64 {
        self.acked + self.frames.len() as u64 + 1
    }

    pub(crate) fn push(&mut self, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// The next frame to hand to ZeroMQ.
    pub(crate) fn unsent(&self) -> Option<&[u8]> {
        self.frames.get(self.sent).map(Vec::as_slice)
    }

    pub(crate) fn sent(&mut self) {
        self.sent += 1;
    }

    /// All frames up to this number arrived; gives back their memory. A number never sent is ignored.
    pub(crate) fn ack(&mut self, seq: u64, mut recycle: impl FnMut(Vec<u8>)) -> bool {
        if seq <= self.acked || seq >= self.next_seq() {
            return false;
        }
        while self.acked < seq
            && let Some(frame) = self.frames.pop_front()
        {
            self.acked += 1;
            self.sent = self.sent.saturating_sub(1);
            self.bytes -= frame.len();
            recycle(frame);
        }
        true
    }

    /// Hands all of them to ZeroMQ once more.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What is not acknowledged.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(Vec::as_slice)
    }

    /// Frames and bytes not acknowledged.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.frames.len(), self.bytes)
    }
}

/// What a receiver knows.
#[derive(Default)]
pub(crate) struct ReceiveWindow {
    arrived: u64,
    acked: u64,
    /// The sender was asked to send again from here.
    asked: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In order: take it.
    Next,
    /// It came before.
    Again,
    /// One before it is missing; the sender must send again, and is asked for it once.
    Gap { ask: bool },
}

impl ReceiveWindow {
    pub(crate) fn arrive(&mut self, seq: u64) -> Arrival {
        if seq <= self.arrived {
            Arrival::Again
        } else if seq == self.arrived + 1 {
            self.arrived = seq;
            self.asked = None;
            Arrival::Next
        } else {
            Arrival::Gap { ask: self.asked.replace(self.arrived) != Some(self.arrived) }
        }
    }

    /// The last frame that arrived in order.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// How many frames arrived since the last acknowledgement.
    pub(crate) fn owed(&self) -> u64 {
        self.arrived - self.acked
    }

    pub(crate) fn acked(&mut self) {
        self.acked = self.arrived;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A line that loses all that is under way now and then, and delays acknowledgements: every frame gets through
        /// once and in order, and nothing is kept when all is acknowledged.
        #[test]
        fn every_frame_arrives_once_and_in_order(steps in proptest::collection::vec(0u8..8, 1..400)) {
            let (mut tx, mut rx) = (SendWindow::default(), ReceiveWindow::default());
            let mut line: VecDeque<Vec<u8>> = VecDeque::new();
            let mut acks: VecDeque<(u64, bool)> = VecDeque::new();
            let mut got = Vec::new();
            let mut made = 0u64;
            let mut step = |s: u8| {
                match s {
                    0 | 1 => { made += 1; assert_eq!(tx.next_seq(), made); tx.push(made.to_le_bytes().to_vec()); }
                    2 | 3 => if let Some(f) = tx.unsent() { line.push_back(f.to_vec()); tx.sent(); },
                    4 | 5 => if let Some(f) = line.pop_front() {
                        let seq = u64::from_le_bytes(f.try_into().unwrap());
                        match rx.arrive(seq) {
                            Arrival::Next => got.push(seq),
                            Arrival::Again => {}
                            Arrival::Gap { ask } => if ask { acks.push_back((rx.arrived(), true)) },
                        }
                        acks.push_back((rx.arrived(), false));
                    },
                    6 => if let Some((seq, again)) = acks.pop_front() {
                        tx.ack(seq, drop);
                        if again { tx.rewind(); }
                    },
                    _ => { line.clear(); tx.rewind(); }
                }
                (made, got.len())
            };
            for s in steps { step(s); }
            // The line holds from here on.
            let mut state = step(7);
            for round in 0..4000 {
                if state.0 as usize == state.1 && round > 2000 { break; }
                for s in [3, 5, 6] { state = step(s); }
            }
            prop_assert_eq!(&got, &(1..=made).collect::<Vec<_>>());
            while let Some((seq, _)) = acks.pop_front() { tx.ack(seq, drop); }
            prop_assert!(tx.is_empty());
            prop_assert_eq!(tx.held(), (0, 0));
        }
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_ignored() {
        let mut tx = SendWindow::default();
        tx.push(vec![1]);
        assert!(!tx.ack(2, drop));
        assert!(tx.ack(1, drop));
        assert!(!tx.ack(1, drop));
    }
}
