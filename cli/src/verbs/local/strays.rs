//! Nothing is to be left behind: folders and worker processes of runs, also of those that were killed.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::exit::{Failure, Outcome};

const PREFIX: &str = "squall-run-";

/// A folder of this run; its name tells whose it is.
pub(super) fn folder() -> Outcome<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir()
        .map_err(|e| Failure::Outside(format!("cannot make a folder in `{}`: {e}", std::env::temp_dir().display())))
}

/// Removes the folders of runs that were killed and could not do it themselves.
pub(super) fn sweep() {
    sweep_in(&std::env::temp_dir());
}

fn sweep_in(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.strip_prefix(PREFIX)).and_then(|n| n.split('-').next());
        let Some(owner) = owner.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        let ours = std::os::unix::fs::MetadataExt::uid;
        let mine = entry.metadata().is_ok_and(|m| m.is_dir() && ours(&m) == rustix::process::getuid().as_raw());
        if mine && !Path::new(&format!("/proc/{owner}")).exists() {
            let path = entry.path();
            kill_of(&path);
            log::info!("removing {}, left by a run that was killed", path.display());
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Kills the processes that were started with a file in this folder, which is to say the workers of one run.
pub(super) fn kill_of(dir: &Path) {
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|n| n.parse::<i32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != std::process::id() as i32) else { continue };
        let Ok(command) = std::fs::read(process.path().join("cmdline")) else { continue };
        let inside = |arg: &[u8]| arg.strip_prefix(dir.as_os_str().as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        let mut arguments = command.split(|b| *b == 0);
        // `… --run FILE`, as a supervisor starts a worker; not an editor that has a log open.
        if arguments.any(|a| a == b"--run")
            && arguments.next().is_some_and(inside)
            && let Some(pid) = Pid::from_raw(pid)
        {
            log::warn!("worker {pid:?} is stopped by force");
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    #[test]
    fn only_folders_of_dead_runs_are_swept() {
        let base = tempfile::tempdir().unwrap();
        let mine = format!("{PREFIX}{}-a", std::process::id());
        // Process ids end at 4,194,304.
        for name in [mine.as_str(), "squall-run-99999999-b", "squall-run-x", "other"] {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        sweep_in(base.path());
        let left = |name: &str| base.path().join(name).exists();
        assert!(left(&mine) && left("squall-run-x") && left("other"));
        assert!(!left("squall-run-99999999-b"));
    }

    #[test]
    fn a_worker_of_the_folder_is_killed_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let start = |file: &Path| {
            // The shell keeps its arguments, and waits for its stdin.
            let script = ["-c", "read x", "worker", "--run"];
            let child = Command::new("sh").args(script).arg(file).stdin(Stdio::piped()).spawn().unwrap();
            // A process that has just been started has no arguments yet for a moment.
            let arguments = format!("/proc/{}/cmdline", child.id());
            while !std::fs::read(&arguments).unwrap().ends_with(b"launch.json\0") {
                std::thread::yield_now();
            }
            child
        };
        let mut ours = start(&dir.path().join("launch.json"));
        let mut other = start(Path::new("/somewhere/else/launch.json"));
        kill_of(dir.path());
        assert_eq!(ours.wait().unwrap().signal(), Some(9));
        assert_eq!(other.try_wait().unwrap(), None);
        drop(other.stdin.take());
        assert_eq!(other.wait().unwrap().signal(), None);
    }
}
