//! ONNX models, scored by ONNX Runtime: a library that is looked for when the first such model is opened.
//!
//! The artefact holds the graph of the ONNX file, and its weights as arrays of their own. The runtime maps these from the artefact, so
//! that the processes of a machine share them, or rearranges them for speed, for each process anew. What the graph itself holds, as
//! it does trees, is read into memory of each process.

mod graph;
mod inputs;
mod library;
mod outside;
mod proto;
mod session;
mod weights;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use inputs::Input;
use ndarray::{Array2, ArrayView2, Axis, s};
use ort::session::Session;
use ort::value::{DynMapValueType, DynValue, TensorElementType, ValueType};

use super::{Estimator, Family, MAX_COLUMNS, Methods, Outline, stack};
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) use outside::files;

/// How ONNX Runtime holds the weights of a model.
///
/// ```
/// use squall_model::OnnxWeights;
/// assert_eq!("prepacked".parse(), Ok(OnnxWeights::Prepacked));
/// assert_eq!(OnnxWeights::default().as_str(), "shared");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnnxWeights {
    /// As they lie in the file, which all processes of a machine map: one copy of them, and ready in no time.
    #[default]
    Shared,
    /// Rearranged for matrix products, which are then faster: a copy of them in each process.
    Prepacked,
}

impl OnnxWeights {
    /// All of them by name.
    pub const NAMES: [&str; 2] = ["shared", "prepacked"];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for OnnxWeights {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = [OnnxWeights::Shared, OnnxWeights::Prepacked].into_iter().find(|w| w.as_str() == name);
        found.ok_or_else(|| format!("`{name}` is none of {}", Self::NAMES.join(", ")))
    }
}

/// The class that models from ONNX files are of.
const CLASS: &str = "onnx.ModelProto";

pub(crate) const ONNX: Family = Family { op: "onnx", classes: &[], import: alone, load };

/// The same with arrays of weights, which the graph names by their numbers.
pub(crate) const ONNX_WEIGHTS: Family = Family { op: "onnx_weights", ..ONNX };

fn alone(object: &Obj<'_>, _: &mut Builder) -> Result<Node, Error> {
    Err(Error::unsupported(object.class(), "it is no model by itself"))
}

/// The scores a model gives, by the name of the output.
struct Scores {
    output: String,
    /// A list of maps from label to score, as converters write unless told otherwise.
    maps: bool,
}

struct Onnx {
    /// Running one takes it by exclusive reference.
    session: Mutex<Session>,
    inputs: Vec<Input>,
    /// The model takes one row at a time.
    single: bool,
    n_features: Option<usize>,
    label: Option<String>,
    scores: Option<Scores>,
    width: usize,
    classes: Option<Classes>,
}

/// The node of an ONNX file: its graph, its weights, and the labels that its classifier names. What it says to lie in other files is
/// read from `folder`.
pub(crate) fn import(bytes: &[u8], folder: Option<&Path>, held: OnnxWeights, builder: &mut Builder) -> Result<Node, Error> {
    builder.allow(outside::size(bytes, folder)?);
    let mut beside = 0;
    let (graph, weights) = weights::split(bytes, &mut |place, size| {
        let data = outside::read(folder, place, size)?;
        // Many weights may name one file.
        beside += data.len();
        builder.left_after(beside).map(|_| data)
    })?;
    let mut node = Node::new(if weights.is_empty() { ONNX.op } else { ONNX_WEIGHTS.op }, CLASS);
    if let Some(classes) = graph::classes(&graph)? {
        node.set_classes(classes);
    }
    if !weights.is_empty() {
        node.set("weights", held.as_str());
    }
    builder.u8(&mut node, "model", graph)?;
    for (i, weight) in weights.into_iter().enumerate() {
        builder.u8(&mut node, &format!("weight.{i}"), weight)?;
    }
    Ok(node)
}

fn said(e: impl std::fmt::Display) -> Error {
    Error::unsupported(CLASS, format!("ONNX Runtime says: {e}"))
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    library::ready()?;
    let session = session::open(node, store)?;
    let alone = session.inputs().len() == 1;
    let inputs = session.inputs().iter().map(|input| Input::of(input.name(), input.dtype(), alone));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    if inputs.is_empty() {
        return Err(said("the model has no inputs"));
    }
    let n_features = inputs.iter().map(Input::columns).try_fold(0usize, |sum, n| Some(sum.saturating_add(n?)));
    if n_features.is_some_and(|n| n > MAX_COLUMNS) {
        return Err(said(format!("the model takes rows of more than {MAX_COLUMNS} features")));
    }
    let mut model = Onnx {
        single: inputs.iter().any(|input| input.single),
        inputs,
        n_features,
        label: None,
        scores: None,
        width: 1,
        classes: node.classes(),
        session: Mutex::new(session),
    };
    model.outputs()?;
    model.measure()?;
    Ok(Box::new(model))
}

impl Onnx {
    /// Tells labels and scores among the outputs apart.
    fn outputs(&mut self) -> Result<(), Error> {
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        for output in session.outputs() {
            match output.dtype() {
                ValueType::Tensor { ty: TensorElementType::Int64 | TensorElementType::String, .. } => {
                    self.label.get_or_insert_with(|| output.name().to_owned());
                }
                ValueType::Tensor { ty: TensorElementType::Float32 | TensorElementType::Float64, .. } => {
                    self.scores.get_or_insert_with(|| Scores { output: output.name().to_owned(), maps: false });
                }
                ValueType::Sequence(of) if matches!(**of, ValueType::Map { .. }) => {
                    self.scores.get_or_insert_with(|| Scores { output: output.name().to_owned(), maps: true });
                }
                _ => {}
            }
        }
        match (&self.label, &self.scores) {
            (None, None) => Err(said("the model has no output of numbers")),
            _ => Ok(()),
        }
    }

    /// Scores a row of zeros: how wide the answer is, and whether it fits the classes.
    fn measure(&mut self) -> Result<(), Error> {
        let Some(n_features) = self.n_features else {
            self.classes = None;
            return Ok(());
        };
        if self.scores.is_some() {
            self.width = self.run(Array2::zeros((1, n_features)).view())?.ncols();
        }
        let fits = |c: &Classes| self.label.is_some() && (self.scores.is_none() || self.width == c.len() || self.width == 1);
        self.classes = self.classes.take().filter(fits);
        Ok(())
    }

    /// The scores of each row.
    fn run(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let scores = self.scores.as_ref().ok_or_else(|| Error::Internal("an ONNX model without scores".into()))?;
        let mut parts = Vec::new();
        self.each(x, &scores.output, |value, rows| {
            parts.push(if scores.maps { self.of_maps(value, rows)? } else { of_tensor(value, rows)? });
            Ok(())
        })?;
        match parts.is_empty() {
            true => Ok(Array2::zeros((0, self.width))),
            false => stack(parts).ok_or_else(|| said("answers of several widths")),
        }
    }

    /// Maps from label to score, in the order of the classes.
    fn of_maps(&self, value: &DynValue, rows: usize) -> Result<Array2<f64>, Error> {
        let classes = self.classes.as_ref().ok_or_else(|| said("scores by label, and no list of labels"))?;
        let mut out = Array2::zeros((rows, classes.len()));
        let maps = value.try_extract_sequence::<DynMapValueType>().map_err(said)?;
        for (map, mut out) in maps.iter().zip(out.outer_iter_mut()) {
            match classes {
                Classes::Int(labels) => {
                    let scores = map.try_extract_map::<i64, f32>().map_err(said)?;
                    out.iter_mut().zip(labels).for_each(|(out, l)| *out = scores.get(l).copied().map_or(f64::NAN, f64::from));
                }
                Classes::Str(labels) => {
                    let scores = map.try_extract_map::<String, f32>().map_err(said)?;
                    out.iter_mut().zip(labels).for_each(|(out, l)| *out = scores.get(l).copied().map_or(f64::NAN, f64::from));
                }
                _ => return Err(said("labels of an unknown type")),
            }
        }
        Ok(out)
    }

    /// Runs the model over the rows, one at a time where it takes no more, and gives `take` this output of each run, and of how many
    /// rows it is.
    fn each(
        &self,
        x: ArrayView2<'_, f64>,
        output: &str,
        mut take: impl FnMut(&DynValue, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // Nothing of ours panics while it is locked.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        for part in x.axis_chunks_iter(Axis(0), if self.single { 1 } else { x.nrows().max(1) }) {
            let mut given = Vec::with_capacity(self.inputs.len());
            let mut at = 0;
            for input in &self.inputs {
                let width = input.columns().unwrap_or(part.ncols());
                let columns = part.slice(s![.., at..(at + width).min(part.ncols())]);
                given.push((input.name.as_str(), input.value(columns, done, at)?));
                at += width;
            }
            done += part.nrows();
            let outputs = session.run(given);
            let outputs = outputs.map_err(said)?;
            take(outputs.get(output).ok_or_else(|| said("an output is missing"))?, part.nrows())?;
        }
        Ok(())
    }
}

fn of_tensor(value: &DynValue, rows: usize) -> Result<Array2<f64>, Error> {
    let data: Vec<f64> = match value.try_extract_tensor::<f32>() {
        Ok((_, data)) => data.iter().copied().map(f64::from).collect(),
        Err(_) => value.try_extract_tensor::<f64>().map_err(said)?.1.to_vec(),
    };
    Array2::from_shape_vec((rows, data.len() / rows.max(1)), data).map_err(|_| said("scores that do not fit the rows"))
}

/// Appends the place of each of these labels in the model's list.
fn places<G, L: PartialEq<G>>(given: &[G], labels: &[L], rows: usize, out: &mut Vec<u32>) -> Result<(), Error> {
    if given.len() != rows {
        return Err(said("labels that do not fit the rows"));
    }
    for label in given {
        let place = labels.iter().position(|l| l == label);
        let place = place.ok_or_else(|| said("a label that is not among those of the model"))?;
        out.push(place as u32);
    }
    Ok(())
}

impl Estimator for Onnx {
    fn outline(&self) -> Outline {
        let classifier = self.classes.is_some();
        let proba = classifier && self.scores.is_some() && self.classes.as_ref().is_some_and(|c| c.len() == self.width);
        Outline {
            kind: if classifier { Kind::Classifier } else { Kind::Regressor },
            n_features: self.n_features,
            n_outputs: if classifier && !proba { self.classes.as_ref().map_or(1, Classes::len) } else { self.width },
            methods: Methods { predict: classifier || self.scores.is_some(), proba, ..Methods::default() },
            // The graph may fill gaps, and says so if it cannot.
            takes_nan: true,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let (Some(label), Some(classes)) = (&self.label, &self.classes) else {
            return super::unannounced();
        };
        self.each(x, label, |value, rows| match classes {
            Classes::Int(labels) => places(value.try_extract_tensor::<i64>().map_err(said)?.1, labels, rows, out),
            Classes::Str(labels) => places(&value.try_extract_strings().map_err(said)?.1, labels, rows, out),
            _ => Err(said("labels of an unknown type")),
        })
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        out.extend(self.run(x)?);
        Ok(())
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        self.run(x)
    }
}

#[cfg(test)]
mod tests {
    use super::proto::{put_bytes, put_number};
    use super::*;

    #[test]
    fn a_file_that_many_weights_name_is_not_read_without_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::File::create(folder.path().join("data")).unwrap().set_len(1 << 20).unwrap();
        let import = |weights: usize| {
            let (mut entry, mut weight, mut graph, mut model) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            put_bytes(&mut entry, 1, b"location");
            put_bytes(&mut entry, 2, b"data");
            put_bytes(&mut weight, 13, &entry);
            put_number(&mut weight, 14, 1);
            (0..weights).for_each(|_| put_bytes(&mut graph, 5, &weight));
            put_bytes(&mut model, 7, &graph);
            super::import(&model, Some(folder.path()), OnnxWeights::Shared, &mut Builder::new(model.len()))
        };
        assert_eq!(import(16).unwrap().tensors.len(), 17);
        let error = import(100).unwrap_err().to_string();
        assert!(error.contains("far larger than its file"), "{error}");
    }
}
