//! This machine's copies of blobs: one file each, checked when it came, never changed.

use std::collections::HashMap;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use squall_core::control::is_sha256;
use squall_core::{Error, Result};

use crate::client::Client;

/// What a blob is for: it decides who may do what with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// May hold secrets.
    Plan,
    Model,
    Binary,
}

#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    client: Client,
    /// One fetch of a blob at a time.
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Blobs {
    pub(crate) fn new(dir: PathBuf, client: Client) -> Self {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|e| e == "part") {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Blobs { dir, client, under_way: Mutex::default() }
    }

    /// The file of a blob, fetched if it is not here.
    pub(crate) async fn get(&self, hash: &str, to: Use) -> Result<PathBuf> {
        if !is_sha256(hash) {
            return Err(Error::external(format!("`{}` is no SHA-256", hash.escape_debug())));
        }
        let turn = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.entry(hash.to_owned()).or_default().clone()
        };
        let _turn = turn.lock().await;
        let path = self.dir.join(hash);
        if !path.exists() {
            self.fetch(hash, to).await?;
        } else if to == Use::Binary && std::fs::metadata(&path)?.permissions().mode() & 0o100 == 0 {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(path)
    }

    async fn fetch(&self, hash: &str, to: Use) -> Result<()> {
        let mode = match to {
            Use::Plan => 0o600,
            Use::Model => 0o644,
            Use::Binary => 0o755,
        };
        let part = Part(self.dir.join(format!("{hash}.part")));
        let cannot = |e: std::io::Error| Error::external(format!("cannot write {}", part.0.display())).because(e);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part.0).map_err(cannot)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut digest = Sha256::new();
        self.client
            .download(&format!("/v1/blobs/{hash}"), &mut file, |piece| digest.update(piece))
            .await
            .map_err(|e| Error::external(format!("cannot fetch the blob {hash}: {e}")))?;
        let found: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        if found != hash {
            return Err(Error::external(format!("nimbus sent other bytes than the blob {hash}: their SHA-256 is {found}")));
        }
        file.set_permissions(std::fs::Permissions::from_mode(mode)).await.map_err(cannot)?;
        file.sync_all().await.map_err(cannot)?;
        // Somebody may execute it next, and a file that is open for writing cannot be executed.
        drop(file.into_std().await);
        std::fs::rename(&part.0, self.dir.join(hash)).map_err(cannot)?;
        std::fs::File::open(&self.dir).and_then(|d| d.sync_all()).map_err(cannot)
    }

    /// Removes the blobs that are not needed and were not fetched just now.
    pub(crate) fn collect(&self, needed: impl Fn(&str) -> bool, grace: Duration) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let modified = entry.metadata().and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
            if is_sha256(&name) && !needed(&name) && modified.elapsed().is_ok_and(|age| age >= grace) {
                let _ = std::fs::remove_file(entry.path());
                self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            }
        }
    }
}

struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
