//! The running nimbus: the world behind a lock, and those who wait for it to change.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::cluster::World;
use crate::denied::Denied;
use crate::http::Sessions;
use crate::imports::Imports;

/// Time is looked at this often, by the system's clock, and nimbus was held up when it was not looked at for so long: its
/// process was stopped, or its machine slept.
const LOOK: Duration = Duration::from_millis(500);
const HELD_UP: Duration = Duration::from_secs(1);
/// So long after the start nobody is shown numbers that workers may have brought further since they were written down, and how
/// often it is looked whether all have told theirs. Supervisors notice a new nimbus within a heartbeat, half a second.
const CATCH_UP: Duration = Duration::from_secs(2);
const CATCH_UP_LOOK: Duration = Duration::from_millis(10);

pub(crate) struct Nimbus {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    token: String,
    port: u16,
    sessions: Sessions,
    blobs: Arc<Blobs>,
    imports: Imports,
    log_file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    begun: Instant,
    caught_up: AtomicBool,
}

impl Nimbus {
    pub(crate) fn new(
        world: World,
        (token, port): (String, u16),
        (blobs, imports): (Arc<Blobs>, Imports),
        log_file: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (changed, closing) = (watch::Sender::new(world.revision()), watch::Sender::new(false));
        let sessions = Sessions::new(&token, port);
        let (world, begun, caught_up) = (Mutex::new(world), Instant::now(), AtomicBool::new(false));
        Nimbus { world, changed, closing, token, port, sessions, blobs, imports, log_file, clock, begun, caught_up }
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Unix time in milliseconds.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }

    pub(crate) fn imports(&self) -> &Imports {
        &self.imports
    }

    /// The file that it logs to.
    pub(crate) fn log_file(&self) -> Option<&Path> {
        self.log_file.as_deref()
    }

    /// A notice of every change of the world.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// True when nimbus is about to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&World) -> Result<T, Denied>) -> Result<T, Denied> {
        look(&self.world())
    }

    /// Changes the world and tells everybody. The lock is held for a write to the store, which takes a fraction of a millisecond.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> Result<T, Denied>) -> Result<T, Denied> {
        let mut world = self.world();
        let done = change(&mut world);
        let revision = world.revision();
        self.changed.send_if_modified(|r| std::mem::replace(r, revision) != revision);
        done
    }

    /// A notice of every second.
    pub(crate) fn ticks(&self) -> watch::Receiver<u64> {
        self.world().ticks()
    }

    /// Writes down what is only in memory; nimbus ends.
    pub(crate) fn write_down(&self) {
        self.world().write_all_down();
    }

    /// Ready when the workers that ran before nimbus was started have told what they counted since it was last written down, so
    /// that nobody sees numbers go back; at the latest soon after the start.
    pub(crate) async fn caught_up(&self) {
        while !self.caught_up.load(Ordering::Relaxed) {
            if self.begun.elapsed() >= CATCH_UP || !self.world().is_behind() {
                self.caught_up.store(true, Ordering::Relaxed);
            } else {
                tokio::time::sleep(CATCH_UP_LOOK).await;
            }
        }
    }

    /// Does what time asks for until nimbus closes.
    pub(crate) async fn keep_time(&self) {
        let (mut changes, mut closing) = (self.changes(), self.closing());
        let mut looked = Instant::now();
        loop {
            changes.borrow_and_update();
            let away = std::mem::replace(&mut looked, Instant::now()).elapsed();
            if away >= HELD_UP {
                log::warn!(seconds = away.as_secs_f64(); "nimbus was held up; all supervisors have a lease from now");
                let _ = self.change(|w| {
                    w.held_up();
                    Ok(())
                });
            }
            let next = self.change(|w| w.due().map_err(Denied::from)).unwrap_or_else(|e| {
                log::error!(error = e.problem.error.as_str(); "nimbus cannot do what is due");
                self.clock.now() + Duration::from_millis(200)
            });
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = tokio::time::sleep(LOOK) => {}
                // There may be an earlier moment now.
                changed = changes.changed() => if changed.is_err() { return },
                _ = closing.wait_for(|c| *c) => return,
            }
        }
    }
}
