//! What an ONNX file says of labels: enough of protocol buffers to walk to the attributes of its nodes.
//!
//! Numbers of fields are those of `onnx.proto`: `ModelProto.graph` 7, `GraphProto.node` 1, `NodeProto.attribute` 5,
//! `AttributeProto.name` 1, `.ints` 8, `.strings` 9.

use crate::{Classes, Error};

/// One field of a message: its number, and its bytes or its number.
enum Field<'a> {
    Bytes(u64, &'a [u8]),
    Number(u64, u64),
}

struct Message<'a> {
    bytes: &'a [u8],
    broken: bool,
}

impl<'a> Message<'a> {
    fn new(bytes: &'a [u8]) -> Message<'a> {
        Message { bytes, broken: false }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for i in 0..10 {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f).checked_shl(7 * i)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(usize::try_from(n).ok()?)?;
        self.bytes = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let key = self.varint()?;
        let number = key >> 3;
        Some(match key & 7 {
            0 => Field::Number(number, self.varint()?),
            1 => Field::Bytes(number, self.take(8)?),
            2 => {
                let length = self.varint()?;
                Field::Bytes(number, self.take(length)?)
            }
            5 => Field::Bytes(number, self.take(4)?),
            _ => return None,
        })
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.bytes.is_empty() || self.broken {
            return None;
        }
        let field = self.field();
        self.broken = field.is_none();
        field
    }
}

/// The messages in the fields of this number; an error where the bytes are no message.
fn within(bytes: &[u8], wanted: u64) -> Result<Vec<&[u8]>, Error> {
    let mut message = Message::new(bytes);
    let mut out = Vec::new();
    for field in &mut message {
        if let Field::Bytes(number, inner) = field
            && number == wanted
        {
            out.push(inner);
        }
    }
    match message.broken {
        true => Err(Error::damaged(0, "it begins like an ONNX file and is none")),
        false => Ok(out),
    }
}

/// The labels that the last classifier of the graph names.
pub(super) fn classes(model: &[u8]) -> Result<Option<Classes>, Error> {
    let mut found = None;
    for graph in within(model, 7)? {
        for node in within(graph, 1)? {
            for attribute in within(node, 5)? {
                found = labels(attribute)?.or(found);
            }
        }
    }
    Ok(found.filter(|c: &Classes| !c.is_empty()))
}

fn labels(attribute: &[u8]) -> Result<Option<Classes>, Error> {
    let names = within(attribute, 1)?;
    let Some(name) = names.first() else { return Ok(None) };
    match *name {
        b"classlabels_strings" => {
            let texts = within(attribute, 9)?;
            Ok(Some(Classes::Str(texts.into_iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect())))
        }
        b"classlabels_int64s" | b"classlabels_ints" => {
            let mut ints = Vec::new();
            for field in Message::new(attribute) {
                match field {
                    Field::Number(8, value) => ints.push(value as i64),
                    Field::Bytes(8, packed) => {
                        let mut packed = Message::new(packed);
                        while !packed.bytes.is_empty() {
                            let value = packed.varint().ok_or_else(|| Error::damaged(0, "a list of labels is broken"))?;
                            ints.push(value as i64);
                        }
                    }
                    _ => {}
                }
            }
            Ok(Some(Classes::Int(ints)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, inner: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, inner.len() as u8], inner].concat()
    }

    #[test]
    fn labels_are_found_where_they_are() {
        let ints = [field(1, b"classlabels_int64s"), vec![8 << 3, 3, 8 << 3, 0x81, 0x01]].concat();
        let model = field(7, &field(1, &field(5, &ints)));
        assert_eq!(classes(&model).unwrap(), Some(Classes::Int(vec![3, 129])));
        let packed = [field(1, b"classlabels_ints"), field(8, &[1, 2])].concat();
        assert_eq!(classes(&field(7, &field(1, &field(5, &packed)))).unwrap(), Some(Classes::Int(vec![1, 2])));
        let texts = [field(1, b"classlabels_strings"), field(9, b"no"), field(9, b"yes")].concat();
        let model = field(7, &field(1, &field(5, &texts)));
        assert_eq!(classes(&model).unwrap(), Some(Classes::Str(vec!["no".into(), "yes".into()])));
        for cut in 1..model.len() {
            assert!(classes(&model[..cut]).is_err());
        }
        assert_eq!(classes(&[8, 7]).unwrap(), None);
    }
}
