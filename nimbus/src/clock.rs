//! Time, as nimbus sees it: monotonic for leases, wall-clock for what outlives the process.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A clock that tests can put in place of the system's.
pub trait Clock: Send + Sync + 'static {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;
    /// Unix time in milliseconds.
    fn unix_ms(&self) -> u64;
    /// Ready when [`now`](Clock::now) is `at` or later.
    fn sleep_until(&self, at: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system's clock.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn unix_ms(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
    }

    fn sleep_until(&self, at: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let at = tokio::time::Instant::from_std(self.0 + at);
        Box::pin(tokio::time::sleep_until(at))
    }
}

/// A clock that stands still until it is set, for simulations and fuzzers.
#[derive(Default)]
pub(crate) struct HandSet(AtomicU64);

/// Any moment.
const EPOCH_MS: u64 = 1_764_000_000_000;

impl HandSet {
    /// Sets the time since some fixed moment, in whole microseconds.
    pub(crate) fn set(&self, now: Duration) {
        self.0.store(now.as_micros() as u64, Ordering::Relaxed);
    }
}

impl Clock for HandSet {
    fn now(&self) -> Duration {
        Duration::from_secs(1000) + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn unix_ms(&self) -> u64 {
        EPOCH_MS + self.0.load(Ordering::Relaxed) / 1000
    }

    fn sleep_until(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
