//! Enough of protocol buffers to walk an ONNX file and to write a changed one.
//!
//! A message is a sequence of fields: a key, which is `number << 3 | type`, and a value of that type.

use crate::Error;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The numbers of a field that holds some: one, or several packed into a list.
    pub(super) fn numbers(self) -> Result<Vec<u64>, Error> {
        let mut packed = match self {
            Value::Number(one) => return Ok(vec![one]),
            Value::Bytes(packed) => packed,
        };
        let mut numbers = Vec::new();
        while !packed.is_empty() {
            numbers.push(varint(&mut packed).ok_or_else(|| Error::damaged(0, "a list of numbers is broken"))?);
        }
        Ok(numbers)
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
    /// All of it, key included.
    pub(super) raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value, if this is the field of this number.
    pub(super) fn of(&self, number: u64) -> Option<Value<'a>> {
        (self.number == number).then_some(self.value)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Number(_) => None,
        }
    }
}

/// The fields of a message; the last one is an error where the bytes are none.
pub(super) struct Fields<'a>(&'a [u8]);

pub(super) fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields(bytes)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| Error::damaged(0, "it begins like an ONNX file and is none")))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let before = self.0;
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some(Field { number: key >> 3, value, raw: &before[..before.len() - self.0.len()] })
    }

    fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(n).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

/// A number at the begin of `bytes`, which then begin behind it.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for i in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * i)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The messages in the fields of this number.
pub(super) fn within(bytes: &[u8], wanted: u64) -> Result<Vec<&[u8]>, Error> {
    let wanted = fields(bytes).filter(|f| f.as_ref().map_or(true, |f| f.number == wanted));
    wanted.filter_map(|f| f.map(|f| f.bytes()).transpose()).collect()
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        put_number(&mut message, 2, 300);
        put_bytes(&mut message, 31, &[7; 200]);
        let read: Vec<Field<'_>> = fields(&message).map(Result::unwrap).collect();
        assert_eq!((read[0].number, read[0].value), (2, Value::Number(300)));
        assert_eq!((read[1].number, read[1].bytes()), (31, Some(&[7; 200][..])));
        assert_eq!([read[0].value.numbers().unwrap(), Value::Bytes(&[0x81, 1, 5]).numbers().unwrap()].concat(), [300, 129, 5]);
        assert!(Value::Bytes(&[5, 0x81]).numbers().is_err());
        assert_eq!([read[0].raw, read[1].raw].concat(), message);
        for cut in [1, 100, 202, 206] {
            assert!(fields(&message[..message.len() - cut]).any(|f| f.is_err()), "{cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(read) = fields(&bytes).collect::<Result<Vec<_>, _>>() {
                let again: Vec<u8> = read.iter().flat_map(|f| f.raw.iter().copied()).collect();
                proptest::prop_assert_eq!(again, bytes);
            }
        }
    }
}
