//! Batches, and the tuples in them.

use std::sync::Arc;

use crate::lineage::{Edges, Lineage};
use crate::{Columns, Error, Schema, Value, ValueRef};

/// Where a batch comes from, as a bolt sees it.
///
/// ```
/// use squall_core::Source;
/// let s = Source { component: "words".into(), stream: "default".into(), task: 1 };
/// assert_eq!(&*s.component, "words");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The component that emitted it.
    pub component: Arc<str>,
    /// The stream it was emitted on.
    pub stream: Arc<str>,
    /// The task that emitted it.
    pub task: u32,
}

/// Tuples of one stream from one task: the unit of work.
///
/// ```
/// use squall_core::{Batch, FieldType, Schema};
/// let batch = Batch::of(Schema::new([("word", FieldType::Str)]), [("a",), ("b",)]).unwrap();
/// let words: Vec<_> = batch.tuples().map(|t| t.str("word").unwrap().to_owned()).collect();
/// assert_eq!(words, ["a", "b"]);
/// ```
#[derive(Debug, Clone)]
pub struct Batch {
    source: Source,
    columns: Arc<Columns>,
    lineage: Lineage,
}

impl Batch {
    /// A batch of rows as the engine makes it: with its source and the trees its rows belong to.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use squall_core::{Batch, Columns, Lineage, Schema, Source};
    /// let source = Source { component: "a".into(), stream: "default".into(), task: 1 };
    /// let batch = Batch::new(source, Arc::new(Columns::new(Schema::default().into())), Lineage::default());
    /// assert!(batch.is_empty());
    /// ```
    pub fn new(source: Source, columns: Arc<Columns>, lineage: Lineage) -> Self {
        Batch { source, columns, lineage }
    }

    /// A batch of these rows from nowhere, for tests.
    ///
    /// # Errors
    /// A row that does not fit the schema.
    ///
    /// ```
    /// use squall_core::{Batch, FieldType, Schema};
    /// assert!(Batch::of(Schema::new([("n", FieldType::Int)]), [("one",)]).is_err());
    /// ```
    pub fn of<R: crate::Row>(schema: Schema, rows: impl IntoIterator<Item = R>) -> crate::Result<Self> {
        let mut columns = Columns::new(Arc::new(schema));
        for row in rows {
            row.with(|values| columns.push(values)).map_err(Error::user)?;
        }
        let source = Source { component: "test".into(), stream: crate::DEFAULT_STREAM.into(), task: 0 };
        Ok(Batch { source, columns: Arc::new(columns), lineage: Lineage::default() })
    }

    /// Where it comes from.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// # let batch = Batch::of(Schema::default(), [(); 0]).unwrap();
    /// assert_eq!(&*batch.source().stream, "default");
    /// ```
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The rows as columns.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// # let batch = Batch::of(Schema::default(), [(); 0]).unwrap();
    /// assert!(batch.columns().is_empty());
    /// ```
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The schema of the rows.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// # let batch = Batch::of(Schema::default(), [(); 0]).unwrap();
    /// assert!(batch.schema().is_empty());
    /// ```
    pub fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    /// The trees that the rows belong to.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// # let batch = Batch::of(Schema::default(), [(); 0]).unwrap();
    /// assert!(batch.lineage().is_empty());
    /// ```
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// How many tuples.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// assert_eq!(Batch::of(Schema::default(), [(), ()]).unwrap().len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.columns.rows
    }

    /// Whether there is none.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// assert!(Batch::of(Schema::default(), [(); 0]).unwrap().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.columns.rows == 0
    }

    /// The tuple at this row.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// assert!(Batch::of(Schema::default(), [()]).unwrap().tuple(1).is_none());
    /// ```
    pub fn tuple(&self, row: usize) -> Option<Tuple<'_>> {
        (row < self.len()).then_some(Tuple { batch: self, row })
    }

    /// The tuples in order.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// assert_eq!(Batch::of(Schema::default(), [(), ()]).unwrap().tuples().count(), 2);
    /// ```
    pub fn tuples(&self) -> impl ExactSizeIterator<Item = Tuple<'_>> {
        (0..self.len()).map(|row| Tuple { batch: self, row })
    }

    /// The parts, to recycle the columns where no other batch shares them.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// let (columns, _lineage) = Batch::of(Schema::default(), [()]).unwrap().into_parts();
    /// assert_eq!(columns.len(), 1);
    /// ```
    pub fn into_parts(self) -> (Arc<Columns>, Lineage) {
        (self.columns, self.lineage)
    }
}

/// One tuple of a batch.
///
/// ```
/// use squall_core::{Batch, FieldType, Schema};
/// let schema = Schema::new([("word", FieldType::Str), ("count", FieldType::Int)]);
/// let batch = Batch::of(schema, [("storm", 3)]).unwrap();
/// let tuple = batch.tuple(0).unwrap();
/// assert_eq!(tuple.str("word").unwrap(), "storm");
/// assert_eq!(tuple.int("count").unwrap(), 3);
/// assert_eq!(tuple.float("word").unwrap_err().to_string(), "field `word` is str, not float");
/// assert!(tuple.int("cuont").unwrap_err().to_string().contains("did you mean `count`?"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Tuple<'a> {
    batch: &'a Batch,
    row: usize,
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident, $at:ident -> $t:ty, $text:literal { $($pattern:pat => $value:expr),* };)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// No such field, or a field of another type; the text names both.
        ///
        /// ```
        /// # use squall_core::{Batch, Schema};
        /// # let batch = Batch::of(Schema::default(), [()]).unwrap();
        #[doc = concat!("assert!(batch.tuple(0).unwrap().", stringify!($name), "(\"missing\").is_err());")]
        /// ```
        pub fn $name(&self, field: &str) -> crate::Result<$t> {
            self.$at(self.position(field)?)
        }

        /// The same by the field's position, which spares the look-up.
        ///
        /// # Errors
        /// As by name.
        ///
        /// ```
        /// # use squall_core::{Batch, Schema};
        /// # let batch = Batch::of(Schema::default(), [()]).unwrap();
        #[doc = concat!("assert!(batch.tuple(0).unwrap().", stringify!($at), "(0).is_err());")]
        /// ```
        #[inline]
        pub fn $at(&self, index: usize) -> crate::Result<$t> {
            match self.at(index) {
                $(Some($pattern) => Ok($value),)*
                other => Err(self.mismatch(index, other, $text)),
            }
        }
    )*};
}

impl<'a> Tuple<'a> {
    /// The value of a field, whatever its type; `None` where there is no such field.
    ///
    /// ```
    /// # use squall_core::{Batch, FieldType, Schema, ValueRef};
    /// let batch = Batch::of(Schema::new([("n", FieldType::Int)]), [(7,)]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().get("n"), Some(ValueRef::Int(7)));
    /// ```
    pub fn get(&self, field: &str) -> Option<ValueRef<'a>> {
        self.at(self.batch.schema().index(field)?)
    }

    /// The value at a position.
    ///
    /// ```
    /// # use squall_core::{Batch, FieldType, Schema, ValueRef};
    /// let batch = Batch::of(Schema::new([("n", FieldType::Int)]), [(7,)]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().at(0), Some(ValueRef::Int(7)));
    /// ```
    #[inline]
    pub fn at(&self, index: usize) -> Option<ValueRef<'a>> {
        self.batch.columns.get(self.row, index)
    }

    typed! {
        /// A `str` field.
        str, str_at -> &'a str, "str" { ValueRef::Str(v) => v };
        /// An `int` field.
        int, int_at -> i64, "int" { ValueRef::Int(v) => v };
        /// A `float` field; an integer is widened.
        float, float_at -> f64, "float" { ValueRef::Float(v) => v, ValueRef::Int(v) => v as f64 };
        /// A `bool` field.
        bool, bool_at -> bool, "bool" { ValueRef::Bool(v) => v };
        /// A `bytes` field.
        bytes, bytes_at -> &'a [u8], "bytes" { ValueRef::Bytes(v) => v };
        /// A vector of 32-bit floats.
        f32s, f32s_at -> &'a [f32], "f32[]" { ValueRef::F32s(v) => v };
        /// A vector of 64-bit floats.
        f64s, f64s_at -> &'a [f64], "f64[]" { ValueRef::F64s(v) => v };
    }

    /// All values in the order of the schema.
    ///
    /// ```
    /// # use squall_core::{Batch, FieldType, Schema};
    /// let batch = Batch::of(Schema::new([("n", FieldType::Int)]), [(7,)]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().values().count(), 1);
    /// ```
    pub fn values(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let Tuple { batch, row } = *self;
        (0..batch.schema().len()).filter_map(move |column| batch.columns.get(row, column))
    }

    /// A copy that outlives the batch.
    ///
    /// ```
    /// # use squall_core::{Batch, FieldType, Schema, Value};
    /// let batch = Batch::of(Schema::new([("n", FieldType::Int)]), [(7,)]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().to_values(), [Value::Int(7)]);
    /// ```
    pub fn to_values(&self) -> Vec<Value> {
        self.values().map(|v| v.to_value()).collect()
    }

    /// The tuple as a JSON object, field by field.
    ///
    /// ```
    /// # use squall_core::{Batch, FieldType, Schema};
    /// let batch = Batch::of(Schema::new([("n", FieldType::Int)]), [(7,)]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().to_json().to_string(), r#"{"n":7}"#);
    /// ```
    pub fn to_json(&self) -> serde_json::Value {
        let names = self.batch.schema().fields().iter().map(|f| f.name.clone());
        serde_json::Value::Object(names.zip(self.values().map(Into::into)).collect())
    }

    /// The batch it belongs to.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// let batch = Batch::of(Schema::default(), [()]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().batch().len(), 1);
    /// ```
    pub fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// Its row in the batch.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// let batch = Batch::of(Schema::default(), [()]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().row(), 0);
    /// ```
    pub fn row(&self) -> usize {
        self.row
    }

    /// Where it comes from.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// let batch = Batch::of(Schema::default(), [()]).unwrap();
    /// assert_eq!(batch.tuple(0).unwrap().source().task, 0);
    /// ```
    pub fn source(&self) -> &'a Source {
        &self.batch.source
    }

    /// The trees it belongs to; empty for a tuple that nobody tracks.
    ///
    /// ```
    /// # use squall_core::{Batch, Schema};
    /// let batch = Batch::of(Schema::default(), [()]).unwrap();
    /// assert!(batch.tuple(0).unwrap().edges().is_empty());
    /// ```
    #[inline]
    pub fn edges(&self) -> Edges<'a> {
        self.batch.lineage.row(self.row)
    }

    fn position(&self, field: &str) -> crate::Result<usize> {
        self.batch.schema().index(field).ok_or_else(|| {
            let names = self.batch.schema().fields().iter().map(|f| f.name.as_str());
            Error::user(format!(
                "no field `{field}` in ({}){}",
                self.batch.schema(),
                crate::suggest::did_you_mean(field, names)
            ))
        })
    }

    #[cold]
    fn mismatch(&self, index: usize, found: Option<ValueRef<'_>>, wanted: &str) -> Error {
        match (found, self.batch.schema().fields().get(index)) {
            (Some(v), Some(f)) => Error::user(format!("field `{}` is {}, not {wanted}", f.name, v.type_name())),
            _ => Error::user(format!("no field at position {index}: the tuple has ({})", self.batch.schema())),
        }
    }
}
