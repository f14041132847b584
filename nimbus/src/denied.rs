//! Why nimbus does not do what it is asked to.

use squall_core::control::Problem;
use squall_core::{Error, Fault};

/// The kinds of refusal, each an HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 400
    Unreadable,
    /// 401
    NoToken,
    /// 404
    Unknown,
    /// 405
    NoMethod,
    /// 409
    NotNow,
    /// 413
    TooLarge,
    /// 422
    Wrong,
    /// 502
    NoAnswer,
    /// 500
    Failed,
}

/// A refusal, with what the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) kind: Kind,
    pub(crate) problem: Problem,
}

impl Denied {
    pub(crate) fn new(kind: Kind, error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Denied { kind, problem: Problem { error: error.into(), remedy: remedy.into(), details: Vec::new() } }
    }

    #[must_use]
    pub(crate) fn with(mut self, details: Vec<String>) -> Self {
        self.problem.details = details;
        self
    }
}

impl From<Error> for Denied {
    fn from(e: Error) -> Self {
        match e.fault() {
            Fault::User => Denied::new(Kind::Wrong, e.to_string(), ""),
            Fault::External => {
                Denied::new(Kind::Failed, e.to_string(), "look at nimbus's log, its disk and its folder's permissions")
            }
            Fault::Internal => {
                Denied::new(Kind::Failed, e.to_string(), "this is a bug in Squall; please report it with nimbus's log")
            }
        }
    }
}
