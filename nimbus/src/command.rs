//! The client's `squall model`, run for nimbus in a process of its own: what breaks there breaks nothing here.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;

/// What reading a model takes at most: the bytes that it begins with, and so many for each of the file, which may be compressed.
const BASE: u64 = 1 << 30;
const FOR_EACH: u64 = 64;

/// The command and its first arguments.
#[derive(Debug)]
pub(crate) struct Command {
    program: OsString,
    args: Vec<OsString>,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(crate) enum Failed {
    /// What it was given is wrong, in its words.
    Refused(String),
    /// It needed more bytes of memory than this.
    Memory(u64),
    /// It took longer than this.
    Late(Duration),
    /// Anything else.
    Broken(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Refused(words) => f.write_str(words),
            Failed::Memory(bytes) => write!(f, "needed more than {:.1} GB of memory", *bytes as f64 / 1e9),
            Failed::Late(limit) => write!(f, "took longer than {} s", limit.as_secs()),
            Failed::Broken(how) => write!(f, "failed: {how}"),
        }
    }
}

/// The limit that it is given is its first word.
#[derive(Deserialize)]
struct Limited {
    memory: u64,
}

/// How much memory may be taken for a model file.
pub(crate) fn memory_for(file: &Path) -> u64 {
    let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
    BASE.saturating_add(bytes.saturating_mul(FOR_EACH))
}

impl Command {
    pub(crate) fn new(words: Vec<OsString>) -> Option<Self> {
        let mut args = words.into_iter();
        Some(Command { program: args.next()?, args: args.collect() })
    }

    /// Runs it with `--memory` besides, and reads what it says on its standard output. Whoever asks no more ends it.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        args: &[OsString],
        question: &[u8],
        memory: u64,
        longest: Duration,
    ) -> Result<T, Failed> {
        let broken = |what: &str, e: std::io::Error| Failed::Broken(format!("{what}: {e}"));
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).args(args).arg("--memory").arg(memory.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let ran = tokio::time::timeout(longest, async {
            let mut child = command.spawn().map_err(|e| broken("it cannot be started", e))?;
            let mut stdin = child.stdin.take();
            let ask = async move {
                if let Some(stdin) = &mut stdin {
                    // One that ends without reading says why.
                    let _ = stdin.write_all(question).await;
                }
                drop(stdin);
            };
            let (output, ()) = tokio::join!(child.wait_with_output(), ask);
            output.map_err(|e| broken("its end was not heard", e))
        });
        understand(&ran.await.map_err(|_| Failed::Late(longest))??)
    }
}

fn understand<T: DeserializeOwned>(ran: &Output) -> Result<T, Failed> {
    let mut said = serde_json::Deserializer::from_slice(&ran.stdout).into_iter::<serde_json::Value>();
    let first = said.next().and_then(Result::ok).unwrap_or_default();
    let limit = Limited::deserialize(&first).ok().map(|l| l.memory);
    if ran.status.success() {
        let answer = if limit.is_some() { said.next().and_then(Result::ok).unwrap_or_default() } else { first };
        return serde_json::from_value(answer).map_err(|e| Failed::Broken(format!("it is not understood: {e}")));
    }
    let words = String::from_utf8_lossy(&ran.stderr);
    let words = words.trim().trim_start_matches("squall: ");
    // By Rust's allocator, by C++'s, by the kernel.
    const WANT: [&str; 3] = ["memory allocation of", "bad_alloc", "Cannot allocate memory"];
    match limit {
        _ if ran.status.code() == Some(2) => Err(Failed::Refused(words.to_owned())),
        Some(limit) if WANT.iter().any(|want| words.contains(want)) => Err(Failed::Memory(limit)),
        _ => Err(Failed::Broken(format!("{}: {words}", ran.status))),
    }
}
