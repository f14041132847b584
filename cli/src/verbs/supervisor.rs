//! `squall supervisor`: the daemon that runs workers on a machine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::daemon;
use crate::client::{self, Where};
use crate::exit::{Failure, Outcome};
use crate::logging;
use crate::show::Show;

/// How often it is looked for a nimbus.
const LOOK: Duration = Duration::from_millis(100);

/// Starts a supervisor: it runs workers on this machine, keeps one copy of each model, and serves their logs.
///
/// Prints its address on stdout, logs to stderr and to supervisor.log in its folder, and runs until Ctrl-C or SIGTERM. Its workers run on without it, and a
/// supervisor started again with the same folder adopts them; with --stop-workers they stop with it. Several supervisors
/// can share a machine, each with its own folder. Without --nimbus it waits for a nimbus of the same user to come.
///
/// Examples:
///   squall supervisor
///   squall supervisor --dir /tmp/second --slots 2 --machine-id second
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Its folder, for blobs, models and logs; by default ~/.local/state/squall/supervisor.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The address to listen on; only loopback, until there is encryption.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The port to listen on; 0 takes the one it had before, or a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// How many workers it runs.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    slots: u32,
    /// The machine's id; supervisors with different ids count as different machines. By default the system's own.
    #[arg(long, value_name = "ID")]
    machine_id: Option<String>,
    /// The processor cores it deals out to its workers; by default all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cores: Option<u32>,
    /// Binds each thread that runs tasks to one core: steadier latencies on a machine that does little else.
    #[arg(long)]
    pin: bool,
    /// How long a worker may neither say nor do anything before it is killed and started again.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = squall_core::units::duration)]
    worker_timeout: Duration,
    /// How long its workers run on when nimbus cannot be reached; for ever unless given. Stopped ones start again when nimbus is
    /// heard and wants them.
    #[arg(long, value_name = "TIME", value_parser = squall_core::units::duration)]
    without_nimbus: Option<Duration>,
    /// Stops its workers when it stops.
    #[arg(long)]
    stop_workers: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let address = daemon::address(args.bind, args.port)?;
    let dir = daemon::folder(args.dir.as_deref(), "supervisor")?;
    let log_file = dir.join("supervisor.log");
    logging::to_stderr_and(&log_file)?;
    daemon::runtime()?.block_on(async {
        let mut stop = Box::pin(daemon::told_to_stop()?);
        let (nimbus, token) = tokio::select! {
            found = find_nimbus(place) => found?,
            () = &mut stop => return Ok(()),
        };
        let mut options = squall_supervisor::Options::new(&dir, nimbus, token, daemon::own("worker")?);
        options.log_file = Some(log_file);
        options.slots = args.slots;
        options.machine_id = args.machine_id.clone();
        options.worker_timeout = args.worker_timeout;
        options.pin = args.pin;
        options.without_nimbus = args.without_nimbus;
        options.stop_workers_on_exit = args.stop_workers;
        if let Some(cores) = args.cores {
            options.cores = cores;
        }
        let listener = squall_supervisor::listen(&dir, address).await?;
        let local = listener.local_addr().map_err(|e| Failure::Outside(e.to_string()))?;
        let supervisor = squall_supervisor::Opened::new(options, listener)?;
        show.line(&format!("http://{local}"))?;
        Ok(supervisor.run(stop).await?)
    })
}

/// Address and token; waits for a nimbus of this user if none was named and none has been started yet.
async fn find_nimbus(place: &Where) -> Outcome<(String, String)> {
    let mut told = false;
    loop {
        match client::nimbus(place) {
            Err(Failure::Outside(why)) if place.nimbus.is_none() && place.token_file.is_none() => {
                if !told {
                    log::warn!("waiting: {why}");
                    told = true;
                }
            }
            found => return found,
        }
        tokio::time::sleep(LOOK).await;
    }
}
