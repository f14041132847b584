//! sha256 in hex, by which files are named.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::Error;

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

/// Of these bytes, and then those of the files, one after the other.
pub(crate) fn sha256_of(bytes: &[u8], files: &[PathBuf]) -> Result<String, Error> {
    let mut digest = Sha256::new_with_prefix(bytes);
    for path in files {
        let file = File::open(path).map(|file| BufReader::with_capacity(1 << 18, file));
        let read = file.and_then(|mut file| io::copy(&mut file, &mut digest));
        read.map_err(|e| Error::io("read", path, e))?;
    }
    Ok(hex(digest.finalize().as_slice()))
}

fn hex(digest: &[u8]) -> String {
    let mut out = String::with_capacity(2 * digest.len());
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
