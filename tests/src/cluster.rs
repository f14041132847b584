//! A cluster of real processes on this machine.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use squall_core::control::{ClusterStatus, Phase, TopologyStatus};
use tempfile::TempDir;

use crate::output::{Ran, command, run};
use crate::process::{kill_9, started_in};
use crate::{Daemon, wait_for, wait_until};

/// A nimbus and supervisors, each with its own folder; all gone on drop.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    nimbus: Option<Daemon>,
    supervisors: Vec<(Machine, Option<Daemon>)>,
    url: String,
    /// Nimbus's.
    address: Ipv4Addr,
}

/// Nimbus's address where machines have addresses of their own.
pub const NIMBUS: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);

/// A supervisor to be started.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name: that of its folder, and its machine id.
    pub name: String,
    /// Its slots.
    pub slots: u32,
    /// The address of it and its workers; one of loopback.
    pub address: Ipv4Addr,
    /// The bytes of memory that models may take there; none: what there is.
    pub model_memory: Option<u64>,
}

impl Machine {
    /// A supervisor of this name with so many slots.
    pub fn new(name: &str, slots: u32) -> Machine {
        Machine { name: name.to_owned(), slots, address: Ipv4Addr::LOCALHOST, model_memory: None }
    }
}

impl Cluster {
    /// Starts a nimbus and these supervisors, and waits until nimbus has heard of all.
    ///
    /// # Panics
    /// That fails.
    #[track_caller]
    pub fn start(machines: &[Machine]) -> Cluster {
        Cluster::start_in(tempfile::tempdir().expect("a temporary folder"), machines)
    }

    /// The same in a folder that is prepared: machines have their names below it, nimbus has `nimbus`. Where the machines have addresses
    /// of their own, nimbus has one too.
    #[track_caller]
    pub fn start_in(dir: TempDir, machines: &[Machine]) -> Cluster {
        let apart = machines.iter().any(|m| m.address != Ipv4Addr::LOCALHOST);
        let address = if apart { NIMBUS } else { Ipv4Addr::LOCALHOST };
        let mut cluster = Cluster { dir, nimbus: None, supervisors: Vec::new(), url: String::new(), address };
        cluster.start_nimbus();
        for machine in machines {
            cluster.supervisors.push((machine.clone(), None));
            cluster.start_supervisor(&machine.name);
        }
        wait_until("all supervisors", || cluster.status().supervisors.iter().filter(|s| s.alive).count() == machines.len());
        cluster
    }

    /// The folder of everything.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A machine's address.
    ///
    /// # Panics
    /// There is no such machine.
    pub fn address(&self, machine: &str) -> Ipv4Addr {
        self.supervisors.iter().find(|(m, _)| m.name == machine).expect("a machine of this name").0.address
    }

    /// The names of all supervisors.
    pub fn machines(&self) -> Vec<String> {
        self.supervisors.iter().map(|(m, _)| m.name.clone()).collect()
    }

    /// Leaves the folder behind, for whoever wants to look at it.
    pub fn keep_folder(&mut self) {
        self.dir.disable_cleanup(true);
    }

    /// Nimbus's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file with the token.
    pub fn token_file(&self) -> PathBuf {
        self.dir().join("nimbus/token")
    }

    /// The token.
    ///
    /// # Panics
    /// Nimbus has written none.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.token_file()).expect("nimbus has written its token").trim().to_owned()
    }

    /// Starts nimbus: at first on a free port, later on the same.
    #[track_caller]
    pub fn start_nimbus(&mut self) {
        let port = self.url.rsplit(':').next().filter(|p| !p.is_empty()).unwrap_or("0").to_owned();
        let mut command = command(self.dir());
        command.arg("nimbus").arg("--dir").arg(self.dir().join("nimbus")).args([
            "--port",
            &port,
            "--bind",
            &self.address.to_string(),
        ]);
        let nimbus = Daemon::start("nimbus", &mut command);
        self.url.clone_from(&nimbus.url);
        self.nimbus = Some(nimbus);
        wait_until("nimbus", || self.try_get::<ClusterStatus>("/v1/cluster").is_some());
    }

    /// Starts the supervisor of this name.
    ///
    /// # Panics
    /// There is none, or it does not start.
    #[track_caller]
    pub fn start_supervisor(&mut self, name: &str) {
        let at = self.supervisors.iter().position(|(m, _)| m.name == name).expect("a supervisor of this name");
        let (slots, address) = (self.supervisors[at].0.slots.to_string(), self.supervisors[at].0.address.to_string());
        let mut command = self.command();
        command.arg("supervisor").arg("--dir").arg(self.dir().join(name)).args([
            "--machine-id",
            name,
            "--slots",
            &slots,
            "--bind",
            &address,
        ]);
        if let Some(bytes) = self.supervisors[at].0.model_memory {
            command.env("SQUALL_MODEL_MEMORY", bytes.to_string());
        }
        self.supervisors[at].1 = Some(Daemon::start(name, &mut command));
    }

    /// The running nimbus.
    ///
    /// # Panics
    /// It does not run.
    pub fn nimbus(&mut self) -> &mut Daemon {
        self.nimbus.as_mut().expect("nimbus runs")
    }

    /// A running supervisor.
    ///
    /// # Panics
    /// It does not run.
    pub fn supervisor(&mut self, name: &str) -> &mut Daemon {
        let found = self.supervisors.iter_mut().find(|(m, _)| m.name == name);
        found.and_then(|(_, daemon)| daemon.as_mut()).expect("the supervisor runs")
    }

    /// A `squall` command that knows this cluster.
    pub fn command(&self) -> Command {
        let mut command = command(self.dir());
        command.env("SQUALL_NIMBUS", &self.url).env("SQUALL_TOKEN_FILE", self.token_file());
        command
    }

    /// Runs a `squall` command to its end.
    #[track_caller]
    pub fn squall(&self, args: &[&str]) -> Ran {
        run(self.command().args(args))
    }

    /// Submits a topology given as text, under its own name.
    ///
    /// # Panics
    /// It is refused.
    #[track_caller]
    pub fn submit(&self, toml: &str) {
        self.squall(&["submit", &self.file("topology.toml", toml)]).ok();
    }

    /// Writes a file into the cluster's folder and gives its path.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir().join(name);
        std::fs::write(&path, text).expect("the folder can be written to");
        path.to_string_lossy().into_owned()
    }

    /// The cluster, as nimbus tells.
    ///
    /// # Panics
    /// It does not answer.
    #[track_caller]
    pub fn status(&self) -> ClusterStatus {
        self.try_get("/v1/cluster").expect("nimbus answers")
    }

    /// A topology, as nimbus tells; `None` if there is none.
    pub fn topology(&self, name: &str) -> Option<TopologyStatus> {
        self.try_get(&format!("/v1/topologies/{name}"))
    }

    /// Waits until a topology is so.
    ///
    /// # Panics
    /// It is not by the deadline.
    #[track_caller]
    pub fn wait(&self, name: &str, what: &str, is_so: impl Fn(&TopologyStatus) -> bool) -> TopologyStatus {
        let mut last = None;
        let guard = Shown(&mut last);
        wait_for(&format!("{name}: {what}"), || {
            let status = self.topology(name)?;
            let so = is_so(&status);
            *guard.0 = Some(status.clone());
            so.then_some(status)
        })
    }

    /// Waits until all workers of a topology run.
    ///
    /// # Panics
    /// They do not by the deadline.
    #[track_caller]
    pub fn running(&self, name: &str) -> TopologyStatus {
        self.wait(name, "all workers run", |t| {
            // One whose spouts have ended already runs on for what comes from others.
            let runs = |phase| matches!(phase, Some(Phase::Running | Phase::Finished));
            !t.workers.is_empty() && t.workers.iter().all(|w| runs(w.phase))
        })
    }

    /// Has nimbus do something, with an empty body.
    pub fn post(&self, path: &str) -> serde_json::Value {
        let request = ureq::post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", self.token()));
        let answer = request.config().timeout_global(Some(Duration::from_secs(10))).build().send_empty();
        answer.unwrap_or_else(|e| panic!("{path}: {e}")).body_mut().read_json().unwrap()
    }

    /// Asks nimbus.
    pub fn try_get<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let token = std::fs::read_to_string(self.token_file()).ok()?;
        let request = ureq::get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", token.trim()));
        let request = request.config().timeout_global(Some(Duration::from_secs(10))).build();
        let text = request.call().ok()?.body_mut().read_to_vec().ok()?;
        Some(serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{path}: {e}: {}", String::from_utf8_lossy(&text))))
    }
}

/// Shows the last status when a wait fails.
struct Shown<'a>(&'a mut Option<TopologyStatus>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- last status\n{:#?}", self.0);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(self.dir());
        }
        // Supervisors first, or they would start their workers again.
        self.supervisors.clear();
        self.nimbus = None;
        for pid in started_in(self.dir.path()) {
            kill_9(pid);
        }
    }
}

/// Shows the ends of all workers' logs below a folder.
fn show_logs(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            show_logs(&path);
        } else if path.extension().is_some_and(|e| e == "log" || e == "out") {
            let text = std::fs::read(&path).unwrap_or_default();
            let end = &text[text.len().saturating_sub(4000)..];
            eprintln!("--- end of {}\n{}", path.display(), String::from_utf8_lossy(end));
        }
    }
}
