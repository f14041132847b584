//! The order of vertices within their layers, so that few lines cross: sweeps by barycentres, the best order seen is kept.

use super::Graph;

/// Seldom does a later sweep find a better order.
const SWEEPS: usize = 24;

pub(super) fn order(graph: &mut Graph) {
    let mut position = positions(graph);
    let (mut best, mut fewest) = (graph.layers.clone(), crossings(graph, &position));
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let count = graph.layers.len();
        let forward = sweep % 2 == 0;
        let towards: Vec<usize> = if forward { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for layer in towards {
            let neighbours = if forward { &graph.before } else { &graph.after };
            let centre = |v: usize| {
                let near = &neighbours[v];
                if near.is_empty() {
                    return position[v] as f64;
                }
                near.iter().map(|n| position[*n] as f64).sum::<f64>() / near.len() as f64
            };
            let mut keyed: Vec<(f64, usize)> = graph.layers[layer].iter().map(|v| (centre(*v), *v)).collect();
            // Every other pair of sweeps turns ties around, which gets out of some dead ends.
            if sweep % 4 >= 2 {
                keyed.reverse();
            }
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            graph.layers[layer] = keyed.into_iter().map(|(_, v)| v).collect();
            graph.layers[layer].iter().enumerate().for_each(|(i, v)| position[*v] = i);
        }
        let now = crossings(graph, &position);
        if now < fewest {
            (best, fewest) = (graph.layers.clone(), now);
        }
    }
    graph.layers = best;
}

fn positions(graph: &Graph) -> Vec<usize> {
    let mut position = vec![0; graph.vertices.len()];
    graph.layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(i, v)| position[*v] = i));
    position
}

/// How many pairs of lines cross: inversions, counted with a Fenwick tree (Barth, Jünger, Mutzel 2002).
fn crossings(graph: &Graph, position: &[usize]) -> usize {
    let mut sum = 0;
    for (i, layer) in graph.layers.iter().enumerate() {
        let width = graph.layers.get(i + 1).map_or(0, Vec::len);
        let mut tree = vec![0usize; width + 1];
        let mut seen = 0;
        for v in layer {
            let mut ends: Vec<usize> = graph.after[*v].iter().map(|a| position[*a]).collect();
            ends.sort_unstable();
            for end in &ends {
                // Those seen that end at or above this one do not cross it.
                let (mut at, mut above) = (end + 1, 0);
                while at > 0 {
                    above += tree[at];
                    at &= at - 1;
                }
                sum += seen - above;
            }
            for end in ends {
                seen += 1;
                let mut at = end + 1;
                while at <= width {
                    tree[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
        }
    }
    sum
}
