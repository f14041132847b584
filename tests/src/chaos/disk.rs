//! Disks that are full.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that takes all there is; it is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Filler(PathBuf);

impl Filler {
    /// Fills the disk that a folder is on.
    ///
    /// # Panics
    /// Something else than the end of the disk comes in between.
    #[track_caller]
    pub(super) fn fill(folder: &Path) -> Filler {
        let filler = Filler(folder.join("filler"));
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&filler.0)?;
            loop {
                file.write_all(&[b'x'; 4096])?;
            }
        };
        let end = write().expect_err("disks are finite");
        assert_eq!(end.kind(), std::io::ErrorKind::StorageFull, "{end}");
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("the filler is there");
    }
}
