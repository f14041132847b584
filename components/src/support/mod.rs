//! What several components share.

pub(crate) mod answers;
pub(crate) mod clock;
pub(crate) mod features;
pub(crate) mod files;
pub(crate) mod models;
pub(crate) mod pending;
pub(crate) mod schemas;
pub(crate) mod together;

use squall_core::Error;

/// An error placed at a configuration key, so that it is shown there.
pub(crate) fn at(key: &str, error: impl std::fmt::Display) -> Error {
    Error::user(format!("`{key}`: {error}"))
}

/// For `#[serde(default = "yes")]`.
pub(crate) fn yes() -> bool {
    true
}
