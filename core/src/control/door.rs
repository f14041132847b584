//! Who may come in: pure rules that every daemon's HTTP door keeps.

use std::net::SocketAddr;

use crate::{Error, Result};

/// Refuses to listen where others than this machine could reach an unencrypted daemon.
///
/// # Errors
/// A user's error that names the address.
///
/// ```
/// use squall_core::control::loopback_only;
/// assert!(loopback_only("127.0.0.1:6700".parse().unwrap()).is_ok());
/// assert!(loopback_only("0.0.0.0:6700".parse().unwrap()).is_err());
/// ```
pub fn loopback_only(address: SocketAddr) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Error::user(format!(
        "cannot listen on {address}: encryption is not there yet, so daemons listen on loopback only; use 127.0.0.1"
    )))
}

/// Whether an `authorization` header carries the token; takes as long for a nearly right token as for a wrong one.
///
/// ```
/// use squall_core::control::bearer_matches;
/// assert!(bearer_matches(Some(b"Bearer abc"), "abc"));
/// assert!(!bearer_matches(Some(b"Bearer abd"), "abc"));
/// assert!(!bearer_matches(None, "abc"));
/// ```
pub fn bearer_matches(header: Option<&[u8]>, token: &str) -> bool {
    let given = header.and_then(|h| h.strip_prefix(b"Bearer ")).unwrap_or_default();
    let token = token.as_bytes();
    // The length is no secret: it is the same for every cluster.
    if token.is_empty() || given.len() != token.len() {
        return false;
    }
    std::hint::black_box(given.iter().zip(token).fold(0u8, |sum, (a, b)| sum | (a ^ b))) == 0
}

/// Whether a text is a SHA-256 in lower-case hex, the only name under which a blob ever touches a path.
///
/// ```
/// use squall_core::control::is_sha256;
/// assert!(is_sha256(&"ab".repeat(32)));
/// assert!(!is_sha256("../../etc/passwd"));
/// ```
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a text can be a topology's name or id: 1 to 128 letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
///
/// ```
/// use squall_core::control::is_topology_name;
/// assert!(is_topology_name("digits-2"));
/// assert!(!is_topology_name("../digits"));
/// assert!(!is_topology_name(""));
/// ```
pub fn is_topology_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
