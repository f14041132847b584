//! Universal Binary JSON, as XGBoost writes it: big endian, arrays typed and counted.

use serde_json::{Map, Number, Value};

use crate::Error;

const MAX_DEPTH: usize = 64;

/// The value that is the whole of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let mut parser = Parser { bytes, at: 0, depth: 0 };
    let marker = parser.u8()?;
    parser.value(marker)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let left = self.bytes.len() - self.at;
        if n > left {
            let what = "a value of universal binary JSON".to_owned();
            return Err(Error::Truncated { offset: self.at as u64, what, needed: n as u64, left: left as u64 });
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    fn wrong(&self, what: &str) -> Error {
        Error::damaged(self.at, what)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Error> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.u8()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(self.wrong("a length or integer of an unknown type")),
        })
    }

    fn length(&mut self) -> Result<usize, Error> {
        let marker = self.u8()?;
        let n = self.integer(marker)?;
        usize::try_from(n).map_err(|_| self.wrong("a negative length"))
    }

    fn text(&mut self) -> Result<String, Error> {
        let n = self.length()?;
        Ok(String::from_utf8_lossy(self.take(n)?).into_owned())
    }

    fn float(&self, v: f64) -> Value {
        // Infinities and NaN have no place in JSON, nor in trees.
        Number::from_f64(v).map_or(Value::Null, Value::Number)
    }

    fn value(&mut self, marker: u8) -> Result<Value, Error> {
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'S' => Value::String(self.text()?),
            b'C' => Value::String(char::from(self.u8()?).to_string()),
            b'd' => {
                let v = f32::from_be_bytes(self.array()?);
                self.float(f64::from(v))
            }
            b'D' => {
                let v = f64::from_be_bytes(self.array()?);
                self.float(v)
            }
            b'[' | b'{' => {
                if self.depth >= MAX_DEPTH {
                    return Err(self.wrong("values nested too deep"));
                }
                self.depth += 1;
                let done = if marker == b'[' { self.list()? } else { self.object()? };
                self.depth -= 1;
                done
            }
            other => Value::from(self.integer(other)?),
        })
    }

    fn list(&mut self) -> Result<Value, Error> {
        let mut marker = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            let typed = self.u8()?;
            // Types without bytes would let a short file claim any number of values.
            if !b"iUIlLdD".contains(&typed) {
                return Err(self.wrong("an array of an unknown type"));
            }
            marker = Some(typed);
        }
        let mut out = Vec::new();
        if self.peek() == Some(b'#') {
            self.at += 1;
            for _ in 0..self.length()? {
                let marker = match marker {
                    Some(typed) => typed,
                    None => self.u8()?,
                };
                out.push(self.value(marker)?);
            }
            return Ok(Value::Array(out));
        }
        if marker.is_some() {
            return Err(self.wrong("a typed array without a length"));
        }
        loop {
            match self.u8()? {
                b']' => return Ok(Value::Array(out)),
                marker => out.push(self.value(marker)?),
            }
        }
    }

    fn object(&mut self) -> Result<Value, Error> {
        let mut out = Map::new();
        loop {
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(Value::Object(out));
            }
            let key = self.text()?;
            let marker = self.u8()?;
            out.insert(key, self.value(marker)?);
        }
    }
}
