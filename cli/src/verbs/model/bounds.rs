//! How much memory a process may take that reads what somebody has sent.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// Has the allocator reserve nothing beforehand. It has when the limit is set, and what it has is not limited; so the program
/// is started anew with this.
const UNRESERVED: &str = "MIMALLOC_DISALLOW_ARENA_ALLOC";
/// Less is not enough to start.
const LEAST: u64 = 64 << 20;

/// A limit, for nimbus, which starts such processes.
#[derive(Debug, clap::Args)]
pub(super) struct Bounds {
    /// The most bytes of memory of its own that it takes; less where the machine has not so much left. Told as the first line.
    #[arg(long, value_name = "SIZE", value_parser = squall_core::units::bytes, hide = true)]
    memory: Option<u64>,
}

impl Bounds {
    /// Has the kernel refuse more memory to this process, so that it ends by itself and no other process is ended in its place. A
    /// quarter of what the machine has left stays for others. Files that are mapped do not count.
    pub(super) fn set(&self, show: &Show) -> Outcome {
        let Some(most) = self.memory else { return Ok(()) };
        let before = getrlimit(Resource::Data);
        // The variable alone tells nothing: it may be the user's own.
        let is_set = before.current.filter(|memory| *memory <= most.max(LEAST));
        if let (Some(_), Some(memory)) = (std::env::var_os(UNRESERVED), is_set) {
            return show.json(&serde_json::json!({ "memory": memory }));
        }
        let left = squall_model::available_memory().map_or(u64::MAX, |left| left / 4 * 3);
        let memory = most.min(left).max(LEAST).min(before.maximum.unwrap_or(u64::MAX));
        let limit = Rlimit { current: Some(memory), maximum: Some(memory) };
        setrlimit(Resource::Data, limit).map_err(|e| Failure::Outside(format!("cannot limit the memory: {e}")))?;
        let program = std::env::current_exe().map_err(|e| Failure::Outside(format!("cannot start anew: {e}")))?;
        let error = Command::new(program).args(std::env::args_os().skip(1)).env(UNRESERVED, "1").exec();
        Err(Failure::Outside(format!("cannot start anew with limited memory: {error}")))
    }
}
