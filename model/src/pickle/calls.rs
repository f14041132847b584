//! The constructors a pickle may "call", and the value each of them becomes.

use std::borrow::Cow;

use super::heap::{Heap, Id, Object, Value};
use super::numpy;
use crate::Error;

/// Constructors that become an inert object: their arguments and state are read by the estimator
/// that owns them, or by nobody.
const INERT: &[&str] = &[
    "builtins.complex",
    "builtins.frozenset",
    "builtins.range",
    "builtins.slice",
    "functools.partial",
    "numpy.ma.core._mareconstruct",
    "numpy.random.__RandomState_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._pickle.__generator_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "sklearn.metrics._dist_metrics.newObj",
    "sklearn.neighbors._ball_tree.newObj",
    "sklearn.neighbors._kd_tree.newObj",
    "sklearn.neighbors.ball_tree.newObj",
    "sklearn.neighbors.dist_metrics.newObj",
    "sklearn.neighbors.kd_tree.newObj",
    // Before 0.17 boosting kept how its trees were grown.
    "sklearn.tree._tree.BestSparseSplitter",
    "sklearn.tree._tree.BestSplitter",
    "sklearn.tree._tree.ClassificationCriterion",
    "sklearn.tree._tree.PresortBestSplitter",
    "sklearn.tree._tree.RandomSparseSplitter",
    "sklearn.tree._tree.RandomSplitter",
    "sklearn.tree._tree.RegressionCriterion",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.Bunch",
    "sklearn.utils._bunch.Bunch",
];

/// Modules whose every class is pickled by a plain constructor call: losses of boosting and SGD.
const INERT_MODULES: &[&str] =
    &["sklearn._loss.", "sklearn.linear_model._sgd_fast.", "sklearn.linear_model.sgd_fast.", "sklearn.ensemble._gb_losses."];

/// What `callable(*args)` becomes.
pub(crate) fn reduce<'a>(heap: &mut Heap<'a>, name: &str, args: &[Id], offset: usize) -> Result<Value<'a>, Error> {
    let wrong = || Error::damaged(offset, format!("`{name}` is given arguments it does not take"));
    match name {
        "numpy.core.multiarray._reconstruct" => Ok(numpy::blank()),
        "numpy.core.multiarray.scalar" => numpy::scalar(heap, args, offset),
        "numpy.core.numeric._frombuffer" => numpy::from_buffer(heap, args, offset),
        "numpy.dtype" => numpy::dtype(heap, args, offset),
        "_codecs.encode" => {
            let text = *args.first().ok_or_else(wrong)?;
            let data = heap.latin1_bytes(text, offset)?.ok_or_else(wrong)?;
            Ok(bytes(Cow::Owned(data)))
        }
        "builtins.bytes" | "builtins.bytearray" => match args.first().map(|a| (*a, heap.get(*a))) {
            None => Ok(bytes(Cow::Borrowed(&[]))),
            Some((_, Value::Bytes { data, .. })) => Ok(bytes(heap.share(data, offset)?)),
            // bytearray(text, "latin-1"), as protocol 2 has it.
            Some((id, Value::Str(_))) => {
                let data = heap.latin1_bytes(id, offset)?.ok_or_else(wrong)?;
                Ok(bytes(Cow::Owned(data)))
            }
            Some(_) => Err(wrong()),
        },
        "builtins.set" => Ok(Value::Set(match args.first() {
            Some(a) => items(heap, *a, offset)?,
            None => Vec::new(),
        })),
        "builtins.list" => Ok(Value::List(match args.first() {
            Some(a) => items(heap, *a, offset)?,
            None => Vec::new(),
        })),
        "builtins.dict" | "collections.OrderedDict" | "collections.Counter" => Ok(Value::Dict(match args.first() {
            Some(a) => pairs(heap, *a, offset)?,
            None => Vec::new(),
        })),
        "collections.defaultdict" => Ok(Value::Dict(Vec::new())),
        // (class, base, state): how protocols 0 and 1 make an instance.
        "copyreg._reconstructor" => match args.first().map(|a| heap.get(*a)) {
            Some(Value::Global(class)) => Ok(Value::Object(Box::new(Object { class: class.clone(), ..Object::default() }))),
            _ => Err(wrong()),
        },
        _ if INERT.contains(&name) || INERT_MODULES.iter().any(|m| name.starts_with(m)) => Ok(object(name, args)),
        _ => Err(Error::UnknownCall { name: name.to_owned(), offset: offset as u64 }),
    }
}

/// What `class.__new__(class, *args)` becomes.
pub(crate) fn new_object<'a>(name: &str, args: &[Id]) -> Value<'a> {
    match name {
        "builtins.dict" | "collections.OrderedDict" => Value::Dict(Vec::new()),
        "builtins.list" => Value::List(Vec::new()),
        _ => object(name, args),
    }
}

fn object<'a>(name: &str, args: &[Id]) -> Value<'a> {
    Value::Object(Box::new(Object { class: name.into(), args: args.to_vec(), ..Object::default() }))
}

fn bytes(data: Cow<'_, [u8]>) -> Value<'_> {
    Value::Bytes { data, text: false }
}

fn items(heap: &Heap<'_>, list: Id, offset: usize) -> Result<Vec<Id>, Error> {
    let items = heap.sequence(list);
    let items = items.ok_or_else(|| Error::damaged(offset, "a collection of something that is no list"))?;
    heap.charge(size_of_val(items), offset)?;
    Ok(items.to_vec())
}

fn pairs(heap: &Heap<'_>, list: Id, offset: usize) -> Result<Vec<(Id, Id)>, Error> {
    if let Value::Dict(items) = heap.get(list) {
        heap.charge(items.len() * size_of::<(Id, Id)>(), offset)?;
        return Ok(items.clone());
    }
    let mut out = Vec::new();
    for pair in items(heap, list, offset)? {
        match heap.sequence(pair) {
            Some([k, v]) => out.push((*k, *v)),
            _ => return Err(Error::damaged(offset, "a dict of something that is no pair")),
        }
    }
    Ok(out)
}
