//! Lays an artefact out and publishes it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::build::{Builder, Tensor};
use super::{ALIGNMENT, FORMAT, Node};
use crate::{CONVERTER_VERSION, Error};

/// The whole file: header and tensors.
pub(crate) fn write(node: &Node, builder: &Builder, source_sha256: &str) -> Result<Vec<u8>, Error> {
    let model = serde_json::to_string(node).map_err(|e| Error::Internal(e.to_string()))?;
    let mut header = Map::new();
    header.insert(
        "__metadata__".into(),
        json!({
            "squall.format": FORMAT,
            "squall.converter": CONVERTER_VERSION.to_string(),
            "squall.source_sha256": source_sha256,
            "squall.model": model,
        }),
    );

    let gap = |at: usize| at.next_multiple_of(ALIGNMENT) - at;
    let mut at = 0;
    for (i, tensor) in builder.tensors.iter().enumerate() {
        let end = at + tensor.bytes().len();
        header.insert(tensor.name.clone(), entry(tensor, at, end));
        at = end;
        if gap(at) > 0 {
            let end = at + gap(at);
            let pad = json!({"dtype": "U8", "shape": [end - at], "data_offsets": [at, end]});
            header.insert(format!("pad.{i}"), pad);
            at = end;
        }
    }

    let mut text = serde_json::to_string(&header).map_err(|e| Error::Internal(e.to_string()))?;
    // The eight bytes of the length come first, and count towards the alignment.
    text.push_str(&" ".repeat(gap(8 + text.len())));
    let mut out = Vec::with_capacity(8 + text.len() + at);
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    for tensor in &builder.tensors {
        out.extend_from_slice(tensor.bytes());
        out.resize(out.len() + gap(out.len()), 0);
    }
    Ok(out)
}

fn entry(tensor: &Tensor, start: usize, end: usize) -> Value {
    json!({"dtype": tensor.dtype(), "shape": tensor.shape, "data_offsets": [start, end]})
}

/// Makes `bytes` the content of `out` in one step: readers see the old file or the whole new one.
///
/// `check` sees the finished file under its temporary name and may still refuse it.
pub(crate) fn publish(out: &Path, bytes: &[u8], check: &mut dyn FnMut(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let temporary = beside(out);
    let written = write_synced(&temporary, bytes)
        .map_err(|e| Error::io("write", &temporary, e))
        .and_then(|()| check(&temporary))
        .and_then(|()| fs::rename(&temporary, out).map_err(|e| Error::io("publish", out, e)));
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The rename itself is durable once the directory is.
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder).and_then(|d| d.sync_all()).map_err(|e| Error::io("sync", folder, e))
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    // Workers may run as another user, whatever the umask of this one.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

fn beside(out: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = std::ffi::OsString::from(".");
    name.push(out.file_name().unwrap_or_default());
    name.push(format!(".{}.{n}.tmp", std::process::id()));
    out.with_file_name(name)
}
