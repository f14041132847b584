//! Reads attributes of estimators out of a pickle's heap.

use std::borrow::Cow;

use ndarray::{Array2, ArrayD, IxDyn, ShapeBuilder};

use super::sparse;
use crate::pickle::{Array, Dtype, Elements, Heap, Id, Value};
use crate::{Classes, Error};

/// An instance in the pickle: an estimator, or a part of one.
#[derive(Clone, Copy)]
pub(crate) struct Obj<'h> {
    heap: &'h Heap<'h>,
    id: Id,
    class: &'h str,
    state: Option<Id>,
}

/// Any value in the pickle.
#[derive(Clone, Copy)]
pub(crate) struct Val<'h> {
    heap: &'h Heap<'h>,
    id: Id,
}

impl<'h> Obj<'h> {
    /// The full name of its class.
    pub(crate) fn class(&self) -> &'h str {
        self.class
    }

    /// The last part of it.
    pub(crate) fn name(&self) -> &'h str {
        self.class.rsplit('.').next().unwrap_or(self.class)
    }

    /// The scikit-learn it was pickled with, where it says so (since 0.18): 1.1 of "1.1.3".
    pub(crate) fn version(&self) -> Option<(u32, u32)> {
        let version = self.some("_sklearn_version")?.text()?;
        let mut parts = version.split('.').map(|p| p.parse().ok());
        Some((parts.next()??, parts.next()??))
    }

    /// An attribute, `None` included.
    pub(crate) fn get(&self, attribute: &str) -> Option<Val<'h>> {
        let heap = self.heap;
        self.state.and_then(|state| heap.entry(state, attribute)).map(|id| Val { heap, id })
    }

    /// An attribute that is there and not None.
    pub(crate) fn some(&self, attribute: &str) -> Option<Val<'h>> {
        self.get(attribute).filter(|v| !v.is_none())
    }

    /// An attribute that has to be there.
    pub(crate) fn need(&self, attribute: &str) -> Result<Val<'h>, Error> {
        self.get(attribute).ok_or_else(|| {
            self.wrong(
                attribute,
                "is missing: fit the estimator before pickling it, or pickle it again with a newer scikit-learn",
            )
        })
    }

    pub(crate) fn wrong(&self, attribute: &str, what: impl Into<String>) -> Error {
        Error::attribute(self.class, attribute, what)
    }

    fn typed<T>(&self, attribute: &str, value: Option<T>, expected: &str) -> Result<T, Error> {
        value.ok_or_else(|| {
            let found = self.need(attribute).map(|v| v.type_name()).unwrap_or_default();
            self.wrong(attribute, format!("is {found} instead of {expected}"))
        })
    }

    pub(crate) fn float(&self, attribute: &str) -> Result<f64, Error> {
        self.typed(attribute, self.need(attribute)?.float(), "a number")
    }

    pub(crate) fn size(&self, attribute: &str) -> Result<usize, Error> {
        let size = self.need(attribute)?.int().and_then(|v| usize::try_from(v).ok());
        self.typed(attribute, size, "a count")
    }

    pub(crate) fn text(&self, attribute: &str) -> Result<Cow<'h, str>, Error> {
        self.typed(attribute, self.need(attribute)?.text(), "text")
    }

    /// A flag; `default` where older versions have none.
    pub(crate) fn flag(&self, attribute: &str, default: bool) -> bool {
        self.some(attribute).and_then(|v| v.truth()).unwrap_or(default)
    }

    /// A word; `default` where older versions have none, or where it is no word.
    pub(crate) fn word(&self, attribute: &str, default: &'static str) -> Cow<'h, str> {
        self.some(attribute).and_then(|v| v.text()).unwrap_or(Cow::Borrowed(default))
    }

    pub(crate) fn floats(&self, attribute: &str) -> Result<ArrayD<f64>, Error> {
        self.typed(attribute, self.need(attribute)?.floats(), "an array of numbers")
    }

    /// A one-dimensional array; one row or one column counts as such.
    pub(crate) fn vector(&self, attribute: &str) -> Result<Vec<f64>, Error> {
        let array = self.floats(attribute)?;
        if array.shape().iter().filter(|n| **n != 1).count() > 1 {
            return Err(self.wrong(attribute, format!("has shape {:?} instead of one axis", array.shape())));
        }
        Ok(array.iter().copied().collect())
    }

    /// A matrix; a single axis counts as one row.
    pub(crate) fn matrix(&self, attribute: &str) -> Result<Array2<f64>, Error> {
        let array = self.floats(attribute)?;
        let shape = match array.shape() {
            [] => (1, 1),
            [n] => (1, *n),
            [a, b] => (*a, *b),
            other => return Err(self.wrong(attribute, format!("has shape {other:?} instead of two axes"))),
        };
        array.into_shape_with_order(shape).map_err(|e| Error::Internal(e.to_string()))
    }

    pub(crate) fn ints(&self, attribute: &str) -> Result<ArrayD<i64>, Error> {
        self.typed(attribute, self.need(attribute)?.ints(), "an array of integers")
    }

    pub(crate) fn object(&self, attribute: &str) -> Result<Obj<'h>, Error> {
        self.typed(attribute, self.need(attribute)?.object(), "an estimator")
    }

    /// The members of a list, tuple or array of objects.
    pub(crate) fn list(&self, attribute: &str) -> Result<Vec<Val<'h>>, Error> {
        self.typed(attribute, self.need(attribute)?.list(), "a list")
    }

    pub(crate) fn classes(&self) -> Result<Classes, Error> {
        // Models of liblinear had them with the encoder of their targets before 0.16.
        if let (None, Some(encoder)) = (self.some("classes_"), self.some("_enc").and_then(|e| e.object())) {
            return encoder.classes();
        }
        let classes = self.need("classes_")?.classes();
        let classes = self.typed("classes_", classes, "an array of labels")?;
        if classes.is_empty() {
            return Err(self.wrong("classes_", "is empty"));
        }
        Ok(classes)
    }

    /// The labels of each target, of a classifier that was trained on several.
    pub(crate) fn targets(&self) -> Option<Vec<Classes>> {
        let classes = self.some("classes_")?;
        let targets: Vec<Classes> = classes.list()?.iter().map(Val::classes).collect::<Option<_>>()?;
        (!targets.is_empty() && targets.iter().all(|c| !c.is_empty())).then_some(targets)
    }

    /// What the constructor was given.
    pub(crate) fn args(&self) -> Vec<Val<'h>> {
        match self.heap.get(self.id) {
            Value::Object(object) => object.args.iter().map(|id| self.val(*id)).collect(),
            _ => Vec::new(),
        }
    }

    fn val(&self, id: Id) -> Val<'h> {
        Val { heap: self.heap, id }
    }
}

impl<'h> Val<'h> {
    pub(crate) fn new(heap: &'h Heap<'h>, id: Id) -> Val<'h> {
        Val { heap, id }
    }

    pub(crate) fn type_name(&self) -> String {
        self.heap.type_name(self.id)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self.heap.get(self.id), Value::None)
    }

    pub(crate) fn text(&self) -> Option<Cow<'h, str>> {
        self.heap.text(self.id)
    }

    /// The name of a class or function.
    pub(crate) fn global(&self) -> Option<&'h str> {
        match self.heap.get(self.id) {
            Value::Global(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn truth(&self) -> Option<bool> {
        self.int().map(|v| v != 0)
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self.heap.get(self.id) {
            Value::Array(a) if a.shape.is_empty() => decode_ints(a)?.first().copied(),
            _ => self.heap.int(self.id),
        }
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self.heap.get(self.id) {
            Value::Float(v) => Some(*v),
            Value::Array(a) if a.shape.iter().all(|n| *n == 1) => decode_floats(self.heap, a)?.first().copied(),
            _ => self.int().map(|v| v as f64),
        }
    }

    pub(crate) fn object(&self) -> Option<Obj<'h>> {
        match self.heap.get(self.id) {
            Value::Object(object) => Some(Obj { heap: self.heap, id: self.id, class: &object.class, state: object.state }),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<Vec<Val<'h>>> {
        let ids = match self.heap.get(self.id) {
            Value::Array(a) => match &a.data {
                Elements::Objects(ids) => ids.as_slice(),
                Elements::Raw(_) => return None,
            },
            Value::Object(object) if !object.list.is_empty() => &object.list,
            Value::Set(ids) => ids,
            Value::Object(object) if &*object.class == "builtins.frozenset" => self.heap.sequence(*object.args.first()?)?,
            _ => self.heap.sequence(self.id)?,
        };
        Some(ids.iter().map(|id| Val::new(self.heap, *id)).collect())
    }

    pub(crate) fn entry(&self, key: &str) -> Option<Val<'h>> {
        self.heap.entry(self.id, key).map(|id| Val::new(self.heap, id))
    }

    /// The pairs of a dict; of those with one key, Python keeps the last.
    pub(crate) fn pairs(&self) -> Option<Vec<(Val<'h>, Val<'h>)>> {
        let items = match self.heap.get(self.id) {
            Value::Dict(items) => items,
            Value::Object(object) if !object.items.is_empty() => &object.items,
            _ => return None,
        };
        Some(items.iter().map(|(k, v)| (Val::new(self.heap, *k), Val::new(self.heap, *v))).collect())
    }

    pub(crate) fn array(&self) -> Option<&'h Array<'h>> {
        match self.heap.get(self.id) {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// Numbers as 64-bit floats in C order, from an array, a list or a single number.
    pub(crate) fn floats(&self) -> Option<ArrayD<f64>> {
        match self.heap.get(self.id) {
            Value::Array(a) => shaped(a, decode_floats(self.heap, a)?),
            Value::Tuple(_) | Value::List(_) => {
                let numbers: Option<Vec<f64>> = self.list()?.iter().map(Val::float).collect();
                Some(ndarray::Array1::from(numbers?).into_dyn())
            }
            Value::Object(_) => sparse::dense(&self.object()?).map(ndarray::Array2::into_dyn),
            _ => self.float().map(|v| ndarray::arr0(v).into_dyn()),
        }
    }

    /// Whole numbers in C order, from an array or a list.
    pub(crate) fn ints(&self) -> Option<ArrayD<i64>> {
        match self.heap.get(self.id) {
            Value::Array(a) => shaped(a, decode_ints(a)?),
            _ => {
                let numbers: Option<Vec<i64>> = self.list()?.iter().map(Val::int).collect();
                Some(ndarray::Array1::from(numbers?).into_dyn())
            }
        }
    }

    /// A field of an array of structures.
    fn column<T>(&self, name: &str, read: impl Fn(&Dtype, &[u8]) -> Option<T>) -> Option<Vec<T>> {
        let a = self.array()?;
        let (_, dtype, at) = a.dtype.fields.iter().find(|f| f.0 == name)?;
        raw(a)?.map(|b| read(dtype, b.get(*at..at + dtype.size)?)).collect()
    }

    pub(crate) fn column_ints(&self, name: &str) -> Option<Vec<i64>> {
        self.column(name, Dtype::int)
    }

    pub(crate) fn column_floats(&self, name: &str) -> Option<Vec<f64>> {
        self.column(name, Dtype::float)
    }

    /// Whole numbers of an array or list, -1 for each that is None.
    pub(crate) fn list_or_ints(&self) -> Option<Vec<i64>> {
        match self.ints() {
            Some(ints) => Some(ints.iter().copied().collect()),
            None => self.list()?.iter().map(|v| if v.is_none() { Some(-1) } else { v.int() }).collect(),
        }
    }

    /// Texts of an array or list.
    pub(crate) fn strings(&self) -> Option<Vec<String>> {
        match self.heap.get(self.id) {
            Value::Array(a) if matches!(a.data, Elements::Raw(_)) => raw(a)?.map(|b| a.dtype.string(b)).collect(),
            _ => {
                let texts: Option<Vec<_>> = self.list()?.iter().map(Val::text).collect();
                Some(texts?.into_iter().map(Cow::into_owned).collect())
            }
        }
    }

    /// Labels of a classifier: one axis of integers, floats, texts or truths.
    pub(crate) fn classes(&self) -> Option<Classes> {
        if let Some(a) = self.array() {
            if a.shape.len() != 1 {
                return None;
            }
            return match (&a.data, a.dtype.kind) {
                (Elements::Raw(_), b'b') => Some(Classes::Bool(decode_ints(a)?.iter().map(|v| *v != 0).collect())),
                (Elements::Raw(_), b'i' | b'u') => decode_ints(a).map(Classes::Int),
                (Elements::Raw(_), b'f') => {
                    decode_floats(self.heap, a).filter(|v| v.iter().all(|f| f.is_finite())).map(Classes::Float)
                }
                (Elements::Raw(_), b'U' | b'S') => self.strings().map(Classes::Str),
                (Elements::Objects(_), _) => labels(&self.list()?),
                _ => None,
            };
        }
        labels(&self.list()?)
    }
}

/// Labels kept as Python objects, all of one type.
fn labels(list: &[Val<'_>]) -> Option<Classes> {
    let values = || list.iter().map(|v| v.heap.get(v.id));
    if values().all(|v| matches!(v, Value::Bool(_))) {
        return list.iter().map(Val::truth).collect::<Option<_>>().map(Classes::Bool);
    }
    if values().all(|v| matches!(v, Value::Int(_))) {
        return list.iter().map(Val::int).collect::<Option<_>>().map(Classes::Int);
    }
    if values().all(|v| matches!(v, Value::Int(_) | Value::Float(_))) {
        return list.iter().map(Val::float).collect::<Option<_>>().map(Classes::Float);
    }
    let texts: Option<Vec<_>> = list.iter().map(Val::text).collect();
    Some(Classes::Str(texts?.into_iter().map(Cow::into_owned).collect()))
}

fn raw<'a>(a: &'a Array<'_>) -> Option<Box<dyn Iterator<Item = &'a [u8]> + 'a>> {
    match &a.data {
        Elements::Raw(bytes) if a.dtype.size > 0 => Some(Box::new(bytes.chunks_exact(a.dtype.size))),
        // Empty texts have no bytes at all.
        Elements::Raw(_) => {
            let n = a.shape.iter().product::<usize>().min(1);
            Some(Box::new(std::iter::repeat_n(&[][..], n)))
        }
        Elements::Objects(_) => None,
    }
}

fn decode_floats(heap: &Heap<'_>, a: &Array<'_>) -> Option<Vec<f64>> {
    if let Elements::Objects(ids) = &a.data {
        return ids.iter().map(|id| Val { heap, id: *id }.float_flat()).collect();
    }
    raw(a)?.map(|b| a.dtype.float(b)).collect()
}

impl Val<'_> {
    /// A number that is no array, so that arrays of arrays of arrays end here.
    fn float_flat(&self) -> Option<f64> {
        match self.heap.get(self.id) {
            Value::Float(v) => Some(*v),
            _ => self.heap.int(self.id).map(|v| v as f64),
        }
    }
}

fn decode_ints(a: &Array<'_>) -> Option<Vec<i64>> {
    raw(a)?.map(|b| a.dtype.int(b)).collect()
}

fn shaped<T: Clone>(a: &Array<'_>, data: Vec<T>) -> Option<ArrayD<T>> {
    let shape = IxDyn(&a.shape).set_f(a.fortran);
    let array = ArrayD::from_shape_vec(shape, data).ok()?;
    Some(if a.fortran { array.as_standard_layout().into_owned() } else { array })
}
