//! Model files that a browser sends: a command of the client's makes artefacts of them, in a process of its own.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use squall_core::control::ImportedModel;
use squall_core::{Error, Result};
use tokio::sync::Semaphore;

use crate::blobs::{Blobs, Pieces, write_down};
use crate::denied::{Denied, Kind};

/// An import that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(600);

/// The folder of uploads, and what is done with them.
#[derive(Debug)]
pub(crate) struct Imports {
    dir: PathBuf,
    command: Option<Vec<OsString>>,
    limit: u64,
    count: AtomicU64,
    /// One at a time: each holds a whole model in memory.
    turn: Semaphore,
}

/// What the command says on stdout.
#[derive(Debug, Deserialize)]
struct Said {
    sha256: String,
    source_sha256: String,
    bytes: u64,
    summary: String,
    warnings: Vec<String>,
}

impl Imports {
    /// Opens the folder, made if missing, and clears it of what a nimbus before did not finish.
    pub(crate) fn open(dir: PathBuf, command: Option<Vec<OsString>>, limit: u64) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot use the folder {}", dir.display())).because(e);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot(e)),
            _ => {}
        }
        std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(cannot)?;
        Ok(Imports { dir, command, limit, count: AtomicU64::new(0), turn: Semaphore::new(1) })
    }

    /// Takes in a model file and makes a blob of it. Whoever asks no more ends it.
    pub(crate) async fn import(&self, mut file: impl Pieces, blobs: &Arc<Blobs>) -> Result<ImportedModel, Denied> {
        let Some((program, args)) = self.command.as_deref().and_then(<[OsString]>::split_first) else {
            return Err(Denied::new(Kind::NotNow, "this nimbus imports no models", "use `squall model deploy`"));
        };
        let folder = Folder(self.dir.join(self.count.fetch_add(1, Ordering::Relaxed).to_string()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder.0).map_err(Error::from)?;
        let (upload, artefact) = (folder.0.join("upload"), folder.0.join("artefact"));
        write_down(&upload, self.limit, &mut file).await?;
        let ran = {
            let _turn = self.turn.acquire().await;
            let mut command = tokio::process::Command::new(program);
            command.args(args).arg(&upload).arg("--output").arg(&artefact).arg("--json");
            command.stdin(Stdio::null()).kill_on_drop(true);
            let ran = tokio::time::timeout(LONGEST, command.output()).await;
            let late = || Denied::new(Kind::Failed, format!("the import took longer than {} s", LONGEST.as_secs()), "");
            ran.map_err(|_| late())?.map_err(|e| Error::external("cannot start the import").because(e))?
        };
        let said = understand(&ran, &upload)?;
        // Hashing takes its time.
        let blobs = blobs.clone();
        let found = tokio::task::spawn_blocking(move || blobs.adopt(&artefact)).await;
        let found = found.map_err(|e| Error::internal("the artefact was not hashed").because(e))??;
        if found != said.sha256 {
            return Err(Error::internal(format!("the import says {} and made {found}", said.sha256)).into());
        }
        let Said { sha256: artefact, source_sha256: source, bytes, summary, warnings } = said;
        Ok(ImportedModel { artefact, source, bytes, summary, warnings })
    }
}

/// What became of an import; a file that is no model is refused in the command's own words.
fn understand(ran: &Output, upload: &Path) -> Result<Said, Denied> {
    if ran.status.success() {
        return Ok(serde_json::from_slice(&ran.stdout).map_err(Error::from)?);
    }
    let words = String::from_utf8_lossy(&ran.stderr);
    let words = words.trim().trim_start_matches("squall: ").replace(&*upload.to_string_lossy(), "the file");
    if ran.status.code() == Some(2) {
        return Err(Denied::new(Kind::Wrong, words, "docs/models.md tells what can be imported"));
    }
    Err(Denied::new(Kind::Failed, format!("the import failed ({}): {words}", ran.status), ""))
}

/// The folder of one import; gone when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    struct Whole(Option<&'static str>);

    impl Pieces for Whole {
        async fn next(&mut self) -> Option<Result<Bytes, String>> {
            self.0.take().map(|text| Ok(Bytes::from_static(text.as_bytes())))
        }
    }

    /// An importer made of shell: a copy is the artefact.
    const COPY: &str = r#"cp "$1" "$3"; h=$(sha256sum "$1"); h=${h%% *}
        echo "{\"sha256\": \"$h\", \"source_sha256\": \"$h\", \"bytes\": 2, \"summary\": \"s\", \"warnings\": [\"w\"]}""#;

    async fn import(dir: &Path, script: &str, file: &'static str) -> (Arc<Blobs>, Result<ImportedModel, Denied>) {
        let blobs = Arc::new(Blobs::open(dir.join("blobs"), 100).unwrap());
        let command = ["sh", "-c", script, "sh"].map(OsString::from).to_vec();
        let imports = Imports::open(dir.join("imports"), Some(command), 10).unwrap();
        let imported = imports.import(Whole(Some(file)), &blobs).await;
        assert_eq!(std::fs::read_dir(dir.join("imports")).unwrap().count(), 0, "nothing is left behind");
        (blobs, imported)
    }

    #[tokio::test]
    async fn a_model_file_becomes_a_blob() {
        let dir = tempfile::tempdir().unwrap();
        let (blobs, imported) = import(dir.path(), COPY, "ab").await;
        let imported = imported.unwrap();
        assert_eq!(blobs.read(&imported.artefact).unwrap(), b"ab");
        assert_eq!(imported.warnings, ["w"]);
    }

    #[tokio::test]
    async fn what_is_no_model_is_refused_in_words_and_makes_no_blob() {
        let dir = tempfile::tempdir().unwrap();
        let (_, refused) = import(dir.path(), "echo \"squall: $1: no model\" >&2; exit 2", "ab").await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.problem.error.as_str()), (Kind::Wrong, "the file: no model"));
        let (_, broken) = import(dir.path(), "kill -9 $$", "ab").await;
        assert_eq!(broken.unwrap_err().kind, Kind::Failed);
        let (_, large) = import(dir.path(), COPY, "more than ten bytes").await;
        assert_eq!(large.unwrap_err().kind, Kind::TooLarge);
        let (_, lies) = import(dir.path(), &COPY.replace("cp \"$1\"", "date >"), "ab").await;
        assert_eq!(lies.unwrap_err().kind, Kind::Failed);
        assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 1, "only the liar's, which nobody names");
    }
}
