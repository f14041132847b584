//! Which layer each box is in.

use std::collections::BTreeSet;

/// The layer of each of `n` boxes: one more than the highest before it; boxes that nothing leads to stand right before what they
/// lead to. Lines that close a cycle do not count.
pub(super) fn layers(n: usize, lines: &[(usize, usize)]) -> Vec<usize> {
    let order = order(n, lines);
    let mut rank = vec![0; n];
    order.iter().enumerate().for_each(|(i, v)| rank[*v] = i);
    let (mut before, mut after) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for (a, b) in lines.iter().copied().filter(|(a, b)| rank[*a] < rank[*b]) {
        before[b].push(a);
        after[a].push(b);
    }
    let mut layer = vec![0; n];
    for v in &order {
        layer[*v] = before[*v].iter().map(|b| layer[*b] + 1).max().unwrap_or(0);
    }
    for v in (0..n).filter(|v| before[*v].is_empty()) {
        layer[v] = after[v].iter().map(|a| layer[*a] - 1).min().unwrap_or(0);
    }
    layer
}

/// Every box after those that lead to it, as far as there are no cycles; of a cycle the first given first.
fn order(n: usize, lines: &[(usize, usize)]) -> Vec<usize> {
    let mut waits = vec![0usize; n];
    let mut after = vec![Vec::new(); n];
    for (a, b) in lines.iter().copied().filter(|(a, b)| a != b) {
        waits[b] += 1;
        after[a].push(b);
    }
    let mut left: BTreeSet<usize> = (0..n).collect();
    let mut ready: BTreeSet<usize> = (0..n).filter(|v| waits[*v] == 0).collect();
    let mut order = Vec::with_capacity(n);
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        if !left.remove(&next) {
            continue;
        }
        order.push(next);
        for to in &after[next] {
            waits[*to] = waits[*to].saturating_sub(1);
            if waits[*to] == 0 && left.contains(to) {
                ready.insert(*to);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_cut_where_it_was_entered() {
        assert_eq!(layers(4, &[(0, 1), (1, 2), (2, 1), (2, 3)]), [0, 1, 2, 3]);
        assert_eq!(layers(2, &[(0, 0), (1, 0)]), [1, 0]);
    }
}
