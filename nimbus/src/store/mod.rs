//! Where nimbus keeps what must survive it. One trait, so that an etcd can take the embedded store's place.

mod embedded;
mod file;

pub(crate) use embedded::Embedded;
pub(crate) use file::DatabaseFile;

use squall_core::Result;
use tokio::sync::watch;

/// What a change expects of the key before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing.
    Any,
    /// The key is not there.
    Absent,
    /// The key was last written by this revision.
    Revision(u64),
}

/// A change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The key.
    pub(crate) key: String,
    /// Its new value; none removes it.
    pub(crate) value: Option<Vec<u8>>,
    /// What must hold before.
    pub(crate) expect: Expect,
}

impl Change {
    /// Writes a key, whatever it was.
    pub(crate) fn put(key: impl Into<String>, value: Vec<u8>) -> Self {
        Change { key: key.into(), value: Some(value), expect: Expect::Any }
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(key: impl Into<String>) -> Self {
        Change { key: key.into(), value: None, expect: Expect::Any }
    }

    /// The same, only if this holds before.
    #[must_use]
    pub(crate) fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// A value and the revision that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versioned {
    /// The value.
    pub(crate) value: Vec<u8>,
    /// The revision.
    pub(crate) revision: u64,
}

/// A small, durable, ordered map with revisions.
pub(crate) trait StateStore: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(&self, key: &str) -> Result<Option<Versioned>>;

    /// All keys that begin so, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<(String, Versioned)>>;

    /// Makes all changes or, where one's expectation does not hold, none; durable when it returns. Answers with the new revision,
    /// or with `None` where an expectation failed.
    ///
    /// # Errors
    /// The store cannot be written.
    fn commit(&self, changes: &[Change]) -> Result<Option<u64>>;

    /// The newest revision, and a notice of each later one.
    #[cfg_attr(not(test), expect(dead_code, reason = "for a second nimbus that stands by, when the store is shared"))]
    fn watch(&self) -> watch::Receiver<u64>;
}
