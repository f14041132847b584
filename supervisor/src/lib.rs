//! A supervisor: starts and watches the workers of one machine, keeps one copy of each model there, and serves logs.
#![warn(missing_docs)]

mod artefacts;
mod backoff;
mod blobs;
mod client;
mod cores;
#[doc(hidden)]
pub mod fuzz;
mod hang;
mod http;
mod keeper;
mod launch;
mod layout;
mod machine;
mod models;
mod options;
mod positions;
mod process;
mod room;
mod roster;
#[doc(hidden)]
pub mod simulated;
mod step;
mod supervisor;
mod talk;
mod usage;

pub use options::Options;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use squall_core::control::loopback_only;
use squall_core::{Error, Result};
use tokio::net::TcpListener;

/// Listens for the supervisor of this folder: with port 0 on the port it had before, if that is free, because its workers
/// know it by that.
///
/// # Errors
/// The address is not on loopback, or in use.
pub async fn listen(dir: &Path, bind: SocketAddr) -> Result<TcpListener> {
    loopback_only(bind)?;
    let before = std::fs::read_to_string(dir.join("port")).ok().and_then(|p| p.trim().parse().ok());
    if let (0, Some(port)) = (bind.port(), before)
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(bind.ip(), port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(bind).await.map_err(|e| Error::external(format!("cannot listen on {bind}")).because(e))
}

/// How long calls under way may take after the end was asked for.
const LAST_CALLS: Duration = Duration::from_millis(500);

/// Runs a supervisor until `shutdown` is ready. Its workers run on after that, unless the options say otherwise, and the next
/// supervisor of the same folder adopts them.
///
/// # Errors
/// As [`Opened::new`] and [`Opened::run`].
pub async fn run(options: Options, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    Opened::new(options, listener)?.run(shutdown).await
}

/// A supervisor that has its folder for itself, before it does anything.
pub struct Opened {
    supervisor: Arc<supervisor::Supervisor>,
    listener: TcpListener,
}

impl Opened {
    /// Opens the folder.
    ///
    /// # Errors
    /// The listener is not on loopback; the folder cannot be used or another supervisor uses it.
    pub fn new(options: Options, listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr()?;
        loopback_only(address)?;
        let layout = layout::Layout::open(&options.dir)?;
        layout.keep_port(address.port())?;
        let supervisor = Arc::new(supervisor::Supervisor::new(options, layout, address)?);
        log::info!(id = supervisor.id.as_str(), address:display = address; "supervisor is here");
        Ok(Opened { supervisor, listener })
    }

    /// Adopts the workers of an earlier supervisor, and works until `shutdown` is ready.
    ///
    /// # Errors
    /// The listener broke down.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let Opened { supervisor, listener } = self;
        let stop_workers = supervisor.options.stop_workers_on_exit;
        // Before anybody can call: a worker that is not known yet would be told to stop.
        for (key, started) in supervisor.adopt() {
            supervisor.employ(key, Some(started));
        }
        let mut closing = supervisor.closing();
        let over = async move { drop(closing.wait_for(|c| *c).await) };
        let server = axum::serve(listener, http::router(supervisor.clone())).with_graceful_shutdown(over).into_future();
        let mut server = tokio::spawn(server);
        let hear = tokio::spawn(talk::hear(supervisor.clone()));
        let others = [
            tokio::spawn(talk::tell(supervisor.clone())),
            tokio::spawn(talk::look_around(supervisor.clone())),
            tokio::spawn(artefacts::fetch(supervisor.clone())),
        ];

        let served = tokio::select! {
            served = &mut server => Some(served),
            () = shutdown => None,
        };
        hear.abort();
        if stop_workers {
            supervisor.stop_workers().await;
        }
        others.iter().for_each(tokio::task::JoinHandle::abort);
        supervisor.close();
        let served = match served {
            Some(served) => Some(served),
            None => tokio::time::timeout(LAST_CALLS, &mut server).await.ok(),
        };
        server.abort();
        log::info!("supervisor ends");
        match served {
            Some(Ok(Err(e))) => Err(e.into()),
            Some(Err(e)) if e.is_panic() => Err(Error::internal("the supervisor's server broke down").because(e)),
            _ => Ok(()),
        }
    }
}
