//! What the daemons' verbs share: folders, listeners, signals.

use std::ffi::OsString;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use squall_core::control::loopback_only;
use tokio::runtime::Runtime;

use crate::exit::{Failure, Outcome};
use crate::signals::Signals;

/// A runtime for a daemon's calls and timers; its work is small.
pub(super) fn runtime() -> Outcome<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::Outside(format!("cannot start threads: {e}")))
}

/// The folder that was given, else one of this user's; made if missing, for its owner only.
pub(super) fn folder(given: Option<&Path>, name: &str) -> Outcome<PathBuf> {
    let dir = match given {
        Some(dir) => dir.to_path_buf(),
        None => {
            let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
            let base = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
            let base = base.ok_or_else(|| Failure::Usage("say where with --dir: HOME is not set".into()))?;
            base.join("squall").join(name)
        }
    };
    let mut make = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(make.recursive(true), 0o700);
    let cannot = |e: std::io::Error| Failure::Outside(format!("cannot use the folder `{}`: {e}", dir.display()));
    make.create(&dir).map_err(cannot)?;
    dir.canonicalize().map_err(cannot)
}

/// Refuses an address that others than this machine could reach.
pub(super) fn address(bind: IpAddr, port: u16) -> Outcome<SocketAddr> {
    let address = SocketAddr::new(bind, port);
    loopback_only(address)?;
    Ok(address)
}

/// How to start a verb of this very program.
pub(super) fn own(verb: &str) -> Outcome<Vec<OsString>> {
    let program = std::env::current_exe().map_err(|e| Failure::Outside(format!("cannot tell where this program is: {e}")))?;
    Ok([program.into_os_string()].into_iter().chain(verb.split(' ').map(OsString::from)).collect())
}

/// Ready when the process is told to stop; a second signal ends it on the spot.
pub(super) fn told_to_stop() -> Outcome<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals::watch().map_err(|e| Failure::Outside(format!("cannot watch for signals: {e}")))?;
    Ok(async move {
        let number = signals.next().await;
        log::info!("stopping");
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(128 + number);
        });
    })
}
