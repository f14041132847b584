//! The store of points: one redb file, a table of points, one of their tasks, one of what must survive nimbus besides, and one of
//! topologies that are gone.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{ReadableTable, TableDefinition};
use squall_core::{Error, Result};

use super::{Point, Tier};
use crate::store::DatabaseFile;

type Key<'a> = (&'a str, u8, u64);

const POINTS: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("points");
const TASKS: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("tasks");
const KEPT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("kept");
/// Topologies that are no more, and when that was noticed, unix seconds.
const GONE: TableDefinition<'_, &str, u64> = TableDefinition::new("gone");
/// So many of them are remembered, for so long.
const MOST_GONE: usize = 200;
const LONGEST_GONE_S: u64 = 7 * 24 * 3600;

/// The book of what happened.
#[derive(Debug)]
pub(crate) struct Book {
    database: DatabaseFile,
}

/// What of a topology is written at once.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    pub(crate) topology: &'a str,
    /// Points as (tier, unix second of their beginning, point), each to be added to what there is of it.
    pub(crate) points: &'a [(u8, u64, Point)],
    /// What it needs to go on after nimbus starts again.
    pub(crate) kept: Vec<u8>,
}

fn broken(e: impl Into<redb::Error>) -> Error {
    Error::external("the store of statistics failed").because(e.into())
}

fn damaged(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::external("the store of statistics is damaged; statistics.redb may be removed").because(e)
}

/// The topologies that are gone, the oldest first.
fn by_age(gone: &impl ReadableTable<&'static str, u64>) -> Result<Vec<(u64, String)>> {
    let all = gone.iter().map_err(broken)?.map(|entry| entry.map(|(id, at)| (at.value(), id.value().to_owned())));
    let mut all = all.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    all.sort();
    Ok(all)
}

impl Book {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let cannot = |e| Error::external(format!("cannot open the store of statistics {}", path.display())).because(e);
        Book::with(DatabaseFile::open(path).map_err(cannot)?)
    }

    /// One of no file, which ends with it.
    pub(crate) fn in_memory() -> Self {
        Book::with(DatabaseFile::in_memory()).expect("memory does not fail")
    }

    fn with(database: DatabaseFile) -> Result<Self> {
        let begin = database.begin_write().map_err(broken)?;
        begin.open_table(POINTS).map_err(broken)?;
        begin.open_table(TASKS).map_err(broken)?;
        begin.open_table(KEPT).map_err(broken)?;
        begin.open_table(GONE).map_err(broken)?;
        begin.commit().map_err(broken)?;
        Ok(Book { database })
    }

    /// Writes all of it, durably, or nothing; and removes what is older than its tier keeps.
    pub(crate) fn write(&self, all: &[Written<'_>], now_s: u64) -> Result<()> {
        let write = self.database.begin_write().map_err(broken)?;
        {
            let mut points = write.open_table(POINTS).map_err(broken)?;
            let mut tasks = write.open_table(TASKS).map_err(broken)?;
            let mut kept = write.open_table(KEPT).map_err(broken)?;
            for w in all {
                for (tier, at, point) in w.points {
                    let key = (w.topology, *tier, *at);
                    let there = points.get(key).map_err(broken)?.map(|p| rmp_serde::from_slice::<Point>(p.value()));
                    let mut sum = there.transpose().map_err(damaged)?;
                    if let Some(sum) = &mut sum {
                        if let Some(there) = tasks.get(key).map_err(broken)? {
                            sum.tasks = rmp_serde::from_slice(there.value()).map_err(damaged)?;
                        }
                        sum.merge(point);
                    }
                    let point = sum.as_ref().unwrap_or(point);
                    let bytes = rmp_serde::to_vec(point).map_err(damaged)?;
                    points.insert(key, bytes.as_slice()).map_err(broken)?;
                    if !point.tasks.is_empty() {
                        let bytes = rmp_serde::to_vec(&point.tasks).map_err(damaged)?;
                        tasks.insert(key, bytes.as_slice()).map_err(broken)?;
                    }
                }
                for tier in super::TIERS.iter().filter(|t| w.points.iter().any(|(number, ..)| *number == t.number)) {
                    let old =
                        (w.topology, tier.number, 0)..(w.topology, tier.number, now_s.saturating_sub(tier.kept.as_secs()));
                    points.retain_in(old.clone(), |_, _| false).map_err(broken)?;
                    tasks.retain_in(old, |_, _| false).map_err(broken)?;
                }
                kept.insert(w.topology, w.kept.as_slice()).map_err(broken)?;
            }
        }
        write.commit().map_err(broken)
    }

    /// Forgets a topology's statistics; of the topology only remains that it was.
    pub(crate) fn forget(&self, topology: &str, now_s: u64) -> Result<()> {
        let write = self.database.begin_write().map_err(broken)?;
        {
            let mut gone = write.open_table(GONE).map_err(broken)?;
            gone.insert(topology, now_s).map_err(broken)?;
            let all = by_age(&gone)?;
            let too_many = all.len().saturating_sub(MOST_GONE);
            let old = all.iter().enumerate().filter(|(n, (at, _))| *n < too_many || at + LONGEST_GONE_S < now_s);
            for (_, (_, id)) in old {
                gone.remove(id.as_str()).map_err(broken)?;
            }
            let all = (topology, 0, 0)..=(topology, u8::MAX, u64::MAX);
            write.open_table(POINTS).map_err(broken)?.retain_in(all.clone(), |_, _| false).map_err(broken)?;
            write.open_table(TASKS).map_err(broken)?.retain_in(all, |_, _| false).map_err(broken)?;
            write.open_table(KEPT).map_err(broken)?.remove(topology).map_err(broken)?;
        }
        write.commit().map_err(broken)
    }

    /// What was kept of a topology.
    pub(crate) fn kept(&self, topology: &str) -> Result<Option<Vec<u8>>> {
        let read = self.database.begin_read().map_err(broken)?;
        let found = read.open_table(KEPT).map_err(broken)?.get(topology).map_err(broken)?;
        Ok(found.map(|v| v.value().to_vec()))
    }

    /// The topologies that are gone, as far as they are remembered, the newest first.
    pub(crate) fn gone(&self) -> Result<Vec<String>> {
        let read = self.database.begin_read().map_err(broken)?;
        let table = read.open_table(GONE).map_err(broken)?;
        Ok(by_age(&table)?.into_iter().rev().map(|(_, id)| id).collect())
    }

    /// The topologies of which something is kept.
    pub(crate) fn topologies(&self) -> Result<Vec<String>> {
        let read = self.database.begin_read().map_err(broken)?;
        let table = read.open_table(KEPT).map_err(broken)?;
        let keys = table.range::<&str>(..).map_err(broken)?;
        keys.map(|entry| entry.map(|(k, _)| k.value().to_owned()).map_err(broken)).collect()
    }

    /// The points of a tier from this unix second on, in order.
    pub(crate) fn points(&self, topology: &str, tier: Tier, from_s: u64, with_tasks: bool) -> Result<BTreeMap<u64, Point>> {
        // The file may be opened anew under who reads, when its disk is no longer full: then it is read again.
        let read = || self.read_points(topology, tier, from_s, with_tasks);
        read().or_else(|_| read())
    }

    fn read_points(&self, topology: &str, tier: Tier, from_s: u64, with_tasks: bool) -> Result<BTreeMap<u64, Point>> {
        let read = self.database.begin_read().map_err(broken)?;
        let range = (topology, tier.number, from_s)..=(topology, tier.number, u64::MAX);
        let mut found = BTreeMap::new();
        for entry in read.open_table(POINTS).map_err(broken)?.range(range.clone()).map_err(broken)? {
            let (key, value) = entry.map_err(broken)?;
            let point: Point = rmp_serde::from_slice(value.value()).map_err(damaged)?;
            found.insert(key.value().2, point);
        }
        if with_tasks {
            for entry in read.open_table(TASKS).map_err(broken)?.range(range).map_err(broken)? {
                let (key, value) = entry.map_err(broken)?;
                if let Some(point) = found.get_mut(&key.value().2) {
                    point.tasks = rmp_serde::from_slice(value.value()).map_err(damaged)?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{TIERS, TaskSums};

    #[test]
    fn what_is_written_is_read_again_until_it_is_too_old() {
        let book = Book::in_memory();
        let mut point = Point { ms: 1000, ..Point::default() };
        point.components.entry("a".into()).or_default().numbers.emitted = 7;
        point.tasks.entry("a".into()).or_default().insert(3, TaskSums { emitted: 7, ..TaskSums::default() });
        let write = |at, now| {
            let points = [(0, at, point.clone()), (3, at, point.clone())];
            book.write(&[Written { topology: "t", points: &points, kept: b"k".to_vec() }], now).unwrap();
        };
        write(1000, 1000);
        write(1700, 1700);
        assert_eq!(book.points("t", TIERS[0], 0, true).unwrap().into_keys().collect::<Vec<_>>(), [1700]);
        let coarse = book.points("t", TIERS[3], 0, true).unwrap();
        assert_eq!((coarse.len(), &coarse[&1000]), (2, &point));
        assert!(book.points("t", TIERS[3], 0, false).unwrap()[&1000].tasks.is_empty());
        assert!(book.points("u", TIERS[3], 0, true).unwrap().is_empty());
        assert_eq!(book.kept("t").unwrap().as_deref(), Some(&b"k"[..]));
        book.forget("t", 1700).unwrap();
        assert!(book.points("t", TIERS[3], 0, true).unwrap().is_empty() && book.topologies().unwrap().is_empty());
    }

    #[test]
    fn topologies_that_are_gone_are_remembered_within_bounds() {
        let book = Book::in_memory();
        book.forget("old", 1000).unwrap();
        for n in 0..MOST_GONE as u64 + 2 {
            book.forget(&format!("t-{n}"), 2000 + n).unwrap();
        }
        let gone = book.gone().unwrap();
        assert_eq!((gone.len(), gone[0].as_str(), gone[MOST_GONE - 1].as_str()), (MOST_GONE, "t-201", "t-2"));
        book.forget("new", 3500 + LONGEST_GONE_S).unwrap();
        assert_eq!(book.gone().unwrap(), ["new"]);
    }
}
