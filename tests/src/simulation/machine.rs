//! A machine: a supervisor, its disk, and the processes of its workers.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_core::control::{Heartbeat, WorkerStatus};
use squall_supervisor::simulated::{Key, Supervisor};

use super::processes::Process;

/// Slots of each machine.
pub(super) const SLOTS: u32 = 2;

/// A machine.
pub(super) struct Machine {
    pub(super) name: String,
    /// None while it is dead, or its supervisor is.
    pub(super) supervisor: Option<Supervisor>,
    /// Grows with every start of the supervisor: calls of one before are nobody's.
    pub(super) life: u32,
    /// When the supervisor is started again.
    pub(super) back_at: Option<Duration>,
    /// Supervisor and processes stand still until then.
    pub(super) stopped_until: Option<Duration>,
    /// The supervisor alone does.
    pub(super) supervisor_stopped_until: Option<Duration>,
    /// Nimbus and supervisor do not reach each other until then; workers reach workers.
    pub(super) cut_until: Option<Duration>,
    pub(super) processes: Vec<Process>,
    /// On its disk: how often each worker was started, and what is written of processes.
    pub(super) starts: BTreeMap<Key, u32>,
    pub(super) kept: Kept,
    /// When a start or a stop that was decided on is done.
    pub(super) due: BTreeMap<Key, Duration>,
    pub(super) beat: Beat,
    pub(super) ask: Ask,
}

/// What the next supervisor must know of processes, on a disk.
#[derive(Default)]
pub(super) struct Kept {
    now: BTreeMap<Key, Vec<u8>>,
    /// What was written of the same processes before that.
    before: BTreeMap<Key, Vec<u8>>,
}

impl Kept {
    /// Writes something down, or that there is nothing.
    pub(super) fn write(&mut self, key: &Key, kept: Option<Vec<u8>>) {
        let before = match kept {
            Some(kept) => self.now.insert(key.clone(), kept),
            None => self.now.remove(key).and(None),
        };
        match before {
            Some(before) => self.before.insert(key.clone(), before),
            None => self.before.remove(key),
        };
    }

    /// What was written last is not there.
    pub(super) fn unwrite(&mut self) {
        self.now.append(&mut self.before);
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.now.keys().cloned().collect()
    }
}

/// The heartbeats of a supervisor, one at a time.
#[derive(Default)]
pub(super) struct Beat {
    pub(super) next: Duration,
    /// The number of the one under way, when it is given up, and what it told.
    pub(super) under_way: Option<(u64, Duration, Vec<WorkerStatus>)>,
}

/// How a supervisor asks what nimbus wants, one call at a time.
#[derive(Default)]
pub(super) struct Ask {
    pub(super) next: Duration,
    pub(super) after: Option<u64>,
    pub(super) under_way: Option<(u64, Duration)>,
}

impl Machine {
    pub(super) fn new(name: String) -> Self {
        Machine {
            name,
            supervisor: Some(Supervisor::default()),
            life: 1,
            back_at: None,
            stopped_until: None,
            supervisor_stopped_until: None,
            cut_until: None,
            processes: Vec::new(),
            starts: BTreeMap::new(),
            kept: Kept::default(),
            due: BTreeMap::new(),
            beat: Beat::default(),
            ask: Ask::default(),
        }
    }

    /// Whether its supervisor does anything.
    pub(super) fn is_supervised(&self) -> bool {
        self.supervisor.is_some() && self.stopped_until.is_none() && self.supervisor_stopped_until.is_none()
    }

    /// What is over is over.
    pub(super) fn wake(&mut self, now: Duration) {
        for until in [&mut self.stopped_until, &mut self.supervisor_stopped_until, &mut self.cut_until] {
            *until = until.filter(|until| *until > now);
        }
    }

    /// Starts the supervisor (again); it takes over what runs.
    pub(super) fn start_supervisor(&mut self, now: Duration) {
        let mut supervisor = Supervisor::default();
        let runs = |key: &Key, processes: &[Process]| processes.iter().any(|p| p.key == *key);
        self.kept.now.retain(|key, _| runs(key, &self.processes));
        self.kept.now.iter().for_each(|(key, kept)| supervisor.adopt(key.clone(), kept));
        self.supervisor = Some(supervisor);
        self.life += 1;
        (self.back_at, self.due) = (None, BTreeMap::new());
        (self.beat, self.ask) = (Beat { next: now, ..Beat::default() }, Ask::default());
    }

    /// Writes down what the next supervisor must know of a worker's process.
    pub(super) fn keep(&mut self, key: &Key) {
        self.kept.write(key, self.supervisor.as_ref().and_then(|s| s.kept(key)));
    }

    /// What nimbus hears in a call of this number.
    pub(super) fn heartbeat(&self, number: u64) -> Option<Heartbeat> {
        let portrait = Heartbeat {
            machine: self.name.clone(),
            url: format!("http://{}", self.name),
            life: self.life,
            number,
            slots: SLOTS,
            ..Heartbeat::default()
        };
        Some(self.supervisor.as_ref()?.heartbeat(portrait))
    }
}
