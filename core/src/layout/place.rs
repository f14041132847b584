//! How far down each vertex is: near the middle of its neighbours, in order and apart.

use super::{Graph, Spacing};

const SWEEPS: usize = 16;
/// A line is to be straight rather than a box in the middle.
const STRAIGHT: f64 = 8.0;

/// The top of each vertex; the least is 0.
pub(super) fn tops(graph: &Graph, spacing: Spacing) -> Vec<f64> {
    let height = |v: usize| graph.vertices[v].size.height;
    let mut tops = vec![0.0; graph.vertices.len()];
    for layer in &graph.layers {
        let mut y = 0.0;
        for v in layer {
            tops[*v] = y;
            y += height(*v) + spacing.boxes;
        }
    }
    let count = graph.layers.len();
    for sweep in 0..SWEEPS {
        let both = sweep + 2 >= SWEEPS;
        let layers: Vec<usize> = if sweep % 2 == 0 { (0..count).collect() } else { (0..count).rev().collect() };
        for layer in layers {
            let mut wanted = Vec::new();
            for v in &graph.layers[layer] {
                let before = graph.before[*v].iter().filter(|_| both || sweep % 2 == 0);
                let after = graph.after[*v].iter().filter(|_| both || sweep % 2 == 1);
                let (mut sum, mut weight) = (0.0, 0.0);
                for n in before.chain(after) {
                    let w = if graph.is_bend(*v) && graph.is_bend(*n) { STRAIGHT } else { 1.0 };
                    sum += w * (tops[*n] + height(*n) / 2.0 - height(*v) / 2.0);
                    weight += w;
                }
                // What has no neighbour on this side stays where it is, and gives way.
                wanted.push(if weight > 0.0 { (sum / weight, weight) } else { (tops[*v], 0.01) });
            }
            let heights: Vec<f64> = graph.layers[layer].iter().map(|v| height(*v) + spacing.boxes).collect();
            for (v, top) in graph.layers[layer].iter().zip(apart(&wanted, &heights)) {
                tops[*v] = top;
            }
        }
    }
    let least = tops.iter().copied().fold(f64::INFINITY, f64::min);
    // Rounded: sums of fractions differ in the last bits, and what is to be level should look so to `==` too.
    tops.iter().map(|top| ((top - least) * 1024.0).round() / 1024.0).collect()
}

/// The values nearest to those wanted (value, weight) that follow each other at the given distances at least: isotonic
/// regression by pooling adjacent violators (Ayer et al. 1955), after the distances are taken off.
fn apart(wanted: &[(f64, f64)], distances: &[f64]) -> Vec<f64> {
    // Mean, weight, how many.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    for ((value, weight), distance) in wanted.iter().zip(distances) {
        offsets.push(offset);
        let mut pool = (value - offset, *weight, 1);
        offset += distance;
        while let Some(last) = pools.last().copied().filter(|last| last.0 > pool.0) {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let values = pools.iter().flat_map(|(mean, _, n)| std::iter::repeat_n(*mean, *n));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_too_near_moves_apart_evenly() {
        assert_eq!(apart(&[(0.0, 1.0), (0.0, 1.0), (9.0, 1.0)], &[2.0; 3]), [-1.0, 1.0, 9.0]);
        assert_eq!(apart(&[(5.0, 3.0), (1.0, 1.0)], &[2.0; 2]), [3.5, 5.5]);
    }
}
