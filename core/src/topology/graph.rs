//! Who feeds whom: the order of components, and cycles.

use std::collections::BTreeSet;

/// For each component the components it takes tuples from.
pub(crate) struct Graph(pub(crate) Vec<BTreeSet<usize>>);

impl Graph {
    /// Every component after those it takes from, else in the given order; what is in a cycle or behind one is left out.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = self.0.iter().map(BTreeSet::len).collect();
        let mut feeds = vec![Vec::new(); self.0.len()];
        for (to, froms) in self.0.iter().enumerate() {
            froms.iter().for_each(|from| feeds[*from].push(to));
        }
        let mut ready: BTreeSet<usize> = (0..self.0.len()).filter(|c| waiting[*c] == 0).collect();
        let mut order = Vec::with_capacity(self.0.len());
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for to in &feeds[next] {
                waiting[*to] -= 1;
                if waiting[*to] == 0 {
                    ready.insert(*to);
                }
            }
        }
        order
    }

    /// Cycles, each as its components in the direction the tuples flow, beginning with the first; cycles that share a
    /// component count as one.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        // What a topological order leaves out is in a cycle or behind one: walk backwards from it until a place repeats.
        let done: BTreeSet<usize> = self.order().into_iter().collect();
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in (0..self.0.len()).filter(|c| !done.contains(c)) {
            let mut path = Vec::new();
            let mut at = start;
            while seen.insert(at) {
                path.push(at);
                // Each of the rest takes from another of the rest, or it would have been ready.
                let Some(from) = self.0[at].iter().find(|f| !done.contains(f)) else { break };
                at = *from;
            }
            if let Some(begin) = path.iter().position(|c| *c == at) {
                let mut cycle = path.split_off(begin);
                cycle.reverse();
                let first = cycle.iter().enumerate().min_by_key(|(_, c)| **c).map_or(0, |(i, _)| i);
                cycle.rotate_left(first);
                cycles.push(cycle);
            }
        }
        cycles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(from: &[&[usize]]) -> Graph {
        Graph(from.iter().map(|f| f.iter().copied().collect()).collect())
    }

    #[test]
    fn order_is_that_of_the_file_where_it_can_be() {
        assert_eq!(graph(&[&[2], &[], &[1], &[1]]).order(), [1, 2, 0, 3]);
    }

    #[test]
    fn cycles_run_the_way_the_tuples_do() {
        // 1 takes from 3, 2 from 1, 3 from 2: tuples go 1, 2, 3, 1. 4 is behind the cycle; 5 feeds itself.
        let g = graph(&[&[], &[0, 3], &[1], &[2], &[3], &[5]]);
        assert_eq!(g.order(), [0]);
        assert_eq!(g.cycles(), [vec![1, 2, 3], vec![5]]);
    }
}
