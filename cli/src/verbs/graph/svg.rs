//! A picture that stands for itself: no script, no font, no other file; light or dark as the reader's screen is.

use squall_core::ComponentKind;
use squall_core::layout::{Size, Spacing, layered};

use super::drawing::{Component, Drawing, escaped};

const MARGIN: f64 = 16.0;
const HEIGHT: f64 = 46.0;
/// About as wide as a letter of the font is.
const LETTER: f64 = 7.6;
const SMALL_LETTER: f64 = 6.2;

const STYLE: &str = "\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1b1f24}\
.s{font-size:11px;fill:#59636e}\
rect{fill:#f6f8fa;stroke:#59636e}\
.spout{fill:#ddf4ff;stroke:#0969da}\
path{fill:none;stroke:#59636e;stroke-width:1.4}\
marker path{fill:#59636e;stroke:none}\
.l{paint-order:stroke;stroke:#fff;stroke-width:4px}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}rect{fill:#151b23;stroke:#9198a1}.spout{fill:#0c2d6b;stroke:#4493f8}\
path{stroke:#9198a1}marker path{fill:#9198a1}.l{stroke:#0d1117}}";

pub(super) fn draw(d: &Drawing) -> String {
    let wide = |text: &str, letter: f64| text.chars().count() as f64 * letter;
    let size = |c: &Component| Size {
        width: (wide(&c.id, LETTER).max(wide(&c.what('×'), SMALL_LETTER)) + 28.0).max(96.0),
        height: HEIGHT,
    };
    let sizes: Vec<Size> = d.components.iter().map(size).collect();
    let ends: Vec<(usize, usize)> = d.flows.iter().map(|f| f.ends).collect();
    let longest = d.flows.iter().flat_map(|f| &f.streams).map(|s| wide(s, SMALL_LETTER)).fold(0.0, f64::max);
    let spacing = Spacing { layers: (longest + 36.0).max(64.0), boxes: 26.0, line: 14.0 };
    let layout = layered(&sizes, &ends, spacing);

    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"{:.0} {:.0} {width:.0} {height:.0}\" \
         role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
         markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        -MARGIN,
        -MARGIN,
        escaped(&d.name)
    );
    for (flow, line) in d.flows.iter().zip(&layout.lines) {
        let Some((first, rest)) = line.points.split_first() else { continue };
        let mut path = format!("M{:.1} {:.1}", first.0, first.1);
        let mut from = *first;
        for to in rest {
            // Level at both ends; straight where it passes a layer.
            let bend = (to.0 - from.0) / 2.0;
            path.push_str(&format!(
                "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                from.0 + bend,
                from.1,
                to.0 - bend,
                to.1,
                to.0,
                to.1
            ));
            from = *to;
        }
        out.push_str(&format!("<path d=\"{path}\" marker-end=\"url(#a)\"/>\n"));
        // Near its end, where lines of one box have parted.
        let Some((a, b)) = line.points.iter().rev().nth(1).zip(line.points.last()) else { continue };
        let (x, y) = (a.0 + (b.0 - a.0) * 0.55, a.1 + (b.1 - a.1) * 0.62);
        for (i, stream) in flow.streams.iter().enumerate() {
            let y = y - 5.0 - 13.0 * i as f64;
            out.push_str(&format!(
                "<text class=\"s l\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>\n",
                escaped(stream)
            ));
        }
    }
    for (c, b) in d.components.iter().zip(&layout.boxes) {
        let class = if c.kind == ComponentKind::Spout { " class=\"spout\"" } else { "" };
        let middle = b.x + b.width / 2.0;
        out.push_str(&format!(
            "<rect{class} x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"7\"/>\n\
             <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
             <text class=\"s\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            b.x,
            b.y,
            b.width,
            b.height,
            b.y + 20.0,
            escaped(&c.id),
            b.y + 36.0,
            escaped(&c.what('×'))
        ));
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::drawing::sample;
    use super::*;

    #[test]
    fn everything_is_there_and_escaped() {
        let text = draw(&sample());
        assert_eq!((text.matches("<rect").count(), text.matches("marker-end").count()), (3, 3));
        assert!(text.contains(">a&lt;b&gt;&amp;&quot;c&quot;</text>") && !text.contains("<b>"), "{text}");
        assert!(text.contains("late: all"));
    }
}
