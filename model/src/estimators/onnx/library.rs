//! Finds and loads the library `libonnxruntime`, once a process and not before it is needed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::Error;

/// Says which library to take, before any that is found.
const VARIABLE: &str = "SQUALL_ONNXRUNTIME";

/// Loads the library unless it is; the same answer ever after.
pub(super) fn ready() -> Result<(), Error> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        let mut refused = Vec::new();
        for path in candidates() {
            match ort::init_from(&path) {
                Ok(builder) => {
                    builder.with_name("squall").with_telemetry(false).commit();
                    return Ok(());
                }
                Err(e) => refused.push(format!("{e}")),
            }
        }
        let refused = match refused.is_empty() {
            true => "none was found".to_owned(),
            false => refused.join("; "),
        };
        Err(format!(
            "an ONNX model needs ONNX Runtime 1.18 or newer, and there is no usable one ({refused}): \
             `pip install onnxruntime`, or put libonnxruntime.so where the system finds libraries, or name it in {VARIABLE}"
        ))
    });
    done.clone().map_err(|what| Error::Unavailable { what })
}

/// Where it may be: what the variable names, else Python's wheels, else the system.
fn candidates() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return vec![PathBuf::from(named)];
    }
    let mut roots: Vec<PathBuf> = Vec::new();
    roots.extend(std::env::var_os("VIRTUAL_ENV").map(PathBuf::from));
    roots.extend(std::env::var_os("CONDA_PREFIX").map(PathBuf::from));
    roots.extend(std::env::var_os("HOME").map(|home| Path::new(&home).join(".local")));
    // Where a Python is, its packages are beside it.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let pythons = std::env::split_paths(&path).filter(|dir| dir.join("python3").exists());
    roots.extend(pythons.filter_map(|dir| dir.parent().map(Path::to_path_buf)));
    let mut out: Vec<PathBuf> = Vec::new();
    for root in roots {
        out.extend(wheels(&root).into_iter().filter(|p| !out.contains(p)).collect::<Vec<_>>());
    }
    let system = ["/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    for dir in system {
        out.extend(
            ["libonnxruntime.so", "libonnxruntime.so.1"]
                .map(|name| Path::new(dir).join(name))
                .into_iter()
                .filter(|p| p.exists()),
        );
    }
    out
}

/// Libraries of installed wheels below `root/lib/python3.N`.
fn wheels(root: &Path) -> Vec<PathBuf> {
    let listed = |dir: &Path| -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
        entries.sort();
        entries
    };
    let starts = |path: &Path, with: &str| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(with));
    let mut out = Vec::new();
    for python in listed(&root.join("lib")).into_iter().filter(|p| starts(p, "python3")) {
        for packages in ["site-packages", "dist-packages"] {
            let inside = listed(&python.join(packages).join("onnxruntime/capi"));
            out.extend(inside.into_iter().filter(|p| starts(p, "libonnxruntime.so")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_found_beside_its_python() {
        let root = tempfile::tempdir().unwrap();
        let capi = root.path().join("lib/python3.11/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        std::fs::write(capi.join("libonnxruntime.so.1.24.0"), "").unwrap();
        std::fs::write(capi.join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert_eq!(wheels(root.path()), [capi.join("libonnxruntime.so.1.24.0")]);
    }
}
