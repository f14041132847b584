//! What a supervisor says to nimbus and hears from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use squall_core::control::{Desired, Heartbeat, HeartbeatAnswer};

use crate::client::Failed;
use crate::models;
use crate::roster::Roster;
use crate::supervisor::Supervisor;
use crate::usage::Meter;

const PATIENCE: Duration = Duration::from_secs(5);
const LONG_POLL: Duration = Duration::from_secs(30);
/// Before nimbus is asked again after it could not be reached.
const PAUSE: Duration = Duration::from_millis(200);
/// How often models, processes and the machine are measured.
const ROUND: Duration = Duration::from_secs(1);
/// Blobs that nobody needs any more are kept this long: a worker that moved away may come back.
const BLOB_GRACE: Duration = Duration::from_secs(60);
/// Logs of topologies that have gone are kept this long.
const LOG_GRACE: Duration = Duration::from_secs(24 * 3600);

/// Tells nimbus how things are, again and again.
pub(crate) async fn tell(supervisor: Arc<Supervisor>) {
    let path = format!("/v1/supervisors/{}/heartbeat", supervisor.id);
    let (mut silent, mut starts) = (false, Starts::default());
    loop {
        let heartbeat = supervisor.heartbeat();
        let mut again = false;
        let call = supervisor.client.call::<HeartbeatAnswer>((Method::POST, &path), Some(&heartbeat), PATIENCE);
        match call.await {
            Ok(answer) => {
                if std::mem::take(&mut silent) {
                    log::info!("nimbus is back");
                }
                let answer = answer.unwrap_or_default();
                if let Some(later) = answer.later {
                    again = starts.count_on(&supervisor, later);
                } else {
                    again = answer.send_all && heartbeat.workers.iter().any(|w| w.reports > 0);
                    sent(&supervisor, &heartbeat, again);
                    supervisor.heard.notify_one();
                }
            }
            Err(e) => {
                if !std::mem::replace(&mut silent, true) {
                    log::warn!(error:display = e; "nimbus does not hear this supervisor; workers run on");
                }
            }
        }
        if !again {
            tokio::select! {
                () = tokio::time::sleep(supervisor.options.heartbeat) => {}
                () = supervisor.urgent.notified(), if !silent => {}
            }
        }
    }
}

/// What is done where nimbus knows of a later start than this one.
#[derive(Debug, Default)]
struct Starts {
    counted_on: bool,
    told: bool,
}

impl Starts {
    /// Counts on from there, so that nimbus hears this start; whether that was done. Once: whoever is overtaken again has a double,
    /// and the two would overtake each other for ever.
    fn count_on(&mut self, supervisor: &Supervisor, later: u32) -> bool {
        let (counted, life) = (supervisor.life.load(Ordering::Relaxed), later.saturating_add(1));
        let problem = if self.counted_on {
            format!("nimbus hears another supervisor with the id {}; give each its own folder, not a copy", supervisor.id)
        } else if let Err(e) = supervisor.layout.keep_life(life) {
            format!("nimbus knows of a later start and does not hear this one, and it cannot be counted on from there: {e}")
        } else {
            log::warn!(counted = counted, nimbus_knows = later; "the folder was set back or has lost its file `lives`: starts are counted on from what nimbus knows");
            supervisor.life.store(life, Ordering::Relaxed);
            self.counted_on = true;
            return true;
        };
        if !std::mem::replace(&mut self.told, true) {
            log::error!("{problem}");
        }
        false
    }
}

fn sent(supervisor: &Supervisor, heartbeat: &Heartbeat, again: bool) {
    supervisor.with(|r| {
        r.sent(&heartbeat.workers);
        if again {
            r.send_all();
        }
    });
    supervisor.positions.sent(&heartbeat.positions);
    if again {
        supervisor.positions.send_all();
    }
}

/// Hears what nimbus wants, and has it done.
pub(crate) async fn hear(supervisor: Arc<Supervisor>) {
    let (mut after, mut silent) = (None, false);
    let (mut lost, mut orphaned) = (None::<Instant>, false);
    loop {
        let query = after.map_or_else(String::new, |r| format!("?after={r}&wait_ms={}", LONG_POLL.as_millis()));
        let path = format!("/v1/supervisors/{}/desired{query}", supervisor.id);
        let said = supervisor.client.call::<Desired>((Method::GET, &path), None::<&()>, LONG_POLL + PATIENCE).await;
        if !matches!(&said, Err(Failed::Error(_))) {
            lost = None;
            if std::mem::take(&mut orphaned) {
                // What it wanted before it wants anew.
                after = None;
            }
        } else {
            // Since the first call that failed: one that waits for a change may be under way for long with nimbus there.
            let silent_for = lost.get_or_insert_with(Instant::now).elapsed();
            if supervisor.options.without_nimbus.is_some_and(|most| silent_for >= most) && !orphaned {
                orphaned = true;
                log::error!(silent_s = silent_for.as_secs(); "nimbus was not heard for too long; workers are stopped");
                supervisor.with(Roster::want_nothing);
            }
        }
        match said {
            Ok(Some(desired)) => {
                silent = false;
                after = Some(desired.revision);
                take_over(&supervisor, desired);
            }
            Ok(None) => silent = false,
            // It must hear a heartbeat first.
            Err(Failed::Refused(StatusCode::NOT_FOUND, _)) => {
                after = None;
                let _ = tokio::time::timeout(PAUSE, supervisor.heard.notified()).await;
            }
            Err(e) => {
                if !std::mem::replace(&mut silent, true) {
                    log::warn!(error:display = e; "nimbus does not say what it wants; workers run on");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn take_over(supervisor: &Arc<Supervisor>, desired: Desired) {
    let (new, all) = supervisor.with(|r| (r.want(desired), r.entries.keys().cloned().collect::<Vec<_>>()));
    // First: nobody who is to start waits for the disk.
    new.into_iter().for_each(|key| supervisor.employ(key, None));
    // The newest orders are those that a worker is started with again should nimbus be away then.
    all.iter().for_each(|key| supervisor.keep(key));
}

/// Measures models, processes and the machine, and clears away what nobody needs.
pub(crate) async fn look_around(supervisor: Arc<Supervisor>) {
    let (mut round, mut meter) = (0u64, Meter::default());
    loop {
        tokio::time::sleep(ROUND).await;
        supervisor.measure_models().await;
        let pids: Vec<u32> = supervisor.look(|r| r.entries.values().filter_map(|e| Some(e.run.as_ref()?.kept.pid)).collect());
        let read = move || (meter.read(&pids), meter);
        let Ok((usage, meter_again)) = tokio::task::spawn_blocking(read).await else { return };
        meter = meter_again;
        supervisor.with(|r| r.usage = usage);
        supervisor.keep_unwritten();
        if round.is_multiple_of(60) {
            clear_away(&supervisor);
        }
        round += 1;
    }
}

impl Supervisor {
    /// Measures what models take in the workers that run now.
    pub(crate) async fn measure_models(&self) {
        // One at a time: what was measured first must not be told last.
        let _turn = self.measuring.lock().await;
        let (pids, hashes): (Vec<u32>, Vec<Vec<String>>) = self.look(|r| {
            let runs = r.entries.values().filter_map(|e| e.run.as_ref());
            runs.map(|r| (r.kept.pid, r.kept.wanted.models.values().cloned().collect())).unzip()
        });
        let dir = self.layout.blobs();
        let files = hashes.into_iter().flatten().map(|h| (h.clone(), dir.join(h))).collect();
        if let Ok(measured) = tokio::task::spawn_blocking(move || models::measure(&pids, &files)).await {
            self.with(|r| r.models = measured);
        }
    }
}

fn clear_away(supervisor: &Supervisor) {
    let Some(topologies) = supervisor.look(|r| r.topologies.clone()) else { return };
    let needed = |hash: &str| supervisor.look(|r| r.needs(hash));
    supervisor.blobs.collect(needed, BLOB_GRACE);
    let is_known = |topology: &str| {
        topologies.iter().any(|t| t == topology) || supervisor.look(|r| r.entries.keys().any(|(t, _)| t == topology))
    };
    supervisor.layout.forget(is_known);
    supervisor.layout.forget_logs(is_known, LOG_GRACE);
}
