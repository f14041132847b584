//! The cluster's token: made at the first start, readable by its owner only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use squall_core::{Error, Result};

/// The token of the nimbus whose folder this is; made, with its file `token` (mode 0600), if there is none.
///
/// # Errors
/// The file cannot be read or written, holds no token, or can be read by others.
pub fn token(dir: &Path) -> Result<String> {
    let path = dir.join("token");
    let cannot = |e: std::io::Error| Error::external(format!("cannot use the token file {}", path.display())).because(e);
    let mut random = [0u8; 32];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut random)).map_err(cannot)?;
    let fresh: String = random.iter().map(|b| format!("{b:02x}")).collect();
    // Written beside it and linked, so that nobody ever reads half a token and the first of two starts wins.
    let part = dir.join(format!("token.{}", &fresh[..16]));
    match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(cannot)?;
            let linked = file.write_all(fresh.as_bytes()).and_then(|()| file.sync_all());
            let linked = linked.and_then(|()| std::fs::hard_link(&part, &path));
            let _ = std::fs::remove_file(&part);
            match linked {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(cannot(e)),
                _ => {}
            }
        }
        Err(e) => return Err(cannot(e)),
        Ok(_) => {}
    }
    let mode = std::fs::metadata(&path).map_err(cannot)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::user(format!(
            "others can read the token file {} (mode {mode:o}): chmod 600 it, or remove it to have a new one made",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(&path).map_err(cannot)?.trim().to_owned();
    if text.len() < 32 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::user(format!(
            "the token file {} holds no token (at least 32 printable characters): remove it to have a new one made",
            path.display()
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let made = token(dir.path()).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(token(dir.path()).unwrap(), made);
        let file = dir.path().join("token");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(token(dir.path()).unwrap_err().to_string().contains("others can read"));
    }

    #[test]
    fn an_empty_token_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.path().join("token")).unwrap();
        file.write_all(b"\n").unwrap();
        assert!(token(dir.path()).is_err());
    }
}
