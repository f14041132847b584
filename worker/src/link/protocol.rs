//! What workers say to each other over lines, and what follows from it: `docs/wire.md` as a state machine. No sockets and no clock in
//! here: messages come in by [`Protocol::take`], and what time it is stands in [`Protocol::now`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use squall_core::control;
use squall_core::wire::{
    self, Frame, FrameKind, HEADER, Hello, Item, decode_batches, decode_frame, decode_items, encode_item, seal,
};

use super::line::{Line, Lines};
use super::outbox::Outboxes;
use super::peers::{Incoming, Peer, Sent};
use super::wake::Waker;
use super::window::{Arrival, ReceiveWindow};
use crate::engine::Shared;
use crate::random::SplitMix;
use crate::token;

/// An acknowledgement waits this long for more frames to acknowledge, unless there are enough.
const ACK_AFTER: Duration = Duration::from_millis(5);
const ACK_FRAMES: u64 = 32;
const ACK_BYTES: usize = 1 << 20;
/// How long the end of a link may take: until everything is acknowledged, unless the other end does not answer.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is ignored for one reason is logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// Waits shorter than this need no mention.
const SHORT_WAIT_NS: u64 = 100_000_000;

/// What this worker says of itself in HELLO, and demands of others.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) token: String,
    pub(crate) topology: String,
    pub(crate) plan: String,
    pub(crate) worker: u32,
    pub(crate) incarnation: u64,
    /// Address to bind to, without port.
    pub(crate) bind: String,
    pub(crate) seed: u64,
}

pub(crate) enum Command {
    /// The workers as orders have them.
    Peers { epoch: u64, workers: Vec<control::Peer> },
    /// Tell the others how long tuples wait here, in nanoseconds.
    Waits(u64),
    /// Tell the others that the spouts here are done for good.
    Finished,
    /// Say good-bye and end.
    Close,
}

/// What the links have to say to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The links to all other workers are open, or no longer are.
    Connected(bool),
    /// The spouts of another worker are done for good.
    PeerFinished,
}

/// Numbers that reports want.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) ignored: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// Every other worker of the orders has accepted our HELLO.
    pub(crate) connected: AtomicBool,
}

/// What the protocol works on and with.
pub(crate) struct Around {
    pub(crate) engine: Arc<Shared>,
    pub(crate) outboxes: Arc<Outboxes>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) news: Box<dyn Fn(News) + Send>,
}

/// This worker's links to all others.
pub(crate) struct Protocol<N: Lines> {
    settings: Settings,
    /// Where this worker listens.
    endpoint: String,
    lines: N,
    engine: Arc<Shared>,
    outboxes: Arc<Outboxes>,
    counts: Arc<Counts>,
    /// The time; to be set before anything is called.
    pub(crate) now: Instant,
    epoch: u64,
    /// How many workers the orders have, this one included; before the first orders nobody knows, and nothing is sent.
    known: usize,
    pub(super) peers: BTreeMap<u32, Peer<N::Line>>,
    /// By the key that the sender's HELLO made known.
    incoming: BTreeMap<u64, Incoming>,
    /// By worker: the newest incarnation that was given up.
    gone: BTreeMap<u32, u64>,
    logged: BTreeMap<&'static str, Instant>,
    closing: Option<Instant>,
    waits_told: u64,
    /// The next keys of links. They are told apart by chance; that they are secret rests on the seed.
    keys: SplitMix,
    news: Box<dyn Fn(News) + Send>,
}

impl<N: Lines> Protocol<N> {
    pub(crate) fn new(settings: Settings, endpoint: String, lines: N, around: Around, now: Instant) -> Self {
        let Around { engine, outboxes, counts, news } = around;
        let keys = SplitMix::new(settings.seed);
        Protocol {
            settings,
            endpoint,
            lines,
            engine,
            outboxes,
            counts,
            now,
            epoch: 0,
            known: usize::MAX,
            peers: BTreeMap::new(),
            incoming: BTreeMap::new(),
            gone: BTreeMap::new(),
            logged: BTreeMap::new(),
            closing: None,
            waits_told: 0,
            keys,
            news,
        }
    }

    /// Does what is asked for.
    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Peers { epoch, workers } => self.follow(epoch, workers),
            Command::Waits(ns) => self.tell_waits(ns),
            Command::Finished => self.peers.values().for_each(|p| p.outbox.control(&Item::Finished)),
            Command::Close => self.begin_to_close(),
        }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.outboxes.waker
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When something is to be done though nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        let owed = self.incoming.values().filter_map(|i| i.owed_since).map(|t| t + ACK_AFTER).min();
        let patience = self.peers.values().filter_map(Peer::patient_until).min();
        [owed, patience, self.closing].into_iter().flatten().min()
    }

    /// Whether the end has come that [`Command::Close`] asked for.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing.is_some_and(|until| self.peers.values().all(Peer::is_settled) || self.now >= until)
    }

    /// Nothing is taken in before the first orders: nobody would know where to send what comes of it, and which acks go where.
    pub(crate) fn has_orders(&self) -> bool {
        self.known != usize::MAX
    }

    /// The start of a worker that there is an open link to, for simulations.
    pub(crate) fn linked_to(&self, worker: u32) -> Option<u64> {
        self.peers.get(&worker).filter(|p| p.welcomed).map(|p| p.incarnation)
    }

    /// How the links are, for simulations that fail.
    pub(crate) fn describe(&self) -> String {
        let accepted = |worker| self.incoming.values().any(|i| i.worker == worker);
        let link = |p: &Peer<N::Line>| {
            let (worker, welcomed) = (p.worker, p.welcomed);
            format!("  link to {worker} as {:x}: welcomed {welcomed}, accepted {}\n", p.incarnation, accepted(worker))
        };
        let gone = self.gone.iter().map(|(worker, last)| format!("  {worker} is given up to {last:x}\n"));
        self.peers.values().map(link).chain(gone).collect()
    }

    /// Connects to workers that are new, and lets those go that are not there any more.
    fn follow(&mut self, epoch: u64, workers: Vec<control::Peer>) {
        self.epoch = self.epoch.max(epoch);
        let me = self.settings.worker;
        self.known = workers.len();
        let gone: Vec<u32> = self.peers.keys().copied().filter(|w| workers.iter().all(|p| p.index != *w)).collect();
        gone.into_iter().for_each(|w| self.down(w));
        for peer in workers.into_iter().filter(|p| p.index != me) {
            self.outboxes.of(peer.index);
            self.engine.place(peer.index, &peer.tasks);
            self.fence(peer.index, control::incarnation(peer.since, 0));
            let current = self.peers.get_mut(&peer.index);
            match (peer.endpoint, current) {
                (Some(_), Some(current)) if current.incarnation == peer.incarnation => {
                    current.ordered = true;
                    // Its own HELLO may have come before the orders that say which tasks it has.
                    if current.welcomed {
                        self.engine.peer_up(peer.index, peer.incarnation);
                    }
                }
                (Some(_), Some(current)) if current.incarnation > peer.incarnation => {}
                (Some(endpoint), _) => self.up(peer.index, peer.incarnation, &endpoint, true),
                (None, Some(current)) if current.ordered => self.down(peer.index),
                (None, _) => {}
            }
        }
        self.count_connected();
    }

    /// What was started before this incarnation is of an older assignment.
    fn fence(&mut self, worker: u32, first: u64) {
        if self.peers.get(&worker).is_some_and(|p| p.incarnation < first) {
            self.down(worker);
        }
        if let Some(last) = first.checked_sub(1) {
            let gone = self.gone.entry(worker).or_default();
            *gone = last.max(*gone);
        }
    }

    fn up(&mut self, worker: u32, incarnation: u64, endpoint: &str, ordered: bool) {
        self.down(worker);
        let s = &self.settings;
        let key = self.keys.next();
        let hello = Hello {
            token: s.token.clone(),
            versions: (wire::OLDEST, wire::VERSION),
            features: 0,
            topology: s.topology.clone(),
            plan: s.plan.clone(),
            from: (s.worker, s.incarnation),
            to: (worker, incarnation),
            endpoint: self.endpoint.clone(),
        };
        match self.lines.connect(endpoint, key) {
            Ok(line) => {
                let mut peer = Peer::new(line, &hello, (key, self.epoch), self.outboxes.of(worker), self.now);
                peer.ordered = ordered;
                peer.outbox.set_up(incarnation);
                self.peers.insert(worker, peer);
            }
            Err(error) => log::error!("cannot connect to worker {worker} at {endpoint}: {error}"),
        }
    }

    fn down(&mut self, worker: u32) {
        let Some(mut peer) = self.peers.remove(&worker) else { return };
        let never_sent = peer.outbox.set_down(peer.unacknowledged(FrameKind::Control));
        let gone = self.gone.entry(worker).or_default();
        *gone = peer.incarnation.max(*gone);
        peer.line.give_up();
        self.incoming.retain(|_, i| i.worker != worker);
        log::info!("worker {worker} is gone");
        self.engine.peer_down(worker, peer.incarnation);
        // Whoever keeps their ledgers may not have known this incarnation at all.
        for frame in peer.unacknowledged(FrameKind::Data).chain(never_sent.iter().map(Vec::as_slice)) {
            let engine = &self.engine;
            if let Ok(batches) = decode_batches(&frame[HEADER.len()..], &mut |stream| engine.storage(stream)) {
                engine.thrown_away(batches);
            }
        }
        self.count_connected();
    }

    fn count_connected(&self) {
        let connected = self.peers.values().filter(|p| p.welcomed).count() >= self.known.saturating_sub(1);
        if self.counts.connected.swap(connected, Ordering::SeqCst) != connected {
            (self.news)(News::Connected(connected));
        }
    }

    /// A message came in.
    pub(crate) fn take(&mut self, message: &[u8]) {
        let frame = match decode_frame(message) {
            Ok(frame) => frame,
            Err(error) => return self.ignore("a message that is no frame", &error.to_string()),
        };
        if frame.kind == FrameKind::Hello {
            match Hello::decode(frame.body) {
                Ok(hello) => self.hello(&frame, &hello),
                Err(error) => self.ignore("a HELLO that cannot be read", &error.to_string()),
            }
            return;
        }
        let Some(incoming) = self.incoming.get_mut(&frame.key) else {
            return self.ignore("a frame of an unknown link", "");
        };
        if frame.kind == FrameKind::Ack {
            let worker = incoming.worker;
            return self.items(worker, frame.body);
        }
        match incoming.window.arrive(frame.seq) {
            Arrival::Next => {
                incoming.owed_bytes += message.len();
                incoming.owed_since.get_or_insert(self.now);
                let from = (incoming.worker, incoming.incarnation);
                if frame.kind == FrameKind::Control { self.items(from.0, frame.body) } else { self.data(from, &frame) }
            }
            Arrival::Again => {
                // The acknowledgement may have been lost.
                incoming.owed_since.get_or_insert(self.now);
            }
            Arrival::Gap { ask } => {
                if ask {
                    self.ack(frame.key, true);
                }
            }
        }
    }

    /// Another worker wants to send here.
    fn hello(&mut self, frame: &Frame<'_>, hello: &Hello) {
        let s = &self.settings;
        if !token::same(&hello.token, &s.token) {
            return self.ignore("a HELLO with a wrong token", "");
        }
        let version = hello.versions.1.min(wire::VERSION);
        let refusal = if version < hello.versions.0 || version < wire::OLDEST {
            Some("a HELLO of an incompatible version")
        } else if hello.topology != s.topology || hello.plan != s.plan {
            Some("a HELLO for another topology")
        } else if hello.to != (s.worker, s.incarnation) {
            Some("a HELLO for another worker, or for this one before its restart")
        } else if hello.from.0 == s.worker {
            Some("a HELLO from this worker's own index")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.ignore(refusal, &format!("{hello:?}"));
        }
        let (worker, incarnation) = hello.from;
        let current = self.peers.get(&worker).map_or(0, |p| p.incarnation);
        // What was given up does not come back: its tasks may run elsewhere by now.
        if incarnation < current || self.gone.get(&worker).is_some_and(|gone| incarnation <= *gone) {
            return self.ignore("a HELLO from a worker that was replaced", &format!("{hello:?}"));
        }
        if incarnation > current {
            self.up(worker, incarnation, &hello.endpoint, false);
        }
        let fresh = || Incoming { worker, incarnation, window: ReceiveWindow::default(), owed_bytes: 0, owed_since: None };
        self.incoming.retain(|key, i| i.worker != worker || *key == frame.key);
        self.incoming.entry(frame.key).or_insert_with(fresh);
        if let Some(peer) = self.peers.get(&worker) {
            peer.outbox.control(&Item::Welcome { key: frame.key, version, features: 0 });
        }
    }

    fn items(&mut self, from: u32, body: &[u8]) {
        let items = match decode_items(body) {
            Ok(items) => items,
            Err(error) => return self.ignore("a control frame that cannot be read", &error.to_string()),
        };
        for item in items {
            match item {
                Item::Welcome { key, .. } => {
                    let Some(peer) = self.peers.values_mut().find(|p| p.key == key && !p.welcomed) else { continue };
                    peer.welcomed = true;
                    let (worker, incarnation) = (peer.worker, peer.incarnation);
                    log::info!("connected to worker {worker}");
                    self.engine.peer_up(worker, incarnation);
                    self.count_connected();
                }
                Item::Credit(c) => self.engine.credited(c.task, c.tuples, c.bytes),
                Item::Deltas(deltas) => match self.engine.deltas(&deltas) {
                    0 => {}
                    strays => self.ignore("deltas for a spout that is not here", &format!("{strays} of them")),
                },
                Item::Ack { key, seq, resend } => {
                    if let Some(peer) = self.peers.values_mut().find(|p| p.key == key) {
                        peer.acked(seq, resend, self.now);
                    }
                }
                Item::Wait(ns) => self.engine.peer_waits(from, ns),
                Item::Reason { root, text } => self.engine.reason(root, text),
                Item::Finished => (self.news)(News::PeerFinished),
                Item::Bye => {
                    if let Some(peer) = self.peers.get_mut(&from) {
                        peer.bye = true;
                    }
                }
            }
        }
    }

    fn data(&mut self, from: (u32, u64), frame: &Frame<'_>) {
        let engine = self.engine.clone();
        match decode_batches(frame.body, &mut |stream| engine.storage(stream)) {
            Ok(batches) => {
                let strays: usize = batches.into_iter().map(|b| engine.deliver(from, b)).sum();
                if strays > 0 {
                    self.ignore("batches for tasks that are not here", &format!("{strays} of them"));
                }
            }
            Err(error) => self.ignore("a data frame that cannot be read", &error.to_string()),
        }
    }

    /// Looks at what happened to the lines, and loses patience.
    pub(crate) fn watch(&mut self) {
        let now = self.now;
        for peer in self.peers.values_mut() {
            while let Some(connected) = peer.line.news() {
                if connected {
                    peer.connected(now);
                }
            }
            if peer.patient_until().is_some_and(|until| now >= until) {
                peer.send_again(now);
            }
        }
    }

    /// Acknowledges what is due.
    pub(crate) fn acknowledge(&mut self) {
        let now = self.now;
        let due = |i: &Incoming| {
            i.window.owed() >= ACK_FRAMES
                || i.owed_bytes >= ACK_BYTES
                || i.owed_since.is_some_and(|since| now >= since + ACK_AFTER)
        };
        let keys: Vec<u64> = self.incoming.iter().filter(|(_, i)| due(i)).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.ack(key, false));
    }

    /// Acknowledgements are not numbered: a lost one is made good by the next.
    fn ack(&mut self, key: u64, resend: bool) {
        let Some(incoming) = self.incoming.get_mut(&key) else { return };
        let peer = self.peers.get_mut(&incoming.worker).filter(|p| p.incarnation == incoming.incarnation);
        let Some(peer) = peer else { return };
        let mut frame = HEADER.to_vec();
        encode_item(&mut frame, &Item::Ack { key, seq: incoming.window.arrived(), resend });
        seal(&mut frame, FrameKind::Ack, peer.key, 0, self.epoch);
        if peer.line.send(&frame) == Ok(true) {
            incoming.window.acked();
            incoming.owed_bytes = 0;
            incoming.owed_since = None;
        } else {
            incoming.owed_since = Some(self.now);
        }
    }

    /// Hands over what there is to send, as far as it is taken.
    pub(crate) fn pump(&mut self) {
        for peer in self.peers.values_mut() {
            match peer.pump(self.epoch, self.now) {
                Ok(sent) => peer.stalled = matches!(sent, Sent::Stalled),
                Err(error) => log::error!("sending to worker {} failed: {error}", peer.worker),
            }
            self.counts.sent.fetch_add(std::mem::take(&mut peer.sent_bytes), Ordering::Relaxed);
        }
    }

    /// Short waits are not worth a frame, but that they are over is.
    fn tell_waits(&mut self, ns: u64) {
        let ns = if ns < SHORT_WAIT_NS { 0 } else { ns };
        if std::mem::replace(&mut self.waits_told, ns) != ns {
            self.peers.values().for_each(|p| p.outbox.control(&Item::Wait(ns)));
        }
    }

    /// Says good-bye; what is under way has a moment to be acknowledged.
    fn begin_to_close(&mut self) {
        self.closing.get_or_insert(self.now + FAREWELL);
        for peer in self.peers.values().filter(|p| p.welcomed) {
            peer.outbox.control(&Item::Bye);
        }
        let strangers: Vec<u32> = self.peers.values().filter(|p| !p.welcomed).map(|p| p.worker).collect();
        strangers.into_iter().for_each(|w| self.down(w));
    }

    /// What does not fit is ignored, counted, and logged once in a while.
    pub(crate) fn ignore(&mut self, what: &'static str, detail: &str) {
        self.counts.ignored.fetch_add(1, Ordering::Relaxed);
        let now = self.now;
        if self.logged.get(what).is_none_or(|at| now - *at >= LOG_EVERY) {
            self.logged.insert(what, now);
            let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
            log::warn!("ignored {what}{detail}; more of the kind are counted and not logged for a while");
        }
    }
}
