//! One command, from start to end.

use std::path::Path;
use std::process::{Command, Output};

use serde::de::DeserializeOwned;

use crate::squall;

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None`: killed.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    line: String,
}

impl Ran {
    /// From the output of a command; `line` is the command, for messages.
    pub fn new(line: String, output: &Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            line,
        }
    }

    /// It has ended with this code.
    ///
    /// # Panics
    /// With another one.
    #[track_caller]
    pub fn code(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}\n--- stdout\n{}\n--- stderr\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// It has succeeded.
    ///
    /// # Panics
    /// It has not.
    #[track_caller]
    pub fn ok(self) -> Ran {
        self.code(0)
    }

    /// Its stdout as JSON.
    ///
    /// # Panics
    /// It is something else.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{}: {e}\n{}", self.line, self.stdout))
    }

    /// The lines of its stdout.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// Runs a command to its end.
///
/// # Panics
/// It cannot be started.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    let line = format!("{command:?}");
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {line}: {e}"));
    Ran::new(line, &output)
}

/// The `squall` command with a home folder of its own, and nothing of the caller's environment that it looks at.
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(squall());
    for name in
        ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME", "SQUALL_NIMBUS", "SQUALL_TOKEN_FILE", "SQUALL_LOG", "RUST_LOG"]
    {
        command.env_remove(name);
    }
    command.env("HOME", home).env("TMPDIR", home);
    command
}
