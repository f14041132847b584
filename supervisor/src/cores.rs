//! Which processor cores the threads of a worker are bound to, where that is asked for.

use rustix::thread::{CpuSet, sched_getaffinity};
use squall_core::{Error, Result};

/// The first so many of the cores that this process may use.
///
/// # Errors
/// The system does not say.
pub(crate) fn usable(most: u32) -> Result<Vec<u32>> {
    let set = sched_getaffinity(None).map_err(|e| Error::external("cannot tell which cores may be used").because(e))?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).map(|core| core as u32).take(most as usize).collect())
}

/// So many cores for a new worker: those that the fewest others have, and of these the first.
pub(crate) fn deal<'a>(usable: &[u32], others: impl Iterator<Item = &'a [u32]>, wanted: u32) -> Vec<u32> {
    let taken: Vec<u32> = others.flatten().copied().collect();
    let mut cores: Vec<(usize, u32)> = usable.iter().map(|c| (taken.iter().filter(|t| *t == c).count(), *c)).collect();
    cores.sort_unstable();
    let mut dealt: Vec<u32> = cores.into_iter().take(wanted as usize).map(|(_, core)| core).collect();
    dealt.sort_unstable();
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_cores_only_when_there_are_too_few() {
        let usable = [2, 3, 6];
        let mut workers: Vec<Vec<u32>> = Vec::new();
        let mut next = |wanted| {
            let dealt = deal(&usable, workers.iter().map(Vec::as_slice), wanted);
            workers.push(dealt.clone());
            dealt
        };
        assert_eq!([next(1), next(1), next(1), next(1)], [[2], [3], [6], [2]]);
        assert_eq!(next(2), [3, 6]);
        assert_eq!(next(9), [2, 3, 6]);
        assert!(deal(&[], std::iter::empty(), 1).is_empty());
    }

    #[test]
    fn this_process_may_use_some_core() {
        let all = self::usable(u32::MAX).unwrap();
        assert_eq!(self::usable(1).unwrap(), all[..1]);
    }
}
