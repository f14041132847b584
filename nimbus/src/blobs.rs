//! Blobs: worker binaries, model artefacts and plans, each a file named by its SHA-256 and never changed.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use squall_core::control::is_sha256;
use squall_core::{Error, Result};
use tokio::io::AsyncWriteExt;

use crate::denied::{Denied, Kind};

/// The folder of blobs.
#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    limit: u64,
    parts: AtomicU64,
}

/// A blob as it comes in.
pub(crate) trait Pieces: Send {
    /// The next piece, or why there is none; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, String>>> + Send;

    /// How many bytes are announced, if that is.
    fn length(&self) -> Option<u64> {
        None
    }
}

/// The SHA-256 of bytes in hex.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

impl Blobs {
    /// Opens the folder, made if missing, and clears it of uploads that a nimbus before did not finish.
    pub(crate) fn open(dir: PathBuf, limit: u64) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot use the folder {}", dir.display())).because(e);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(cannot)?;
        for entry in std::fs::read_dir(&dir).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if entry.file_name().to_string_lossy().ends_with(".part") {
                std::fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
        Ok(Blobs { dir, limit, parts: AtomicU64::new(0) })
    }

    /// The file of a blob; none for what is no hash, so that nothing else ever becomes a path.
    pub(crate) fn path(&self, hash: &str) -> Option<PathBuf> {
        is_sha256(hash).then(|| self.dir.join(hash))
    }

    /// The size of a blob that is here. Asking keeps it from being collected for a while.
    pub(crate) fn size(&self, hash: &str) -> Option<u64> {
        let file = std::fs::OpenOptions::new().append(true).open(self.path(hash)?).ok()?;
        let _ = file.set_modified(SystemTime::now());
        file.metadata().ok().map(|m| m.len())
    }

    /// The bytes of a small blob.
    pub(crate) fn read(&self, hash: &str) -> Result<Vec<u8>> {
        let path = self.path(hash).ok_or_else(|| Error::internal(format!("`{hash}` is no SHA-256")))?;
        std::fs::read(&path).map_err(|e| Error::external(format!("cannot read the blob {}", path.display())).because(e))
    }

    /// Keeps small bytes that are here already.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<String> {
        let hash = hash_of(bytes);
        if self.size(&hash).is_some() {
            return Ok(hash);
        }
        let part = self.part();
        let cannot = |e: std::io::Error| Error::external(format!("cannot write the blob {}", part.display())).because(e);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(cannot)?;
        std::io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).map_err(cannot)?;
        self.publish(&part, &hash).map_err(cannot)?;
        Ok(hash)
    }

    /// Takes in a blob as it comes; whether it is new.
    pub(crate) async fn receive(&self, hash: &str, pieces: &mut impl Pieces) -> Result<bool, Denied> {
        if !is_sha256(hash) {
            return Err(Denied::new(Kind::Unknown, "a blob is named by its SHA-256", "name it by 64 hex digits in lower case"));
        }
        if self.size(hash).is_some() {
            return Ok(false);
        }
        let part = Part(self.part());
        let found = write_down(&part.0, self.limit, pieces).await?;
        if found != hash {
            let error = format!("the bytes that came have the SHA-256 {found}, not {hash}");
            return Err(Denied::new(Kind::Wrong, error, "send it again, under its own name"));
        }
        self.publish(&part.0, hash).map_err(|e| cannot_write(&part.0, e))?;
        Ok(true)
    }

    /// Takes over a file of the same file system; its hash.
    pub(crate) fn adopt(&self, file: &Path) -> Result<String> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot take over {}", file.display())).because(e);
        let mut digest = Sha256::new();
        let mut reader = std::fs::File::open(file).map_err(cannot)?;
        std::io::copy(&mut reader, &mut digest).map_err(cannot)?;
        reader.sync_all().map_err(cannot)?;
        let hash = hex(&digest.finalize());
        if self.size(&hash).is_none() {
            self.publish(file, &hash).map_err(cannot)?;
        }
        Ok(hash)
    }

    fn part(&self) -> PathBuf {
        self.dir.join(format!("{}.part", self.parts.fetch_add(1, Ordering::Relaxed)))
    }

    fn publish(&self, part: &Path, hash: &str) -> std::io::Result<()> {
        std::fs::rename(part, self.dir.join(hash))?;
        std::fs::File::open(&self.dir)?.sync_all()
    }

    /// Removes the blobs that are not `named` and that nobody asked for for `grace`.
    pub(crate) fn collect(&self, named: &dyn Fn(&str) -> bool, grace: Duration) -> Result<usize> {
        let mut removed = 0;
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let old = || {
                let modified = entry.metadata().and_then(|m| m.modified()).ok()?;
                Some(SystemTime::now().duration_since(modified).unwrap_or_default() >= grace)
            };
            if is_sha256(&name) && !named(&name) && old() == Some(true) {
                match std::fs::remove_file(entry.path()) {
                    Err(e) if e.kind() != ErrorKind::NotFound => return Err(e.into()),
                    _ => removed += 1,
                }
            }
        }
        Ok(removed)
    }
}

/// Writes what comes into a new file, of at most `limit` bytes; its hash.
pub(crate) async fn write_down(path: &Path, limit: u64, pieces: &mut impl Pieces) -> Result<String, Denied> {
    let cannot = |e| cannot_write(path, e);
    let too_large = || {
        let error = format!("the file is larger than {limit} bytes");
        Err(Denied::new(Kind::TooLarge, error, "start nimbus with a larger blob limit"))
    };
    if pieces.length().is_some_and(|length| length > limit) {
        return too_large();
    }
    let std_file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    let mut file = tokio::fs::File::from_std(std_file);
    let (mut digest, mut size) = (Sha256::new(), 0u64);
    while let Some(chunk) = pieces.next().await {
        let chunk = chunk.map_err(|e| {
            let error = format!("the upload broke off after {size} bytes, and nothing of it was kept: {e}");
            Denied::new(Kind::Unreadable, error, "send it again")
        })?;
        size += chunk.len() as u64;
        if size > limit {
            return too_large();
        }
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(cannot)?;
    }
    file.flush().await.map_err(cannot)?;
    file.sync_all().await.map_err(cannot)?;
    Ok(hex(&digest.finalize()))
}

fn cannot_write(path: &Path, e: std::io::Error) -> Error {
    Error::external(format!("cannot write {}", path.display())).because(e)
}

/// An upload under way; its file goes when it is dropped, unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chunks(Vec<&'static str>);

    impl Pieces for Chunks {
        async fn next(&mut self) -> Option<Result<Bytes, String>> {
            (!self.0.is_empty()).then(|| Ok(Bytes::from_static(self.0.remove(0).as_bytes())))
        }
    }

    async fn send(blobs: &Blobs, hash: &str, chunks: &[&'static str]) -> Result<bool, Denied> {
        blobs.receive(hash, &mut Chunks(chunks.to_vec())).await
    }

    #[tokio::test]
    async fn only_what_has_the_hash_gets_in() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("b"), 10).unwrap();
        let hash = hash_of(b"hello");
        assert_eq!(send(&blobs, &hash, &["hel", "lo"]).await, Ok(true));
        assert_eq!(send(&blobs, &hash, &["hel", "lo"]).await, Ok(false));
        assert_eq!(blobs.read(&hash).unwrap(), b"hello");
        assert_eq!(send(&blobs, &hash_of(b"x"), &["y"]).await.unwrap_err().kind, Kind::Wrong);
        assert_eq!(send(&blobs, &hash_of(b"x"), &["0123456789", "0"]).await.unwrap_err().kind, Kind::TooLarge);
        assert_eq!(send(&blobs, "../../etc/passwd", &["x"]).await.unwrap_err().kind, Kind::Unknown);
        assert_eq!(std::fs::read_dir(dir.path().join("b")).unwrap().count(), 1, "nothing half-done is left");
    }

    #[test]
    fn what_nobody_names_goes_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().to_owned(), 10).unwrap();
        let (a, b) = (blobs.keep(b"a").unwrap(), blobs.keep(b"b").unwrap());
        assert_eq!(blobs.collect(&|h| h == a, Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(blobs.collect(&|h| h == a, Duration::ZERO).unwrap(), 1);
        assert!(blobs.size(&a).is_some() && blobs.size(&b).is_none());
    }
}
