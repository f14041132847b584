//! Values of `any` fields in MessagePack.

use rmp::{Marker, encode};

use super::read::{Int, Reader, Result, WireError};
use crate::{Value, ValueRef};

/// How deep lists and maps may nest; deeper is refused rather than followed.
const DEPTH: u32 = 64;

/// Vectors are MessagePack extensions, so that they come back as what they were: type 1 holds 32-bit, type 2 64-bit
/// little-endian floats.
const F32S: i8 = 1;
const F64S: i8 = 2;

pub(super) fn write(out: &mut Vec<u8>, value: ValueRef<'_>) {
    // Writing to a Vec cannot fail.
    let _ = match value {
        ValueRef::Nil => encode::write_nil(out).map_err(drop),
        ValueRef::Bool(v) => encode::write_bool(out, v).map_err(drop),
        ValueRef::Int(v) => encode::write_sint(out, v).map(drop).map_err(drop),
        ValueRef::Uint(v) => encode::write_uint(out, v).map(drop).map_err(drop),
        ValueRef::Float(v) => encode::write_f64(out, v).map_err(drop),
        ValueRef::Str(v) => encode::write_str(out, v).map_err(drop),
        ValueRef::Bytes(v) => encode::write_bin(out, v).map_err(drop),
        ValueRef::F32s(v) => extension(out, F32S, bytemuck::cast_slice(v)),
        ValueRef::F64s(v) => extension(out, F64S, bytemuck::cast_slice(v)),
        ValueRef::List(v) => v.iter().fold(encode::write_array_len(out, v.len() as u32).map(drop).map_err(drop), |r, v| {
            write(out, v.as_ref());
            r
        }),
        ValueRef::Map(v) => v.iter().fold(encode::write_map_len(out, v.len() as u32).map(drop).map_err(drop), |r, (k, v)| {
            write(out, k.as_ref());
            write(out, v.as_ref());
            r
        }),
    };
}

fn extension(out: &mut Vec<u8>, kind: i8, bytes: &[u8]) -> std::result::Result<(), ()> {
    encode::write_ext_meta(out, bytes.len() as u32, kind).map_err(drop)?;
    out.extend_from_slice(bytes);
    Ok(())
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Value> {
    nested(reader, DEPTH)
}

fn nested(reader: &mut Reader<'_>, depth: u32) -> Result<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(WireError::Invalid(format!("a value nested more than {DEPTH} deep")));
    };
    let marker = reader.marker()?;
    if let Some(int) = reader.int_of(marker)? {
        return Ok(match int {
            Int::Positive(v) => Value::from(v),
            Int::Negative(v) => Value::Int(v),
        });
    }
    if let Some(v) = reader.float_of(marker)? {
        return Ok(Value::Float(v));
    }
    if let Some(v) = reader.str_of(marker)? {
        return Ok(Value::Str(v.to_owned()));
    }
    if let Some(v) = reader.bin_of(marker)? {
        return Ok(Value::Bytes(v.to_owned()));
    }
    if let Some(len) = reader.array_of(marker)? {
        return (0..len).map(|_| nested(reader, depth)).collect::<Result<_>>().map(Value::List);
    }
    if let Some(len) = reader.map_of(marker)? {
        let pair = |_| Ok((nested(reader, depth)?, nested(reader, depth)?));
        return (0..len).map(pair).collect::<Result<_>>().map(Value::Map);
    }
    let fixed = |n| Some(n);
    let len = match marker {
        Marker::Null => return Ok(Value::Nil),
        Marker::True => return Ok(Value::Bool(true)),
        Marker::False => return Ok(Value::Bool(false)),
        Marker::FixExt1 => fixed(1),
        Marker::FixExt2 => fixed(2),
        Marker::FixExt4 => fixed(4),
        Marker::FixExt8 => fixed(8),
        Marker::FixExt16 => fixed(16),
        Marker::Ext8 => Some(reader.take(1)?[0].into()),
        Marker::Ext16 => Some(reader.take(2)?.iter().fold(0, |n, b| n << 8 | usize::from(*b))),
        Marker::Ext32 => Some(reader.take(4)?.iter().fold(0, |n, b| n << 8 | usize::from(*b))),
        _ => None,
    };
    let Some(len) = len else { return reader.unexpected(marker, "a value") };
    let kind = reader.take(1)?[0] as i8;
    let bytes = reader.take(len)?;
    match kind {
        F32S => floats(bytes).map(Value::F32s),
        F64S => floats(bytes).map(Value::F64s),
        other => Err(WireError::Invalid(format!("unknown extension type {other}"))),
    }
}

/// Little-endian numbers out of unaligned bytes.
pub(super) fn floats<T: bytemuck::Pod>(bytes: &[u8]) -> Result<Vec<T>> {
    let mut numbers = Vec::new();
    extend(&mut numbers, bytes)?;
    Ok(numbers)
}

/// Appends little-endian numbers out of unaligned bytes.
pub(super) fn extend<T: bytemuck::Pod>(to: &mut Vec<T>, bytes: &[u8]) -> Result<()> {
    let size = size_of::<T>();
    if !bytes.len().is_multiple_of(size) {
        return Err(WireError::Invalid(format!("a block of {} bytes of {size}-byte numbers", bytes.len())));
    }
    let start = to.len();
    to.resize(start + bytes.len() / size, T::zeroed());
    bytemuck::cast_slice_mut(&mut to[start..]).copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (i64::MAX as u64 + 1..=u64::MAX).prop_map(Value::Uint),
            any::<i32>().prop_map(|v| Value::Float(f64::from(v) / 3.0)),
            ".{0,40}".prop_map(Value::Str),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
            proptest::collection::vec(-9f32..9.0, 0..20).prop_map(Value::F32s),
            proptest::collection::vec(-9f64..9.0, 0..20).prop_map(Value::F64s),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_come_back(value in any_value()) {
            let mut bytes = Vec::new();
            write(&mut bytes, value.as_ref());
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(read(&mut reader).unwrap(), value);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(read(&mut Reader::new(&[0x91; 100_000])).unwrap_err().to_string().contains("nested"));
    }
}
