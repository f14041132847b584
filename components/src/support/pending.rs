//! Which tracked tuples of a spout are under way, and which have to be emitted again.

use std::collections::VecDeque;

/// Tuples under way by their ids, which ascend, each with what it takes to emit it again.
///
/// A window over the ids rather than a map: most acks come nearly in order.
#[derive(Debug)]
pub(crate) struct Pending<P> {
    window: VecDeque<(u64, Option<P>)>,
    live: usize,
    again: VecDeque<u64>,
}

impl<P> Default for Pending<P> {
    fn default() -> Self {
        Pending { window: VecDeque::new(), live: 0, again: VecDeque::new() }
    }
}

impl<P> Pending<P> {
    /// A tuple was emitted; its id is larger than all before.
    pub(crate) fn sent(&mut self, id: u64, place: P) {
        debug_assert!(self.window.back().is_none_or(|(last, _)| *last < id));
        self.window.push_back((id, Some(place)));
        self.live += 1;
        // One tuple that hangs must not keep all that came after it.
        if self.window.len() > 64 && self.window.len() > 4 * self.live {
            self.window.retain(|(_, place)| place.is_some());
        }
    }

    /// The tuple is done; an id that is not under way is ignored.
    pub(crate) fn ack(&mut self, id: u64) {
        if let Some(i) = self.find(id)
            && self.window[i].1.take().is_some()
        {
            self.live -= 1;
            while self.window.front().is_some_and(|(_, place)| place.is_none()) {
                self.window.pop_front();
            }
        }
    }

    /// Where an id is: mostly at the front, as tuples are done in the order in which they left, and else mostly where it would be
    /// without gaps.
    #[inline]
    fn find(&self, id: u64) -> Option<usize> {
        let (front, _) = self.window.front()?;
        let guess = usize::try_from(id.checked_sub(*front)?).ok()?;
        match self.window.get(guess) {
            Some((at, _)) if *at == id => Some(guess),
            _ => self.window.binary_search_by_key(&id, |(id, _)| *id).ok(),
        }
    }

    /// The tuple failed and is to be emitted again.
    pub(crate) fn fail(&mut self, id: u64) {
        self.again.push_back(id);
    }

    /// The next tuple to be emitted again.
    pub(crate) fn next_again(&mut self) -> Option<(u64, &P)> {
        while let Some(id) = self.again.pop_front() {
            if let Some(i) = self.find(id)
                && self.window[i].1.is_some()
            {
                return self.window[i].1.as_ref().map(|place| (id, place));
            }
        }
        None
    }

    /// The tuple with the lowest id that is under way.
    pub(crate) fn lowest(&self) -> Option<(u64, &P)> {
        self.window.front().and_then(|(id, place)| Some((*id, place.as_ref()?)))
    }

    /// Forgets everything; for a spout that seeks.
    pub(crate) fn clear(&mut self) {
        *self = Pending::default();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The window answers as a map would, whatever is acked or failed in whatever order.
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0u8..8, 0u64..400), 0..600)) {
            let (mut pending, mut model, mut next) = (Pending::default(), BTreeMap::new(), 0);
            for (step, id) in steps {
                match step {
                    0..4 => {
                        next += 1 + id % 3;
                        pending.sent(next, next * 10);
                        model.insert(next, next * 10);
                    }
                    4..7 => {
                        pending.ack(id);
                        model.remove(&id);
                    }
                    _ => {
                        pending.fail(id);
                        let again = pending.next_again().map(|(id, place)| (id, *place));
                        prop_assert_eq!(again, model.get(&id).map(|place| (id, *place)));
                    }
                }
                prop_assert_eq!(pending.lowest().map(|(id, _)| id), model.keys().next().copied());
            }
        }
    }

    #[test]
    fn one_that_hangs_does_not_keep_the_others() {
        let mut pending = Pending::default();
        pending.sent(0, ());
        for id in 1..100_000 {
            pending.sent(id, ());
            pending.ack(id);
        }
        assert!(pending.window.len() < 200, "{}", pending.window.len());
        assert_eq!(pending.lowest(), Some((0, &())));
    }
}
