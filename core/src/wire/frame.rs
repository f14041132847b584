//! Frames: a header that every frame begins with, and HELLO.

use rmp::encode;

use super::read::{Reader, Result, WireError};
use super::{OLDEST, VERSION};

/// The header's length: a MessagePack array of six, written with fixed widths so that it can be filled in last.
pub const HEADER_LEN: usize = 1 + 1 + 1 + 9 + 9 + 9;

/// Room for a header at the start of a frame under way.
pub const HEADER: [u8; HEADER_LEN] = [0; HEADER_LEN];

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Opens a link.
    Hello = 0,
    /// Batches of tuples.
    Data = 1,
    /// Credits, deltas and the like; held back by no credit.
    Control = 2,
    /// Which frames arrived; not numbered itself.
    Ack = 3,
}

/// A frame taken apart as far as its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: FrameKind,
    /// The link's key, a random number that HELLO made known.
    pub key: u64,
    /// The link's sequence number, from 1; 0 for HELLO and ACK, which are not numbered.
    pub seq: u64,
    /// The assignment epoch of the sender.
    pub epoch: u64,
    /// The body.
    pub body: &'a [u8],
}

/// Fills in the header of a frame that began as [`HEADER`].
pub fn seal(frame: &mut [u8], kind: FrameKind, key: u64, seq: u64, epoch: u64) {
    debug_assert!(frame.len() >= HEADER_LEN);
    frame[0] = 0x96;
    frame[1] = VERSION;
    frame[2] = kind as u8;
    for (i, field) in [key, seq, epoch].into_iter().enumerate() {
        let at = 3 + i * 9;
        frame[at] = 0xcf;
        frame[at + 1..at + 9].copy_from_slice(&field.to_be_bytes());
    }
}

/// Takes a frame apart.
///
/// # Errors
/// Anything that is not a frame of a version this build speaks.
pub fn decode_frame(bytes: &[u8]) -> Result<Frame<'_>> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != 6 {
        return Err(WireError::Invalid("not a frame: an array of six is expected".to_owned()));
    }
    let version = reader.uint()?;
    if !(u64::from(OLDEST)..=u64::from(VERSION)).contains(&version) {
        return Err(WireError::Version(version));
    }
    let kind = match reader.uint()? {
        0 => FrameKind::Hello,
        1 => FrameKind::Data,
        2 => FrameKind::Control,
        3 => FrameKind::Ack,
        other => return Err(WireError::Invalid(format!("unknown kind of frame {other}"))),
    };
    Ok(Frame { kind, key: reader.uint()?, seq: reader.uint()?, epoch: reader.uint()?, body: reader.rest() })
}

/// The body of HELLO: who wants to send to whom, and that it may.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// The cluster's token.
    pub token: String,
    /// Versions the sender speaks, oldest and newest.
    pub versions: (u8, u8),
    /// Features the sender has, as bits; none yet.
    pub features: u64,
    /// The topology's id.
    pub topology: String,
    /// SHA-256 of the plan, hexadecimal: streams and tasks are numbered by it.
    pub plan: String,
    /// The sending worker's index and incarnation.
    pub from: (u32, u64),
    /// The receiving worker's index and incarnation.
    pub to: (u32, u64),
    /// Where the sender itself can be reached.
    pub endpoint: String,
}

impl std::fmt::Debug for Hello {
    /// Without the token, which must not end up in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Hello { versions, topology, from, to, endpoint, .. } = self;
        write!(f, "HELLO {topology} {from:?} at {endpoint} to {to:?}, versions {versions:?}")
    }
}

/// A whole HELLO frame.
pub fn encode_hello(hello: &Hello, key: u64, epoch: u64) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    let write = |out: &mut Vec<u8>| -> std::result::Result<(), encode::ValueWriteError> {
        encode::write_array_len(out, 11)?;
        encode::write_str(out, &hello.token)?;
        encode::write_uint(out, hello.versions.0.into())?;
        encode::write_uint(out, hello.versions.1.into())?;
        encode::write_uint(out, hello.features)?;
        encode::write_str(out, &hello.topology)?;
        encode::write_str(out, &hello.plan)?;
        encode::write_uint(out, hello.from.0.into())?;
        encode::write_uint(out, hello.from.1)?;
        encode::write_uint(out, hello.to.0.into())?;
        encode::write_uint(out, hello.to.1)?;
        encode::write_str(out, &hello.endpoint)
    };
    write(&mut out).expect("writing to a vector does not fail");
    seal(&mut out, FrameKind::Hello, key, 0, epoch);
    out
}

impl Hello {
    /// Reads the body of a HELLO frame.
    ///
    /// # Errors
    /// Anything that is not a HELLO. Fields that later versions append are skipped.
    pub fn decode(body: &[u8]) -> Result<Hello> {
        let mut r = Reader::new(body);
        if r.array()? < 11 {
            return Err(WireError::Invalid("a HELLO has eleven fields at least".to_owned()));
        }
        let token = r.str()?.to_owned();
        let byte = |v: u64| u8::try_from(v).unwrap_or(u8::MAX);
        Ok(Hello {
            token,
            versions: (byte(r.uint()?), byte(r.uint()?)),
            features: r.uint()?,
            topology: r.str()?.to_owned(),
            plan: r.str()?.to_owned(),
            from: (r.u32()?, r.uint()?),
            to: (r.u32()?, r.uint()?),
            endpoint: r.str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hello_comes_back() {
        let hello = Hello {
            token: "secret".into(),
            versions: (1, 3),
            features: 5,
            topology: "digits-1".into(),
            plan: "ab".into(),
            from: (1, u64::MAX),
            to: (0, 7),
            endpoint: "tcp://127.0.0.1:1".into(),
        };
        let bytes = encode_hello(&hello, 9, 4);
        let frame = decode_frame(&bytes).unwrap();
        assert_eq!((frame.kind, frame.key, frame.seq, frame.epoch), (FrameKind::Hello, 9, 0, 4));
        assert_eq!(Hello::decode(frame.body).unwrap(), hello);
        assert!(!format!("{hello:?}").contains("secret"));
        for end in 0..bytes.len() {
            let cut = decode_frame(&bytes[..end]).and_then(|f| Hello::decode(f.body).map(drop));
            assert!(cut.is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = HEADER.to_vec();
        seal(&mut bytes, FrameKind::Data, 1, 1, 1);
        bytes[1] = 9;
        assert_eq!(decode_frame(&bytes).unwrap_err().to_string(), "wire version 9; this build speaks 2 to 2");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode_frame(&bytes).and_then(|f| Hello::decode(f.body).map(drop));
        }
    }
}
