//! Model files of a topology on the client's machine: imported once, kept in a cache of artefacts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use squall_model::{CONVERTER_VERSION, Model, Options};

use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// An artefact that is ready to be mapped or uploaded.
#[derive(Debug, Clone)]
pub(crate) struct Artefact {
    /// The file.
    pub(crate) path: PathBuf,
    /// SHA-256 of the artefact.
    pub(crate) artefact: String,
    /// SHA-256 of the file it was imported from.
    pub(crate) source: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// What the import wanted to be known.
    pub(crate) warnings: Vec<String>,
}

/// The artefact of a model file: from the cache, or imported into it now, with choices that only some formats have.
pub(crate) fn artefact(source: &Path, options: Options, show: &Show) -> Outcome<Artefact> {
    artefact_in(&cache_dir()?, source, options, show)
}

fn artefact_in(cache: &Path, source: &Path, options: Options, show: &Show) -> Outcome<Artefact> {
    if is_safetensors(source)
        && let Ok(model) = Model::open(source)
    {
        let chosen = options.labels.is_some() || options.onnx_weights.is_some();
        return match !chosen {
            true => Ok(of(&model, source, Vec::new())),
            false => Err(Failure::Usage(format!(
                "{}: it is imported already, and labels and how ONNX weights are held were chosen then: give the file it was made of",
                source.display()
            ))),
        };
    }
    let sum = squall_model::source_checksum(source)?;
    std::fs::create_dir_all(cache)
        .map_err(|e| Failure::Outside(format!("cannot make the model cache `{}`: {e}", cache.display())))?;
    let held = options.onnx_weights.map(|held| format!("-{}", held.as_str())).unwrap_or_default();
    let labels = options.labels.as_ref().or(options.labels_if_none.as_ref());
    let labels = labels.map(|labels| format!("-{}", labels_sum(labels))).unwrap_or_default();
    let kept = cache.join(format!("{sum}-{CONVERTER_VERSION}{held}{labels}.safetensors"));
    if kept.exists() {
        match Model::open(&kept) {
            Ok(model) if model.source_checksum() == sum => return Ok(of(&model, &kept, Vec::new())),
            // A damaged or foreign file in the cache is made again.
            _ => log::warn!("the cached model {} is not usable and is made again", kept.display()),
        }
    }
    let bar = show.bytes_bar(&format!("importing {}", file_name(source)), 0);
    let imported = squall_model::import_with(source, &kept, options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let imported = imported.map_err(|e| refused(source, e))?;
    Ok(Artefact {
        path: kept,
        artefact: imported.artefact_sha256,
        source: imported.source_sha256,
        bytes: imported.bytes,
        warnings: imported.warnings,
    })
}

/// A short name of labels; each with its length, so that other labels never read the same.
fn labels_sum(labels: &[String]) -> String {
    let mut hash = Sha256::new();
    for label in labels {
        hash.update(label.len().to_le_bytes());
        hash.update(label);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Why a model file is refused, and which one.
pub(crate) fn refused(source: &Path, error: squall_model::Error) -> Failure {
    match Failure::from(error) {
        Failure::Usage(text) => Failure::Usage(format!("{}: {text}", source.display())),
        other => other,
    }
}

fn of(model: &Model, path: &Path, warnings: Vec<String>) -> Artefact {
    Artefact {
        path: path.to_path_buf(),
        artefact: model.checksum().to_owned(),
        source: model.source_checksum().to_owned(),
        bytes: model.mapped_bytes(),
        warnings,
    }
}

/// `$XDG_CACHE_HOME/squall/models`, or `~/.cache/squall/models`.
fn cache_dir() -> Outcome<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|b| b.join("squall").join("models"))
        .ok_or_else(|| Failure::Outside("no place for the model cache: set HOME or XDG_CACHE_HOME".into()))
}

/// The name of a file, for people.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// SHA-256 of a file in hex.
pub(crate) fn checksum(path: &Path) -> Outcome<String> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!("cannot read `{}`: {e}", path.display())),
        _ => Failure::Outside(format!("cannot read `{}`: {e}", path.display())),
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Whether the file begins as a safetensors file does: the length of a JSON header, and the header.
fn is_safetensors(path: &Path) -> bool {
    let mut start = [0; 9];
    let read = File::open(path).and_then(|mut f| f.read_exact(&mut start));
    let length = u64::from_le_bytes(start[..8].try_into().unwrap_or_default());
    read.is_ok() && start[8] == b'{' && length < 100_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_sha256_in_hex() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(checksum(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(checksum(&dir.path().join("none")).unwrap_err().code(), 4);
    }

    #[test]
    fn what_is_no_model_is_the_users_fault_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, path) = (dir.path().join("cache"), dir.path().join("notes.txt"));
        std::fs::write(&path, "not a model").unwrap();
        let failure =
            artefact_in(&cache, &path, Options::default(), &Show { json: false, colour: false, watched: false }).unwrap_err();
        assert_eq!(failure.code(), 2, "{failure}");
        assert!(failure.to_string().contains("notes.txt"), "{failure}");
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
    }
}
