//! The link thread: owns every socket, hands the protocol what comes in, and tells it the time.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use squall_core::wire::MAX_FRAME;
use squall_core::{Error, Result};

use super::line::{ZmqLine, ZmqLines, unmonitor};
use super::outbox::Outboxes;
use super::peers::Peer;
use super::protocol::{Around, Command, Counts, News, Protocol, Settings};
use super::wake::{Sleeper, Waker, pair};
use crate::engine::Shared;
use crate::sync::lock;

/// Messages taken from ZeroMQ before other things get their turn.
const AT_ONCE: usize = 64;
/// Where refused connections are told of.
const REFUSALS: &str = "inproc://refusals";

pub(crate) struct LinkHandle {
    pub(crate) endpoint: String,
    pub(crate) outboxes: Arc<Outboxes>,
    pub(crate) counts: Arc<Counts>,
    commands: Arc<Mutex<Vec<Command>>>,
    socket: Mutex<Option<Bound>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Bound {
    context: zmq::Context,
    pull: zmq::Socket,
    refusals: zmq::Socket,
    sleeper: Sleeper,
    settings: Settings,
}

/// Binds; frames are taken in from [`LinkHandle::run`] on.
pub(crate) fn start(settings: Settings) -> Result<LinkHandle> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |e: zmq::Error| Error::external(what).because(e)
    };
    let context = zmq::Context::new();
    let pull = context.socket(zmq::PULL).map_err(failed("cannot make a ZeroMQ socket"))?;
    pull.set_linger(0).and_then(|()| pull.set_rcvhwm(1000)).map_err(failed("cannot set up a ZeroMQ socket"))?;
    pull.set_maxmsgsize(MAX_FRAME as i64).map_err(failed("cannot limit the size of frames"))?;
    let events = zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as i32 | zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as i32;
    pull.monitor(REFUSALS, events).map_err(failed("cannot watch a ZeroMQ socket"))?;
    let refusals = context.socket(zmq::PAIR).map_err(failed("cannot make a ZeroMQ socket"))?;
    refusals.connect(REFUSALS).map_err(failed("cannot watch a ZeroMQ socket"))?;
    let address = format!("tcp://{}:*", settings.bind);
    pull.bind(&address).map_err(|e| Error::external(format!("cannot listen at {address}")).because(e))?;
    let endpoint = pull.get_last_endpoint().ok().and_then(std::result::Result::ok);
    let endpoint = endpoint.ok_or_else(|| Error::internal("ZeroMQ does not tell where it listens"))?;
    let (waker, sleeper): (Waker, Sleeper) = pair()?;
    Ok(LinkHandle {
        endpoint,
        outboxes: Arc::new(Outboxes::new(waker)),
        counts: Arc::default(),
        commands: Arc::default(),
        socket: Mutex::new(Some(Bound { context, pull, refusals, sleeper, settings })),
        thread: Mutex::default(),
    })
}

impl LinkHandle {
    /// Starts the thread, which calls `news`.
    pub(crate) fn run(&self, engine: Arc<Shared>, news: impl Fn(News) + Send + 'static) -> Result<()> {
        let Some(bound) = lock(&self.socket).take() else { return Err(Error::internal("links are started once")) };
        let Bound { context, pull, refusals, sleeper, settings } = bound;
        let lines = ZmqLines { context, from: settings.bind.clone() };
        let around = Around { engine, outboxes: self.outboxes.clone(), counts: self.counts.clone(), news: Box::new(news) };
        let protocol = Protocol::new(settings, self.endpoint.clone(), lines, around, Instant::now());
        let commands = self.commands.clone();
        let thread = LinkThread { protocol, pull, refusals, sleeper, commands };
        let spawned = std::thread::Builder::new().name("links".to_owned()).spawn(move || thread.run());
        *lock(&self.thread) = Some(spawned.map_err(|e| Error::external("cannot start a thread").because(e))?);
        Ok(())
    }

    pub(crate) fn command(&self, command: Command) {
        lock(&self.commands).push(command);
        self.outboxes.waker.wake();
    }

    pub(crate) fn close(&self) {
        self.command(Command::Close);
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            log::error!("the link thread panicked");
        }
    }
}

struct LinkThread {
    protocol: Protocol<ZmqLines>,
    pull: zmq::Socket,
    refusals: zmq::Socket,
    sleeper: Sleeper,
    commands: Arc<Mutex<Vec<Command>>>,
}

impl Drop for LinkThread {
    fn drop(&mut self) {
        unmonitor(&self.pull, REFUSALS);
    }
}

impl LinkThread {
    fn run(mut self) {
        loop {
            self.poll();
            self.protocol.now = Instant::now();
            self.protocol.waker().heard(&self.sleeper);
            let commands = std::mem::take(&mut *lock(&self.commands));
            commands.into_iter().for_each(|command| self.protocol.obey(command));
            self.receive();
            self.protocol.watch();
            self.protocol.acknowledge();
            self.protocol.pump();
            if self.protocol.is_closed() {
                return;
            }
        }
    }

    fn poll(&mut self) {
        // Rounded up, for a poll of zero milliseconds in a row would spin.
        let wait = |t: Instant| t.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000) as i64;
        let timeout = self.protocol.due().map_or(-1, wait);
        let mut items =
            vec![zmq::PollItem::from_fd(self.sleeper.as_raw_fd(), zmq::POLLIN), self.refusals.as_poll_item(zmq::POLLIN)];
        if self.protocol.has_orders() {
            items.push(self.pull.as_poll_item(zmq::POLLIN));
        }
        for Peer { line: ZmqLine { socket, monitor, .. }, stalled, .. } in self.protocol.peers.values() {
            items.push(monitor.as_poll_item(zmq::POLLIN));
            if *stalled {
                items.push(socket.as_poll_item(zmq::POLLOUT));
            }
        }
        if let Err(error) = zmq::poll(&mut items, timeout)
            && error != zmq::Error::EINTR
        {
            log::error!("waiting for links failed: {error}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn receive(&mut self) {
        let most = if self.protocol.has_orders() { AT_ONCE } else { 0 };
        for _ in 0..most {
            match self.pull.recv_msg(zmq::DONTWAIT) {
                Ok(message) => {
                    self.protocol.counts().received.fetch_add(message.len() as u64, Ordering::Relaxed);
                    self.protocol.take(&message);
                }
                Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::EAGAIN) => break,
                Err(error) => {
                    log::error!("receiving failed: {error}");
                    break;
                }
            }
        }
        // Connections that were no ZeroMQ, or announced too much: libzmq has closed them.
        while self.refusals.recv_bytes(zmq::DONTWAIT).is_ok() {
            if !self.refusals.get_rcvmore().unwrap_or(false) {
                self.protocol.ignore("a connection that does not speak ZeroMQ", "");
            }
        }
    }
}
