//! Which worker hangs: it neither says nor asks anything, and does nothing.
//!
//! Rounds are counted, not time: a supervisor that was itself held up (stopped, or short of a processor) has counted few, and
//! its workers had no chance to be heard meanwhile.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How many rounds make up the time that a worker may be silent.
const ROUNDS: u32 = 10;
/// A worker that is silent but gets something done (it may have no way to its supervisor, or a slow machine) has so many times as
/// long.
const BUSY: u32 = 10;

/// Ready when a process has not been heard for `patience` and did nothing in that time, or not for ten times as long
/// whatever it did.
pub(crate) async fn until_hung(pid: u32, patience: Duration, was_heard: impl Fn() -> bool) {
    // The round in which it was heard last, and the one that begins to count, are part of the time.
    let mut round = interval((patience / (ROUNDS + 2)).max(Duration::from_millis(1)));
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    round.tick().await;
    let mut silence = Silence::default();
    loop {
        round.tick().await;
        if silence.is_too_long(was_heard(), || turns_of(pid)) {
            return;
        }
    }
}

/// How long a process has been silent, in rounds, and for how many of them it did nothing.
#[derive(Debug, Default)]
struct Silence {
    silent: u32,
    idle: u32,
    turns: Option<u64>,
}

impl Silence {
    fn is_too_long(&mut self, heard: bool, turns: impl Fn() -> Option<u64>) -> bool {
        if heard {
            *self = Silence::default();
            return false;
        }
        self.silent += 1;
        let turns = turns();
        // Where it cannot be told what it does, its silence alone counts.
        let idle = self.silent > 1 && turns == self.turns;
        self.turns = turns;
        self.idle = if idle { self.idle + 1 } else { 0 };
        self.idle >= ROUNDS || self.silent >= ROUNDS * BUSY
    }
}

/// How often the threads of a process had a processor; none if that cannot be told. A living worker gets a few in a second even when
/// it has nothing to do.
fn turns_of(pid: u32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    // `/proc/PID/task/TID/schedstat`: time on a processor, time waiting for one, how often it had one.
    let turns = threads.flatten().filter_map(|t| {
        let text = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().nth(2)?.parse::<u64>().ok()
    });
    turns.reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds_until(heard: impl Fn(u32) -> bool, turns: impl Fn(u32) -> Option<u64>) -> Option<u32> {
        let mut silence = Silence::default();
        (1..=1000).find(|round| silence.is_too_long(heard(*round), || turns(*round)))
    }

    #[test]
    fn a_process_that_does_nothing_hangs_and_one_that_does_has_longer() {
        assert_eq!(rounds_until(|_| false, |_| Some(7)), Some(ROUNDS + 1));
        assert_eq!(rounds_until(|_| false, |_| None), Some(ROUNDS + 1));
        assert_eq!(rounds_until(|_| false, |round| Some(round.into())), Some(ROUNDS * BUSY));
        assert_eq!(rounds_until(|round| round.is_multiple_of(ROUNDS), |_| Some(7)), None, "it is heard now and then");
        let stops_at_20 = |round: u32| Some(round.min(20).into());
        assert_eq!(rounds_until(|_| false, stops_at_20), Some(20 + ROUNDS));
    }

    #[test]
    fn this_process_gets_something_done() {
        let before = turns_of(std::process::id()).unwrap();
        std::thread::spawn(|| std::thread::sleep(Duration::from_millis(1))).join().unwrap();
        let busy = std::thread::spawn(|| std::thread::park_timeout(Duration::from_secs(600)));
        let after = turns_of(std::process::id()).unwrap();
        busy.thread().unpark();
        busy.join().unwrap();
        assert!(after > 0 && before > 0);
        assert_eq!(turns_of(u32::MAX), None);
    }
}
