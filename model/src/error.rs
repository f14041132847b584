//! What can go wrong, whose fault it is, and what to do about it.

use std::path::{Path, PathBuf};

/// Whom an [`Error`] concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The file or the rows are at fault: trying again does not help, changing them does.
    User,
    /// The file system or the machine is: trying again may help.
    External,
    /// A bug of ours.
    Internal,
}

/// A failed import, opening or scoring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read", "map", …
        action: &'static str,
        /// The file it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is of no known model format.
    #[error(
        "not a model file squall can import: {what}; give a pickle or joblib file of scikit-learn, \
         a model saved by XGBoost (.json, .ubj) or LightGBM (.txt), or an ONNX file"
    )]
    Format {
        /// What its first bytes look like.
        what: String,
    },
    /// The source file ends too early.
    #[error("the file is cut off: {what} at byte {offset} needs {needed} bytes, {left} are left; copy or write it again")]
    Truncated {
        /// Where the unfinished item begins.
        offset: u64,
        /// What the item is.
        what: String,
        /// How many bytes it claims.
        needed: u64,
        /// How many remain.
        left: u64,
    },
    /// The source file breaks the rules of its format.
    #[error("damaged or hostile file, at byte {offset}: {what}; write the model again")]
    Damaged {
        /// Where it was noticed.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A pickle names a class or function that is not on the list.
    #[error(
        "the pickle refers to `{name}` (byte {offset}), which is not on the list of known classes; \
         squall reads models as data and runs no code from them: {}",
        instead_of(name)
    )]
    UnknownClass {
        /// `module.name` as the pickle gives it.
        name: String,
        /// Where.
        offset: u64,
    },
    /// A pickle calls something that is not on the list.
    #[error(
        "the pickle calls `{name}` (byte {offset}), which is not on the list of known constructors; \
         squall reads models as data and runs no code from them"
    )]
    UnknownCall {
        /// `module.name` as the pickle gives it.
        name: String,
        /// Where.
        offset: u64,
    },
    /// A class that is known to exist, or an option of one, that cannot be scored here.
    #[error("cannot import `{class}`: {what}")]
    Unsupported {
        /// The estimator.
        class: String,
        /// What about it, and what to do instead.
        what: String,
    },
    /// An estimator lacks a fitted attribute, or it has an unexpected shape or type.
    #[error("`{class}`: attribute `{attribute}` {what}")]
    Attribute {
        /// The estimator.
        class: String,
        /// The attribute.
        attribute: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The file to open is no artefact of ours, or a damaged one.
    #[error("`{}` is not a usable model artefact: {what}; make it again with `squall model import`", path.display())]
    Artefact {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The rows are too wide or too narrow.
    #[error("the model expects {expected} features, the row has {found}; check the `features` of the bolt")]
    Width {
        /// What the model was trained on.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// Texts for a model of numbers, or the other way round.
    #[error("the model takes {expected}, and the rows are {found}; check the `features` of the bolt")]
    Input {
        /// What the model takes: "texts", "numbers", or both.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// A row holds a value the model cannot take.
    #[error("row {row}, feature {column} is {value}; the model takes finite numbers only: impute or drop such rows before")]
    NotFinite {
        /// Index of the row in the batch.
        row: usize,
        /// Index of the feature.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A row holds a value outside what the model accepts.
    #[error("row {row}, feature {column}: {what}")]
    Value {
        /// Index of the row in the batch.
        row: usize,
        /// Index of the feature.
        column: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A row holds a category that the model does not know and does not ignore.
    #[error("row {row}, feature {column}: `{category}` is a category that training did not see")]
    Category {
        /// Index of the row in the batch.
        row: usize,
        /// Index of the feature.
        column: usize,
        /// The category.
        category: String,
    },
    /// The model has no such method.
    #[error("the model ({class}) has no {method}; it has: {has}")]
    NoMethod {
        /// The estimator at the end of the pipeline.
        class: String,
        /// What was asked for.
        method: &'static str,
        /// What it offers.
        has: String,
    },
    /// A library that the model needs is not there.
    #[error("{what}")]
    Unavailable {
        /// What is missing, and how to get it.
        what: String,
    },
    /// A model larger than the memory there is for it.
    #[error(
        "`{}` needs {needed} bytes of memory, other models of the process {others}, and there are {available}: run it on a larger \
         machine or give the process more (SQUALL_MODEL_MEMORY overrides, in bytes, what the machine or its control group says)",
        path.display()
    )]
    Memory {
        /// The model's file.
        path: PathBuf,
        /// Its size.
        needed: u64,
        /// The size of the other models that the process has open.
        others: u64,
        /// What can still be had.
        available: u64,
    },
    /// Something that cannot be.
    #[error("bug in squall-model: {0}; please report it")]
    Internal(String),
}

/// What to do about a class that no pickle may name.
fn instead_of(name: &str) -> &'static str {
    match name.split('.').next() {
        Some("xgboost") => {
            "save the booster itself, with `save_model(\"model.ubj\")`, and give that file; steps of a pipeline before it become a \
             model for a `transform` bolt"
        }
        Some("lightgbm") => {
            "save the booster itself, with `booster_.save_model(\"model.txt\")`, and give that file; steps of a pipeline before it \
             become a model for a `transform` bolt"
        }
        Some("catboost" | "torch" | "keras" | "tensorflow") => "export it as an ONNX file, and give that",
        _ => "leave it out of the pipeline, or do its work in a bolt",
    }
}

impl Error {
    /// Whose fault it is, and so whether trying again can help.
    pub fn domain(&self) -> Domain {
        match self {
            Error::Io { .. } | Error::Unavailable { .. } | Error::Memory { .. } => Domain::External,
            Error::Internal(_) => Domain::Internal,
            _ => Domain::User,
        }
    }

    /// What is wrong with a row, without the place of the row; the feature by its name where `names` has it.
    pub fn of_row(&self, names: Option<&[String]>) -> String {
        let feature = |column: &usize| match names.and_then(|names| names.get(*column)) {
            Some(name) => format!("feature `{name}`"),
            None => format!("feature {column}"),
        };
        match self {
            Error::NotFinite { column, value, .. } => {
                format!("{} is {value}; the model takes finite numbers only", feature(column))
            }
            Error::Value { column, what, .. } => format!("{}: {what}", feature(column)),
            Error::Category { column, category, .. } => {
                format!("{}: `{category}` is a category that training did not see", feature(column))
            }
            other => other.to_string(),
        }
    }

    /// The row of a batch that is at fault, where one is.
    pub fn row(&self) -> Option<usize> {
        match self {
            Error::NotFinite { row, .. } | Error::Value { row, .. } | Error::Category { row, .. } => Some(*row),
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
        Error::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn damaged(offset: usize, what: impl Into<String>) -> Error {
        Error::Damaged { offset: offset as u64, what: what.into() }
    }

    pub(crate) fn unsupported(class: &str, what: impl Into<String>) -> Error {
        Error::Unsupported { class: class.to_owned(), what: what.into() }
    }

    pub(crate) fn attribute(class: &str, attribute: &str, what: impl Into<String>) -> Error {
        Error::Attribute { class: class.to_owned(), attribute: attribute.to_owned(), what: what.into() }
    }
}
