//! A line: what carries frames one way to one other worker. Here it is a ZeroMQ socket; the simulation has lines of its own.

/// Makes lines.
pub(crate) trait Lines {
    type Line: Line;
    /// A line to an endpoint, by a name that no other has.
    fn connect(&mut self, endpoint: &str, key: u64) -> Result<Self::Line, String>;
}

/// Carries frames in order while it holds; what was under way when it broke may be lost.
pub(crate) trait Line {
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
            Ok(ZmqLine { socket, monitor })
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
