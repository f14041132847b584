//! `squall nimbus`: the daemon that keeps and schedules topologies.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::daemon;
use crate::exit::Outcome;
use crate::logging;
use crate::show::Show;

/// Starts a nimbus: it keeps topologies, gives their tasks to supervisors, and answers clients.
///
/// Prints its address on stdout, logs to stderr and to nimbus.log in its folder, and runs until Ctrl-C or SIGTERM. Topologies run on without it, and a
/// nimbus started again with the same folder takes over where it left off. Clients of the same user find it by themselves.
///
/// Examples:
///   squall nimbus
///   squall nimbus --dir /var/lib/squall/nimbus --port 6627
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Its folder, for state, blobs and the token; by default ~/.local/state/squall/nimbus.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The address to listen on; only loopback, until there is encryption.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The port to listen on; 0 takes the one it had before, or a free one.
    #[arg(long, value_name = "PORT", default_value_t = 6627)]
    port: u16,
    /// How long a supervisor may be silent before its workers are given to others.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = squall_core::units::duration)]
    lease: Duration,
    /// Does not write down where it is for clients of the same user; they need --nimbus and --token-file then.
    #[arg(long)]
    hidden: bool,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let address = daemon::address(args.bind, args.port)?;
    let dir = daemon::folder(args.dir.as_deref(), "nimbus")?;
    let log_file = dir.join("nimbus.log");
    logging::to_stderr_and(&log_file)?;
    let mut options = squall_nimbus::Options::new(dir);
    options.log_file = Some(log_file);
    options.lease = args.lease;
    options.model_command = Some(daemon::own("model")?);
    options.discovery = if args.hidden { None } else { squall_nimbus::discovery_path() };
    daemon::runtime()?.block_on(async {
        let stop = daemon::told_to_stop()?;
        let listener = squall_nimbus::listen(&options.dir, address).await?;
        let local = listener.local_addr().map_err(|e| crate::exit::Failure::Outside(e.to_string()))?;
        let nimbus = squall_nimbus::Opened::new(options, listener)?;
        show.line(&format!("http://{local}"))?;
        Ok(nimbus.run(stop).await?)
    })
}
