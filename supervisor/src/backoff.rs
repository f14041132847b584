//! How long to wait before a worker that died is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// A worker that ran for this long did not die quickly.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// Counts quick deaths in a row: none to wait after the first, then 100 ms, doubled up to 10 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    quick: u32,
}

impl Backoff {
    /// A worker died after it ran for so long; what to wait.
    pub(crate) fn died_after(&mut self, ran: Duration) -> Duration {
        self.quick = if ran >= LONG_ENOUGH { 1 } else { self.quick.saturating_add(1) };
        match self.quick {
            1 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 2).min(10)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_ever_slower() {
        let mut b = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| b.died_after(Duration::from_millis(5)).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000]);
        assert_eq!(b.died_after(Duration::from_secs(11)), Duration::ZERO);
        assert_eq!(b.died_after(Duration::ZERO).as_millis(), 100);
    }
}
