//! Wakes the link thread, which sleeps in ZeroMQ's poll: a byte through a socket pair, and only one until it has woken.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Waker {
    called: AtomicBool,
    to: UnixStream,
}

pub(crate) struct Sleeper(UnixStream);

pub(crate) fn pair() -> std::io::Result<(Waker, Sleeper)> {
    let (to, from) = UnixStream::pair()?;
    to.set_nonblocking(true)?;
    from.set_nonblocking(true)?;
    Ok((Waker { called: AtomicBool::new(false), to }, Sleeper(from)))
}

impl Waker {
    pub(crate) fn wake(&self) {
        if !self.called.swap(true, Ordering::SeqCst) {
            // Full means that a byte is there already.
            let _ = (&self.to).write(&[1]);
        }
    }

    /// The thread is awake and is about to look at everything.
    pub(crate) fn heard(&self, sleeper: &Sleeper) {
        let mut bytes = [0; 16];
        let _ = (&sleeper.0).read(&mut bytes);
        self.called.store(false, Ordering::SeqCst);
    }
}

impl AsRawFd for Sleeper {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
