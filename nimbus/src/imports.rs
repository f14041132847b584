//! What nimbus, which knows no model, has a command of the client's do with models: it makes artefacts of files that a browser sends,
//! and tells whether a version fits a topology.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use squall_core::control::{ImportedModel, ModelFit};
use squall_core::{Error, Result};
use tokio::sync::Semaphore;

use crate::blobs::{Blobs, Pieces, write_down};
use crate::command::{self, Command, Failed};
use crate::denied::{Denied, Kind};

/// An import that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(600);
/// A check that takes longer is left to the workers.
const LONGEST_CHECK: Duration = Duration::from_secs(10);
/// So many are made at once.
const CHECKS: usize = 2;

/// The folder of uploads, and what is done with them.
#[derive(Debug)]
pub(crate) struct Imports {
    dir: PathBuf,
    command: Option<Command>,
    limit: u64,
    count: AtomicU64,
    /// One at a time: each holds a whole model in memory.
    turn: Semaphore,
    /// Checks map theirs, and none waits for an import.
    checks: Semaphore,
}

/// The labels that the classes of a file are given which keeps none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Asked for: a file that can have none is refused.
    pub(crate) given: Option<Vec<String>>,
    /// Where none were asked for: those of the version in use, which matter only to files that keep none.
    pub(crate) in_use: Option<Vec<String>>,
}

impl Labels {
    fn args(&self) -> serde_json::Result<Vec<OsString>> {
        let (option, labels) = match (&self.given, &self.in_use) {
            (Some(labels), _) => ("--labels", labels),
            (None, Some(labels)) => ("--labels-if-none", labels),
            (None, None) => return Ok(Vec::new()),
        };
        Ok(vec![option.into(), serde_json::to_string(labels)?.into()])
    }
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
    pub(crate) fn open(dir: PathBuf, command: Option<Command>, limit: u64) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::external(format!("cannot use the folder {}", dir.display())).because(e);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot(e)),
            _ => {}
        }
        std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(cannot)?;
        Ok(Imports { dir, command, limit, count: AtomicU64::new(0), turn: Semaphore::new(1), checks: Semaphore::new(CHECKS) })
    }

    /// Takes in a model file and makes a blob of it. Whoever asks no more ends it.
    pub(crate) async fn import(
        &self,
        file: &mut impl Pieces,
        labels: Labels,
        blobs: &Arc<Blobs>,
    ) -> Result<ImportedModel, Denied> {
        let Some(command) = &self.command else {
            return Err(Denied::new(Kind::NotNow, "this nimbus imports no models", "use `squall model deploy`"));
        };
        let folder = Folder(self.dir.join(self.count.fetch_add(1, Ordering::Relaxed).to_string()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder.0).map_err(Error::from)?;
        let (upload, artefact) = (folder.0.join("upload"), folder.0.join("artefact"));
        write_down(&upload, self.limit, file).await?;
        let said = {
            let _turn = self.turn.acquire().await;
            let mut args = vec!["import".into(), upload.clone().into_os_string(), "--output".into()];
            args.extend([artefact.clone().into_os_string(), "--json".into()]);
            args.extend(labels.args().map_err(Error::from)?);
            command.run(&args, &[], command::memory_for(&upload), LONGEST).await
        };
        let said: Said = said.map_err(|e| refused(&e, &upload))?;
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

    /// Refuses a version of a model with which components of its topology would not work or would emit other fields. What cannot be
    /// told here is left to the workers, who try the version before it is in use.
    pub(crate) async fn fits(&self, fit: &ModelFit) -> Result<(), Denied> {
        let Some(command) = &self.command else { return Ok(()) };
        let memory = fit.artefacts.values().map(|path| command::memory_for(path)).fold(0, u64::saturating_add);
        let question = serde_json::to_vec(fit).map_err(Error::from)?;
        let _turn = self.checks.acquire().await;
        match command.run(&["fits".into()], &question, memory, LONGEST_CHECK).await {
            Ok(()) => Ok(()),
            Err(Failed::Refused(words)) => {
                Err(Denied::new(Kind::Wrong, words, "deploy a version that takes and gives what the one in use does"))
            }
            Err(other) => {
                log::warn!(model = fit.model.as_str(), file = fit.file.as_str(); "the check of a model's version {other}");
                Ok(())
            }
        }
    }
}

/// Why an import came to nothing; a file that is no model is refused in the command's own words.
fn refused(failed: &Failed, upload: &Path) -> Denied {
    match failed {
        Failed::Refused(words) => {
            // The name that the file has here is nobody's.
            let upload = upload.to_string_lossy();
            let words = words.trim_start_matches(&format!("{upload}: ")).replace(&*upload, "the file");
            Denied::new(Kind::Wrong, words, "docs/models.md tells what can be imported")
        }
        Failed::Memory(_) => {
            let remedy = "import it with `squall model import` where there is more, and deploy the file that this makes";
            Denied::new(Kind::TooLarge, format!("the import {failed}"), remedy)
        }
        Failed::Late(_) | Failed::Broken(_) => Denied::new(Kind::Failed, format!("the import {failed}"), ""),
    }
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
    const COPY: &str = r#"cp "$2" "$4"; h=$(sha256sum "$2"); h=${h%% *}
        echo "{\"sha256\": \"$h\", \"source_sha256\": \"$h\", \"bytes\": 2, \"summary\": \"s\", \"warnings\": [\"w\"]}""#;

    async fn import(dir: &Path, script: &str, file: &'static str) -> (Arc<Blobs>, Result<ImportedModel, Denied>) {
        let blobs = Arc::new(Blobs::open(dir.join("blobs"), 100).unwrap());
        let command = Command::new(["sh", "-c", script, "sh"].map(Into::into).to_vec());
        let imports = Imports::open(dir.join("imports"), command, 10).unwrap();
        let imported = imports.import(&mut Whole(Some(file)), Labels::default(), &blobs).await;
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
        let (_, refused) = import(dir.path(), "echo \"squall: $2: no model\" >&2; exit 2", "ab").await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.problem.error.as_str()), (Kind::Wrong, "no model"));
        let (_, broken) = import(dir.path(), "kill -9 $$", "ab").await;
        assert_eq!(broken.unwrap_err().kind, Kind::Failed);
        let hungry = "echo '{\"memory\": 5000000000}'; echo 'memory allocation of 9 bytes failed' >&2; kill -6 $$";
        let hungry = import(dir.path(), hungry, "ab").await.1.unwrap_err();
        assert_eq!((hungry.kind, &*hungry.problem.error), (Kind::TooLarge, "the import needed more than 5.0 GB of memory"));
        let (_, large) = import(dir.path(), COPY, "more than ten bytes").await;
        assert_eq!(large.unwrap_err().kind, Kind::TooLarge);
        let (_, lies) = import(dir.path(), &COPY.replace("cp \"$2\"", "date >"), "ab").await;
        assert_eq!(lies.unwrap_err().kind, Kind::Failed);
        assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 1, "only the liar's, which nobody names");
    }
}
