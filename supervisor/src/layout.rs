//! A supervisor's folder.
//!
//! ```text
//! id, port, lock, lives, supervisor.log
//! blobs/{sha256}                       plans, models, worker binaries
//! topologies/{topology}/state/         what a topology keeps here
//! workers/{topology}-{worker}/         starts, launch.json, process.json, worker.log, worker.out
//! ```

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use squall_core::control::is_topology_name;
use squall_core::{Error, Result};

/// How often a supervisor was started in the folder.
const LIVES: &str = "lives";

/// A worker's name on this machine: its topology's id and its index.
pub type Key = (String, u32);

/// The folder of one supervisor, locked.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    lock: File,
}

impl Layout {
    /// Opens the folder, made if missing; no two supervisors have the same.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot use the folder {}", root.display())).because(e);
        for dir in ["", "blobs", "topologies", "workers"] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root.join(dir)).map_err(cannot)?;
        }
        let root = std::fs::canonicalize(root).map_err(cannot)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(root.join("lock")).map_err(cannot)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|e| {
            let text = format!("another supervisor uses the folder {}; give each its own", root.display());
            Error::user(text).because(std::io::Error::from(e))
        })?;
        Ok(Layout { root, lock })
    }

    /// The supervisor's id, chosen at its first start.
    pub(crate) fn id(&self) -> Result<String> {
        let path = self.root.join("id");
        if let Ok(id) = std::fs::read_to_string(&path)
            && id.len() == 32
            && id.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Ok(id);
        }
        let mut random = [0u8; 16];
        File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut random))?;
        let id: String = random.iter().map(|b| format!("{b:02x}")).collect();
        write(&path, id.as_bytes(), 0o600)?;
        Ok(id)
    }

    /// Keeps the port, for the next start.
    pub(crate) fn keep_port(&self, port: u16) -> Result<()> {
        write(&self.root.join("port"), port.to_string().as_bytes(), 0o600)
    }

    /// How often this supervisor was started, this time included.
    pub(crate) fn count_life(&self) -> Result<u32> {
        count(&self.root.join(LIVES))
    }

    /// Counts on from there.
    pub(crate) fn keep_life(&self, life: u32) -> Result<()> {
        write(&self.root.join(LIVES), life.to_string().as_bytes(), 0o600)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// A worker's folder, made if missing.
    pub(crate) fn worker(&self, (topology, worker): &Key) -> Result<PathBuf> {
        self.made(self.root.join("workers").join(format!("{}-{worker}", checked(topology)?)))
    }

    /// The folder for what a topology keeps on this machine, made if missing.
    pub(crate) fn state(&self, topology: &str) -> Result<PathBuf> {
        self.made(self.root.join("topologies").join(checked(topology)?).join("state"))
    }

    fn made(&self, dir: PathBuf) -> Result<PathBuf> {
        let cannot = |e| Error::external(format!("cannot make the folder {}", dir.display())).because(e);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(cannot)?;
        Ok(dir)
    }

    /// All workers that have or had a folder here.
    pub(crate) fn workers(&self) -> Vec<(Key, PathBuf)> {
        let entries = std::fs::read_dir(self.root.join("workers")).into_iter().flatten().flatten();
        let worker = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let (topology, worker) = name.rsplit_once('-')?;
            Some(((topology.to_owned(), worker.parse().ok()?), entry.path()))
        };
        entries.filter_map(worker).collect()
    }

    /// Removes what topologies keep here that nimbus does not know any more. Logs stay, for whoever wants to know what happened.
    pub(crate) fn forget(&self, is_known: impl Fn(&str) -> bool) {
        for entry in std::fs::read_dir(self.root.join("topologies")).into_iter().flatten().flatten() {
            if !entry.file_name().to_str().is_some_and(&is_known)
                && let Err(e) = std::fs::remove_dir_all(entry.path())
            {
                log::warn!(path:display = entry.path().display(), error:display = e; "cannot remove a topology's folder");
            }
        }
    }

    /// Removes the logs of workers of unknown topologies that nobody wrote to for so long.
    pub(crate) fn forget_logs(&self, is_known: impl Fn(&str) -> bool, older_than: std::time::Duration) {
        for ((topology, _), dir) in self.workers() {
            let files = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            let newest = files.filter_map(|f| f.metadata().ok()?.modified().ok()).max();
            let old = newest.is_none_or(|t| t.elapsed().is_ok_and(|age| age > older_than));
            if old && !is_known(&topology) {
                let _ = std::fs::remove_dir_all(dir);
            }
        }
    }
}

impl Drop for Layout {
    /// Closed is not enough: a process that is just being started has the file too, until it runs its program.
    fn drop(&mut self) {
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// A topology's id that may become part of a path.
fn checked(topology: &str) -> Result<&str> {
    let fine = is_topology_name(topology);
    fine.then_some(topology).ok_or_else(|| Error::user(format!("`{}` is no topology's id", topology.escape_debug())))
}

/// One more than the number in a file, or 1; written down before anybody uses it, so that nobody else ever gets it.
pub(crate) fn count(path: &Path) -> Result<u32> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<u32>().map_err(|e| {
            Error::external(format!("{} is damaged; write a number larger than ever before into it", path.display())).because(e)
        })?,
        Err(e) if e.kind() == ErrorKind::NotFound => 0,
        Err(e) => return Err(Error::external(format!("cannot read {}", path.display())).because(e)),
    };
    let now = before.saturating_add(1);
    write(path, now.to_string().as_bytes(), 0o600)?;
    Ok(now)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let cannot = |e: std::io::Error| Error::external(format!("cannot write {}", path.display())).because(e);
    let part = path.with_extension("part");
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).map_err(cannot)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(cannot)?;
    std::fs::rename(&part, path).map_err(cannot)?;
    // Or the power going out could bring the old file back, and with it a number that was given out already.
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_supervisor_and_keeps_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        let id = layout.id().unwrap();
        assert_eq!(layout.count_life().unwrap(), 1);
        assert!(Layout::open(dir.path()).unwrap_err().to_string().contains("another supervisor"));
        drop(layout);
        let again = Layout::open(dir.path()).unwrap();
        assert_eq!((again.id().unwrap(), again.count_life().unwrap()), (id, 2));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        for name in ["../x", "a/b", "", ".."] {
            assert!(layout.worker(&(name.to_owned(), 0)).is_err(), "{name}");
            assert!(layout.state(name).is_err(), "{name}");
        }
        layout.worker(&("digits-1-1700".to_owned(), 3)).unwrap();
        assert_eq!(layout.workers()[0].0, ("digits-1-1700".to_owned(), 3));
    }
}
