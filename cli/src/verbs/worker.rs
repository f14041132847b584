//! `squall worker`: the worker that has Squall's own components; started by supervisors.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::catalog;

/// Runs tasks of a topology; started by a supervisor, not by hand.
///
/// A worker binary with components of one's own takes the same flags.
///
/// Examples:
///   squall worker --describe          the component types as JSON
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run as this launch file says.
    #[arg(long, value_name = "FILE", group = "what")]
    run: Option<PathBuf>,
    /// Print the component types as JSON.
    #[arg(long, group = "what")]
    describe: bool,
    /// Check component configurations: one JSON question a line on stdin, one answer a line on stdout.
    #[arg(long, group = "what")]
    check: bool,
    /// End when this process does, which must be the parent: how `squall run` leaves no worker behind.
    #[arg(long, value_name = "PID", requires = "run")]
    end_with: Option<i32>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if let Some(parent) = args.end_with
        && !end_with(parent)
    {
        return ExitCode::from(3);
    }
    // The allocator asks for huge pages, and then every corner of its heap that is touched costs 2 MB of private memory: in
    // idle workers four fifths of all there is. The model's pages come from its file and are not concerned.
    if args.run.is_some()
        && let Err(error) = rustix::thread::disable_transparent_huge_pages(true)
    {
        eprintln!("squall worker: huge pages stay on, this process will take more memory: {error}");
    }
    let mut arguments: Vec<OsString> = vec!["squall worker".into()];
    if let Some(file) = &args.run {
        arguments.extend(["--run".into(), file.into()]);
    }
    arguments.extend(args.describe.then(|| "--describe".into()));
    arguments.extend(args.check.then(|| "--check".into()));
    squall_worker::run_args(catalog::built_in(), arguments)
}

/// Ends this process as soon as the parent has ended, however it did. False if it has already.
fn end_with(parent: i32) -> bool {
    let Some(pid) = Pid::from_raw(parent) else { return false };
    let Ok(watched) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // Asked after the descriptor was opened, so it is the parent's and not that of a later process of the same number.
    if rustix::process::getppid() != Some(pid) {
        return false;
    }
    std::thread::spawn(move || {
        loop {
            let mut fds = [PollFd::new(&watched, PollFlags::IN)];
            match poll(&mut fds, None) {
                // Readable: it has ended. Nobody is left to wait for a clean end.
                Ok(_) => std::process::exit(3),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    });
    true
}
