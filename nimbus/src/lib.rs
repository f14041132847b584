//! Nimbus: keeps topologies, schedules them on supervisors, watches both, and answers clients over HTTP.
#![warn(missing_docs)]

mod admit;
mod blobs;
mod clock;
mod cluster;
mod command;
mod denied;
mod discovery;
#[doc(hidden)]
pub mod fuzz;
mod history;
mod http;
mod imports;
mod nimbus;
mod options;
mod schedule;
#[doc(hidden)]
pub mod simulated;
mod states;
mod store;
mod storm;
mod token;

pub use clock::{Clock, SystemClock};
pub use discovery::{discovery_path, read_discovery};
pub use options::Options;
pub use token::token;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use squall_core::control::{Discovery, loopback_only};
use squall_core::{Error, Result};
use tokio::net::TcpListener;

/// The file in nimbus's folder that holds its port.
const PORT: &str = "port";

/// Listens for the nimbus of this folder: with port 0 on the port it had before, if that is free, because supervisors and
/// clients know it by that.
///
/// # Errors
/// The address is not on loopback, or in use.
pub async fn listen(dir: &Path, bind: SocketAddr) -> Result<TcpListener> {
    loopback_only(bind)?;
    let before = std::fs::read_to_string(dir.join(PORT)).ok().and_then(|p| p.trim().parse().ok());
    if let (0, Some(port)) = (bind.port(), before)
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(bind.ip(), port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(bind).await.map_err(|e| Error::external(format!("cannot listen on {bind}")).because(e))
}

/// Keeps the port for the next start, whole or not at all: on another one supervisors and clients would not find it.
fn keep_port(dir: &Path, port: u16) -> Result<()> {
    let (path, text) = (dir.join(PORT), port.to_string());
    if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        std::fs::write(&part, text)?;
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, &path)
    };
    write().map_err(|e| Error::external(format!("cannot write {}", path.display())).because(e))
}

/// How long calls under way may take after the end was asked for.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// Runs nimbus until `shutdown` is ready. Topologies run on without it.
///
/// # Errors
/// As [`Opened::new`] and [`Opened::run`].
pub async fn run(options: Options, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    Opened::new(options, listener)?.run(shutdown).await
}

/// A nimbus that has its folder for itself and is known to clients, before it answers anybody.
pub struct Opened {
    nimbus: Arc<nimbus::Nimbus>,
    listener: TcpListener,
    _announced: Option<discovery::Announcement>,
}

impl Opened {
    /// Opens the folder, and writes down where nimbus is.
    ///
    /// # Errors
    /// The listener is not on loopback; the folder or the store cannot be used, or another nimbus uses it.
    pub fn new(options: Options, listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr()?;
        loopback_only(address)?;
        let dir = &options.dir;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| Error::external(format!("cannot make the folder {}", dir.display())).because(e))?;
        let dir = std::fs::canonicalize(dir)?;
        let store = Arc::new(store::Embedded::open(&dir.join("state.redb"))?);
        keep_port(&dir, address.port())?;
        let token = token::token(&dir)?;
        let blobs = Arc::new(blobs::Blobs::open(dir.join("blobs"), options.blob_limit)?);
        let command = options.model_command.and_then(command::Command::new);
        let imports = imports::Imports::open(dir.join("imports"), command, options.blob_limit)?;
        let times = (options.lease, options.blob_grace);
        let book = Arc::new(history::Book::open(&dir.join("statistics.redb"))?);
        let world = cluster::World::open(store, book, blobs.clone(), options.clock.clone(), times)?;
        let nimbus =
            Arc::new(nimbus::Nimbus::new(world, (token, address.port()), (blobs, imports), options.log_file, options.clock));
        let said = Discovery { url: format!("http://{address}"), token_file: dir.join("token"), pid: std::process::id() };
        let announced = options.discovery.map(|path| discovery::Announcement::write(&path, said)).transpose()?;
        log::info!(address:display = address, dir:display = dir.display(); "nimbus is here");
        Ok(Opened { nimbus, listener, _announced: announced })
    }

    /// Answers until `shutdown` is ready.
    ///
    /// # Errors
    /// The listener broke down.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let Opened { nimbus, listener, _announced } = self;
        let mut closing = nimbus.closing();
        let over = async move { drop(closing.wait_for(|c| *c).await) };
        let server = axum::serve(listener, http::router(nimbus.clone())).with_graceful_shutdown(over).into_future();
        let end = async {
            shutdown.await;
            nimbus.close();
            tokio::time::sleep(LAST_CALLS).await;
        };
        tokio::select! {
            served = async { tokio::join!(server, nimbus.keep_time()).0 } => served?,
            () = end => {}
        }
        nimbus.write_down();
        log::info!("nimbus ends");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_cannot_be_written_down_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        keep_port(dir.path(), 4000).unwrap();
        std::fs::create_dir(dir.path().join("port.part")).unwrap();
        keep_port(dir.path(), 4000).unwrap();
        assert!(keep_port(dir.path(), 5000).unwrap_err().to_string().contains("port"));
        assert_eq!(std::fs::read_to_string(dir.path().join(PORT)).unwrap(), "4000");
    }
}
