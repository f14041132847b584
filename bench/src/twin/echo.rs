//! The bare twin of an open loop: rows sent at the same rate, each with the time it was meant to leave, and a receiver that looks
//! at the clock. Between threads through a channel; between processes encoded and through ZeroMQ over tcp, one way as the
//! topology's tuples go.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use squall_core::wire::{decode_batches, encode_batch};
use squall_core::{Columns, Error, FieldType, Histogram, Lineage, Result, Schema, ValueRef};

use super::ROWS;
use crate::clock::monotonic_ns;

/// Messages that are no batches: forget what was before; it is over.
const RESET: &[u8] = b"R";
const END: &[u8] = b"E";
/// A peer that hears nothing for so long has lost its sender.
const LOST: i32 = 10_000;

/// An open loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paced {
    /// Tuples a second.
    pub(crate) rate: f64,
    /// How long it is measured, after a fifth of that to warm up.
    pub(crate) time: Duration,
}

enum Message<'a> {
    Rows(&'a Columns),
    Reset,
    End,
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new([("sent", FieldType::Int)]))
}

impl Paced {
    /// The latencies in nanoseconds, between threads or, with a command that starts a [`peer`], between processes.
    ///
    /// # Errors
    /// No thread, process or socket can be had, or it breaks down.
    pub(crate) fn run(self, peer: Option<&[OsString]>) -> Result<Histogram> {
        match peer {
            None => self.threads(),
            Some(command) => self.processes(command),
        }
    }

    fn threads(self) -> Result<Histogram> {
        enum Owned {
            Rows(Columns),
            Reset,
        }
        let (sender, receiver) = bounded(1024);
        let taker = thread::spawn(move || {
            let mut lags = Histogram::default();
            for message in receiver {
                match message {
                    Owned::Rows(columns) => record(&columns, &mut lags),
                    Owned::Reset => lags = Histogram::default(),
                }
            }
            lags
        });
        let gone = |_| Error::internal("a bare twin panicked");
        self.send(&mut |message| match message {
            Message::Rows(columns) => sender.send(Owned::Rows(columns.clone())).map_err(|_| gone(())),
            Message::Reset => sender.send(Owned::Reset).map_err(|_| gone(())),
            Message::End => Ok(()),
        })?;
        drop(sender);
        taker.join().map_err(|_| gone(()))
    }

    fn processes(self, command: &[OsString]) -> Result<Histogram> {
        let [program, arguments @ ..] = command else { return Err(Error::internal("no command for the peer")) };
        let external = |what: &'static str| move |e: std::io::Error| Error::external(what).because(e);
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(external("cannot start the bare twin's peer"))?;
        let Some(stdout) = child.stdout.take() else { return Err(Error::internal("a child without a pipe")) };
        let mut lines = BufReader::new(stdout);
        let result = (|| {
            let mut endpoint = String::new();
            lines.read_line(&mut endpoint).map_err(external("cannot read from the bare twin's peer"))?;
            let context = zmq::Context::new();
            let push = context.socket(zmq::PUSH).map_err(zmq_failed)?;
            push.connect(endpoint.trim()).map_err(zmq_failed)?;
            let none = Lineage::default();
            let mut body = Vec::new();
            self.send(&mut |message| {
                let bytes = match message {
                    Message::Rows(columns) => {
                        body.clear();
                        encode_batch(&mut body, 0, 1, columns, &[(2, &none)]);
                        &body[..]
                    }
                    Message::Reset => RESET,
                    Message::End => END,
                };
                push.send(bytes, 0).map_err(zmq_failed)
            })?;
            let mut lags = String::new();
            lines.read_line(&mut lags).map_err(external("cannot read from the bare twin's peer"))?;
            serde_json::from_str(&lags).map_err(|e| Error::internal("the bare twin's peer said something else").because(e))
        })();
        if result.is_err() {
            let _ = child.kill();
        }
        let _ = child.wait();
        result
    }

    /// Sends what is due, sleeps until something is, and so on.
    fn send(self, send: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        let mut columns = Columns::new(schema());
        let period = 1e9 / self.rate;
        let start = monotonic_ns();
        let warm = start + (self.time / 5).as_nanos() as i64;
        let end = warm + self.time.as_nanos() as i64;
        let (mut next, mut is_warm) = (0u64, false);
        loop {
            let now = monotonic_ns();
            if now >= end {
                return send(Message::End);
            }
            if !is_warm && now >= warm {
                is_warm = true;
                send(Message::Reset)?;
            }
            let mut due = start + (next as f64 * period) as i64;
            columns.clear();
            while due <= now && columns.len() < ROWS {
                columns.push(&[ValueRef::Int(due)]).map_err(Error::internal)?;
                next += 1;
                due = start + (next as f64 * period) as i64;
            }
            if !columns.is_empty() {
                send(Message::Rows(&columns))?;
            } else {
                thread::sleep(Duration::from_nanos((due.min(end) - now).max(0) as u64));
            }
        }
    }
}

fn record(columns: &Columns, lags: &mut Histogram) {
    let now = monotonic_ns();
    for row in 0..columns.len() {
        if let Some(ValueRef::Int(sent)) = columns.get(row, 0) {
            lags.record((now - sent).max(0) as u64, 1);
        }
    }
}

/// The receiving process: tells where it listens in one line, and in another one, when it is over, what it has measured.
///
/// # Errors
/// No socket can be had; nothing comes for a while; something else comes than batches.
pub(crate) fn peer(out: &mut dyn Write) -> Result<()> {
    let context = zmq::Context::new();
    let pull = context.socket(zmq::PULL).map_err(zmq_failed)?;
    pull.set_rcvtimeo(LOST).and_then(|()| pull.set_maxmsgsize(1 << 20)).map_err(zmq_failed)?;
    pull.bind("tcp://127.0.0.1:*").map_err(zmq_failed)?;
    let endpoint = pull.get_last_endpoint().map_err(zmq_failed)?.unwrap_or_default();
    writeln!(out, "{endpoint}").and_then(|()| out.flush())?;
    let (schema, mut spare) = (schema(), None);
    let mut lags = Histogram::default();
    let mut message = zmq::Message::new();
    loop {
        pull.recv(&mut message, 0).map_err(zmq_failed)?;
        match &message[..] {
            RESET => lags = Histogram::default(),
            END => break,
            body => {
                let mut storage = |_| Some(spare.take().unwrap_or_else(|| Columns::new(schema.clone())));
                let batches = decode_batches(body, &mut storage).map_err(|e| Error::external(format!("no batch: {e}")))?;
                for batch in batches {
                    record(&batch.columns, &mut lags);
                    spare = Arc::into_inner(batch.columns);
                    spare.iter_mut().for_each(Columns::clear);
                }
            }
        }
    }
    let text = serde_json::to_string(&lags).map_err(|e| Error::internal("cannot write latencies").because(e))?;
    writeln!(out, "{text}")?;
    Ok(())
}

fn zmq_failed(error: zmq::Error) -> Error {
    Error::external(format!("ZeroMQ: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_measured_as_were_due() {
        let paced = Paced { rate: 10_000.0, time: Duration::from_millis(100) };
        let lags = paced.run(None).unwrap();
        // The warm-up is forgotten and the rest counted, however often a busy machine holds the sender up.
        assert!((1..=1200).contains(&lags.count()), "{}", lags.count());
        assert!(lags.quantile(0.5).unwrap() > 0);
    }

    #[test]
    fn a_peer_measures_what_it_is_sent() {
        let (to_us, from_peer) = bounded::<Vec<u8>>(8);
        struct Lines(crossbeam_channel::Sender<Vec<u8>>, Vec<u8>);
        impl Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.1.extend_from_slice(bytes);
                if bytes.ends_with(b"\n") {
                    let _ = self.0.send(std::mem::take(&mut self.1));
                }
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let running = thread::spawn(move || peer(&mut Lines(to_us, Vec::new())));
        let endpoint = String::from_utf8(from_peer.recv().unwrap()).unwrap();
        let context = zmq::Context::new();
        let push = context.socket(zmq::PUSH).unwrap();
        push.connect(endpoint.trim()).unwrap();
        let mut columns = Columns::new(schema());
        columns.push(&[ValueRef::Int(monotonic_ns())]).unwrap();
        let mut body = Vec::new();
        encode_batch(&mut body, 0, 1, &columns, &[(2, &Lineage::default())]);
        for message in [&body[..], RESET, &body, &body, END] {
            push.send(message, 0).unwrap();
        }
        running.join().unwrap().unwrap();
        let lags: Histogram = serde_json::from_slice(&from_peer.recv().unwrap()).unwrap();
        assert_eq!(lags.count(), 2);
    }

    #[test]
    fn a_command_that_is_no_peer_is_an_error() {
        let paced = Paced { rate: 10.0, time: Duration::from_millis(10) };
        assert!(paced.run(Some(&["/nonexistent/program".into()])).is_err());
        assert!(paced.run(Some(&["true".into()])).is_err());
    }
}
