//! Clusters in a single thread, from seeds: see `squall_tests::simulation`. `SQUALL_SIMULATION_SEED=N` repeats one,
//! `SQUALL_SIMULATION_SEEDS=N` tries so many, `SQUALL_SIMULATION_FROM=N` begins with that one. From 2^32 on they are mixed, from
//! 2^33 on tuples come all the while.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use squall_tests::simulation::{FIRST_MIXED, FIRST_PACED, Simulation};

/// So many of each sort.
const SEEDS: u64 = 700;
/// Beyond them, those that once failed: a topology was never said to be finished; the last one, for a fault of the simulation's own.
const ONCE_FAILED: [u64; 4] = [2993, 3429, FIRST_MIXED + 277, FIRST_MIXED + 7511];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn nothing_is_lost_whatever_network_machines_and_nimbus_do() {
    if let Some(seed) = number("SQUALL_SIMULATION_SEED") {
        return Simulation::new(seed).run();
    }
    ONCE_FAILED.into_iter().for_each(|seed| Simulation::new(seed).run());
    match (number("SQUALL_SIMULATION_FROM"), number("SQUALL_SIMULATION_SEEDS")) {
        (None, None) => [0, FIRST_MIXED, FIRST_PACED].into_iter().for_each(|from| all(from, SEEDS)),
        (from, seeds) => all(from.unwrap_or(0), seeds.unwrap_or(SEEDS)),
    }
}

/// Tries so many seeds from one on, as many at once as there are processors.
fn all(from: u64, seeds: u64) {
    let end = from.saturating_add(seeds);
    let next = AtomicU64::new(from);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(());
            }
            let done = catch_unwind(AssertUnwindSafe(|| Simulation::new(seed).run()));
            if done.is_err() {
                // The others need not go on.
                next.store(end, Ordering::Relaxed);
                return done;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done: Vec<_> = all.into_iter().map(|t| t.join().unwrap_or_else(Err)).collect();
        done.into_iter().for_each(|done| done.unwrap_or_else(|panic| resume_unwind(panic)));
    });
}
