//! The values a tuple is made of, and the types its fields are declared with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of one field of a stream.
///
/// Written in TOML and JSON as `int`, `float`, `bool`, `str`, `bytes`, `any`, `f32[64]` (a vector of 64 numbers per
/// tuple), `f64[]` (a vector whose length differs from tuple to tuple).
///
/// ```
/// use squall_core::FieldType;
/// let pixels: FieldType = "f32[64]".parse().unwrap();
/// assert_eq!(pixels, FieldType::F32s(Some(64)));
/// assert_eq!(pixels.to_string(), "f32[64]");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Any [`Value`], null included; slower than the others, which are kept as columns.
    Any,
    /// `true` or `false`.
    Bool,
    /// A signed 64-bit integer.
    Int,
    /// A 64-bit float; an integer given for it is widened.
    Float,
    /// UTF-8 text.
    Str,
    /// Any bytes.
    Bytes,
    /// A vector of 32-bit floats, of the given length or of any.
    F32s(Option<u32>),
    /// A vector of 64-bit floats, of the given length or of any.
    F64s(Option<u32>),
}

impl FieldType {
    /// Whether values of type `other` may be emitted into a field of this type, or read where this type is expected.
    ///
    /// ```
    /// use squall_core::FieldType;
    /// assert!(FieldType::F32s(None).accepts(FieldType::F32s(Some(3))));
    /// assert!(!FieldType::Int.accepts(FieldType::Str));
    /// ```
    pub fn accepts(self, other: FieldType) -> bool {
        match (self, other) {
            (FieldType::Any, _) | (_, FieldType::Any) => true,
            (FieldType::Float, FieldType::Int) => true,
            (FieldType::F32s(None), FieldType::F32s(_)) | (FieldType::F64s(None), FieldType::F64s(_)) => true,
            (a, b) => a == b,
        }
    }

    /// Whether the field is a vector of numbers.
    ///
    /// ```
    /// assert!(squall_core::FieldType::F64s(Some(2)).is_vector());
    /// ```
    pub fn is_vector(self) -> bool {
        matches!(self, FieldType::F32s(_) | FieldType::F64s(_))
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vector = |f: &mut fmt::Formatter<'_>, name: &str, width: Option<u32>| match width {
            Some(n) => write!(f, "{name}[{n}]"),
            None => write!(f, "{name}[]"),
        };
        match *self {
            FieldType::Any => f.write_str("any"),
            FieldType::Bool => f.write_str("bool"),
            FieldType::Int => f.write_str("int"),
            FieldType::Float => f.write_str("float"),
            FieldType::Str => f.write_str("str"),
            FieldType::Bytes => f.write_str("bytes"),
            FieldType::F32s(width) => vector(f, "f32", width),
            FieldType::F64s(width) => vector(f, "f64", width),
        }
    }
}

impl FromStr for FieldType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("unknown field type `{text}`: expected any, bool, int, float, str, bytes, f32[n], f64[n], f32[] or f64[]")
        };
        let width = |rest: &str| -> Result<Option<u32>, String> {
            let inner = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')).ok_or_else(wrong)?;
            match inner.trim() {
                "" => Ok(None),
                n => n.parse().map(Some).map_err(|_| wrong()),
            }
        };
        Ok(match text.trim() {
            "any" => FieldType::Any,
            "bool" => FieldType::Bool,
            "int" => FieldType::Int,
            "float" => FieldType::Float,
            "str" => FieldType::Str,
            "bytes" => FieldType::Bytes,
            t if t.starts_with("f32") => FieldType::F32s(width(&t[3..])?),
            t if t.starts_with("f64") => FieldType::F64s(width(&t[3..])?),
            _ => return Err(wrong()),
        })
    }
}

impl Serialize for FieldType {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldType {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A value that owns its content; what `any` fields hold and what a tuple can be copied into.
///
/// ```
/// use squall_core::Value;
/// let v = Value::from("storm");
/// assert_eq!(v.to_string(), "storm");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer too large for [`Value::Int`].
    Uint(u64),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A vector of 32-bit floats.
    F32s(Vec<f32>),
    /// A vector of 64-bit floats.
    F64s(Vec<f64>),
    /// A list of values.
    List(Vec<Value>),
    /// Pairs in the order given.
    Map(Vec<(Value, Value)>),
}

/// A borrowed value: what is read from a tuple, and what is emitted.
///
/// ```
/// use squall_core::ValueRef;
/// let v: ValueRef<'_> = "word".into();
/// assert_eq!(v.type_name(), "str");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer too large for [`ValueRef::Int`].
    Uint(u64),
    /// A float.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A vector of 32-bit floats.
    F32s(&'a [f32]),
    /// A vector of 64-bit floats.
    F64s(&'a [f64]),
    /// A list of values.
    List(&'a [Value]),
    /// Pairs in the order given.
    Map(&'a [(Value, Value)]),
}

impl ValueRef<'_> {
    /// The type's name as it is written in a topology file.
    ///
    /// ```
    /// assert_eq!(squall_core::ValueRef::Int(1).type_name(), "int");
    /// ```
    pub fn type_name(&self) -> &'static str {
        match self {
            ValueRef::Nil => "nil",
            ValueRef::Bool(_) => "bool",
            ValueRef::Int(_) | ValueRef::Uint(_) => "int",
            ValueRef::Float(_) => "float",
            ValueRef::Str(_) => "str",
            ValueRef::Bytes(_) => "bytes",
            ValueRef::F32s(_) => "f32[]",
            ValueRef::F64s(_) => "f64[]",
            ValueRef::List(_) => "list",
            ValueRef::Map(_) => "map",
        }
    }

    /// A copy that owns its content.
    ///
    /// ```
    /// use squall_core::{Value, ValueRef};
    /// assert_eq!(ValueRef::Str("a").to_value(), Value::from("a"));
    /// ```
    pub fn to_value(&self) -> Value {
        match *self {
            ValueRef::Nil => Value::Nil,
            ValueRef::Bool(v) => Value::Bool(v),
            ValueRef::Int(v) => Value::Int(v),
            ValueRef::Uint(v) => Value::Uint(v),
            ValueRef::Float(v) => Value::Float(v),
            ValueRef::Str(v) => Value::Str(v.to_owned()),
            ValueRef::Bytes(v) => Value::Bytes(v.to_owned()),
            ValueRef::F32s(v) => Value::F32s(v.to_owned()),
            ValueRef::F64s(v) => Value::F64s(v.to_owned()),
            ValueRef::List(v) => Value::List(v.to_owned()),
            ValueRef::Map(v) => Value::Map(v.to_owned()),
        }
    }
}

impl Value {
    /// The value, borrowed.
    ///
    /// ```
    /// use squall_core::{Value, ValueRef};
    /// assert_eq!(Value::Int(3).as_ref(), ValueRef::Int(3));
    /// ```
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Nil => ValueRef::Nil,
            Value::Bool(v) => ValueRef::Bool(*v),
            Value::Int(v) => ValueRef::Int(*v),
            Value::Uint(v) => ValueRef::Uint(*v),
            Value::Float(v) => ValueRef::Float(*v),
            Value::Str(v) => ValueRef::Str(v),
            Value::Bytes(v) => ValueRef::Bytes(v),
            Value::F32s(v) => ValueRef::F32s(v),
            Value::F64s(v) => ValueRef::F64s(v),
            Value::List(v) => ValueRef::List(v),
            Value::Map(v) => ValueRef::Map(v),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Display for ValueRef<'_> {
    /// Text as it is, everything else as JSON would write it; bytes in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
            f.write_str("[")?;
            for (i, item) in items.enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{item}")?;
            }
            f.write_str("]")
        }
        match self {
            ValueRef::Nil => f.write_str("null"),
            ValueRef::Bool(v) => v.fmt(f),
            ValueRef::Int(v) => v.fmt(f),
            ValueRef::Uint(v) => v.fmt(f),
            ValueRef::Float(v) => v.fmt(f),
            ValueRef::Str(v) => f.write_str(v),
            ValueRef::Bytes(v) => v.iter().try_for_each(|b| write!(f, "{b:02x}")),
            ValueRef::F32s(v) => list(f, v.iter()),
            ValueRef::F64s(v) => list(f, v.iter()),
            ValueRef::List(v) => list(f, v.iter()),
            ValueRef::Map(v) => {
                f.write_str("{")?;
                for (i, (key, value)) in v.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

macro_rules! from {
    ($($t:ty => $variant:ident as $cast:ty),* $(,)?) => {$(
        impl From<$t> for Value { fn from(v: $t) -> Self { Value::$variant(v as $cast) } }
        impl From<$t> for ValueRef<'_> { fn from(v: $t) -> Self { ValueRef::$variant(v as $cast) } }
        impl From<&$t> for ValueRef<'_> { fn from(v: &$t) -> Self { ValueRef::$variant(*v as $cast) } }
    )*};
}
from!(bool => Bool as bool, i64 => Int as i64, i32 => Int as i64, i16 => Int as i64, i8 => Int as i64,
      u32 => Int as i64, u16 => Int as i64, u8 => Int as i64, f64 => Float as f64, f32 => Float as f64);

impl From<u64> for Value {
    fn from(v: u64) -> Self {
        i64::try_from(v).map_or(Value::Uint(v), Value::Int)
    }
}
impl From<u64> for ValueRef<'_> {
    fn from(v: u64) -> Self {
        i64::try_from(v).map_or(ValueRef::Uint(v), ValueRef::Int)
    }
}
impl From<usize> for Value {
    fn from(v: usize) -> Self {
        (v as u64).into()
    }
}
impl From<usize> for ValueRef<'_> {
    fn from(v: usize) -> Self {
        (v as u64).into()
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::Str(v.to_owned())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::Str(v)
    }
}
macro_rules! from_ref {
    ($($t:ty => $variant:ident),* $(,)?) => {$(
        impl<'a> From<&'a $t> for ValueRef<'a> { fn from(v: &'a $t) -> Self { ValueRef::$variant(v) } }
    )*};
}
from_ref!(str => Str, String => Str, [u8] => Bytes, Vec<u8> => Bytes, [f32] => F32s, Vec<f32> => F32s, [f64] => F64s,
          Vec<f64> => F64s, [Value] => List, Vec<Value> => List);
impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(v: &'a Value) -> Self {
        v.as_ref()
    }
}
impl<'a, T: Into<ValueRef<'a>>> From<Option<T>> for ValueRef<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(ValueRef::Nil, Into::into)
    }
}

/// JSON as a value: what file and socket spouts that read JSON emit into `any` fields.
impl From<serde_json::Value> for Value {
    fn from(v: serde_json::Value) -> Self {
        match v {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(i), _) => Value::Int(i),
                (None, Some(u)) => Value::Uint(u),
                _ => n.as_f64().map_or(Value::Nil, Value::Float),
            },
            serde_json::Value::String(s) => Value::Str(s),
            serde_json::Value::Array(a) => Value::List(a.into_iter().map(Into::into).collect()),
            serde_json::Value::Object(o) => Value::Map(o.into_iter().map(|(k, v)| (Value::Str(k), v.into())).collect()),
        }
    }
}

/// The value as JSON: floats that JSON cannot write (NaN, infinities) become null, bytes hexadecimal text.
impl From<ValueRef<'_>> for serde_json::Value {
    fn from(v: ValueRef<'_>) -> Self {
        use serde_json::Value as J;
        match v {
            ValueRef::Nil => J::Null,
            ValueRef::Bool(b) => J::Bool(b),
            ValueRef::Int(i) => i.into(),
            ValueRef::Uint(u) => u.into(),
            ValueRef::Float(x) => x.into(),
            ValueRef::Str(s) => s.into(),
            ValueRef::Bytes(_) => J::String(v.to_string()),
            ValueRef::F32s(x) => x.iter().map(|x| f64::from(*x)).collect(),
            ValueRef::F64s(x) => x.iter().copied().collect(),
            ValueRef::List(l) => l.iter().map(|v| J::from(v.as_ref())).collect(),
            ValueRef::Map(m) => J::Object(m.iter().map(|(k, v)| (k.to_string(), v.as_ref().into())).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip_through_text() {
        for text in ["any", "bool", "int", "float", "str", "bytes", "f32[64]", "f64[]", "f32[]", "f64[3]"] {
            assert_eq!(text.parse::<FieldType>().unwrap().to_string(), text);
        }
        for wrong in ["f32", "f32[x]", "int32", "", "f64[-1]"] {
            assert!(wrong.parse::<FieldType>().unwrap_err().contains("unknown field type"), "{wrong}");
        }
    }

    #[test]
    fn large_unsigned_integers_keep_their_value() {
        assert_eq!(Value::from(u64::MAX), Value::Uint(u64::MAX));
        assert_eq!(Value::from(7u64), Value::Int(7));
    }
}
