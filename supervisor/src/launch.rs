//! How a worker is started: its blobs, its orders in a file, its process.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use squall_core::control::{Exit, Launch, WantedWorker, incarnation};
use squall_core::{Error, Result};
use tokio::process::Command;

use crate::blobs::Use;
use crate::layout::{Key, count, write};
use crate::machine::unix_time;
use crate::process::{End, Process, start_time};
use crate::room;
use crate::roster::{Kept, since};
use crate::supervisor::Supervisor;

const LAUNCH: &str = "launch.json";
const PROCESS: &str = "process.json";
const STARTS: &str = "starts";
const LOG: &str = "worker.log";
const OUTPUT: &str = "worker.out";
/// What a worker wrote to stdout and stderr is put aside beyond this.
const LONGEST_OUTPUT: u64 = 16 << 20;
/// How much of its last words is told.
const LAST_WORDS: u64 = 4096;

/// A started worker.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) wanted: Arc<WantedWorker>,
    pub(crate) incarnation: u64,
    /// How long its output was before.
    pub(crate) output_from: u64,
}

/// What allocators of workers are told, unless the user tells them something else. Huge pages make no figure better and an
/// idle worker 5 MB larger. ZeroMQ's messages come from the C library's, which gives larger ones back to the system
/// at once and has the kernel clear new pages for the next: that costs a third of what a link of large frames takes.
const ALLOCATORS: [(&str, &str); 2] = [
    ("MIMALLOC_ALLOW_THP", "0"),
    ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=4194304:glibc.malloc.trim_threshold=8388608"),
];

impl Supervisor {
    /// Fetches what a worker needs, and starts it.
    pub(crate) async fn start(&self, key: &Key, wanted: &Arc<WantedWorker>) -> Result<Started> {
        let plan = self.blobs.get(&wanted.plan, Use::Plan).await?;
        let mut models = std::collections::BTreeMap::new();
        for (name, hash) in &wanted.models {
            models.insert(name.clone(), self.blobs.get(hash, Use::Model).await?);
        }
        let command = match &wanted.binary {
            Some(hash) => Command::new(self.blobs.get(hash, Use::Binary).await?),
            None => {
                let (program, arguments) =
                    self.options.worker.split_first().ok_or_else(|| Error::user("no worker program is set"))?;
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        self.fetch_positions(&key.0, key.1, since(wanted)).await;
        let dir = self.layout.worker(key)?;
        let incarnation = incarnation(wanted.orders.epoch, count(&dir.join(STARTS))?);
        let threads = self.threads_each();
        let pin = self.with(|r| r.deal_cores(key, &self.pinned, threads));
        let state_dir = self.layout.state(&key.0)?;
        let started_unix_ms = unix_time().as_millis() as u64;
        let kept = Kept { started_unix_ms, pin: pin.clone(), ..Kept::new(wanted.clone(), incarnation) };
        let blobs = self.layout.blobs();
        // Known before it runs: its hello may come sooner than `spawn` returns.
        self.with(|r| {
            // With the roster in hand: of two that start at once, the second one sees the first.
            room::check(r, wanted, &blobs)?;
            r.starts(key, kept);
            Ok::<(), Error>(())
        })?;
        let launch = Launch {
            supervisor: self.url.clone(),
            token: self.options.token.clone(),
            topology: key.0.clone(),
            worker: key.1,
            incarnation,
            plan,
            models,
            versions: wanted.orders.instructions.models.iter().map(|(n, m)| (n.clone(), m.current.clone())).collect(),
            state_dir,
            log_file: dir.join(LOG),
            threads,
            pin,
            bind: self.bind.to_string(),
        };
        let (process, output_from) = spawn(&dir, &launch, command).inspect_err(|_| {
            self.with(|r| drop(r.entries.get_mut(key).and_then(|e| e.run.take())));
            self.forget(&dir);
        })?;
        let pid = process.pid();
        self.with(|r| r.started(key, pid, start_time(pid).unwrap_or(0)));
        self.keep(key);
        log::info!(topology = key.0.as_str(), worker = key.1, pid = pid; "worker started");
        Ok(Started { process, wanted: wanted.clone(), incarnation, output_from })
    }

    /// Writes down what the next supervisor must know to adopt a worker, if it runs. Without it, it would be started twice.
    pub(crate) fn keep(&self, key: &Key) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.look(|r| r.entries.get(key).and_then(|e| e.run.as_ref()).map(|r| r.kept.clone()));
        let Some(kept) = kept.filter(|k| k.pid > 0) else {
            unwritten.remove(key);
            return;
        };
        match self.layout.worker(key).and_then(|dir| write(&dir.join(PROCESS), &serde_json::to_vec(&kept)?, 0o600)) {
            Ok(()) => drop(unwritten.remove(key)),
            Err(e) => {
                if unwritten.insert(key.clone()) {
                    log::error!(topology = key.0.as_str(), worker = key.1, error:display = e; "cannot write down the worker's process");
                }
            }
        }
    }

    /// Tries again what could not be written down: the disk may have been full.
    pub(crate) fn keep_unwritten(&self) {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone();
        unwritten.iter().for_each(|key| self.keep(key));
    }

    /// Takes over what still runs of an earlier supervisor's workers.
    pub(crate) fn adopt(&self) -> Vec<(Key, Started)> {
        let mut adopted = Vec::new();
        for (key, dir) in self.layout.workers() {
            let Ok(bytes) = std::fs::read(dir.join(PROCESS)) else { continue };
            let Ok(kept) = serde_json::from_slice::<Kept>(&bytes) else { continue };
            if (&kept.wanted.topology, kept.wanted.worker) != (&key.0, key.1) {
                continue;
            }
            match Process::adopt(kept.pid, kept.start_time) {
                Some(process) => {
                    log::info!(topology = key.0.as_str(), worker = key.1, pid = kept.pid; "worker adopted");
                    let output_from = std::fs::metadata(dir.join(OUTPUT)).map_or(0, |m| m.len());
                    let started = Started { process, wanted: kept.wanted.clone(), incarnation: kept.incarnation, output_from };
                    self.with(|r| r.adopt(key.clone(), kept));
                    adopted.push((key, started));
                }
                None => self.forget(&dir),
            }
        }
        adopted
    }

    /// Writes down that a worker's process has ended, with its last words; but an end that was planned and went well is nothing
    /// to be told of the worker later.
    pub(crate) fn note_end(&self, key: &Key, started: &Started, End { how, well }: End, planned: bool) {
        let output = self.layout.worker(key).map(|dir| last_words(&dir.join(OUTPUT), started.output_from)).unwrap_or_default();
        log::info!(topology = key.0.as_str(), worker = key.1, how = how.as_str(); "worker ended");
        let exit = Exit { unix_ms: unix_time().as_millis() as u64, incarnation: started.incarnation, how, output };
        let exit = Some(exit).filter(|_| !(planned && well));
        self.with(|r| r.ended(key, exit));
        if let Ok(dir) = self.layout.worker(key) {
            self.forget(&dir);
        }
        self.beat();
    }

    /// Removes what was written for a process that is not: the token is in there too.
    fn forget(&self, dir: &Path) {
        let _nobody_writes = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = std::fs::remove_file(dir.join(PROCESS));
        let _ = std::fs::remove_file(dir.join(LAUNCH));
    }
}

/// Starts a worker's process; also how long its output was before.
fn spawn(dir: &Path, launch: &Launch, mut command: Command) -> Result<(Process, u64)> {
    write(&dir.join(LAUNCH), &serde_json::to_vec(launch)?, 0o600)?;
    for (name, value) in ALLOCATORS {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    command.arg("--run").arg(dir.join(LAUNCH)).current_dir(&launch.state_dir);
    let output = dir.join(OUTPUT);
    let mut output_from = std::fs::metadata(&output).map_or(0, |m| m.len());
    if output_from > LONGEST_OUTPUT {
        std::fs::rename(&output, output.with_extension("out.1"))?;
        output_from = 0;
    }
    Ok((Process::start(command, &output)?, output_from))
}

fn last_words(path: &Path, from: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(LAST_WORDS))))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
