//! What the tuples of a stream look like: names and types, known from the topology before anything runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FieldType;

/// A named, typed field.
///
/// ```
/// use squall_core::{Field, FieldType};
/// let f = Field::new("word", FieldType::Str);
/// assert_eq!(f.name, "word");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// The name that groupings and bolts use.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: FieldType,
}

impl Field {
    /// A field of this name and type.
    ///
    /// ```
    /// # use squall_core::{Field, FieldType};
    /// let _ = Field::new("count", FieldType::Int);
    /// ```
    pub fn new(name: impl Into<String>, kind: FieldType) -> Self {
        Field { name: name.into(), kind }
    }
}

/// The fields of a stream, in order.
///
/// ```
/// use squall_core::{FieldType, Schema};
/// let schema = Schema::new([("word", FieldType::Str), ("count", FieldType::Int)]);
/// assert_eq!(schema.index("count"), Some(1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema {
    fields: Vec<Field>,
}

impl Schema {
    /// A schema of these fields.
    ///
    /// ```
    /// # use squall_core::{FieldType, Schema};
    /// assert_eq!(Schema::new([("x", FieldType::Float)]).len(), 1);
    /// ```
    pub fn new<N: Into<String>>(fields: impl IntoIterator<Item = (N, FieldType)>) -> Self {
        Schema { fields: fields.into_iter().map(|(name, kind)| Field::new(name, kind)).collect() }
    }

    /// The fields in order.
    ///
    /// ```
    /// # use squall_core::Schema;
    /// assert!(Schema::default().fields().is_empty());
    /// ```
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many fields there are.
    ///
    /// ```
    /// # use squall_core::Schema;
    /// assert_eq!(Schema::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    ///
    /// ```
    /// # use squall_core::Schema;
    /// assert!(Schema::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The position of the field of this name.
    ///
    /// ```
    /// # use squall_core::{FieldType, Schema};
    /// assert_eq!(Schema::new([("x", FieldType::Int)]).index("y"), None);
    /// ```
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The field of this name.
    ///
    /// ```
    /// # use squall_core::{FieldType, Schema};
    /// assert_eq!(Schema::new([("x", FieldType::Int)]).field("x").unwrap().kind, FieldType::Int);
    /// ```
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// This schema with further fields after its own.
    ///
    /// ```
    /// # use squall_core::{Field, FieldType, Schema};
    /// let s = Schema::new([("x", FieldType::Int)]).with([Field::new("label", FieldType::Str)]);
    /// assert_eq!(s.to_string(), "x: int, label: str");
    /// ```
    #[must_use]
    pub fn with(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// The first name that occurs twice, if any.
    ///
    /// ```
    /// # use squall_core::{FieldType, Schema};
    /// assert_eq!(Schema::new([("x", FieldType::Int), ("x", FieldType::Str)]).duplicate(), Some("x"));
    /// ```
    pub fn duplicate(&self) -> Option<&str> {
        let mut seen = BTreeMap::new();
        self.fields.iter().find_map(|f| seen.insert(f.name.as_str(), ()).map(|()| f.name.as_str()))
    }
}

impl std::fmt::Display for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, field) in self.fields.iter().enumerate() {
            write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, field.name, field.kind)?;
        }
        Ok(())
    }
}

/// An output stream of a component: its name, its fields, and whether the emitter chooses the receiving task.
///
/// ```
/// use squall_core::{FieldType, Schema, StreamDecl};
/// let s = StreamDecl::default_stream(Schema::new([("word", FieldType::Str)]));
/// assert_eq!(s.name, "default");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamDecl {
    /// The stream's name; `default` unless a component has several.
    pub name: String,
    /// A direct stream: tuples go to the task that the emitter names.
    #[serde(default)]
    pub direct: bool,
    /// The fields.
    pub fields: Schema,
}

/// The stream that is meant where none is named.
pub const DEFAULT_STREAM: &str = "default";

impl StreamDecl {
    /// The stream called `default`.
    ///
    /// ```
    /// # use squall_core::{Schema, StreamDecl};
    /// assert!(!StreamDecl::default_stream(Schema::default()).direct);
    /// ```
    pub fn default_stream(fields: Schema) -> Self {
        StreamDecl { name: DEFAULT_STREAM.to_owned(), direct: false, fields }
    }

    /// A stream of this name.
    ///
    /// ```
    /// # use squall_core::{Schema, StreamDecl};
    /// assert_eq!(StreamDecl::named("late", Schema::default()).name, "late");
    /// ```
    pub fn named(name: impl Into<String>, fields: Schema) -> Self {
        StreamDecl { name: name.into(), direct: false, fields }
    }
}
