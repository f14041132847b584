//! Keys: which key group, and so which task, a tuple belongs to under a fields grouping.
//!
//! A key is the array of the grouped values in canonical MessagePack, hashed with XXH3-64 (seed 0); its group is the hash
//! modulo 1,024. One definition for every language. Corner cases: an integral float is written as the integer it equals
//! (1.0 is 1, -0.0 is 0), other floats as 64-bit floats, every NaN as the same one; `true` is not 1; text and bytes differ;
//! vectors are arrays of their numbers.

use rmp::encode;
use xxhash_rust::xxh3::xxh3_64;

use crate::ValueRef;

/// How many key groups a topology has. Groups, not keys, are assigned to tasks, and state moves by group.
pub const KEY_GROUPS: u32 = 1024;

/// The hash of a key; `scratch` is overwritten and spares an allocation.
///
/// ```
/// use squall_core::key::{group, hash};
/// let mut scratch = Vec::new();
/// assert_eq!(hash(&mut scratch, [1i64.into()]), hash(&mut scratch, [1.0f64.into()]));
/// assert!(group(hash(&mut scratch, ["storm".into()])) < 1024);
/// ```
#[inline]
pub fn hash<'a>(scratch: &mut Vec<u8>, key: impl IntoIterator<Item = ValueRef<'a>, IntoIter: ExactSizeIterator>) -> u64 {
    canonical(scratch, key);
    xxh3_64(scratch)
}

/// The key's canonical bytes, equal for equal keys: what to keep state under. `out` is overwritten.
///
/// ```
/// use squall_core::key::canonical;
/// let mut key = Vec::new();
/// canonical(&mut key, ["a".into(), 1.0f64.into()]);
/// assert_eq!(key, [0x92, 0xa1, b'a', 1]);
/// ```
#[inline]
pub fn canonical<'a>(out: &mut Vec<u8>, key: impl IntoIterator<Item = ValueRef<'a>, IntoIter: ExactSizeIterator>) {
    out.clear();
    let key = key.into_iter();
    array(out, key.len());
    key.for_each(|value| write(out, value));
}

/// The group of a hash.
///
/// ```
/// assert_eq!(squall_core::key::group(1025), 1);
/// ```
#[inline]
pub fn group(hash: u64) -> u32 {
    (hash % u64::from(KEY_GROUPS)) as u32
}

/// Which of `tasks` tasks a group belongs to: groups are dealt out in equal, contiguous ranges.
///
/// ```
/// use squall_core::key::task;
/// assert_eq!((task(0, 4), task(255, 4), task(256, 4), task(1023, 4)), (0, 0, 1, 3));
/// ```
#[inline]
pub fn task(group: u32, tasks: u32) -> u32 {
    (u64::from(group) * u64::from(tasks) / u64::from(KEY_GROUPS)) as u32
}

/// A second, independent choice for a partial-key grouping.
///
/// ```
/// assert!(squall_core::key::second(1 << 40) < 1024);
/// ```
#[inline]
pub fn second(hash: u64) -> u32 {
    group(hash >> 32)
}

fn array(out: &mut Vec<u8>, len: usize) {
    encode::write_array_len(out, len as u32).expect("writing to a vector does not fail");
}

fn write(out: &mut Vec<u8>, value: ValueRef<'_>) {
    // Writing to a Vec is infallible; the results carry no information.
    let _ = match value {
        ValueRef::Nil => encode::write_nil(out).map_err(|_| ()),
        ValueRef::Bool(v) => encode::write_bool(out, v).map_err(|_| ()),
        ValueRef::Int(v) => encode::write_sint(out, v).map(drop).map_err(|_| ()),
        ValueRef::Uint(v) => encode::write_uint(out, v).map(drop).map_err(|_| ()),
        ValueRef::Float(v) => {
            float(out, v);
            Ok(())
        }
        ValueRef::Str(v) => encode::write_str(out, v).map_err(|_| ()),
        ValueRef::Bytes(v) => encode::write_bin(out, v).map_err(|_| ()),
        ValueRef::F32s(v) => {
            array(out, v.len());
            v.iter().for_each(|x| float(out, f64::from(*x)));
            Ok(())
        }
        ValueRef::F64s(v) => {
            array(out, v.len());
            v.iter().for_each(|x| float(out, *x));
            Ok(())
        }
        ValueRef::List(v) => {
            array(out, v.len());
            v.iter().for_each(|x| write(out, x.as_ref()));
            Ok(())
        }
        ValueRef::Map(v) => {
            // A map is a key as the array of its pairs in the order of their canonical bytes.
            let mut pairs: Vec<Vec<u8>> = v
                .iter()
                .map(|(key, value)| {
                    let mut pair = Vec::new();
                    write(&mut pair, key.as_ref());
                    write(&mut pair, value.as_ref());
                    pair
                })
                .collect();
            pairs.sort();
            array(out, pairs.len() * 2);
            pairs.iter().for_each(|pair| out.extend_from_slice(pair));
            Ok(())
        }
    };
}

fn float(out: &mut Vec<u8>, v: f64) {
    // 2^63 and above do not fit i64; below 2^64 they are still integers.
    const I64_END: f64 = 9_223_372_036_854_775_808.0;
    let _ = if v.fract() == 0.0 && (-I64_END..I64_END).contains(&v) {
        encode::write_sint(out, v as i64).map(drop).map_err(|_| ())
    } else if v.fract() == 0.0 && (I64_END..2.0 * I64_END).contains(&v) {
        encode::write_uint(out, v as u64).map(drop).map_err(|_| ())
    } else {
        encode::write_f64(out, if v.is_nan() { f64::NAN } else { v }).map_err(|_| ())
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;
    use proptest::prelude::*;

    fn of(value: ValueRef<'_>) -> u64 {
        hash(&mut Vec::new(), [value])
    }

    #[test]
    fn equal_numbers_are_equal_keys() {
        assert_eq!(of(ValueRef::Float(-0.0)), of(ValueRef::Int(0)));
        assert_eq!(of(ValueRef::Float(1e19)), of(ValueRef::Uint(10_000_000_000_000_000_000)));
        assert_eq!(of(ValueRef::F32s(&[1.0, 2.5])), of(ValueRef::List(&[Value::Int(1), Value::Float(2.5)])));
        assert_eq!(of(ValueRef::Float(f64::NAN)), of(ValueRef::Float(-f64::NAN)));
        assert_ne!(of(ValueRef::Bool(true)), of(ValueRef::Int(1)));
        assert_ne!(of(ValueRef::Str("a")), of(ValueRef::Bytes(b"a")));
    }

    /// Pinned so that no change moves the keys of running topologies; Python computes the same with `xxhash` and `msgpack`.
    #[test]
    fn the_hash_is_a_format() {
        assert_eq!(of(ValueRef::Str("storm")), xxh3_64(&[0x91, 0xa5, b's', b't', b'o', b'r', b'm']));
        assert_eq!(of(ValueRef::Int(-1)), xxh3_64(&[0x91, 0xff]));
    }

    proptest! {
        #[test]
        fn groups_cover_all_tasks_evenly(tasks in 1u32..=1024) {
            let mut counts = vec![0u32; tasks as usize];
            for group in 0..KEY_GROUPS {
                counts[task(group, tasks) as usize] += 1;
            }
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            prop_assert!(*least >= 1 && most - least <= 1, "{} to {}", least, most);
        }
    }
}
