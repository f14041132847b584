//! Reads a source file, tells its format by content and unpacks it.

use std::fs::File;
use std::io::{Read, Take};
use std::path::Path;

use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzmaReader, XzReader};

use crate::Error;

/// The most an unpacked file may hold; a small packed one can claim anything.
const MAX_UNPACKED: u64 = 4 << 30;

/// The most an lzma dictionary may take: what the strongest preset needs, and some more. The header asks for it.
const MAX_DICTIONARY_KB: u32 = 128 << 10;

/// Bytes between two calls of `progress`.
const STEP: usize = 1 << 22;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Pickle,
    Safetensors,
    XgboostJson,
    XgboostUbj,
    Lightgbm,
    Onnx,
}

/// The whole file as it is.
pub(crate) fn read(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<u8>, Error> {
    let io = |e| Error::io("read", path, e);
    let mut file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if meta.is_dir() {
        return Err(Error::Format { what: format!("`{}` is a directory", path.display()) });
    }
    let total = meta.len();
    let mut bytes = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    loop {
        let n = (&mut file).take(STEP as u64).read_to_end(&mut bytes).map_err(io)?;
        progress(bytes.len() as u64, total.max(bytes.len() as u64));
        if n == 0 {
            return Ok(bytes);
        }
    }
}

/// The first bytes of a file, enough to tell its format.
pub(crate) fn start(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut bytes));
    read.map_err(|e| Error::io("read", path, e))?;
    Ok(bytes)
}

/// Whether they begin like an ONNX file: the version of the format, a small number, comes first.
pub(crate) fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=100, ..])
}

/// Undoes the compression of joblib, if there is one.
pub(crate) fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => drain(MultiGzDecoder::new(&*bytes).take(MAX_UNPACKED + 1), "gzip"),
        // A zlib header: deflate, and a check sum over both bytes.
        [a @ 0x78, b, ..] if (u16::from(*a) << 8 | u16::from(*b)).is_multiple_of(31) => {
            drain(ZlibDecoder::new(&*bytes).take(MAX_UNPACKED + 1), "zlib")
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => drain(MultiBzDecoder::new(&*bytes).take(MAX_UNPACKED + 1), "bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            drain(XzReader::new_mem_limit(&*bytes, true, MAX_DICTIONARY_KB).take(MAX_UNPACKED + 1), "xz")
        }
        [0x5d, 0, 0, ..] => match LzmaReader::new_mem_limit(&*bytes, MAX_DICTIONARY_KB, None) {
            Ok(reader) => drain(reader.take(MAX_UNPACKED + 1), "lzma"),
            Err(e) => Err(Error::damaged(0, format!("its lzma compression is broken ({e})"))),
        },
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(packed("zstd")),
        [0x04, 0x22, 0x4d, 0x18, ..] => drain(FrameDecoder::new(&*bytes).take(MAX_UNPACKED + 1), "lz4"),
        _ => Ok(bytes),
    }
}

fn packed(how: &str) -> Error {
    Error::Format {
        what: format!("it is compressed with {how}, which is not read: dump it with compress=(\"zlib\", 3) or none"),
    }
}

fn drain<R: Read>(mut from: Take<R>, how: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    from.read_to_end(&mut out).map_err(|e| Error::damaged(out.len(), format!("its {how} compression is broken ({e})")))?;
    if out.len() as u64 > MAX_UNPACKED {
        return Err(Error::damaged(out.len(), "it unpacks to more than 4 GiB"));
    }
    Ok(out)
}

/// Tells the format by the first bytes.
pub(crate) fn detect(bytes: &[u8]) -> Result<Format, Error> {
    let is = |what: &str| Err(Error::Format { what: what.to_owned() });
    match bytes {
        [] => is("the file is empty"),
        // Protocols 2 to 5 begin with PROTO and their number.
        [0x80, ..] => Ok(Format::Pickle),
        _ if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") => Ok(Format::Lightgbm),
        _ if bytes.starts_with(b"{L") => Ok(Format::XgboostUbj),
        _ if looks_like_xgboost(bytes) => Ok(Format::XgboostJson),
        [b'b', b'i', b'n', b'f', ..] => is("it is XGBoost's old binary format; save it as .json or .ubj"),
        _ if looks_like_safetensors(bytes) => Ok(Format::Safetensors),
        [b'P', b'K', 3, 4, ..] => is("it is a zip archive (a PyTorch or Keras file, perhaps)"),
        [0x89, b'H', b'D', b'F', ..] => is("it is an HDF5 file"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => is("it is a bare numpy array"),
        _ if is_onnx(bytes) => Ok(Format::Onnx),
        _ if starts_like_pickle(bytes) => Ok(Format::Pickle),
        _ => is(&format!("it begins with {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)]))),
    }
}

fn looks_like_safetensors(bytes: &[u8]) -> bool {
    match bytes.first_chunk::<8>() {
        Some(n) => {
            let n = u64::from_le_bytes(*n);
            bytes.get(8) == Some(&b'{') && n <= bytes.len() as u64 - 8
        }
        None => false,
    }
}

/// Protocols 0 and 1 have no mark of their own; an estimator begins with a name or a mark.
fn starts_like_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"c") || bytes.starts_with(b"(")
}

/// A JSON object that mentions a learner early on.
fn looks_like_xgboost(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1 << 10)];
    head.trim_ascii_start().starts_with(b"{") && head.windows(9).any(|w| w == b"\"learner\"")
}
