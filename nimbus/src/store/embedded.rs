//! The embedded store: one redb file, every commit a durable transaction.

use std::path::Path;

use redb::{ReadableTable, TableDefinition};
use squall_core::{Error, Result};
use tokio::sync::watch;

use super::{Change, DatabaseFile, Expect, StateStore, Versioned};

const VALUES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("values");
const REVISION: TableDefinition<'_, (), u64> = TableDefinition::new("revision");

/// A store in a file of this process.
pub(crate) struct Embedded {
    database: DatabaseFile,
    revision: watch::Sender<u64>,
}

impl Embedded {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let database = DatabaseFile::open(path).map_err(|e| {
            let hint = match &e {
                redb::DatabaseError::DatabaseAlreadyOpen => "; another nimbus uses it",
                _ => "",
            };
            Error::external(format!("cannot open the store {}{hint}", path.display())).because(e)
        })?;
        Embedded::with(database)
    }

    /// One of no file, which ends with it.
    pub(crate) fn in_memory() -> Self {
        Embedded::with(DatabaseFile::in_memory()).expect("memory does not fail")
    }

    fn with(database: DatabaseFile) -> Result<Self> {
        let begin = database.begin_write().map_err(broken)?;
        begin.open_table(VALUES).map_err(broken)?;
        let at = begin.open_table(REVISION).map_err(broken)?.get(()).map_err(broken)?.map_or(0, |v| v.value());
        begin.commit().map_err(broken)?;
        Ok(Embedded { database, revision: watch::Sender::new(at) })
    }
}

fn broken(e: impl Into<redb::Error>) -> Error {
    Error::external("the store failed").because(e.into())
}

impl StateStore for Embedded {
    fn get(&self, key: &str) -> Result<Option<Versioned>> {
        let read = self.database.begin_read().map_err(broken)?;
        let found = read.open_table(VALUES).map_err(broken)?.get(key).map_err(broken)?;
        Ok(found.map(|v| versioned(v.value())))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, Versioned)>> {
        let read = self.database.begin_read().map_err(broken)?;
        let table = read.open_table(VALUES).map_err(broken)?;
        let mut found = Vec::new();
        for entry in table.range(prefix..).map_err(broken)? {
            let (key, value) = entry.map_err(broken)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            found.push((key.value().to_owned(), versioned(value.value())));
        }
        Ok(found)
    }

    fn commit(&self, changes: &[Change]) -> Result<Option<u64>> {
        let write = self.database.begin_write().map_err(broken)?;
        let next = {
            let mut values = write.open_table(VALUES).map_err(broken)?;
            let mut revision = write.open_table(REVISION).map_err(broken)?;
            let next = 1 + revision.get(()).map_err(broken)?.map_or(0, |v| v.value());
            for change in changes {
                let before = values.get(change.key.as_str()).map_err(broken)?.map(|v| v.value().0);
                let holds = match change.expect {
                    Expect::Any => true,
                    Expect::Absent => before.is_none(),
                    Expect::Revision(wanted) => before == Some(wanted),
                };
                if !holds {
                    // Dropping the transaction takes back what was changed so far.
                    return Ok(None);
                }
                match &change.value {
                    Some(value) => drop(values.insert(change.key.as_str(), (next, value.as_slice())).map_err(broken)?),
                    None => drop(values.remove(change.key.as_str()).map_err(broken)?),
                }
            }
            revision.insert((), next).map_err(broken)?;
            next
        };
        write.commit().map_err(broken)?;
        self.revision.send_replace(next);
        Ok(Some(next))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

fn versioned((revision, value): (u64, &[u8])) -> Versioned {
    Versioned { value: value.to_vec(), revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_and_swap_takes_all_or_nothing() {
        let store = Embedded::in_memory();
        let mut seen = store.watch();
        let first = store.commit(&[Change::put("a/1", b"x".into())]).unwrap().unwrap();
        assert_eq!(*seen.borrow_and_update(), first);
        let stale = [Change::put("a/2", b"y".into()), Change::put("a/1", b"z".into()).expecting(Expect::Absent)];
        assert_eq!(store.commit(&stale).unwrap(), None);
        assert!(store.get("a/2").unwrap().is_none(), "the first change was taken back");
        assert!(!seen.has_changed().unwrap());

        let second = store.commit(&[Change::put("a/1", b"z".into()).expecting(Expect::Revision(first))]).unwrap().unwrap();
        assert_eq!(store.get("a/1").unwrap(), Some(Versioned { value: b"z".into(), revision: second }));
        assert_eq!(store.commit(&[Change::remove("a/1").expecting(Expect::Revision(first))]).unwrap(), None);
    }

    #[test]
    fn a_prefix_ends_where_it_ends_and_a_file_remembers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.redb");
        let store = Embedded::open(&path).unwrap();
        let keys = ["a", "b/1", "b/2", "c"];
        let at = store.commit(&keys.map(|k| Change::put(k, k.into()))).unwrap().unwrap();
        assert!(Embedded::open(&path).is_err_and(|e| e.to_string().contains("another nimbus")));
        drop(store);
        let store = Embedded::open(&path).unwrap();
        let found: Vec<String> = store.list("b/").unwrap().into_iter().map(|(k, _)| k).collect();
        assert_eq!(found, ["b/1", "b/2"]);
        assert_eq!(*store.watch().borrow(), at);
    }
}
