//! numpy's arrays, element types and scalars, as their `__reduce__` describes them.

use std::borrow::Cow;

use super::heap::{Array, Dtype, Elements, Heap, Id, Value, latin1};
use crate::Error;

/// numpy's own limit on the number of axes.
const MAX_AXES: usize = 64;

/// Structured types hold plain ones; deeper nesting is not found in models.
const MAX_FIELDS: usize = 256;

/// What `_reconstruct` gives: an array that a later BUILD fills.
pub(crate) fn blank<'a>() -> Value<'a> {
    Value::Array(Box::new(Array {
        dtype: plain(b'b', 1),
        shape: vec![0],
        fortran: false,
        data: Elements::Raw(Cow::Borrowed(&[])),
    }))
}

fn plain(kind: u8, size: usize) -> Dtype {
    Dtype { kind, size, big_endian: false, fields: Vec::new() }
}

/// `dtype(text, align, copy)`.
pub(crate) fn dtype<'a>(heap: &Heap<'a>, args: &[Id], offset: usize) -> Result<Value<'a>, Error> {
    let text = args.first().and_then(|a| heap.text(*a));
    let text = text.ok_or_else(|| Error::damaged(offset, "a dtype without a type code"))?;
    let parsed = parse_dtype(&text).ok_or_else(|| Error::damaged(offset, format!("unknown dtype `{text}`")))?;
    Ok(Value::Dtype(Box::new(parsed)))
}

/// Type codes: an optional byte order, a letter, a size.
fn parse_dtype(text: &str) -> Option<Dtype> {
    let (big_endian, code) = match text.as_bytes().first()? {
        b'>' => (true, &text[1..]),
        b'<' | b'|' | b'=' => (false, &text[1..]),
        _ => (false, text),
    };
    let kind = *code.as_bytes().first()?;
    let digits = code.get(1..)?;
    let number: Option<usize> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    let (kind, size) = match (kind, number) {
        (b'?', None) => (b'b', 1),
        (b'b', Some(1)) => (b'b', 1),
        (b'O', _) => (b'O', 8),
        (b'U', Some(n)) => (b'U', n.checked_mul(4)?),
        (b'S' | b'V', Some(n)) => (kind, n),
        (b'i' | b'u', Some(n @ (1 | 2 | 4 | 8))) => (kind, n),
        (b'f', Some(n @ (2 | 4 | 8))) => (kind, n),
        (b'c', Some(n @ (8 | 16))) => (kind, n),
        (b'M' | b'm', Some(8)) => (kind, 8),
        _ => return None,
    };
    Some(Dtype { kind, size, big_endian, fields: Vec::new() })
}

/// BUILD of a dtype: (version, byte order, subtype, names, fields, size, alignment, flags …).
pub(crate) fn build_dtype(heap: &Heap<'_>, dtype: &Dtype, state: Id, offset: usize) -> Result<Dtype, Error> {
    let wrong = |what: &str| Error::damaged(offset, format!("the state of a dtype {what}"));
    let parts = heap.sequence(state).ok_or_else(|| wrong("is no tuple"))?;
    let [_, order, subtype, names, fields, size, ..] = parts else {
        return Err(wrong("is too short"));
    };
    let mut dtype = plain(dtype.kind, dtype.size);
    dtype.big_endian = heap.text(*order).is_some_and(|o| o == ">");
    if !matches!(heap.get(*subtype), Value::None) {
        return Err(wrong("has a subarray, which models do not use"));
    }
    if let Some(size) = heap.size(*size)
        && matches!(dtype.kind, b'U' | b'S' | b'V')
    {
        dtype.size = size;
    }
    if let Some(names) = heap.sequence(*names) {
        let described = match heap.get(*fields) {
            Value::Dict(fields) => fields.len(),
            _ => return Err(wrong("lacks its fields")),
        };
        if names.len() > MAX_FIELDS || described > MAX_FIELDS {
            return Err(wrong("has too many fields"));
        }
        for name in names {
            let name = heap.text(*name).ok_or_else(|| wrong("has a field without a name"))?;
            let field = heap.entry(*fields, &name).and_then(|f| heap.sequence(f));
            let (inner, at) = match field {
                Some([inner, at, ..]) => (heap.get(*inner), heap.size(*at)),
                _ => return Err(wrong("lacks a field")),
            };
            let (Value::Dtype(inner), Some(at)) = (inner, at) else {
                return Err(wrong("has a field of no type"));
            };
            // One level only: a field that is itself a structure would let sharing blow up.
            let fits = at.checked_add(inner.size).is_some_and(|end| end <= dtype.size);
            if !inner.fields.is_empty() || !fits {
                return Err(wrong("has a field that does not fit"));
            }
            heap.charge(name.len() + size_of::<Dtype>(), offset)?;
            dtype.fields.push((name.into_owned(), (**inner).clone(), at));
        }
    }
    Ok(dtype)
}

/// BUILD of an array: (version, shape, dtype, is Fortran, bytes or list of objects).
pub(crate) fn build_array<'a>(heap: &Heap<'a>, state: Id, offset: usize) -> Result<Array<'a>, Error> {
    let wrong = |what: &str| Error::damaged(offset, format!("the state of an array {what}"));
    let parts = heap.sequence(state).ok_or_else(|| wrong("is no tuple"))?;
    let [.., shape, dtype, fortran, data] = parts else {
        return Err(wrong("is too short"));
    };
    let shape = parse_shape(heap, *shape).ok_or_else(|| wrong("has no proper shape"))?;
    let Value::Dtype(dtype) = heap.get(*dtype) else {
        return Err(wrong("has no dtype"));
    };
    let fortran = heap.truth(*fortran).unwrap_or(false);
    let data = match heap.get(*data) {
        Value::Bytes { data, .. } => Elements::Raw(heap.share(data, offset)?),
        // A Python 2 string that went through `str`.
        Value::Str(_) => {
            let bytes = heap.latin1_bytes(*data, offset)?;
            Elements::Raw(Cow::Owned(bytes.ok_or_else(|| wrong("has text for data"))?))
        }
        Value::List(ids) => {
            heap.charge(ids.len() * size_of::<Id>(), offset)?;
            Elements::Objects(ids.clone())
        }
        _ => return Err(wrong("has no data")),
    };
    finish(copied(heap, dtype, offset)?, shape, fortran, data, offset)
}

pub(crate) fn copied(heap: &Heap<'_>, dtype: &Dtype, offset: usize) -> Result<Dtype, Error> {
    let names: usize = dtype.fields.iter().map(|f| f.0.len()).sum();
    heap.charge(names + dtype.fields.len() * size_of::<Dtype>(), offset)?;
    Ok(dtype.clone())
}

/// `_frombuffer(bytes, dtype, shape, order)` of protocol 5.
pub(crate) fn from_buffer<'a>(heap: &Heap<'a>, args: &[Id], offset: usize) -> Result<Value<'a>, Error> {
    let wrong = |what: &str| Error::damaged(offset, format!("an array from a buffer {what}"));
    let [data, dtype, shape, order, ..] = args else {
        return Err(wrong("is given too little"));
    };
    let Value::Bytes { data, .. } = heap.get(*data) else {
        return Err(wrong("has no data"));
    };
    let Value::Dtype(dtype) = heap.get(*dtype) else {
        return Err(wrong("has no dtype"));
    };
    let shape = parse_shape(heap, *shape).ok_or_else(|| wrong("has no proper shape"))?;
    let fortran = heap.text(*order).is_some_and(|o| o == "F");
    let data = Elements::Raw(heap.share(data, offset)?);
    let array = finish(copied(heap, dtype, offset)?, shape, fortran, data, offset)?;
    Ok(Value::Array(Box::new(array)))
}

/// `scalar(dtype, bytes)`: a plain number or text.
pub(crate) fn scalar<'a>(heap: &Heap<'a>, args: &[Id], offset: usize) -> Result<Value<'a>, Error> {
    let wrong = || Error::damaged(offset, "a numpy scalar that does not add up");
    let [dtype, data, ..] = args else {
        return Err(wrong());
    };
    let Value::Dtype(dtype) = heap.get(*dtype) else {
        return Err(wrong());
    };
    let bytes = match heap.get(*data) {
        Value::Bytes { data, .. } => heap.share(data, offset)?,
        _ => Cow::Owned(heap.latin1_bytes(*data, offset)?.ok_or_else(wrong)?),
    };
    heap.charge(bytes.len(), offset)?;
    if bytes.len() != dtype.size {
        return Err(wrong());
    }
    Ok(match dtype.kind {
        b'f' => Value::Float(dtype.float(&bytes).ok_or_else(wrong)?),
        b'i' | b'u' => Value::Int(dtype.int(&bytes).ok_or_else(wrong)?),
        b'b' => Value::Bool(bytes.first().is_some_and(|b| *b != 0)),
        b'U' => Value::Str(Cow::Owned(dtype.string(&bytes).ok_or_else(wrong)?)),
        b'S' => Value::Str(Cow::Owned(latin1(&bytes).into_owned())),
        _ => Value::Bytes { data: bytes, text: false },
    })
}

pub(crate) fn parse_shape(heap: &Heap<'_>, id: Id) -> Option<Vec<usize>> {
    let axes = heap.sequence(id)?;
    if axes.len() > MAX_AXES {
        return None;
    }
    axes.iter().map(|a| heap.size(*a)).collect()
}

/// Number of elements, if that is a number at all.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    // Zero axes must not hide an overflow of the others: views are built from the non-zero ones.
    shape
        .iter()
        .filter(|n| **n != 0)
        .try_fold(1usize, |a, b| a.checked_mul(*b))
        .filter(|n| isize::try_from(*n).is_ok())
        .map(|n| if shape.contains(&0) { 0 } else { n })
}

/// Checks that data and shape agree.
pub(crate) fn finish<'a>(
    dtype: Dtype,
    shape: Vec<usize>,
    fortran: bool,
    data: Elements<'a>,
    offset: usize,
) -> Result<Array<'a>, Error> {
    let n = count(&shape).ok_or_else(|| Error::damaged(offset, "an array of an impossible shape"))?;
    let agree = match &data {
        Elements::Raw(bytes) => dtype.kind != b'O' && n.checked_mul(dtype.size) == Some(bytes.len()),
        Elements::Objects(ids) => dtype.kind == b'O' && ids.len() == n,
    };
    if !agree {
        return Err(Error::damaged(offset, format!("an array of shape {shape:?} whose data has another size")));
    }
    Ok(Array { dtype, shape, fortran, data })
}

impl Dtype {
    /// One element as a float.
    pub(crate) fn float(&self, b: &[u8]) -> Option<f64> {
        if b.len() != self.size {
            return None;
        }
        let mut raw = [0u8; 8];
        let slot = raw.get_mut(..b.len())?;
        slot.copy_from_slice(b);
        if self.big_endian {
            slot.reverse();
        }
        match (self.kind, self.size) {
            (b'f', 8) => Some(f64::from_le_bytes(raw)),
            (b'f', 4) => Some(f64::from(f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))),
            (b'f', 2) => Some(half(u16::from_le_bytes([raw[0], raw[1]]))),
            (b'u', 8) => Some(u64::from_le_bytes(raw) as f64),
            (b'i' | b'u' | b'b', _) => self.int(b).map(|v| v as f64),
            _ => None,
        }
    }

    /// One element as an integer; none for an unsigned one past `i64`.
    pub(crate) fn int(&self, b: &[u8]) -> Option<i64> {
        if b.len() != self.size {
            return None;
        }
        let mut raw = [0u8; 8];
        let slot = raw.get_mut(..b.len())?;
        slot.copy_from_slice(b);
        if self.big_endian {
            slot.reverse();
        }
        let wide = u64::from_le_bytes(raw);
        match (self.kind, self.size) {
            (b'b', 1) => Some(i64::from(wide != 0)),
            (b'u', _) => i64::try_from(wide).ok(),
            (b'i', 1) => Some(i64::from(wide as u8 as i8)),
            (b'i', 2) => Some(i64::from(wide as u16 as i16)),
            (b'i', 4) => Some(i64::from(wide as u32 as i32)),
            (b'i', 8) => Some(wide as i64),
            _ => None,
        }
    }

    /// One element as text, without the zeros that fill it up.
    pub(crate) fn string(&self, b: &[u8]) -> Option<String> {
        match self.kind {
            b'U' => {
                let mut out = String::new();
                for c in b.chunks_exact(4) {
                    let c = [c[0], c[1], c[2], c[3]];
                    let code = if self.big_endian { u32::from_be_bytes(c) } else { u32::from_le_bytes(c) };
                    out.push(char::from_u32(code)?);
                }
                out.truncate(out.trim_end_matches('\0').len());
                Some(out)
            }
            b'S' => Some(latin1(b).trim_end_matches('\0').to_owned()),
            _ => None,
        }
    }
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}
