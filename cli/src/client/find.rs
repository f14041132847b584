//! Which nimbus, and its token: what was asked for, else what this user's nimbus wrote down.

use std::path::{Path, PathBuf};

use squall_core::control::Discovery;

use super::Where;
use crate::exit::{Failure, Outcome};

/// Address and token.
pub(crate) fn nimbus(place: &Where) -> Outcome<(String, String)> {
    let places = discovery_files();
    let found = || -> Outcome<Discovery> {
        let file = places.iter().find(|p| p.exists()).ok_or_else(|| {
            Failure::Outside(
                "no nimbus of this user is running here; start one with `squall nimbus`, or say where with --nimbus URL \
                 and --token-file FILE"
                    .into(),
            )
        })?;
        let text =
            std::fs::read_to_string(file).map_err(|e| Failure::Outside(format!("cannot read `{}`: {e}", file.display())))?;
        serde_json::from_str(&text).map_err(|e| {
            Failure::Outside(format!("`{}` does not say where nimbus is: {e}; start nimbus again", file.display()))
        })
    };
    match (&place.nimbus, &place.token_file) {
        (Some(url), Some(file)) => Ok((url.clone(), token(file)?)),
        (Some(url), None) => {
            let discovery = found().map_err(|_| {
                Failure::Usage("--nimbus needs --token-file FILE too: the file `token` in that nimbus's folder".into())
            })?;
            Ok((url.clone(), token(&discovery.token_file)?))
        }
        (None, file) => {
            let discovery = found()?;
            let token = token(file.as_deref().unwrap_or(&discovery.token_file))?;
            Ok((discovery.url, token))
        }
    }
}

/// Where a nimbus of this user tells where it is, as `docs/api.md` says.
fn discovery_files() -> Vec<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let runtime = set("XDG_RUNTIME_DIR").map(|d| d.join("squall/nimbus.json"));
    let home = set("HOME").map(|d| d.join(".local/state/squall/nimbus.json"));
    runtime.into_iter().chain(home).collect()
}

/// The token in a file.
fn token(file: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::Outside(format!("cannot read the token file `{}`: {e}", file.display())))?;
    let token = text.trim();
    let sound = !token.is_empty() && token.len() <= 1024 && token.bytes().all(|b| b.is_ascii_graphic());
    if sound {
        Ok(token.to_owned())
    } else {
        Err(Failure::Usage(format!("`{}` holds no token: expected one line of letters and digits", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_and_no_header_injection() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "abc123\n").unwrap();
        assert_eq!(token(&file).unwrap(), "abc123");
        std::fs::write(&file, "abc\r\nx-other: 1").unwrap();
        assert_eq!(token(&file).unwrap_err().code(), 2);
        assert_eq!(token(&dir.path().join("none")).unwrap_err().code(), 3);
    }

    #[test]
    fn what_is_asked_for_comes_before_what_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "abc123").unwrap();
        let place = Where { nimbus: Some("http://127.0.0.1:1".into()), token_file: Some(file) };
        assert_eq!(nimbus(&place).unwrap(), ("http://127.0.0.1:1".to_owned(), "abc123".to_owned()));
    }
}
