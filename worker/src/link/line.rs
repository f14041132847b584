//! A line: what carries frames one way to one other worker. Here it is a ZeroMQ socket; the simulation has lines of its own.

/// Makes lines.
pub trait Lines {
    type Line: Line;
    /// A line to an endpoint, by a name that no other has.
    fn connect(&mut self, endpoint: &str, key: u64) -> Result<Self::Line, String>;
}

/// Carries frames in order while it holds; what was under way when it broke may be lost.
pub trait Line {
    /// Hands a frame over; false if no more is taken now.
    fn send(&mut self, frame: &[u8]) -> Result<bool, String>;
    /// What happened to it since this was last asked: true for a connection made, false for one lost.
    fn news(&mut self) -> Option<bool>;
    /// Nothing of what was handed over needs to arrive any more.
    fn give_up(&mut self);
}

/// Frames that ZeroMQ itself may hold.
const HIGH_WATER: i32 = 64;

/// Makes PUSH sockets.
pub(super) struct ZmqLines {
    pub(super) context: zmq::Context,
    /// The address of this worker.
    pub(super) from: String,
}

pub(super) struct ZmqLine {
    pub(super) socket: zmq::Socket,
    /// Tells of connections made and lost.
    pub(super) monitor: zmq::Socket,
    /// The address by which the monitor is told.
    monitored_at: String,
}

/// Has a socket tell its monitor nothing any more: to be called before either is closed. An event that nobody is there for would block
/// libzmq's I/O thread for ever, and with it every other socket (libzmq's issue 3575).
pub(super) fn unmonitor(socket: &zmq::Socket, monitored_at: &str) {
    // Stopped by another one in its place, that asks for no events: this binding has no other way. Should the new one fail, the old
    // one is stopped all the same.
    let _ = socket.monitor(&format!("{monitored_at}-off"), 0);
}

impl Drop for ZmqLine {
    fn drop(&mut self) {
        unmonitor(&self.socket, &self.monitored_at);
    }
}

impl Lines for ZmqLines {
    type Line = ZmqLine;

    fn connect(&mut self, endpoint: &str, key: u64) -> Result<ZmqLine, String> {
        let connect = || -> zmq::Result<ZmqLine> {
            let socket = self.context.socket(zmq::PUSH)?;
            socket.set_linger(200)?;
            socket.set_sndhwm(HIGH_WATER)?;
            socket.set_reconnect_ivl(20)?;
            socket.set_reconnect_ivl_max(500)?;
            let at = format!("inproc://monitor-{key:016x}");
            let events = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as i32 | zmq::SocketEvent::DISCONNECTED as i32;
            socket.monitor(&at, events)?;
            let monitor = self.context.socket(zmq::PAIR)?;
            monitor.set_linger(0)?;
            monitor.connect(&at)?;
            // `tcp://OWN ADDRESS:ANY PORT;ITS ENDPOINT`: a machine has one address, by which it is reached or not.
            socket.connect(&format!("tcp://{}:0;{}", self.from, endpoint.trim_start_matches("tcp://")))?;
            Ok(ZmqLine { socket, monitor, monitored_at: at })
        };
        connect().map_err(|e| e.to_string())
    }
}

impl Line for ZmqLine {
    fn send(&mut self, frame: &[u8]) -> Result<bool, String> {
        loop {
            match self.socket.send(frame, zmq::DONTWAIT) {
                Ok(()) => return Ok(true),
                Err(zmq::Error::EAGAIN) => return Ok(false),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn news(&mut self) -> Option<bool> {
        let event = self.monitor.recv_bytes(zmq::DONTWAIT).ok()?;
        // The address follows in a second part.
        while self.monitor.get_rcvmore().unwrap_or(false) {
            self.monitor.recv_bytes(zmq::DONTWAIT).ok()?;
        }
        let code = u16::from_ne_bytes([*event.first()?, *event.get(1)?]);
        Some(code == zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u16)
    }

    fn give_up(&mut self) {
        let _ = self.socket.set_linger(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn receiver(context: &zmq::Context) -> (zmq::Socket, String) {
        let pull = context.socket(zmq::PULL).unwrap();
        pull.set_linger(0).unwrap();
        pull.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = pull.get_last_endpoint().unwrap().unwrap();
        (pull, endpoint)
    }

    fn connected(line: &mut ZmqLine, connected: bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while line.news() != Some(connected) {
            assert!(Instant::now() < until, "nothing was heard of the connection for 30 s");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_line_that_is_let_go_as_it_breaks_does_not_take_the_others_with_it() {
        let (here, there) = (zmq::Context::new(), zmq::Context::new());
        let mut lines = ZmqLines { context: here, from: "127.0.0.1".into() };
        for key in 0..300 {
            let (pull, endpoint) = receiver(&there);
            let mut line = lines.connect(&endpoint, key).unwrap();
            connected(&mut line, true);
            let other_end = std::thread::spawn(move || drop(pull));
            drop(line);
            other_end.join().unwrap();
        }
        let (pull, endpoint) = receiver(&there);
        let mut line = lines.connect(&endpoint, 1000).unwrap();
        connected(&mut line, true);
        assert_eq!(line.send(b"frame"), Ok(true));
        assert_eq!(pull.recv_bytes(0).unwrap(), b"frame");
        drop(pull);
        connected(&mut line, false);
    }
}
