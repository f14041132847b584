//! A daemon under test: its process, and what it logs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::process::terminate;
use crate::{DEADLINE, wait_for};

/// A running `squall` daemon; killed on drop.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// The first line of its stdout: its address.
    pub url: String,
}

impl Daemon {
    /// Starts a daemon and waits until it tells its address.
    ///
    /// # Panics
    /// It cannot be started, or tells none.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command) -> Daemon {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().expect("stderr is piped");
        let keep = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut url = String::new();
        let read = stdout.read_line(&mut url);
        let daemon = Daemon { name: name.to_owned(), child, log, url: url.trim().to_owned() };
        assert!(read.is_ok() && daemon.url.starts_with("http://"), "{name} told no address\n{}", daemon.log());
        daemon
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits for a text in its log.
    ///
    /// # Panics
    /// It does not come.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        wait_for(&format!("`{text}` in the log of {}", self.name), || self.log().contains(text).then_some(()));
    }

    /// Kills it as the power going out would, and waits until it is gone.
    pub fn kill(&mut self) {
        // Nothing if it was waited for: its number may be another process's by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        terminate(self.pid());
        let until = Instant::now() + DEADLINE;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(Instant::now() < until, "{} does not end\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}", self.name, self.log());
        }
    }
}
