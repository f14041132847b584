//! Boxes and lines of text.

use squall_core::layout::{Layout, Size, Spacing, layered};

use super::drawing::Drawing;

/// Which sides of a cell a line touches.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// A drawing, or where that is wider than this a list: broken lines would show nothing.
pub(super) fn fitting(d: &Drawing, unicode: bool, width: Option<usize>) -> String {
    let drawn = draw(d, unicode);
    let too_wide = |width: usize| drawn.lines().any(|line| line.chars().count() > width);
    if width.is_some_and(too_wide) { list(d, unicode) } else { drawn }
}

/// Each component with what it takes in.
fn list(d: &Drawing, unicode: bool) -> String {
    let (times, arrow) = if unicode { ('×', "←") } else { ('x', "<-") };
    let mut out = String::new();
    for (at, c) in d.components.iter().enumerate() {
        out.push_str(&format!("{} ({})\n", c.id, c.what(times)));
        for f in d.flows.iter().filter(|f| f.ends.1 == at) {
            out.push_str(&format!("  {arrow} {}: {}\n", f.from, f.streams.join(", ")));
        }
    }
    out
}

/// A drawing and below it what flows along each line.
pub(super) fn draw(d: &Drawing, unicode: bool) -> String {
    let times = if unicode { '×' } else { 'x' };
    let lines: Vec<[String; 2]> = d.components.iter().map(|c| [c.id.clone(), c.what(times)]).collect();
    let wide = |text: &String| text.chars().count();
    let size = |l: &[String; 2]| Size { width: (l.iter().map(wide).max().unwrap_or(0) + 4) as f64, height: 4.0 };
    let sizes: Vec<Size> = lines.iter().map(size).collect();
    let ends: Vec<(usize, usize)> = d.flows.iter().map(|f| f.ends).collect();
    let space = gap(&layered(&sizes, &ends, Spacing { layers: 6.0, boxes: 1.0, line: 1.0 }));
    let layout = layered(&sizes, &ends, Spacing { layers: space as f64, boxes: 1.0, line: 1.0 });
    let mut grid = Grid::new(layout.width.ceil() as usize + 1, layout.height.ceil() as usize + 1);
    route(&layout, &mut grid, space);
    for (text, b) in lines.iter().zip(&layout.boxes) {
        grid.box_at(b.x.round() as usize, b.y.round() as usize, b.width as usize, text);
    }
    let mut out = grid.text(unicode);
    out.push('\n');
    let arrow = if unicode { "→" } else { "->" };
    for f in &d.flows {
        out.push_str(&format!("{} {arrow} {}: {}\n", f.from, f.to, f.streams.join(", ")));
    }
    out
}

/// A way between two layers: from a height to a height; lines that begin at one point share their upright part.
type Hop = ((usize, usize), (usize, usize));

fn hops(layout: &Layout) -> Vec<Hop> {
    let cell = |p: &(f64, f64)| (p.0.round() as usize, p.1.floor() as usize);
    let all = layout.lines.iter().flat_map(|l| l.points.chunks(2));
    all.filter_map(|pair| Some((cell(pair.first()?), cell(pair.get(1)?)))).filter(|(a, b)| a.0 < b.0).collect()
}

/// Room for an upright part of each point that lines begin at, of the gap that needs most.
fn gap(layout: &Layout) -> usize {
    let all = hops(layout);
    let most = all.iter().map(|(a, _)| starts(&all, a.0).len()).max().unwrap_or(0);
    most + 4
}

/// The heights at which lines begin in the gap that starts here, those that need no upright part left out.
fn starts(all: &[Hop], x: usize) -> Vec<usize> {
    let mut heights: Vec<usize> = all.iter().filter(|(a, b)| a.0.abs_diff(x) <= 1 && a.1 != b.1).map(|(a, _)| a.1).collect();
    heights.sort_unstable();
    heights.dedup();
    heights
}

fn route(layout: &Layout, grid: &mut Grid, space: usize) {
    let all = hops(layout);
    for line in &layout.lines {
        // Two points at one height where a layer is passed.
        for pass in line.points.get(1..).unwrap_or_default().chunks_exact(2) {
            let (y, from, to) = (pass[0].1.floor() as usize, pass[0].0.round() as usize, pass[1].0.round() as usize);
            grid.level(y, from.saturating_sub(1), to);
        }
    }
    // The widest box of a layer begins where the layer does.
    let lefts: Vec<usize> = layout.boxes.iter().map(|b| b.x.round() as usize).collect();
    let layer = |x: usize| {
        let same = layout.boxes.iter().zip(&lefts).filter(|(b, left)| (**left..=**left + b.width as usize).contains(&x));
        let layer = same.map(|(b, _)| b.layer).next();
        layout.boxes.iter().zip(&lefts).filter(|(b, _)| Some(b.layer) == layer).map(|(_, left)| *left).min().unwrap_or(x)
    };
    for (from, to) in &all {
        let heights = starts(&all, from.0);
        let place = heights.iter().position(|h| *h == from.1).unwrap_or(0);
        // Lines that go down turn the later the higher they begin, so that they do not cross each other.
        let column =
            layer(to.0).saturating_sub(space.saturating_sub(2)).max(from.0) + (heights.len().max(1) - 1 - place).min(space);
        grid.level(from.1, from.0, column);
        grid.upright(column, from.1, to.1);
        grid.level(to.1, column, to.0.saturating_sub(1));
    }
    for line in &layout.lines {
        if let Some(end) = line.points.last() {
            grid.arrow(end.0.round() as usize - 1, end.1.floor() as usize);
        }
    }
}

struct Grid {
    width: usize,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    sides: u8,
    letter: Option<char>,
    arrow: bool,
}

impl Grid {
    fn new(width: usize, height: usize) -> Grid {
        Grid { width, cells: vec![Cell::default(); width * height] }
    }

    fn cell(&mut self, x: usize, y: usize) -> Option<&mut Cell> {
        if x >= self.width { None } else { self.cells.get_mut(y * self.width + x) }
    }

    fn touch(&mut self, x: usize, y: usize, sides: u8) {
        if let Some(cell) = self.cell(x, y) {
            cell.sides |= sides;
        }
    }

    /// From one column to another.
    fn level(&mut self, y: usize, from: usize, to: usize) {
        for x in from..to {
            self.touch(x, y, RIGHT);
            self.touch(x + 1, y, LEFT);
        }
    }

    fn upright(&mut self, x: usize, from: usize, to: usize) {
        for y in from.min(to)..from.max(to) {
            self.touch(x, y, DOWN);
            self.touch(x, y + 1, UP);
        }
    }

    fn arrow(&mut self, x: usize, y: usize) {
        if let Some(cell) = self.cell(x, y) {
            cell.arrow = true;
        }
    }

    fn box_at(&mut self, x: usize, y: usize, width: usize, text: &[String; 2]) {
        for (row, line) in text.iter().enumerate() {
            let line: Vec<char> = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            for column in 0..width {
                if let Some(cell) = self.cell(x + column, y + 1 + row) {
                    *cell = Cell { letter: Some(line.get(column.wrapping_sub(2)).copied().unwrap_or(' ')), ..Cell::default() };
                }
            }
        }
        for (column, row) in [(0, 0), (0, 3), (width - 1, 0), (width - 1, 3)] {
            if let Some(cell) = self.cell(x + column, y + row) {
                *cell = Cell::default();
            }
        }
        for row in [0, 3] {
            self.level(y + row, x, x + width - 1);
        }
        for column in [0, width - 1] {
            for row in [1, 2] {
                if let Some(cell) = self.cell(x + column, y + row) {
                    *cell = Cell::default();
                }
            }
            self.upright(x + column, y, y + 3);
        }
    }

    fn text(&self, unicode: bool) -> String {
        let mut out = String::new();
        for row in self.cells.chunks(self.width) {
            let line: String = row.iter().map(|c| c.shown(unicode)).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.trim_end().to_owned() + "\n"
    }
}

impl Cell {
    fn shown(self, unicode: bool) -> char {
        if let Some(letter) = self.letter {
            return letter;
        }
        if self.arrow {
            return if unicode { '▶' } else { '>' };
        }
        let (upright, level) = (self.sides & (UP | DOWN), self.sides & (LEFT | RIGHT));
        if !unicode {
            return match (upright, level) {
                (0, 0) => ' ',
                (0, _) => '-',
                (_, 0) => '|',
                _ => '+',
            };
        }
        const SHAPES: [char; 16] = [' ', '│', '│', '│', '─', '┘', '┐', '┤', '─', '└', '┌', '├', '─', '┴', '┬', '┼'];
        SHAPES[usize::from(self.sides & 15)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::sample;
    use super::*;

    #[test]
    fn a_terminal_that_is_too_narrow_gets_a_list() {
        let drawn = draw(&sample(), false);
        let wide = drawn.lines().map(|l| l.chars().count()).max().unwrap();
        assert_eq!(fitting(&sample(), false, Some(wide)), drawn);
        assert_eq!(fitting(&sample(), false, None), drawn);
        let listed = fitting(&sample(), true, Some(wide - 1));
        let (components, flows): (Vec<&str>, Vec<&str>) = listed.lines().partition(|l| !l.starts_with("  "));
        assert_eq!((components.len(), flows.len()), (sample().components.len(), sample().flows.len()), "{listed}");
        assert!(listed.lines().all(|l| l.chars().count() < 40), "{listed}");
    }

    #[test]
    fn boxes_are_whole_and_every_line_arrives() {
        let text = draw(&sample(), true);
        // Two lines end at one box, and so at one arrow.
        assert_eq!(text.matches('▶').count(), 2, "{text}");
        for shape in ["│ words   │", "│ a<b>&\"c\" │", "│ type ×10 │", "words → end: shuffle"] {
            assert!(text.contains(shape), "{shape}:\n{text}");
        }
        let plain = draw(&sample(), false);
        assert!(plain.is_ascii(), "{plain}");
    }
}
