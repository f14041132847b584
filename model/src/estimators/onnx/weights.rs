//! The weights of an ONNX file, apart from its graph.
//!
//! ONNX calls what lies in another file *external data* and ONNX Runtime maps it, so that processes share it. In an artefact a
//! weight that is an array of its own has its number for a location; where it lies then is put in at opening.
//!
//! Numbers of fields are those of `onnx.proto`.

use super::proto::{Field, Value, fields, put_bytes, put_number, within};
use crate::Error;
use crate::artefact::MAX_DEPTH;

/// Smaller ones stay in the graph: shapes may depend on them. ONNX's own writer keeps the same limit.
const SMALLEST: usize = 1024;

mod model {
    pub(super) const GRAPH: u64 = 7;
    pub(super) const FUNCTIONS: u64 = 25;
}

mod graph {
    pub(super) const NODE: u64 = 1;
    pub(super) const INITIALIZER: u64 = 5;
    pub(super) const SPARSE: u64 = 15;
}

mod tensor {
    pub(super) const DIMS: u64 = 1;
    pub(super) const TYPE: u64 = 2;
    pub(super) const FLOATS: u64 = 4;
    pub(super) const RAW: u64 = 9;
    pub(super) const DOUBLES: u64 = 10;
    pub(super) const EXTERNAL: u64 = 13;
    pub(super) const LOCATION: u64 = 14;
    /// Lists in which numbers are not as they lie in memory.
    pub(super) const OTHERS: [u64; 4] = [5, 6, 7, 11];
}

/// A part of a file beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) location: String,
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
}

/// Where a weight lies at opening.
pub(super) enum Place<'a> {
    /// In a file of the folder that the session is told.
    File { name: &'a str, offset: usize, length: usize },
    /// In the message itself.
    Here(&'a [u8]),
}

struct Tensor<'a> {
    /// Bytes that its elements take; unknown for rare types.
    size: Option<usize>,
    /// Its elements, if they lie together as in memory.
    data: Option<&'a [u8]>,
    outside: Option<Outside>,
    message: &'a [u8],
}

impl<'a> Tensor<'a> {
    fn read(message: &'a [u8]) -> Result<Tensor<'a>, Error> {
        let (mut elements, mut width, mut external) = (Some(1u64), None, false);
        let (mut data, mut pieces) = (None, 0);
        let mut outside = Outside { location: String::new(), offset: 0, length: None };
        for field in fields(message) {
            let field = field?;
            match (field.number, field.value) {
                (tensor::DIMS, value) => {
                    elements = value.numbers()?.into_iter().fold(elements, |elements, n| elements?.checked_mul(n));
                }
                (tensor::TYPE, Value::Number(n)) => width = bytes_of(n),
                (tensor::FLOATS | tensor::RAW | tensor::DOUBLES, Value::Bytes(bytes)) => {
                    data = Some(bytes);
                    pieces += 1;
                }
                (tensor::EXTERNAL, Value::Bytes(entry)) => outside.set(entry)?,
                (tensor::LOCATION, Value::Number(n)) => external = n == 1,
                (number, _) if tensor::OTHERS.contains(&number) => pieces += 2,
                _ => {}
            }
        }
        let size = width.zip(elements).and_then(|(w, e)| usize::try_from(e).ok()?.checked_mul(w));
        let data = data.filter(|d| pieces == 1 && Some(d.len()) == size);
        Ok(Tensor { size, data, outside: external.then_some(outside), message })
    }

    /// The same tensor with its elements elsewhere.
    fn with(&self, place: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for field in fields(self.message) {
            let Field { number, raw, .. } = field?;
            let replaced = [tensor::FLOATS, tensor::RAW, tensor::DOUBLES, tensor::EXTERNAL, tensor::LOCATION];
            if !replaced.contains(&number) {
                out.extend_from_slice(raw);
            }
        }
        place(&mut out);
        Ok(out)
    }
}

impl Outside {
    fn set(&mut self, entry: &[u8]) -> Result<(), Error> {
        let text = |number| within(entry, number).map(|found| found.last().map(|t| String::from_utf8_lossy(t).into_owned()));
        let (key, value) = (text(1)?.unwrap_or_default(), text(2)?.unwrap_or_default());
        let number = || value.parse().map_err(|_| Error::damaged(0, format!("{key} `{value}` of a weight in another file")));
        match key.as_str() {
            "location" => self.location = value,
            "offset" => self.offset = number()?,
            "length" => self.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }
}

/// Bytes of an element of a `TensorProto.DataType`, of those that weights have.
fn bytes_of(data_type: u64) -> Option<usize> {
    match data_type {
        // uint8, int8, bool
        2 | 3 | 9 => Some(1),
        // uint16, int16, float16, bfloat16
        4 | 5 | 10 | 16 => Some(2),
        // float, int32, uint32
        1 | 6 | 12 => Some(4),
        // int64, double, uint64
        7 | 11 | 13 => Some(8),
        _ => None,
    }
}

fn entry(out: &mut Vec<u8>, key: &str, value: &str) {
    let mut entry = Vec::new();
    put_bytes(&mut entry, 1, key.as_bytes());
    put_bytes(&mut entry, 2, value.as_bytes());
    put_bytes(out, tensor::EXTERNAL, &entry);
}

/// Reads what lies in a file beside the model, of so many bytes where they are known.
type Read<'r> = &'r mut dyn FnMut(&Outside, Option<usize>) -> Result<Vec<u8>, Error>;

/// The model with its weights taken out and numbered, and the weights.
pub(super) fn split(model: &[u8], outside: Read<'_>) -> Result<(Vec<u8>, Vec<Vec<u8>>), Error> {
    let mut weights = Vec::new();
    let stripped = each(model, &mut |t| {
        let data = match (&t.outside, t.data) {
            (Some(place), _) => outside(place, t.size)?,
            (None, Some(data)) if data.len() >= SMALLEST => data.to_vec(),
            _ => return Ok(None),
        };
        if data.len() < SMALLEST {
            return t.with(|out| put_bytes(out, tensor::RAW, &data)).map(Some);
        }
        let number = weights.len().to_string();
        weights.push(data);
        t.with(|out| {
            entry(out, "location", &number);
            put_number(out, tensor::LOCATION, 1);
        })
        .map(Some)
    })?;
    Ok((stripped, weights))
}

/// The model as the runtime takes it: `place` tells where each numbered weight is.
pub(super) fn join<'a>(stripped: &[u8], place: &dyn Fn(usize) -> Option<Place<'a>>) -> Result<Vec<u8>, Error> {
    each(stripped, &mut |t| {
        let Some(Outside { location, .. }) = &t.outside else { return Ok(None) };
        let place = location.parse().ok().and_then(place);
        let place = place.ok_or_else(|| Error::damaged(0, format!("there is no weight `{location}`")))?;
        t.with(|out| match place {
            Place::Here(data) => put_bytes(out, tensor::RAW, data),
            Place::File { name, offset, length } => {
                entry(out, "location", name);
                entry(out, "offset", &offset.to_string());
                entry(out, "length", &length.to_string());
                put_number(out, tensor::LOCATION, 1);
            }
        })
        .map(Some)
    })
}

/// The files beside the model that it names, each once.
pub(super) fn locations(model: &[u8]) -> Result<Vec<String>, Error> {
    let mut out: Vec<String> = Vec::new();
    for graph in within(model, model::GRAPH)? {
        for weight in within(graph, graph::INITIALIZER)? {
            let outside = Tensor::read(weight)?.outside;
            out.extend(outside.map(|o| o.location).filter(|l| !out.contains(l)));
        }
    }
    Ok(out)
}

/// A change of one weight; none leaves it as it is.
type Change<'c> = &'c mut dyn FnMut(&Tensor<'_>) -> Result<Option<Vec<u8>>, Error>;

/// The model with its weights changed.
fn each(bytes: &[u8], change: Change<'_>) -> Result<Vec<u8>, Error> {
    rewrite(bytes, &mut |field| match (field.number, field.bytes()) {
        (model::GRAPH, Some(inner)) => rewrite(inner, &mut |field| match (field.number, field.bytes()) {
            (graph::INITIALIZER, Some(weight)) => change(&Tensor::read(weight)?),
            (number, Some(inner)) => of_graph(number, inner, 0).map(|()| None),
            _ => Ok(None),
        })
        .map(Some),
        (model::FUNCTIONS, Some(function)) => {
            within(function, 7)?.into_iter().try_for_each(|node| of_graph(graph::NODE, node, 0)).map(|()| None)
        }
        _ => Ok(None),
    })
}

/// A change of one field; none leaves it as it is.
type ChangeField<'c> = &'c mut dyn FnMut(&Field<'_>) -> Result<Option<Vec<u8>>, Error>;

/// The message with some of its fields replaced.
fn rewrite(bytes: &[u8], change: ChangeField<'_>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for field in fields(bytes) {
        let field = field?;
        match change(&field)? {
            Some(changed) => put_bytes(&mut out, field.number, &changed),
            None => out.extend_from_slice(field.raw),
        }
    }
    Ok(out)
}

/// Refuses tensors that lie in other files and are none of the model's own weights: the runtime would open what they name.
fn of_graph(number: u64, inner: &[u8], depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::damaged(0, format!("graphs nested more than {MAX_DEPTH} deep")));
    }
    match number {
        graph::INITIALIZER => here(inner),
        graph::SPARSE => sparse(inner),
        graph::NODE => {
            for attribute in within(inner, 5)? {
                for field in fields(attribute) {
                    let field = field?;
                    match (field.number, field.bytes()) {
                        (5 | 10, Some(inner)) => here(inner)?,
                        (22 | 23, Some(inner)) => sparse(inner)?,
                        (6 | 11, Some(graph)) => {
                            for field in fields(graph) {
                                let field = field?;
                                field.bytes().map_or(Ok(()), |inner| of_graph(field.number, inner, depth + 1))?;
                            }
                        }
                        _ => {}
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn sparse(inner: &[u8]) -> Result<(), Error> {
    let parts = within(inner, 1)?.into_iter().chain(within(inner, 2)?);
    parts.into_iter().try_for_each(here)
}

fn here(inner: &[u8]) -> Result<(), Error> {
    match Tensor::read(inner)?.outside {
        None => Ok(()),
        Some(Outside { location, .. }) => {
            let what = format!("a constant inside its graph lies in another file, `{location}`; only initializers may");
            Err(Error::unsupported(super::CLASS, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        parts.iter().for_each(|(number, bytes)| put_bytes(&mut out, *number, bytes));
        out
    }

    fn tensor_of(elements: u64, data: (u64, &[u8])) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, tensor::DIMS, elements);
        put_number(&mut out, tensor::TYPE, 1);
        put_bytes(&mut out, 8, b"w");
        put_bytes(&mut out, data.0, data.1);
        out
    }

    fn external(location: &str) -> Vec<u8> {
        let mut out = tensor_of(300, (12, b"a word on it"));
        entry(&mut out, "location", location);
        entry(&mut out, "offset", "64");
        entry(&mut out, "length", "1200");
        put_number(&mut out, tensor::LOCATION, 1);
        out
    }

    fn of(tensors: &[&[u8]]) -> Vec<u8> {
        let inner: Vec<(u64, &[u8])> = tensors.iter().map(|t| (graph::INITIALIZER, *t)).collect();
        message(&[(2, b"producer"), (model::GRAPH, &message(&inner))])
    }

    fn never(_: &Outside, _: Option<usize>) -> Result<Vec<u8>, Error> {
        panic!("nothing lies outside")
    }

    #[test]
    fn weights_are_taken_out_and_put_back() {
        let long: Vec<u8> = (0..1200u32).map(|i| i as u8).collect();
        let (raw, floats) = (tensor_of(300, (tensor::RAW, &long)), tensor_of(300, (tensor::FLOATS, &long)));
        let small = tensor_of(3, (tensor::RAW, &long[..12]));
        let lying = tensor_of(301, (tensor::RAW, &long));
        let whole = of(&[&raw, &small, &floats, &lying]);
        let (stripped, weights) = split(&whole, &mut never).unwrap();
        assert_eq!(weights, [long.clone(), long.clone()]);
        assert!(stripped.len() < whole.len() - 2000);
        let back = join(&stripped, &|n| Some(Place::Here(&weights[n]))).unwrap();
        // As raw bytes, all of them, and otherwise as they were.
        assert_eq!(back, of(&[&raw, &small, &raw, &lying]));
        let mapped = join(&stripped, &|n| Some(Place::File { name: "m", offset: 64 * n, length: 1200 })).unwrap();
        let mut places = Vec::new();
        each(&mapped, &mut |t| {
            places.extend(t.outside.clone());
            Ok(None)
        })
        .unwrap();
        let at = |offset| Outside { location: "m".into(), offset, length: Some(1200) };
        assert_eq!(places, [at(0), at(64)]);
        assert!(join(&stripped, &|n| (n == 0).then_some(Place::Here(&[]))).is_err(), "a weight that is not there");
        assert_eq!(join(&whole, &|_| None).unwrap(), whole);
    }

    #[test]
    fn what_lies_beside_the_model_comes_in() {
        let whole = of(&[&external("a.data"), &external("b.data"), &external("a.data")]);
        assert_eq!(locations(&whole).unwrap(), ["a.data", "b.data"]);
        let (stripped, weights) = split(&whole, &mut |place, size| {
            assert_eq!((place.offset, place.length, size), (64, Some(1200), Some(1200)));
            Ok(vec![0; if place.location == "b.data" { 12 } else { 1200 }])
        })
        .unwrap();
        assert_eq!(weights.len(), 2);
        assert_eq!(locations(&stripped).unwrap(), ["0", "1"]);
    }

    #[test]
    fn constants_of_nodes_may_not_name_files() {
        let outside = external("/etc/passwd");
        let attribute = |number| message(&[(5, &message(&[(number, &outside)]))]);
        let nested = message(&[(5, &message(&[(6, &message(&[(graph::INITIALIZER, &outside)]))]))]);
        for node in [attribute(5), attribute(10), nested, message(&[(5, &message(&[(22, &message(&[(1, &outside)]))]))])] {
            for whole in [
                message(&[(model::GRAPH, &message(&[(graph::NODE, &node)]))]),
                message(&[(model::FUNCTIONS, &message(&[(7, &node)]))]),
            ] {
                let error = split(&whole, &mut never).unwrap_err().to_string();
                assert!(error.contains("`/etc/passwd`; only initializers may"), "{error}");
                assert!(join(&whole, &|_| None).is_err());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(bytes: Vec<u8>) {
            let whole = message(&[(model::GRAPH, &message(&[(graph::INITIALIZER, &bytes)]))]);
            if let Ok((stripped, weights)) = split(&whole, &mut |_, _| Ok(Vec::new())) {
                proptest::prop_assert!(weights.is_empty() && join(&stripped, &|_| None).is_ok());
            }
        }
    }
}
