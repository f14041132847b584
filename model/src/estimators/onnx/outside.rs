//! Weights in files beside an ONNX file, as exporters of large models leave them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::CLASS;
use super::weights::{Outside, locations};
use crate::Error;

/// The files beside the model that it names, in the order in which it does.
pub(crate) fn files(model: &[u8], folder: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    // What is no message is not told apart here from what is one and names nothing; the import says what is wrong.
    locations(model).unwrap_or_default().iter().map(|location| within(folder, location)).collect()
}

/// How large these files are in all.
pub(super) fn size(model: &[u8], folder: Option<&Path>) -> Result<u64, Error> {
    let size = |path: &PathBuf| path.metadata().map(|m| m.len()).map_err(|e| Error::io("read the weights", path, e));
    files(model, folder)?.iter().map(size).sum()
}

/// The elements of a weight, of so many bytes where its shape tells.
pub(super) fn read(folder: Option<&Path>, place: &Outside, size: Option<usize>) -> Result<Vec<u8>, Error> {
    let path = within(folder, &place.location)?;
    let failed = |e| Error::io("read the weights", &path, e);
    let mut file = File::open(&path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?.len().saturating_sub(place.offset);
    let length = place.length.or(size.map(|n| n as u64)).unwrap_or(there);
    if size.is_some_and(|n| n as u64 != length) || length > there {
        let what = format!("a weight in `{}` has {length} bytes, its shape another size or the file fewer", place.location);
        return Err(Error::unsupported(CLASS, what));
    }
    let mut data = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.seek(SeekFrom::Start(place.offset)).map_err(failed)?;
    file.take(length).read_to_end(&mut data).map_err(failed)?;
    Ok(data)
}

/// The path of a file that the model names: below the model's folder and nowhere else, whatever links there are.
fn within(folder: Option<&Path>, location: &str) -> Result<PathBuf, Error> {
    let refused = |why: &str| Error::unsupported(CLASS, format!("its weights lie in `{location}`, {why}"));
    let folder = folder.map(|f| if f.as_os_str().is_empty() { Path::new(".") } else { f });
    let folder =
        folder.ok_or_else(|| refused("and where the model itself lies is not known: unpack it and import the file"))?;
    let plain = Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !plain || location.is_empty() {
        return Err(refused("which is no file beside the model"));
    }
    let path = folder.join(location);
    let real = |path: &Path| path.canonicalize().map_err(|e| Error::io("find the weights", path, e));
    match real(&path)?.starts_with(real(folder)?) {
        true => Ok(path),
        false => Err(refused("which is a link to elsewhere")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_model_are_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(root.path().join("secret"), "0123456789").unwrap();
        std::fs::write(folder.join("inner/data"), "0123456789").unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), folder.join("link")).unwrap();
        let place = |location: &str, offset, length| Outside { location: location.into(), offset, length };
        let text = |place: &Outside, size| read(Some(&folder), place, size).map(|d| String::from_utf8(d).unwrap());
        assert_eq!(text(&place("inner/data", 2, Some(4)), Some(4)).unwrap(), "2345");
        assert_eq!(text(&place("./inner/data", 8, None), None).unwrap(), "89");
        assert_eq!(text(&place("inner/data", 1, None), Some(3)).unwrap(), "123");
        for (wrong, size) in [
            (place("../secret", 0, Some(4)), None),
            (place("/etc/passwd", 0, Some(4)), None),
            (place("link", 0, Some(4)), None),
            (place("", 0, Some(4)), None),
            (place("none", 0, Some(4)), None),
            (place("inner/data", 0, Some(4)), Some(8)),
            (place("inner/data", 8, Some(4)), Some(4)),
            (place("inner/data", u64::MAX, Some(u64::MAX)), None),
        ] {
            assert!(text(&wrong, size).is_err(), "{wrong:?}");
        }
        assert!(read(None, &place("inner/data", 0, None), None).unwrap_err().to_string().contains("unpack it"));
    }
}
