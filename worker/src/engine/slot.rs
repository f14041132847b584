//! What a ledger knows of a tree.

/// As small as can be: those under way are to stay in the processor's first cache.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    /// Zero where there is no tree: one with a XOR of zero is done.
    pub(super) xor: u64,
    pub(super) workers: u64,
    /// The spout's own id of the tuple.
    pub(super) id: u64,
    /// When it was emitted, in the engine's nanoseconds.
    pub(super) emitted_ns: u64,
    pub(super) generation: u32,
    /// How long after that its time-out began anew, in milliseconds.
    pub(super) extended_ms: u32,
}

impl Slot {
    #[inline(always)]
    pub(super) fn new(generation: u32, id: u64, (xor, workers): (u64, u64), emitted_ns: u64) -> Self {
        Slot { xor, workers, id, emitted_ns, generation, extended_ms: 0 }
    }

    #[inline(always)]
    pub(super) fn is_live(&self) -> bool {
        self.xor != 0
    }

    #[inline(always)]
    pub(super) fn close(&mut self) {
        self.xor = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Its time-out begins anew.
    pub(super) fn extend(&mut self, now_ns: u64) {
        // Rounded up: nobody must time out early.
        let ms = now_ns.saturating_sub(self.emitted_ns).div_ceil(1_000_000);
        self.extended_ms = u32::try_from(ms).unwrap_or(u32::MAX);
    }

    /// When its time-out last began anew, up to a millisecond later than it was.
    pub(super) fn fresh_ns(&self) -> u64 {
        self.emitted_ns + u64::from(self.extended_ms) * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_never_early() {
        let mut slot = Slot::new(0, 1, (1, 0), 5_000_000);
        assert_eq!(slot.fresh_ns(), 5_000_000);
        for now in [5_000_001, 6_000_000, 6_000_001, 90_000_000_000] {
            slot.extend(now);
            assert!((now..now + 1_000_000).contains(&slot.fresh_ns()), "{now}");
        }
    }
}
