//! Which bits stand for which workers in the masks of ledgers.

/// Bits of workers in the masks of ledgers. Each worker has a range of its own as long as there are no more than 21: one for edges
/// that are made while it is down, and the others by turns for its incarnations. Workers that share a bit share their trees' failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkerBits {
    each: u64,
}

impl WorkerBits {
    pub(super) fn new(workers: u32) -> Self {
        WorkerBits { each: (64 / u64::from(workers.max(4))).max(3) }
    }

    /// Of edges made while a worker is down. They wait for its next incarnation, whichever that will be, and fail with it should it
    /// die before they are done.
    pub(super) fn waiting(self, worker: u32) -> u64 {
        1 << (u64::from(worker) * self.each % 64)
    }

    /// Whether so many workers have ranges of their own.
    pub(super) fn are_own(self, workers: u32) -> bool {
        u64::from(workers) * self.each <= 64
    }

    /// Of all incarnations of a worker.
    pub(super) fn all_of(self, worker: u32) -> u64 {
        (1..self.each).fold(0, |all, nth| all | 1 << ((u64::from(worker) * self.each + nth) % 64))
    }

    /// Of an incarnation. Those that follow each other differ.
    pub(super) fn of(self, worker: u32, incarnation: u64) -> u64 {
        let nth = (incarnation >> 32).wrapping_mul(7).wrapping_add(incarnation & u64::from(u32::MAX)) % (self.each - 1);
        1 << ((u64::from(worker) * self.each + 1 + nth) % 64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn up_to_21_workers_share_no_bit() {
        for workers in 1..=21 {
            let bits = WorkerBits::new(workers);
            assert!(bits.are_own(workers));
            let mut seen = 0u64;
            for worker in 0..workers {
                let mine = bits.waiting(worker) | bits.all_of(worker);
                assert_eq!(seen & mine, 0, "worker {worker} of {workers}");
                assert_eq!(mine.count_ones(), bits.each as u32);
                seen |= mine;
            }
        }
        assert!(!WorkerBits::new(22).are_own(22));
    }

    #[test]
    fn incarnations_that_follow_each_other_differ() {
        let bits = WorkerBits::new(21);
        for epoch in 1..50u64 {
            for start in 1..50u64 {
                let bit = bits.of(3, epoch << 32 | start);
                assert_eq!(bit & bits.all_of(3), bit);
                assert_ne!(bit, bits.of(3, epoch << 32 | (start + 1)));
                assert_ne!(bit, bits.of(3, (epoch + 1) << 32 | start));
            }
        }
        let all: BTreeSet<u64> = (0..64).map(|start| WorkerBits::new(4).of(0, start)).collect();
        assert_eq!(all.len(), 15);
    }
}
