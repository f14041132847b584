//! The words of the public interface: rows that go in, classes and labels that come out.

use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use serde::{Deserialize, Serialize};

use crate::Table;

/// A batch to score: rows by features, viewed where the caller keeps them.
///
/// Models compute in 64-bit floats as scikit-learn does; 32-bit rows are widened batch by batch.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// 32-bit features, as they travel in tuples.
    F32(ArrayView2<'a, f32>),
    /// 64-bit features.
    F64(ArrayView2<'a, f64>),
    /// Texts, for models that begin with a vectorizer.
    Texts(Texts<'a>),
    /// Numbers and texts, for models that take texts in some columns.
    Table(&'a Table),
}

/// Texts one after the other in one piece of memory.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    text: &'a str,
    /// Where the first begins.
    start: usize,
    ends: &'a [usize],
}

impl<'a> Texts<'a> {
    /// The texts of which `text` consists; `ends` says where each ends. None unless these ascend to the end of
    /// `text` and lie between characters.
    pub fn new(text: &'a str, ends: &'a [usize]) -> Option<Texts<'a>> {
        let ascending = ends.is_sorted() && ends.last().copied().unwrap_or(0) == text.len();
        (ascending && ends.iter().all(|end| text.is_char_boundary(*end))).then_some(Texts { text, start: 0, ends })
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        let starts = std::iter::once(self.start).chain(self.ends.iter().copied());
        let text = self.text;
        starts.zip(self.ends).map(move |(start, end)| &text[start..*end])
    }

    /// In parts of up to `n` texts.
    pub(crate) fn parts(&self, n: usize) -> impl Iterator<Item = Texts<'a>> {
        let Texts { text, mut start, ends } = *self;
        ends.chunks(n.max(1)).map(move |ends| {
            let part = Texts { text, start, ends };
            start = ends.last().copied().unwrap_or(start);
            part
        })
    }
}

impl<'a> Rows<'a> {
    /// Number of rows in the batch.
    pub fn nrows(&self) -> usize {
        match self {
            Rows::F32(x) => x.nrows(),
            Rows::F64(x) => x.nrows(),
            Rows::Texts(x) => x.len(),
            Rows::Table(x) => x.nrows(),
        }
    }

    /// Number of features in each row; a text is one.
    pub fn ncols(&self) -> usize {
        match self {
            Rows::F32(x) => x.ncols(),
            Rows::F64(x) => x.ncols(),
            Rows::Texts(_) => 1,
            Rows::Table(x) => x.ncols(),
        }
    }

    /// Numbers as 64-bit floats, one after the other; borrowed when they already are. None of texts and tables.
    pub(crate) fn widen(&self) -> Option<CowArray<'a, f64, Ix2>> {
        Some(match self {
            Rows::Texts(_) | Rows::Table(_) => return None,
            Rows::F32(x) => {
                let wide: Vec<f64> = x.iter().copied().map(f64::from).collect();
                match Array2::from_shape_vec(x.dim(), wide) {
                    Ok(rows) => CowArray::from(rows),
                    // As many elements as the shape says, so this is never reached.
                    Err(_) => CowArray::from(x.mapv(f64::from)),
                }
            }
            Rows::F64(x) if x.is_standard_layout() => CowArray::from(*x),
            Rows::F64(x) => CowArray::from(x.as_standard_layout().into_owned()),
        })
    }
}

impl<'a> From<ArrayView2<'a, f32>> for Rows<'a> {
    fn from(x: ArrayView2<'a, f32>) -> Self {
        Rows::F32(x)
    }
}

impl<'a> From<ArrayView2<'a, f64>> for Rows<'a> {
    fn from(x: ArrayView2<'a, f64>) -> Self {
        Rows::F64(x)
    }
}

/// The labels a classifier was trained on, in the order of its columns (`classes_` in scikit-learn).
#[derive(Debug, Clone, PartialEq)]
pub enum Classes {
    /// Integer labels.
    Int(Vec<i64>),
    /// Floating point labels.
    Float(Vec<f64>),
    /// Text labels.
    Str(Vec<String>),
    /// Boolean labels.
    Bool(Vec<bool>),
}

impl Classes {
    /// A label as a number; NaN of a text, and where there is none.
    pub(crate) fn number(&self, index: usize) -> f64 {
        match self.label(index) {
            Some(Label::Int(v)) => v as f64,
            Some(Label::Float(v)) => v,
            Some(Label::Bool(v)) => f64::from(u8::from(v)),
            Some(Label::Str(_)) | None => f64::NAN,
        }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        match self {
            Classes::Int(v) => v.len(),
            Classes::Float(v) => v.len(),
            Classes::Str(v) => v.len(),
            Classes::Bool(v) => v.len(),
        }
    }

    /// Whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of class `i`, or `None` past the last one.
    pub fn label(&self, i: usize) -> Option<Label<'_>> {
        match self {
            Classes::Int(v) => v.get(i).copied().map(Label::Int),
            Classes::Float(v) => v.get(i).copied().map(Label::Float),
            Classes::Str(v) => v.get(i).map(|s| Label::Str(s)),
            Classes::Bool(v) => v.get(i).copied().map(Label::Bool),
        }
    }
}

/// One label of [`Classes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Label<'a> {
    /// An integer label.
    Int(i64),
    /// A floating point label.
    Float(f64),
    /// A text label.
    Str(&'a str),
    /// A boolean label.
    Bool(bool),
}

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Label::Int(v) => write!(f, "{v}"),
            Label::Float(v) => write!(f, "{v}"),
            Label::Str(v) => f.write_str(v),
            Label::Bool(v) => write!(f, "{v}"),
        }
    }
}

/// What a model is for, and so which of its methods answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Gives a class: `predict_indices`, often `predict_proba` or `decision_function`.
    Classifier,
    /// Gives numbers: `predict_values`.
    Regressor,
    /// Gives new features: `transform`.
    Transformer,
    /// Gives 1 for inliers and -1 for outliers: `predict_values`, `decision_function`.
    Outlier,
    /// Gives the number of a cluster: `predict_values`.
    Clusterer,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Classifier => "classifier",
            Kind::Regressor => "regressor",
            Kind::Transformer => "transformer",
            Kind::Outlier => "outlier",
            Kind::Clusterer => "clusterer",
        })
    }
}
