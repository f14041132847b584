//! Where the boxes and lines of a graph go, for everybody who draws one: layered from left to right after Sugiyama, Tagawa
//! and Toda (1981). Layers by longest path, order within a layer by barycentres, places by weighted isotonic regression.

mod layers;
mod order;
mod place;

use serde::{Deserialize, Serialize};

/// How large a box is, in whatever unit the drawing has.
///
/// ```
/// let box_ = squall_core::layout::Size { width: 120.0, height: 40.0 };
/// assert!(box_.width > box_.height);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// How much room is left free.
///
/// ```
/// assert!(squall_core::layout::Spacing::default().layers > 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spacing {
    /// Between two layers.
    pub layers: f64,
    /// Between two boxes of a layer.
    pub boxes: f64,
    /// The height of a line that passes a layer by; it keeps the space of a box from boxes and other lines.
    pub line: f64,
}

impl Default for Spacing {
    fn default() -> Self {
        Spacing { layers: 80.0, boxes: 24.0, line: 8.0 }
    }
}

/// Where a box is.
///
/// ```
/// use squall_core::layout::{Size, Spacing, layered};
/// let place = layered(&[Size { width: 10.0, height: 4.0 }], &[], Spacing::default()).boxes[0];
/// assert_eq!((place.x, place.y, place.layer), (0.0, 0.0, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its left side.
    pub x: f64,
    /// Its top.
    pub y: f64,
    /// Its width, as given.
    pub width: f64,
    /// Its height, as given.
    pub height: f64,
    /// Its layer, from 0 at the left.
    pub layer: usize,
}

/// The way of a line from the right side of one box to the left side of another.
///
/// ```
/// use squall_core::layout::{Size, Spacing, layered};
/// let size = Size { width: 10.0, height: 4.0 };
/// let line = &layered(&[size, size], &[(0, 1)], Spacing::default()).lines[0];
/// assert_eq!(line.points, [(10.0, 2.0), (90.0, 2.0)]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The box it begins at, by its place in the list.
    pub from: usize,
    /// The box it ends at.
    pub to: usize,
    /// Its points. A layer that it passes has two of them at one height: where it enters and where it leaves.
    pub points: Vec<(f64, f64)>,
}

/// A graph laid out. Nothing has a negative coordinate.
///
/// ```
/// use squall_core::layout::{Layout, Spacing, layered};
/// assert_eq!(layered(&[], &[], Spacing::default()), Layout { width: 0.0, height: 0.0, boxes: vec![], lines: vec![] });
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Of the whole.
    pub width: f64,
    /// Of the whole.
    pub height: f64,
    /// The boxes in the order they were given.
    pub boxes: Vec<Place>,
    /// The lines in the order they were given.
    pub lines: Vec<Line>,
}

/// Lays a graph out in layers: a line always leads to a layer further right, crossings are few, long lines are straight where
/// they can be. The same graph is always laid out the same way. Lines that close a cycle lead back to the left; lines to boxes
/// that are not there have no points.
///
/// ```
/// use squall_core::layout::{Size, Spacing, layered};
/// let size = Size { width: 100.0, height: 30.0 };
/// let layout = layered(&[size; 4], &[(0, 1), (0, 2), (1, 3), (2, 3)], Spacing::default());
/// assert_eq!(layout.boxes.iter().map(|b| b.layer).collect::<Vec<_>>(), [0, 1, 1, 2]);
/// assert_eq!(layout.boxes[0].y, layout.boxes[3].y);
/// ```
pub fn layered(boxes: &[Size], lines: &[(usize, usize)], spacing: Spacing) -> Layout {
    let real: Vec<(usize, usize)> = lines.iter().copied().filter(|(a, b)| *a.max(b) < boxes.len()).collect();
    let layer_of = layers::layers(boxes.len(), &real);
    let mut graph = Graph::new(boxes, lines, &layer_of, spacing);
    order::order(&mut graph);
    let tops = place::tops(&graph, spacing);

    let mut lefts = Vec::new();
    let mut x = 0.0;
    for layer in &graph.layers {
        let width = layer.iter().map(|v| graph.vertices[*v].size.width).fold(0.0, f64::max);
        lefts.push((x, width));
        x += width + spacing.layers;
    }
    let place = |v: usize| {
        let Vertex { layer, size } = graph.vertices[v];
        let (left, width) = lefts[layer];
        Place { x: left + (width - size.width) / 2.0, y: tops[v], width: size.width, height: size.height, layer }
    };
    let places: Vec<Place> = (0..boxes.len()).map(place).collect();
    let middle = |v: usize| tops[v] + graph.vertices[v].size.height / 2.0;
    let line = |(i, &(from, to)): (usize, &(usize, usize))| {
        let (Some(a), Some(b)) = (places.get(from), places.get(to)) else { return Line { from, to, points: Vec::new() } };
        let mut points = vec![(a.x + a.width, middle(from))];
        for v in &graph.bends[i] {
            let (left, width) = lefts[graph.vertices[*v].layer];
            points.extend([(left, middle(*v)), (left + width, middle(*v))]);
        }
        points.push((b.x, middle(to)));
        Line { from, to, points }
    };
    Layout {
        width: places.iter().map(|p| p.x + p.width).fold(0.0, f64::max),
        height: (0..tops.len()).map(|v| tops[v] + graph.vertices[v].size.height).fold(0.0, f64::max),
        lines: lines.iter().enumerate().map(line).collect(),
        boxes: places,
    }
}

/// A box, or the place where a line passes a layer.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    layer: usize,
    size: Size,
}

/// Boxes first, then the bends of long lines; every link leads from a layer to the next.
struct Graph {
    vertices: Vec<Vertex>,
    boxes: usize,
    layers: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// For each line the vertices between its ends.
    bends: Vec<Vec<usize>>,
}

impl Graph {
    fn new(boxes: &[Size], lines: &[(usize, usize)], layer_of: &[usize], spacing: Spacing) -> Graph {
        let mut vertices: Vec<Vertex> =
            boxes.iter().zip(layer_of).map(|(size, layer)| Vertex { layer: *layer, size: *size }).collect();
        let mut links = Vec::new();
        let mut bends = vec![Vec::new(); lines.len()];
        for (i, &(from, to)) in lines.iter().enumerate() {
            let (Some(&begin), Some(&end)) = (layer_of.get(from), layer_of.get(to)) else { continue };
            if begin >= end {
                continue;
            }
            let mut last = from;
            for layer in begin + 1..end {
                vertices.push(Vertex { layer, size: Size { width: 0.0, height: spacing.line } });
                bends[i].push(vertices.len() - 1);
                links.push((last, vertices.len() - 1));
                last = vertices.len() - 1;
            }
            links.push((last, to));
        }
        let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |m| m + 1)];
        vertices.iter().enumerate().for_each(|(v, vertex)| layers[vertex.layer].push(v));
        let (mut before, mut after) = (vec![Vec::new(); vertices.len()], vec![Vec::new(); vertices.len()]);
        for (a, b) in links {
            after[a].push(b);
            before[b].push(a);
        }
        Graph { vertices, boxes: boxes.len(), layers, before, after, bends }
    }

    fn is_bend(&self, vertex: usize) -> bool {
        vertex >= self.boxes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: Size = Size { width: 10.0, height: 3.0 };
    const SPACING: Spacing = Spacing { layers: 6.0, boxes: 1.0, line: 1.0 };

    #[test]
    fn a_long_line_bends_around_what_is_between() {
        let layout = layered(&[SIZE; 3], &[(0, 1), (1, 2), (0, 2)], SPACING);
        assert_eq!(layout.lines[2].points.len(), 4);
        let (passing, box_) = (layout.lines[2].points[1].1, layout.boxes[1]);
        assert!(passing < box_.y || passing > box_.y + box_.height, "the line passes through the box: {layout:?}");
        assert_eq!(layout.width, 42.0);
    }

    #[test]
    fn crossings_that_need_not_be_are_not() {
        // Given so that the order of the list has three crossings.
        let layout = layered(&[SIZE; 6], &[(0, 5), (1, 4), (2, 3)], SPACING);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let (a, b) = (&layout.lines[a].points, &layout.lines[b].points);
            assert_eq!(a[0].1 < b[0].1, a[1].1 < b[1].1, "{layout:?}");
        }
        assert!(layout.lines.iter().all(|l| l.points[0].1 == l.points[1].1), "all are straight: {layout:?}");
    }

    #[test]
    fn a_source_stands_right_before_what_it_feeds() {
        let layout = layered(&[SIZE; 4], &[(0, 1), (1, 2), (3, 2)], SPACING);
        assert_eq!(layout.boxes.iter().map(|b| b.layer).collect::<Vec<_>>(), [0, 1, 2, 1]);
    }

    #[test]
    fn a_large_graph_takes_no_time() {
        let lines: Vec<(usize, usize)> = (1..400).flat_map(|n| [(n / 3, n), (n / 7, n), (n - 1, n)]).collect();
        let layout = layered(&[SIZE; 400], &lines, SPACING);
        assert_eq!(layout.boxes.len(), 400);
    }

    proptest! {
        #[test]
        fn boxes_never_overlap_and_lines_lead_right(
            sizes in proptest::collection::vec((1u8..30, 1u8..9), 1..12),
            lines in proptest::collection::vec((0usize..13, 0usize..13), 0..30),
        ) {
            let sizes: Vec<Size> = sizes.iter().map(|(w, h)| Size { width: f64::from(*w), height: f64::from(*h) }).collect();
            // Cycles and boxes that are not there too.
            let layout = layered(&sizes, &lines, SPACING);
            for (i, a) in layout.boxes.iter().enumerate() {
                prop_assert!(a.x >= 0.0 && a.y >= 0.0 && a.x + a.width <= layout.width && a.y + a.height <= layout.height + 1e-9);
                for b in &layout.boxes[i + 1..] {
                    let apart = a.y + a.height <= b.y + 1e-9 || b.y + b.height <= a.y + 1e-9;
                    prop_assert!(apart || a.x + a.width <= b.x || b.x + b.width <= a.x, "{a:?} {b:?}");
                }
            }
            let forward: Vec<(usize, usize)> = lines.iter().copied().filter(|(a, b)| a < b && *b < sizes.len()).collect();
            for line in layered(&sizes, &forward, SPACING).lines {
                prop_assert!(line.points.windows(2).all(|w| w[0].0 <= w[1].0), "{line:?}");
            }
        }
    }
}
