//! The file by which clients of the same user find nimbus.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use squall_core::control::Discovery;
use squall_core::{Error, Result};

/// Where the file is by default: `$XDG_RUNTIME_DIR/squall/nimbus.json`, else `~/.local/state/squall/nimbus.json`; `None`
/// without either variable.
pub fn discovery_path() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = given("XDG_RUNTIME_DIR").or_else(|| Some(given("HOME")?.join(".local/state")))?;
    Some(base.join("squall/nimbus.json"))
}

/// What the file says; `None` if there is none.
///
/// # Errors
/// It cannot be read.
pub fn read_discovery(path: &Path) -> Result<Option<Discovery>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::external(format!("the file {} does not say where nimbus is; remove it", path.display())).because(e)
        }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::external(format!("cannot read {}", path.display())).because(e)),
    }
}

/// The file while nimbus runs; removed when dropped, unless another nimbus has written its own since.
pub(crate) struct Announcement {
    path: PathBuf,
    said: Discovery,
}

impl Announcement {
    pub(crate) fn write(path: &Path, said: Discovery) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot write {}", path.display())).because(e);
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(cannot)?;
        }
        let part = path.with_extension(format!("{}.part", said.pid));
        let _ = std::fs::remove_file(&part);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(cannot)?;
        file.write_all(&serde_json::to_vec(&said)?).map_err(cannot)?;
        std::fs::rename(&part, path).map_err(cannot)?;
        Ok(Announcement { path: path.to_owned(), said })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if read_discovery(&self.path).is_ok_and(|d| d.as_ref() == Some(&self.said)) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_there_while_nimbus_runs_and_a_newer_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/squall/nimbus.json");
        let said = |pid| Discovery { url: "http://127.0.0.1:1".into(), token_file: "/t".into(), pid };
        let first = Announcement::write(&path, said(1)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = Announcement::write(&path, said(2)).unwrap();
        drop(first);
        assert_eq!(read_discovery(&path).unwrap(), Some(said(2)));
        drop(second);
        assert_eq!(read_discovery(&path).unwrap(), None);
    }
}
