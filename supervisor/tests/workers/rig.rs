//! A supervisor in a thread, beside a pretended nimbus.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use squall_core::control::{Heartbeat, Orders, Peer, RunState, WantedWorker, WorkerStatus};
use squall_supervisor::Options;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::http::http;
use crate::nimbus::Nimbus;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Rig {
    pub(crate) runtime: Runtime,
    pub(crate) nimbus: Nimbus,
    pub(crate) dir: tempfile::TempDir,
    running: Option<Running>,
}

struct Running {
    url: String,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let nimbus = Nimbus::start(&runtime);
        let mut rig = Rig { runtime, nimbus, dir: tempfile::tempdir().unwrap(), running: None };
        rig.start(rig.options());
        rig
    }

    pub(crate) fn options(&self) -> Options {
        let worker = vec![std::env::current_exe().unwrap().into(), "worker".into()];
        Options {
            cores: 5,
            heartbeat: Duration::from_millis(100),
            ..Options::new(self.dir.path(), &self.nimbus.url, TOKEN, worker)
        }
    }

    pub(crate) fn start(&mut self, options: Options) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listen = squall_supervisor::listen(&options.dir, "127.0.0.1:0".parse().unwrap());
        let listener = runtime.block_on(listen).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            runtime.block_on(squall_supervisor::run(options, listener, async { drop(stopped.await) })).unwrap();
        });
        self.running = Some(Running { url, stop, thread });
    }

    pub(crate) fn stop(&mut self) {
        if let Some(Running { stop, thread, .. }) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.running.as_ref().unwrap().url
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        http(self.url(), TOKEN, "GET", path, b"")
    }

    /// Uploads a plan, and gives what nimbus would want of a worker of it.
    pub(crate) fn wanted(&self, plan: &str, worker: u32, of: u32) -> WantedWorker {
        let hash = hash_of(plan.as_bytes());
        self.nimbus.put(&hash, plan.as_bytes().to_vec());
        let peer = |index| Peer { index, tasks: vec![index + 1], since: 0, endpoint: None, incarnation: 0 };
        WantedWorker {
            topology: "t-1-17".to_owned(),
            worker,
            slot: worker,
            plan: hash,
            binary: None,
            models: BTreeMap::new(),
            tasks: vec![worker + 1],
            orders: Orders {
                revision: 0,
                epoch: 1,
                state: RunState::Active,
                workers: (0..of).map(peer).collect(),
                instructions: Default::default(),
            },
        }
    }

    /// Waits until the first worker looks so.
    pub(crate) fn hears(&self, mut like: impl FnMut(&WorkerStatus) -> bool) -> WorkerStatus {
        let heard = self.hears_all(|h| h.workers.first().is_some_and(&mut like));
        heard.workers.into_iter().next().unwrap()
    }

    pub(crate) fn hears_all(&self, like: impl FnMut(&Heartbeat) -> bool) -> Heartbeat {
        self.nimbus.hears(&self.runtime, like)
    }

    /// Starts one worker and waits until it is up.
    pub(crate) fn run_one(&self) -> (WantedWorker, WorkerStatus) {
        let wanted = self.wanted("{}", 0, 1);
        self.nimbus.want(|d| (d.workers, d.topologies) = (vec![wanted.clone()], vec![wanted.topology.clone()]));
        let up = self.hears(|w| w.endpoint.is_some());
        (wanted, up)
    }

    pub(crate) fn worker_dir(&self, worker: u32) -> PathBuf {
        self.dir.path().join(format!("workers/t-1-17-{worker}"))
    }
}

impl Drop for Rig {
    /// No process outlives its test, not even of one that failed.
    fn drop(&mut self) {
        self.nimbus.want(|d| d.workers.clear());
        if self.running.is_none() {
            self.start(self.options());
        }
        self.stop();
        self.start(Options { stop_workers_on_exit: true, grace: Duration::from_millis(500), ..self.options() });
        self.stop();
    }
}

pub(crate) fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether a process is there and not only waits to be buried.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub(crate) fn kill(pid: u32) {
    send(pid, rustix::process::Signal::KILL);
}

pub(crate) fn send(pid: u32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}
