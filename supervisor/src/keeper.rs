//! The keeper of one worker: starts it, watches it, starts it again when it dies, stops it when it is not wanted any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::control::WantedWorker;
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::hang::until_hung;
use crate::launch::Started;
use crate::layout::Key;
use crate::process::End;
use crate::roster::{Want, fits};
use crate::step::Step;
use crate::supervisor::Supervisor;

/// Keeps a worker until it is neither wanted nor running.
pub(crate) async fn keep(supervisor: Arc<Supervisor>, key: Key, mut want: watch::Receiver<Want>, mut running: Option<Started>) {
    let (mut backoff, mut since) = (Backoff::default(), Instant::now());
    let mut wait = Duration::ZERO;
    loop {
        let wanted = want.borrow_and_update().clone();
        match Step::next(running.take(), |started| &started.wanted, wanted) {
            Step::LetGo => {
                if supervisor.let_go(&key) {
                    return;
                }
                // It is wanted again.
            }
            Step::Start(wanted) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = until_unfit(&mut want, &wanted) => { wait = Duration::ZERO; continue }
                }
                since = Instant::now();
                let started = tokio::select! {
                    started = supervisor.start(&key, &wanted) => started,
                    () = until_unfit(&mut want, &wanted) => continue,
                };
                match started {
                    Ok(started) => running = Some(started),
                    Err(e) => {
                        log::error!(topology = key.0.as_str(), worker = key.1, error:display = e; "cannot start a worker");
                        wait = backoff.died_after(Duration::ZERO).max(Duration::from_millis(100));
                        supervisor.cannot_start(&key, e.to_string());
                    }
                }
            }
            Step::Watch(mut started, wanted) => {
                tokio::select! {
                    how = ended_or_hung(&supervisor, &key, &mut started) => {
                        started.process.clean_up();
                        // One that was told to stop because something else is wanted may have gone before this was noticed here.
                        let planned = !want.borrow().as_ref().is_some_and(|now| fits(&started.wanted, now));
                        if !planned {
                            wait = backoff.died_after(since.elapsed());
                            supervisor.count_restart(&key);
                        }
                        supervisor.note_end(&key, &started, how, planned);
                    }
                    () = until_unfit(&mut want, &wanted) => running = Some(started),
                }
            }
            Step::Stop(mut started) => {
                let how = started.process.stop(supervisor.grace()).await;
                supervisor.note_end(&key, &started, how, true);
                (backoff, wait) = (Backoff::default(), Duration::ZERO);
            }
        }
    }
}

/// Ready when the process has ended, by itself or because it hung and was killed; says how.
async fn ended_or_hung(supervisor: &Supervisor, key: &Key, started: &mut Started) -> End {
    let (pid, incarnation, patience) = (started.process.pid(), started.incarnation, supervisor.options.worker_timeout);
    let was_heard = || supervisor.look(|r| r.was_heard(key, incarnation));
    tokio::select! {
        how = started.process.ended() => return how,
        () = until_hung(pid, patience, was_heard) => {}
    }
    log::warn!(topology = key.0.as_str(), worker = key.1, pid = pid; "worker hangs and is killed");
    let End { how, .. } = started.process.kill().await;
    End { how: format!("hung: nothing was heard of it for {patience:?}; killed ({how})"), well: false }
}

/// Ready when something else is wanted than this.
async fn until_unfit(want: &mut watch::Receiver<Want>, wanted: &WantedWorker) {
    // The sender is in the roster as long as its keeper runs.
    let _ = want.wait_for(|now| !now.as_ref().is_some_and(|now| fits(now, wanted))).await;
}
