//! What happens during a run, from three sources in one queue: the topology's status, console lines, signals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_core::control::TopologyStatus;

use super::console::Console;
use crate::client::Client;
use crate::exit::{Failure, Outcome};
use crate::signals::Signals;
use crate::verbs::local::LocalCluster;

/// How often the logs are looked at.
const LOOK: Duration = Duration::from_millis(30);
/// How long a status is waited for at a time.
const POLL: Duration = Duration::from_secs(1);
/// Statuses come at most so often.
const PAUSE: Duration = Duration::from_millis(50);

/// Something happened.
pub(super) enum Event {
    /// A console bolt printed this.
    Line(String),
    /// The topology has changed.
    Status(Box<TopologyStatus>),
    /// The topology is no more.
    Gone,
    /// It cannot be watched.
    Failed(Failure),
    /// The process was told to stop.
    Signal(i32),
}

/// The queue, and the threads that fill it.
pub(super) struct Events {
    sender: SyncSender<Event>,
    receiver: Receiver<Event>,
    console: Arc<Mutex<Console>>,
    stopped: Arc<AtomicBool>,
}

impl Events {
    /// Watches for signals and console lines.
    pub(super) fn watch(cluster: &LocalCluster) -> Outcome<Events> {
        let (sender, receiver) = sync_channel(4096);
        let stopped = Arc::new(AtomicBool::new(false));
        let console = Arc::new(Mutex::new(Console::new(cluster.logs())));
        let events = Events { sender, receiver, console, stopped };
        let signals = events.sender.clone();
        cluster.spawn(async move {
            let Ok(mut watched) = Signals::watch() else { return };
            let number = watched.next().await;
            // The queue may be full of lines that nobody reads any more; the second signal ends it all on the spot.
            let told = tokio::task::spawn_blocking(move || drop(signals.send(Event::Signal(number))));
            watched.next().await;
            told.abort();
            std::process::exit(128 + number);
        });
        let (lines, stopped, console) = (events.sender.clone(), events.stopped.clone(), events.console.clone());
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
                console.read(&mut |line| {
                    // Blocks while the reader is slower; nobody there: the run is over, and `rest` reads on.
                    drop(lines.send(Event::Line(line.to_owned())));
                });
                drop(console);
                std::thread::sleep(LOOK);
            }
        });
        Ok(events)
    }

    /// Watches the topology's status from now on.
    pub(super) fn follow(&self, client: &Client, name: &str) {
        let (client, name, to, stopped) = (client.clone(), name.to_owned(), self.sender.clone(), self.stopped.clone());
        std::thread::spawn(move || {
            let mut revision = 0;
            while !stopped.load(Ordering::Relaxed) {
                let event = match client.topology_after(&name, revision, POLL) {
                    Ok(Some(status)) => {
                        revision = status.revision;
                        Event::Status(Box::new(status))
                    }
                    Ok(None) => continue,
                    Err(Failure::NotFound(_)) => Event::Gone,
                    Err(failure) => Event::Failed(failure),
                };
                let last = !matches!(event, Event::Status(_));
                if to.send(event).is_err() || last {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        });
    }

    /// The next event, if one comes in time.
    pub(super) fn next(&self, patience: Duration) -> Option<Event> {
        self.receiver.recv_timeout(patience).ok()
    }

    /// The threads are not needed any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// After the workers have ended: the lines that were not passed on yet.
    pub(super) fn rest(self, each: &mut dyn FnMut(&str)) {
        let Events { sender, receiver, console, stopped } = self;
        stopped.store(true, Ordering::Relaxed);
        drop(sender);
        // The thread that reads the logs may still be filling the queue.
        while let Ok(event) = receiver.recv_timeout(LOOK * 4) {
            if let Event::Line(line) = event {
                each(&line);
            }
        }
        drop(receiver);
        console.lock().unwrap_or_else(PoisonError::into_inner).read(each);
    }
}
