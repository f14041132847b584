//! Where the binaries under test are.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder of this build's profile, such as `target/debug`.
///
/// # Panics
/// The test was not built by cargo.
pub fn target_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // …/debug/deps/run-0123456789abcdef
    test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").to_path_buf()
}

/// The `squall` binary of this build. `cargo test --workspace` builds it, as squall-cli has integration tests;
/// `cargo test -p squall-tests` does not: run `cargo build` before.
///
/// # Panics
/// It was not built.
pub fn squall() -> PathBuf {
    let path = target_dir().join("squall");
    assert!(path.exists(), "{} is missing: run `cargo build`, or test with `cargo test --workspace`", path.display());
    path
}
