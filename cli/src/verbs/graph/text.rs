//! Graphviz DOT and Mermaid.

use squall_core::ComponentKind;

use super::drawing::{Drawing, escaped};

/// For `dot`, as <https://graphviz.org/doc/info/lang.html> says.
pub(super) fn dot(d: &Drawing) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut out =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n", quoted(&d.name));
    for c in &d.components {
        let shape = if c.kind == ComponentKind::Spout { ", shape=cds, style=solid" } else { "" };
        let label = quoted(&format!("{}\n{}", c.id, c.what('×')));
        out.push_str(&format!("  {} [label={label}{shape}];\n", quoted(&c.id)));
    }
    for f in &d.flows {
        out.push_str(&format!("  {} -> {} [label={}];\n", quoted(&f.from), quoted(&f.to), quoted(&f.streams.join("\n"))));
    }
    out.push_str("}\n");
    out
}

/// For Markdown: a flowchart, as <https://mermaid.js.org/syntax/flowchart.html> says.
pub(super) fn mermaid(d: &Drawing) -> String {
    // Texts are quoted, and what has a meaning inside quotes is written as an entity.
    let quoted = |text: &str| format!("\"{}\"", escaped(text).replace('\n', "<br>"));
    let mut out = "flowchart LR\n".to_owned();
    for (i, c) in d.components.iter().enumerate() {
        let (open, close) = if c.kind == ComponentKind::Spout { ("([", "])") } else { ("[", "]") };
        out.push_str(&format!("  c{i}{open}{}{close}\n", quoted(&format!("{}\n{}", c.id, c.what('×')))));
    }
    for f in &d.flows {
        let (from, to) = f.ends;
        out.push_str(&format!("  c{from} -->|{}| c{to}\n", quoted(&f.streams.join("\n"))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::drawing::sample;
    use super::*;

    #[test]
    fn names_are_quoted() {
        let text = dot(&sample());
        assert!(text.contains("  \"a<b>&\\\"c\\\"\" -> \"end\" [label=\"late: all\"];"), "{text}");
        assert!(text.contains("\"words\" [label=\"words\\ntype ×1\", shape=cds"), "{text}");
        let text = mermaid(&sample());
        assert!(text.contains("  c1[\"a&lt;b&gt;&amp;&quot;c&quot;<br>type ×2\"]"), "{text}");
        assert!(text.contains("  c0 -->|\"fields (word)\"| c1"), "{text}");
    }
}
