//! Reading MessagePack from bytes that nobody vouches for: every length is checked against what is there before anything
//! is allocated.

use rmp::Marker;

/// Why bytes are not a frame of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("truncated at byte {0}")]
    Truncated(usize),
    /// Another type than the format wants.
    #[error("byte {at}: {found}, expected {wanted}")]
    Unexpected {
        /// Where.
        at: usize,
        /// What is there.
        found: String,
        /// What the format wants.
        wanted: &'static str,
    },
    /// A value that the format forbids.
    #[error("{0}")]
    Invalid(String),
    /// A version this build does not speak.
    #[error("wire version {0}; this build speaks {OLDEST} to {VERSION}", OLDEST = super::OLDEST, VERSION = super::VERSION)]
    Version(u64),
}

pub(super) type Result<T> = std::result::Result<T, WireError>;

/// A place in a slice of MessagePack.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(WireError::Truncated(self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(super) fn marker(&mut self) -> Result<Marker> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    pub(super) fn unexpected<T>(&self, found: Marker, wanted: &'static str) -> Result<T> {
        Err(WireError::Unexpected { at: self.at - 1, found: format!("{found:?}"), wanted })
    }

    /// An unsigned integer.
    pub(super) fn uint(&mut self) -> Result<u64> {
        let marker = self.marker()?;
        match self.int_of(marker)? {
            Some(Int::Positive(v)) => Ok(v),
            _ => self.unexpected(marker, "an unsigned integer"),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let v = self.uint()?;
        u32::try_from(v).map_err(|_| WireError::Invalid(format!("{v} does not fit 32 bits")))
    }

    /// The integer that a marker begins, if it begins one.
    pub(super) fn int_of(&mut self, marker: Marker) -> Result<Option<Int>> {
        let signed = |v: i64| u64::try_from(v).map_or(Int::Negative(v), Int::Positive);
        Ok(Some(match marker {
            Marker::FixPos(v) => Int::Positive(v.into()),
            Marker::FixNeg(v) => Int::Negative(v.into()),
            Marker::U8 => Int::Positive(self.fixed::<1>()?[0].into()),
            Marker::U16 => Int::Positive(u16::from_be_bytes(self.fixed()?).into()),
            Marker::U32 => Int::Positive(u32::from_be_bytes(self.fixed()?).into()),
            Marker::U64 => Int::Positive(u64::from_be_bytes(self.fixed()?)),
            Marker::I8 => signed(i8::from_be_bytes(self.fixed()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.fixed()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.fixed()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.fixed()?)),
            _ => return Ok(None),
        }))
    }

    pub(super) fn float_of(&mut self, marker: Marker) -> Result<Option<f64>> {
        Ok(Some(match marker {
            Marker::F32 => f32::from_be_bytes(self.fixed()?).into(),
            Marker::F64 => f64::from_be_bytes(self.fixed()?),
            _ => return Ok(None),
        }))
    }

    /// The length of an array. Every element takes a byte at least, so more than are left is a lie.
    pub(super) fn array(&mut self) -> Result<usize> {
        let marker = self.marker()?;
        match self.array_of(marker)? {
            Some(len) => Ok(len),
            None => self.unexpected(marker, "an array"),
        }
    }

    pub(super) fn array_of(&mut self, marker: Marker) -> Result<Option<usize>> {
        let len = match marker {
            Marker::FixArray(len) => len.into(),
            Marker::Array16 => u16::from_be_bytes(self.fixed()?).into(),
            Marker::Array32 => u32::from_be_bytes(self.fixed()?) as usize,
            _ => return Ok(None),
        };
        if len > self.bytes.len() - self.at { Err(WireError::Truncated(self.bytes.len())) } else { Ok(Some(len)) }
    }

    pub(super) fn map_of(&mut self, marker: Marker) -> Result<Option<usize>> {
        let len = match marker {
            Marker::FixMap(len) => len.into(),
            Marker::Map16 => u16::from_be_bytes(self.fixed()?).into(),
            Marker::Map32 => u32::from_be_bytes(self.fixed()?) as usize,
            _ => return Ok(None),
        };
        if len > (self.bytes.len() - self.at) / 2 { Err(WireError::Truncated(self.bytes.len())) } else { Ok(Some(len)) }
    }

    pub(super) fn bin(&mut self) -> Result<&'a [u8]> {
        let marker = self.marker()?;
        match self.bin_of(marker)? {
            Some(bytes) => Ok(bytes),
            None => self.unexpected(marker, "bytes"),
        }
    }

    pub(super) fn bin_of(&mut self, marker: Marker) -> Result<Option<&'a [u8]>> {
        let len = match marker {
            Marker::Bin8 => self.fixed::<1>()?[0].into(),
            Marker::Bin16 => u16::from_be_bytes(self.fixed()?).into(),
            Marker::Bin32 => u32::from_be_bytes(self.fixed()?) as usize,
            _ => return Ok(None),
        };
        self.take(len).map(Some)
    }

    pub(super) fn str(&mut self) -> Result<&'a str> {
        let marker = self.marker()?;
        match self.str_of(marker)? {
            Some(text) => Ok(text),
            None => self.unexpected(marker, "text"),
        }
    }

    pub(super) fn str_of(&mut self, marker: Marker) -> Result<Option<&'a str>> {
        let len = match marker {
            Marker::FixStr(len) => len.into(),
            Marker::Str8 => self.fixed::<1>()?[0].into(),
            Marker::Str16 => u16::from_be_bytes(self.fixed()?).into(),
            Marker::Str32 => u32::from_be_bytes(self.fixed()?) as usize,
            _ => return Ok(None),
        };
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::Invalid("text that is not UTF-8".to_owned()))?;
        Ok(Some(text))
    }
}

/// An integer as MessagePack has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Int {
    Positive(u64),
    Negative(i64),
}
