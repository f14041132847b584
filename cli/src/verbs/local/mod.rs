//! A cluster of this process for one run or one bench: nimbus and a supervisor as tasks, in a folder that goes with it.

mod strays;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use squall_nimbus as nimbus;
use squall_supervisor as supervisor;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::exit::{Failure, Outcome};
use crate::verbs::daemon;

/// How long workers may take to stop in good order before they are stopped by force.
const GRACE: Duration = Duration::from_millis(900);

/// A nimbus and a supervisor of this process; [`LocalCluster::stop`] ends them and their workers.
pub(super) struct LocalCluster {
    /// Some until it is stopped.
    dir: Option<TempDir>,
    runtime: Option<Runtime>,
    /// One for each daemon, as the supervisor stops first.
    stop: [watch::Sender<bool>; 2],
    nimbus: Daemon,
    supervisor: Daemon,
    client: Client,
}

/// What such a cluster is like.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// Room for so many workers.
    pub(super) slots: u32,
    /// Nimbus hears from the supervisor so often; none: as often as usual.
    pub(super) heartbeat: Option<Duration>,
    /// Each thread that runs tasks is bound to a core.
    pub(super) pin: bool,
}

type Daemon = JoinHandle<squall_core::Result<()>>;

impl LocalCluster {
    /// Starts it.
    pub(super) fn start(shape: Shape) -> Outcome<LocalCluster> {
        strays::sweep();
        let runtime = daemon::runtime()?;
        let dir = strays::folder()?;
        let stop = [watch::channel(false).0, watch::channel(false).0];
        let started = runtime.block_on(start(dir.path(), shape, &stop));
        let (nimbus, supervisor, client) = started?;
        Ok(LocalCluster { dir: Some(dir), runtime: Some(runtime), stop, nimbus, supervisor, client })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Where the supervisor keeps its workers' logs, in some depth.
    pub(super) fn logs(&self) -> PathBuf {
        self.dir.as_ref().map(|d| d.path().join("supervisor")).unwrap_or_default()
    }

    /// Runs something beside the daemons, on their runtime.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Why a daemon has ended although nobody told it to.
    pub(super) fn broken(&mut self) -> Option<Failure> {
        let runtime = self.runtime.as_ref()?;
        let (name, task) = match (self.nimbus.is_finished(), self.supervisor.is_finished()) {
            (true, _) => ("nimbus", &mut self.nimbus),
            (_, true) => ("the supervisor", &mut self.supervisor),
            _ => return None,
        };
        Some(match runtime.block_on(task) {
            Ok(Ok(())) => Failure::Failed(format!("{name} ended by itself")),
            Ok(Err(error)) => Failure::from(error),
            Err(error) => Failure::Failed(format!("{name} broke down: {error}")),
        })
    }

    /// Stops workers, supervisor and nimbus, and removes the folder, or tells where it is kept. Takes less than 2 s.
    pub(super) fn stop(mut self, keep: bool) -> Option<PathBuf> {
        self.end();
        let dir = self.dir.take()?;
        if keep {
            return Some(dir.keep());
        }
        remove(dir);
        None
    }

    fn end(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let begun = Instant::now();
        for (stop, task, patience) in [
            (&self.stop[1], &mut self.supervisor, GRACE + Duration::from_millis(400)),
            (&self.stop[0], &mut self.nimbus, Duration::from_millis(300)),
        ] {
            stop.send_replace(true);
            if !task.is_finished() && runtime.block_on(async { tokio::time::timeout(patience, task).await }).is_err() {
                log::warn!("a daemon did not stop in time");
            }
        }
        if let Some(dir) = &self.dir {
            strays::kill_of(dir.path());
        }
        runtime.shutdown_timeout(Duration::from_millis(100));
        log::debug!("stopped in {:?}", begun.elapsed());
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.end();
        if let Some(dir) = self.dir.take() {
            remove(dir);
        }
    }
}

/// A worker that has just been killed may still have been writing when the folder was listed: once more, then.
fn remove(dir: TempDir) {
    let path = dir.path().to_path_buf();
    if dir.close().is_err()
        && let Err(error) = std::fs::remove_dir_all(&path)
        && path.exists()
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}

async fn start(dir: &Path, shape: Shape, stop: &[watch::Sender<bool>; 2]) -> Outcome<(Daemon, Daemon, Client)> {
    let until = |stop: &watch::Sender<bool>| {
        let mut told = stop.subscribe();
        // An error means that the sender is gone, and then it is time too.
        async move { drop(told.wait_for(|stopped| *stopped).await) }
    };
    let (nimbus_dir, supervisor_dir) = (dir.join("nimbus"), dir.join("supervisor"));
    for dir in [&nimbus_dir, &supervisor_dir] {
        std::fs::create_dir(dir).map_err(|e| Failure::Outside(format!("cannot make `{}`: {e}", dir.display())))?;
    }
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener: TcpListener = nimbus::listen(&nimbus_dir, any).await?;
    let url = format!("http://{}", listener.local_addr().map_err(|e| Failure::Outside(e.to_string()))?);
    let token = nimbus::token(&nimbus_dir)?;
    // No discovery file: `squall list` is not to find what is gone in a minute.
    let mut options = nimbus::Options::new(nimbus_dir);
    options.model_command = Some(daemon::own("model")?);
    let nimbus = tokio::spawn(nimbus::run(options, listener, until(&stop[0])));

    let mut worker = daemon::own("worker")?;
    worker.extend(["--end-with".into(), std::process::id().to_string().into()]);
    let mut options = supervisor::Options::new(&supervisor_dir, &url, &token, worker);
    options.slots = shape.slots;
    options.heartbeat = shape.heartbeat.unwrap_or(options.heartbeat);
    options.pin = shape.pin;
    options.stop_workers_on_exit = true;
    options.grace = GRACE;
    let listener = supervisor::listen(&supervisor_dir, any).await?;
    let supervisor = tokio::spawn(supervisor::run(options, listener, until(&stop[1])));
    Ok((nimbus, supervisor, Client::new(&url, &token)?))
}
