//! The stack machine: one loop over the opcodes, no recursion, nothing called.

use std::borrow::Cow;
use std::collections::HashMap;

use super::heap::{EMPTY_TUPLE, FALSE, Heap, Id, NONE, Object, TRUE, Value, latin1};
use super::reader::Reader;
use super::{calls, joblib, known, numpy};
use crate::Error;

/// Progress is told about this often.
const STEP: usize = 1 << 20;

/// Runs the pickle at the start of `source` to its STOP.
pub(crate) fn run<'a>(source: &'a [u8], progress: &mut dyn FnMut(usize)) -> Result<(Heap<'a>, Id), Error> {
    let mut heap = Heap::new(source.len());
    let mut reader = Reader::new(source);
    let mut told = 0;
    let mut tell = |at: usize| {
        if at - told >= STEP {
            told = at;
            progress(at);
        }
    };
    let root = Machine::new(&mut heap, &mut reader, true).run(&mut tell)?;
    Ok((heap, root))
}

struct Machine<'m, 'a> {
    heap: &'m mut Heap<'a>,
    reader: &'m mut Reader<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at each open MARK.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Where the current opcode began.
    offset: usize,
    /// Whether joblib's arrays may follow: not inside one of them.
    outer: bool,
}

impl<'m, 'a> Machine<'m, 'a> {
    fn new(heap: &'m mut Heap<'a>, reader: &'m mut Reader<'a>, outer: bool) -> Self {
        Machine { heap, reader, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), offset: 0, outer }
    }

    fn run(mut self, tell: &mut dyn FnMut(usize)) -> Result<Id, Error> {
        loop {
            self.offset = self.reader.at();
            tell(self.offset);
            let opcode = self.reader.u8("the next opcode")?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            // Framing. Frames only help a reader to buffer.
            0x80 => {
                let version = self.reader.u8("the protocol version")?;
                if version > 5 {
                    return Err(self.damaged(format!("protocol {version} is unknown; 0 to 5 are read")));
                }
                Ok(())
            }
            0x95 => self.reader.u64("a frame").map(drop),

            // The stack and the memo.
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => match self.marks.last() {
                Some(mark) if *mark == self.stack.len() => {
                    self.marks.pop();
                    Ok(())
                }
                _ => self.pop().map(drop),
            },
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            b'p' => {
                let key = self.decimal("a memo key")?;
                self.remember(key)
            }
            b'q' => {
                let key = self.reader.u8("a memo key")?;
                self.remember(u64::from(key))
            }
            b'r' => {
                let key = self.reader.u32("a memo key")?;
                self.remember(u64::from(key))
            }
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => {
                let key = self.decimal("a memo key")?;
                self.recall(key)
            }
            b'h' => {
                let key = self.reader.u8("a memo key")?;
                self.recall(u64::from(key))
            }
            b'j' => {
                let key = self.reader.u32("a memo key")?;
                self.recall(u64::from(key))
            }

            // Numbers.
            b'N' => self.push(NONE),
            0x88 => self.push(TRUE),
            0x89 => self.push(FALSE),
            b'J' => {
                let raw = self.reader.array("an integer")?;
                self.add(Value::Int(i64::from(i32::from_le_bytes(raw))))
            }
            b'K' => {
                let v = self.reader.u8("an integer")?;
                self.add(Value::Int(i64::from(v)))
            }
            b'M' => {
                let raw = self.reader.array("an integer")?;
                self.add(Value::Int(i64::from(u16::from_le_bytes(raw))))
            }
            b'I' => match self.reader.line("an integer")? {
                b"00" => self.push(FALSE),
                b"01" => self.push(TRUE),
                line => self.add_decimal(line),
            },
            b'L' => {
                let line = self.reader.line("an integer")?;
                self.add_decimal(line.strip_suffix(b"L").unwrap_or(line))
            }
            0x8a => {
                let n = self.reader.u8("an integer")?;
                self.add_big(u64::from(n))
            }
            0x8b => {
                let n = self.reader.u32("an integer")?;
                self.add_big(u64::from(n))
            }
            b'F' => {
                let line = self.reader.line("a float")?;
                let text = std::str::from_utf8(line).ok().map(str::trim);
                match text.and_then(|t| t.parse::<f64>().ok()) {
                    Some(v) => self.add(Value::Float(v)),
                    None => Err(self.damaged("a float that is none")),
                }
            }
            b'G' => {
                let raw = self.reader.array("a float")?;
                self.add(Value::Float(f64::from_be_bytes(raw)))
            }

            // Text and bytes.
            b'S' => {
                let line = self.reader.line("a string")?;
                let data = unquote(line).ok_or_else(|| self.damaged("a string without quotes"))?;
                self.add(Value::Bytes { data: Cow::Owned(data), text: true })
            }
            b'T' => {
                let n = self.reader.u32("a string")?;
                self.add_bytes(u64::from(n), true)
            }
            b'U' => {
                let n = self.reader.u8("a string")?;
                self.add_bytes(u64::from(n), true)
            }
            b'C' => {
                let n = self.reader.u8("bytes")?;
                self.add_bytes(u64::from(n), false)
            }
            b'B' => {
                let n = self.reader.u32("bytes")?;
                self.add_bytes(u64::from(n), false)
            }
            0x8e | 0x96 => {
                let n = self.reader.u64("bytes")?;
                self.add_bytes(n, false)
            }
            b'V' => {
                let line = self.reader.line("text")?;
                let text = unescape(line).ok_or_else(|| self.damaged("text with a bad escape"))?;
                self.add(Value::Str(Cow::Owned(text)))
            }
            0x8c => {
                let n = self.reader.u8("text")?;
                self.add_text(u64::from(n))
            }
            b'X' => {
                let n = self.reader.u32("text")?;
                self.add_text(u64::from(n))
            }
            0x8d => {
                let n = self.reader.u64("text")?;
                self.add_text(n)
            }

            // Containers.
            b')' => self.push(EMPTY_TUPLE),
            b']' => self.add(Value::List(Vec::new())),
            b'}' => self.add(Value::Dict(Vec::new())),
            0x8f => self.add(Value::Set(Vec::new())),
            b't' => {
                let items = self.pop_mark()?;
                self.add(Value::Tuple(items.into()))
            }
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b'l' => {
                let items = self.pop_mark()?;
                self.add(Value::List(items))
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = self.pairs(&items)?;
                self.add(Value::Dict(pairs))
            }
            0x91 => {
                let items = self.pop_mark()?;
                self.add(Value::Set(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(&items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.fill(&[key, value])
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.fill(&items)
            }

            // Names and instances.
            b'c' => {
                let module = self.reader.line("the module of a name")?;
                let name = self.reader.line("a name")?;
                let global = self.global(&latin1(module), &latin1(name))?;
                self.push(global)
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Some(module), Some(name)) = (self.heap.text(module), self.heap.text(name)) else {
                    return Err(self.damaged("a name that is not text"));
                };
                let (module, name) = (module.into_owned(), name.into_owned());
                self.heap.charge(module.len() + name.len(), self.offset)?;
                let global = self.global(&module, &name)?;
                self.push(global)
            }
            b'R' => {
                let args = self.pop()?;
                let callable = self.pop()?;
                let name = self.name(callable)?;
                let args = self.arguments(args)?;
                let made = calls::reduce(self.heap, &name, &args, self.offset)?;
                self.add(made)
            }
            0x81 => {
                let args = self.pop()?;
                self.instantiate(args)
            }
            0x92 => {
                let keywords = self.pop()?;
                let args = self.pop()?;
                self.instantiate(args)?;
                // Keyword arguments of __new__ are kept as items; no known class uses them.
                if let Value::Dict(pairs) = self.heap.get(keywords)
                    && !pairs.is_empty()
                {
                    return Err(self.damaged("an instance made with keyword arguments"));
                }
                Ok(())
            }
            b'i' => {
                let module = self.reader.line("the module of a name")?;
                let name = self.reader.line("a name")?;
                let class = self.global(&latin1(module), &latin1(name))?;
                let args = self.pop_mark()?;
                let name = self.name(class)?;
                self.add(calls::new_object(&name, &args))
            }
            b'o' => {
                let mut args = self.pop_mark()?;
                if args.is_empty() {
                    return Err(self.damaged("an instance without a class"));
                }
                let class = args.remove(0);
                let name = self.name(class)?;
                self.add(calls::new_object(&name, &args))
            }
            b'b' => {
                let state = self.pop()?;
                self.build(state)
            }

            // What would need the program that wrote it.
            b'P' | b'Q' => Err(self.refused("objects kept outside the pickle (persistent ids)")),
            0x82..=0x84 => Err(self.refused("names kept in a registry outside the pickle (extension codes)")),
            0x97 | 0x98 => Err(self.refused("buffers kept outside the pickle; write it without `buffer_callback`")),
            other => Err(self.damaged(format!("0x{other:02x} is no opcode"))),
        }
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(self.offset, what)
    }

    fn refused(&self, what: &str) -> Error {
        Error::unsupported("pickle", format!("it uses {what} (byte {})", self.offset))
    }

    fn push(&mut self, id: Id) -> Result<(), Error> {
        self.stack.push(id);
        Ok(())
    }

    fn add(&mut self, value: Value<'a>) -> Result<(), Error> {
        let id = self.heap.add(value, self.offset)?;
        self.push(id)
    }

    fn top(&self) -> Result<Id, Error> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(self.damaged("the stack is empty")),
        }
    }

    fn pop(&mut self) -> Result<Id, Error> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Error> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.damaged("a mark is missing")),
        }
    }

    fn remember(&mut self, key: u64) -> Result<(), Error> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Error> {
        match self.memo.get(&key) {
            Some(id) => self.push(*id),
            None => Err(self.damaged(format!("memo entry {key} was never made"))),
        }
    }

    fn decimal(&mut self, what: &'static str) -> Result<u64, Error> {
        let line = self.reader.line(what)?;
        std::str::from_utf8(line)
            .ok()
            .and_then(|t| t.trim().parse().ok())
            .ok_or_else(|| self.damaged(format!("{what} that is no number")))
    }

    fn add_decimal(&mut self, line: &[u8]) -> Result<(), Error> {
        let text = std::str::from_utf8(line).ok().map(str::trim);
        match text.map(|t| (t, t.parse::<i64>())) {
            Some((_, Ok(v))) => self.add(Value::Int(v)),
            // Seeds may be wider than 64 bits, and nobody reads them.
            Some((t, Err(_))) if !t.is_empty() && t.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => {
                self.add(Value::Big)
            }
            _ => Err(self.damaged("an integer that is none")),
        }
    }

    fn add_big(&mut self, n: u64) -> Result<(), Error> {
        let raw = self.reader.take(n, "an integer")?;
        if raw.len() > 8 {
            return self.add(Value::Big);
        }
        let negative = raw.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        wide[..raw.len()].copy_from_slice(raw);
        self.add(Value::Int(i64::from_le_bytes(wide)))
    }

    fn add_bytes(&mut self, n: u64, text: bool) -> Result<(), Error> {
        let data = self.reader.take(n, if text { "a string" } else { "bytes" })?;
        self.add(Value::Bytes { data: Cow::Borrowed(data), text })
    }

    fn add_text(&mut self, n: u64) -> Result<(), Error> {
        let raw = self.reader.take(n, "text")?;
        // Lone surrogates, which Python lets through, become question marks.
        self.add(Value::Str(String::from_utf8_lossy(raw)))
    }

    fn tuple(&mut self, n: usize) -> Result<(), Error> {
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.pop()?);
        }
        items.reverse();
        self.add(Value::Tuple(items.into()))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Error> {
        if !items.len().is_multiple_of(2) {
            return Err(self.damaged("a key without a value"));
        }
        Ok(items.chunks_exact(2).map(|kv| (kv[0], kv[1])).collect())
    }

    /// APPEND, APPENDS and ADDITEMS.
    fn extend(&mut self, items: &[Id]) -> Result<(), Error> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Value::List(list) | Value::Set(list)) => list.extend_from_slice(items),
            Some(Value::Object(object)) => object.list.extend_from_slice(items),
            _ => return Err(self.damaged("items for something that holds none")),
        }
        Ok(())
    }

    /// SETITEM and SETITEMS.
    fn fill(&mut self, items: &[Id]) -> Result<(), Error> {
        let pairs = self.pairs(items)?;
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Value::Dict(dict)) => dict.extend(pairs),
            Some(Value::Object(object)) => object.items.extend(pairs),
            _ => return Err(self.damaged("entries for something that is no dict")),
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<Id, Error> {
        let name = known::canonical(module, name);
        if !known::is_known(&name) {
            return Err(Error::UnknownClass { name, offset: self.offset as u64 });
        }
        self.heap.add(Value::Global(name.into()), self.offset)
    }

    fn name(&self, id: Id) -> Result<Box<str>, Error> {
        match self.heap.get(id) {
            Value::Global(name) => {
                self.heap.charge(name.len(), self.offset)?;
                Ok(name.clone())
            }
            _ => Err(Error::UnknownCall { name: self.heap.type_name(id), offset: self.offset as u64 }),
        }
    }

    fn arguments(&self, id: Id) -> Result<Vec<Id>, Error> {
        match self.heap.get(id) {
            Value::Tuple(args) => {
                self.heap.charge(args.len() * size_of::<Id>(), self.offset)?;
                Ok(args.to_vec())
            }
            _ => Err(self.damaged("arguments that are no tuple")),
        }
    }

    fn instantiate(&mut self, args: Id) -> Result<(), Error> {
        let class = self.pop()?;
        let name = self.name(class)?;
        let args = self.arguments(args)?;
        self.add(calls::new_object(&name, &args))
    }

    /// BUILD: gives the instance on top of the stack its state.
    fn build(&mut self, state: Id) -> Result<(), Error> {
        let target = self.top()?;
        match self.heap.get(target) {
            Value::Array(_) => {
                let array = numpy::build_array(self.heap, state, self.offset)?;
                self.heap.set(target, Value::Array(Box::new(array)));
            }
            Value::Dtype(dtype) => {
                let built = numpy::build_dtype(self.heap, dtype, state, self.offset)?;
                self.heap.set(target, Value::Dtype(Box::new(built)));
            }
            Value::Object(object) if &*object.class == joblib::OLD_WRAPPER => {
                return Err(self.refused("arrays in files beside it (joblib before 0.10); dump it with a newer joblib"));
            }
            Value::Object(object) if &*object.class == joblib::WRAPPER => {
                if !self.outer {
                    return Err(self.damaged("a joblib array inside a joblib array"));
                }
                let array = joblib::read(self.heap, self.reader, state, &mut |heap, reader| {
                    Machine::new(heap, reader, false).run(&mut |_| {})
                })?;
                self.heap.set(target, Value::Array(Box::new(array)));
            }
            Value::Object(_) => {
                if let Some(Value::Object(object)) = self.heap.get_mut(target) {
                    let object: &mut Object = object;
                    object.state = Some(state);
                }
            }
            // Attributes of a dict or set subclass that became a plain one.
            Value::Dict(_) | Value::List(_) | Value::Set(_) => {}
            _ => return Err(self.damaged("state for something that has none")),
        }
        Ok(())
    }
}

/// A Python 2 string literal, with its quotes and backslash escapes.
fn unquote(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return None,
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(b) = rest.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        out.push(match rest.next()? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'0' => 0,
            b'x' => {
                let (high, low) = (rest.next()?, rest.next()?);
                (hex(high)? << 4 | hex(low)?) as u8
            }
            other => other,
        });
    }
    Some(out)
}

/// `raw-unicode-escape`: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn unescape(line: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(b) = line.get(at) {
        let digits = match (b, line.get(at + 1)) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(*b as char);
                at += 1;
                continue;
            }
        };
        let mut code = 0u32;
        for d in line.get(at + 2..at + 2 + digits)? {
            code = code.checked_mul(16)? | hex(*d)?;
        }
        out.push(char::from_u32(code).unwrap_or('?'));
        at += 2 + digits;
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u32> {
    (digit as char).to_digit(16)
}
