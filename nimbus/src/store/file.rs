//! A redb file that goes on after its disk was full: redb refuses everything once a write failed, until the file is opened anew.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};

/// An open database, opened anew when it has failed.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    /// None: in memory.
    path: Option<PathBuf>,
    /// None: it could not be opened again so far.
    open: RwLock<Option<Database>>,
}

impl DatabaseFile {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, DatabaseError> {
        Ok(DatabaseFile { path: Some(path.to_owned()), open: RwLock::new(Some(Database::create(path)?)) })
    }

    /// One of no file, which ends with it.
    pub(crate) fn in_memory() -> Self {
        let backend = redb::backends::InMemoryBackend::new();
        DatabaseFile {
            path: None,
            open: RwLock::new(Some(Database::builder().create_with_backend(backend).expect("memory does not fail"))),
        }
    }

    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        self.begin(|database| Ok(database.begin_write()?))
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        self.begin(|database| Ok(database.begin_read()?))
    }

    fn begin<T>(&self, begin: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        let begun = |open: &Option<Database>| open.as_ref().map_or(Err(redb::Error::PreviousIo), &begin);
        match begun(&self.open.read().unwrap_or_else(PoisonError::into_inner)) {
            Err(redb::Error::PreviousIo) => {}
            done => return done,
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have done it meanwhile.
        match (begun(&open), &self.path) {
            (Err(redb::Error::PreviousIo), Some(path)) => {
                // Closed first: a file has one owner.
                *open = None;
                *open = Some(Database::create(path)?);
                log::warn!(path:display = path.display(); "a store is opened again after it had failed");
                begun(&open)
            }
            (done, _) => done,
        }
    }
}
