//! What a pickle builds: values that refer to each other by number.
//!
//! Values may be shared and may form cycles, as in Python; numbers instead of pointers make both
//! harmless. Whoever walks the graph bounds its own depth.

use std::borrow::Cow;
use std::cell::Cell;

use crate::Error;

/// Index of a value in its [`Heap`].
pub(crate) type Id = u32;

/// One value.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer wider than 64 bits: a seed, which nobody reads.
    Big,
    Float(f64),
    Str(Cow<'a, str>),
    /// Bytes; `text` when a Python 2 `str` that may be either.
    Bytes {
        data: Cow<'a, [u8]>,
        text: bool,
    },
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function: `module.name`.
    Global(Box<str>),
    Object(Box<Object>),
    Dtype(Box<Dtype>),
    Array(Box<Array<'a>>),
}

/// An instance that was described and not made.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) class: Box<str>,
    pub(crate) args: Vec<Id>,
    pub(crate) state: Option<Id>,
    /// What a subclass of `dict` was filled with.
    pub(crate) items: Vec<(Id, Id)>,
    /// What a subclass of `list` was filled with.
    pub(crate) list: Vec<Id>,
}

/// Element type of an array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dtype {
    /// numpy's letter: `f i u b U S O V` and others.
    pub(crate) kind: u8,
    /// Bytes per element.
    pub(crate) size: usize,
    pub(crate) big_endian: bool,
    /// (name, type, byte offset) of a structured type.
    pub(crate) fields: Vec<(String, Dtype, usize)>,
}

/// A numpy array, its elements still as the pickle holds them.
#[derive(Debug, Clone)]
pub(crate) struct Array<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) fortran: bool,
    pub(crate) data: Elements<'a>,
}

#[derive(Debug, Clone)]
pub(crate) enum Elements<'a> {
    Raw(Cow<'a, [u8]>),
    Objects(Vec<Id>),
}

/// All values of one pickle.
#[derive(Debug)]
pub(crate) struct Heap<'a> {
    values: Vec<Value<'a>>,
    /// Bytes that opcodes may still copy: short ones can name long values again and again.
    allowance: Cell<usize>,
}

/// Values that need no place of their own.
pub(crate) const NONE: Id = 0;
pub(crate) const FALSE: Id = 1;
pub(crate) const TRUE: Id = 2;
pub(crate) const EMPTY_TUPLE: Id = 3;

/// More values than any model of sense, and 2 GB at most for a file that only makes values.
pub(crate) const MAX_VALUES: usize = 1 << 25;

impl<'a> Heap<'a> {
    /// A heap for a pickle of `source` bytes.
    pub(crate) fn new(source: usize) -> Self {
        Heap {
            allowance: Cell::new(source.saturating_mul(32).saturating_add(1 << 24)),
            values: vec![Value::None, Value::Bool(false), Value::Bool(true), Value::Tuple(Box::new([]))],
        }
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: Value<'a>, offset: usize) -> Result<Id, Error> {
        if self.values.len() >= MAX_VALUES {
            return Err(Error::damaged(offset, format!("more than {MAX_VALUES} values")));
        }
        self.values.push(value);
        Ok((self.values.len() - 1) as Id)
    }

    /// Accounts for a copy that is not bounded by the bytes just read.
    pub(crate) fn charge(&self, bytes: usize, offset: usize) -> Result<(), Error> {
        match self.allowance.get().checked_sub(bytes) {
            Some(left) => {
                self.allowance.set(left);
                Ok(())
            }
            None => Err(Error::damaged(offset, "it copies far more than it holds")),
        }
    }

    /// The bytes of a value, shared where they lie in the source.
    pub(crate) fn share(&self, data: &Cow<'a, [u8]>, offset: usize) -> Result<Cow<'a, [u8]>, Error> {
        if let Cow::Owned(bytes) = data {
            self.charge(bytes.len(), offset)?;
        }
        Ok(data.clone())
    }

    /// The bytes that a text holds when each character stands for one.
    pub(crate) fn latin1_bytes(&self, id: Id, offset: usize) -> Result<Option<Vec<u8>>, Error> {
        let Some(text) = self.text(id) else {
            return Ok(None);
        };
        self.charge(text.len(), offset)?;
        Ok(text.chars().map(|c| u8::try_from(c as u32).ok()).collect())
    }

    /// The value behind an id. Ids come from `add` only; an unknown one reads as `None`.
    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        self.values.get(id as usize).unwrap_or(&Value::None)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Value<'a>> {
        self.values.get_mut(id as usize)
    }

    pub(crate) fn set(&mut self, id: Id, value: Value<'a>) {
        if let Some(slot) = self.values.get_mut(id as usize) {
            *slot = value;
        }
    }

    /// Text, be it `str` or a Python 2 string (as Latin-1).
    pub(crate) fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        match self.get(id) {
            Value::Str(s) => Some(Cow::Borrowed(s)),
            Value::Bytes { data, text: true } => Some(latin1(data)),
            _ => None,
        }
    }

    pub(crate) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Value::Int(v) => Some(*v),
            Value::Bool(v) => Some(i64::from(*v)),
            _ => None,
        }
    }

    pub(crate) fn size(&self, id: Id) -> Option<usize> {
        self.int(id).and_then(|v| usize::try_from(v).ok())
    }

    pub(crate) fn truth(&self, id: Id) -> Option<bool> {
        self.int(id).map(|v| v != 0)
    }

    /// The members of a tuple or list.
    pub(crate) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(v) => Some(v),
            Value::List(v) => Some(v),
            _ => None,
        }
    }

    /// Looks a text key up in a dict.
    pub(crate) fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let items = match self.get(dict) {
            Value::Dict(items) => items,
            Value::Object(object) => &object.items,
            _ => return None,
        };
        // The last one wins, as it would in Python.
        items.iter().rev().find(|(k, _)| self.text(*k).is_some_and(|k| k == key)).map(|(_, v)| *v)
    }

    /// What a value is, for messages.
    pub(crate) fn type_name(&self, id: Id) -> String {
        match self.get(id) {
            Value::None => "None".into(),
            Value::Bool(_) => "a bool".into(),
            Value::Int(_) | Value::Big => "an integer".into(),
            Value::Float(_) => "a float".into(),
            Value::Str(_) => "text".into(),
            Value::Bytes { .. } => "bytes".into(),
            Value::Tuple(_) => "a tuple".into(),
            Value::List(_) => "a list".into(),
            Value::Set(_) => "a set".into(),
            Value::Dict(_) => "a dict".into(),
            Value::Global(name) => format!("`{name}`"),
            Value::Object(object) => format!("a `{}`", object.class),
            Value::Dtype(_) => "a dtype".into(),
            Value::Array(array) => format!("an array of shape {:?}", array.shape),
        }
    }
}

/// Bytes as the characters of the same number.
pub(crate) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(ascii) if bytes.is_ascii() => Cow::Borrowed(ascii),
        _ => Cow::Owned(bytes.iter().map(|b| *b as char).collect()),
    }
}
