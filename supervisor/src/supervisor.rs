//! The running supervisor: the roster behind a lock, and those who wait for it to change.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_core::Result;
use squall_core::control::Heartbeat;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::blobs::Blobs;
use crate::client::Client;
use crate::cores;
use crate::keeper::keep;
use crate::layout::{Key, Layout};
use crate::machine;
use crate::options::Options;
use crate::positions::Positions;
use crate::roster::Roster;

/// How long workers may take to stop when the supervisor itself ends.
const LAST_GRACE: Duration = Duration::from_millis(1500);

pub(crate) struct Supervisor {
    pub(crate) options: Options,
    pub(crate) id: String,
    pub(crate) url: String,
    /// Where its workers listen, and from where they and it call others.
    pub(crate) bind: Ipv4Addr,
    pub(crate) layout: Layout,
    pub(crate) client: Client,
    pub(crate) blobs: Blobs,
    pub(crate) positions: Positions,
    roster: Mutex<Roster>,
    /// Counts changes of what workers are told, or of which there are.
    changed: watch::Sender<u64>,
    /// There is something that nimbus must hear at once.
    pub(crate) urgent: Notify,
    /// Whoever measures models.
    pub(crate) measuring: tokio::sync::Mutex<()>,
    /// Nimbus has answered a heartbeat.
    pub(crate) heard: Notify,
    closing: watch::Sender<bool>,
    leaving: AtomicBool,
    keepers: Mutex<JoinSet<()>>,
    /// Workers whose processes are not written down, because that failed. Held while such files are written or removed, so that
    /// the last that is written is what is so.
    pub(crate) unwritten: Mutex<BTreeSet<Key>>,
    /// The cores that its workers' threads are bound to; none if they are not bound.
    pub(crate) pinned: Vec<u32>,
    /// What nimbus hears of the supervisor itself.
    self_portrait: Heartbeat,
    /// Which start of it this is.
    pub(crate) life: AtomicU32,
    /// Heartbeats so far.
    beats: AtomicU64,
}

impl Supervisor {
    pub(crate) fn new(options: Options, layout: Layout, address: SocketAddr) -> Result<Self> {
        let url = format!("http://{address}");
        // Links are IPv4 only so far.
        let bind = if let IpAddr::V4(bind) = address.ip() { bind } else { Ipv4Addr::LOCALHOST };
        let client = Client::new(&options.nimbus, &options.token, address.ip())?;
        let pinned = if options.pin { cores::usable(options.cores)? } else { Vec::new() };
        let self_portrait = Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: options.machine_id.clone().unwrap_or_else(machine::id),
            host: machine::host(),
            url: url.clone(),
            pid: std::process::id(),
            started_unix_ms: machine::unix_time().as_millis() as u64,
            slots: options.slots,
            cores: options.cores,
            memory_bytes: machine::memory_bytes(),
            ..Heartbeat::default()
        };
        Ok(Supervisor {
            id: layout.id()?,
            life: AtomicU32::new(layout.count_life()?),
            blobs: Blobs::new(layout.blobs(), client.clone()),
            client,
            url,
            bind,
            layout,
            positions: Positions::default(),
            roster: Mutex::default(),
            changed: watch::Sender::new(0),
            urgent: Notify::new(),
            measuring: tokio::sync::Mutex::default(),
            heard: Notify::new(),
            closing: watch::Sender::new(false),
            leaving: AtomicBool::new(false),
            keepers: Mutex::new(JoinSet::new()),
            unwritten: Mutex::default(),
            pinned,
            self_portrait,
            beats: AtomicU64::new(0),
            options,
        })
    }

    /// Looks at the roster or changes it; whoever waits for a change looks again.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Roster) -> T) -> T {
        let done = change(&mut self.roster.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|n| *n += 1);
        done
    }

    /// Looks at the roster.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Roster) -> T) -> T {
        look(&self.roster.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Nimbus is to hear at once.
    pub(crate) fn beat(&self) {
        self.urgent.notify_one();
    }

    /// What nimbus is told.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let number = self.beats.fetch_add(1, Ordering::Relaxed) + 1;
        let status = self.status();
        // After the workers: of one that has drained nimbus hears the last position no later.
        Heartbeat { number, positions: self.new_positions(), ..status }
    }

    /// How its workers, their models and the machine are.
    pub(crate) fn status(&self) -> Heartbeat {
        let (workers, models, usage) = self.look(|r| (r.statuses(), r.models.clone(), r.usage.0));
        let (life, leaving) = (self.life.load(Ordering::Relaxed), self.leaving.load(Ordering::Relaxed));
        Heartbeat { life, workers, models, usage, leaving, ..self.self_portrait.clone() }
    }

    /// Each worker's share of the cores.
    pub(crate) fn threads_each(&self) -> u32 {
        let workers = self.look(|r| r.entries.values().filter(|e| e.want.borrow().is_some()).count()) as u32;
        (self.options.cores / workers.max(1)).max(1)
    }

    pub(crate) fn grace(&self) -> Duration {
        let leaving = self.leaving.load(Ordering::Relaxed);
        if leaving { self.options.grace.min(LAST_GRACE) } else { self.options.grace }
    }

    /// Gives a worker a keeper.
    pub(crate) fn employ(self: &Arc<Self>, key: Key, running: Option<crate::launch::Started>) {
        let Some(want) = self.look(|r| r.entries.get(&key).map(|e| e.want.subscribe())) else { return };
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        while keepers.try_join_next().is_some() {}
        keepers.spawn(keep(self.clone(), key, want, running));
    }

    /// Removes a worker that is not wanted and does not run; false if it is wanted again.
    pub(crate) fn let_go(&self, key: &Key) -> bool {
        let gone = self.with(|r| r.let_go(key));
        self.beat();
        gone
    }

    pub(crate) fn cannot_start(&self, key: &Key, problem: String) {
        self.with(|r| {
            if let Some(entry) = r.entries.get_mut(key) {
                entry.problem = Some(problem);
            }
        });
        self.beat();
    }

    pub(crate) fn count_restart(&self, key: &Key) {
        self.with(|r| {
            if let Some(entry) = r.entries.get_mut(key) {
                entry.restarts += 1;
            }
        });
    }

    /// Stops all workers, in good order while that takes no longer than a moment.
    pub(crate) async fn stop_workers(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.with(Roster::want_nothing);
        self.beat();
        let mut keepers = std::mem::take(&mut *self.keepers.lock().unwrap_or_else(PoisonError::into_inner));
        while keepers.join_next().await.is_some() {}
    }

    /// Ends all that waits. Workers run on.
    pub(crate) fn close(&self) {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.closing.send_replace(true);
    }
}
