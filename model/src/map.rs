//! Read-only memory maps: the only unsafe code of the crate.
//!
//! The rule that makes it sound: an artefact is written under another name, synced and renamed, and
//! never changed in place afterwards (`artefact::write` and the supervisor's cache both keep it). A
//! file replaced by rename leaves old maps as they were.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use memmap2::{Advice, Mmap};

use crate::Error;

/// A mapped file.
#[derive(Debug)]
pub(crate) struct Map {
    bytes: Mmap,
}

/// Which file this is, whatever it is called. The time tells a file that was changed in place,
/// against the rule, from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Identity {
    pub(crate) fn of(meta: &Metadata) -> Identity {
        Identity { device: meta.dev(), inode: meta.ino(), length: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) }
    }
}

impl Map {
    /// Maps `file`, which is the opened `path`.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File, path: &Path) -> Result<Map, Error> {
        // SAFETY: the map is read-only and private to us as bytes of any value; nothing is assumed
        // of them that the artefact reader does not check. What remains undefined is the file being
        // changed or cut while it is mapped, and the publishing rule above excludes that.
        let bytes = unsafe { Mmap::map(file) }.map_err(|e| Error::io("map", path, e))?;
        Ok(Map { bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Brings every page in now, so that the first rows do not wait for the disk. A kernel that
    /// does not know how (before Linux 5.14) is no error: pages then come when they are touched.
    pub(crate) fn prefault(&self) -> std::io::Result<()> {
        match self.bytes.advise(Advice::PopulateRead) {
            Err(e) if e.raw_os_error() == Some(EINVAL) => Ok(()),
            other => other,
        }
    }
}

/// The same number on every Linux.
const EINVAL: i32 = 22;
