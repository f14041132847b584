//! Files: where they are, and how they are replaced whole.

use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use squall_core::{Check, Context, Error, Result};

/// Whether a path is absolute; a relative one is a fault: the worker that opens it runs in another directory, perhaps on another machine.
pub(crate) fn absolute(check: &Check<'_>, key: &str, path: &Path) -> bool {
    let absolute = path.is_absolute();
    if !absolute {
        let path = path.display();
        let remedy = format!("write \"${{TOPOLOGY_DIR}}/{path}\" or an absolute path");
        check.fault(key, format!("`{path}` is relative to no certain directory: {remedy}"));
    }
    absolute
}

/// An output file: relative to the topology's state directory, and one for each task.
pub(crate) fn output(ctx: &Context, path: &Path) -> PathBuf {
    let mut path = ctx.state_dir.join(path);
    if ctx.parallelism > 1 {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let end = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
        path.set_file_name(format!("{stem}-{}{end}", ctx.index));
    }
    path
}

/// Makes the directory that a file is to lie in.
pub(crate) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .map_err(|e| Error::external(format!("cannot make the directory {}", parent.display())).because(e))
}

/// Replaces a file: readers see the old content or all of the new, also after a crash.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    make_parent(path)?;
    let replace = || -> std::io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        // Readable as any other file of this user, not by its owner alone as temporary files are.
        let mode = std::fs::Permissions::from_mode(0o666);
        let mut temp = tempfile::Builder::new().prefix(".tmp-").permissions(mode).tempfile_in(parent)?;
        let mut out = BufWriter::new(temp.as_file_mut());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        temp.as_file().sync_all()?;
        temp.persist(path)?;
        // The name, too, is only safe once the directory is.
        std::fs::File::open(parent)?.sync_all()
    };
    replace().map_err(|e| Error::external(format!("cannot write {}", path.display())).because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/out.txt");
        replace(&path, |w| w.write_all(b"old")).unwrap();
        let error = replace(&path, |w| {
            w.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(error.unwrap_err().to_string().ends_with("out.txt: disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path().join("sub")).unwrap().count(), 1);
    }

    #[test]
    fn tasks_have_files_of_their_own() {
        let ctx = Context { state_dir: "/state".into(), index: 2, parallelism: 4, ..Context::default() };
        assert_eq!(output(&ctx, Path::new("out.jsonl")), Path::new("/state/out-2.jsonl"));
        assert_eq!(output(&ctx, Path::new("/tmp/out")), Path::new("/tmp/out-2"));
        assert_eq!(output(&Context { parallelism: 1, ..ctx }, Path::new("out.jsonl")), Path::new("/state/out.jsonl"));
    }

    #[test]
    fn a_relative_path_is_refused_with_a_remedy() {
        let check = Check::default();
        assert!(!absolute(&check, "path", Path::new("data/a.csv")));
        let error = check.verdict().unwrap_err().to_string();
        assert!(error.starts_with("path: `data/a.csv` is relative"), "{error}");
        assert!(error.contains("\"${TOPOLOGY_DIR}/data/a.csv\""), "{error}");
    }
}
