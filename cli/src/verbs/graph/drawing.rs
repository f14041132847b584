//! What is drawn: components, and what flows from one to another.

use serde::Serialize;
use squall_core::{ComponentKind, DEFAULT_STREAM, InputStream, Plan};

/// A topology as boxes and lines.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    pub(super) name: String,
    pub(super) components: Vec<Component>,
    pub(super) flows: Vec<Flow>,
}

#[derive(Debug, Serialize)]
pub(super) struct Component {
    pub(super) id: String,
    pub(super) kind: ComponentKind,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    pub(super) tasks: u32,
}

/// All that one component takes from another.
#[derive(Debug, Serialize)]
pub(super) struct Flow {
    /// Places in the list of components.
    #[serde(skip)]
    pub(super) ends: (usize, usize),
    pub(super) from: String,
    pub(super) to: String,
    /// One for each stream: `shuffle`, `fields (word)`, `late: all`.
    pub(super) streams: Vec<String>,
}

impl Drawing {
    pub(super) fn of(plan: &Plan) -> Drawing {
        let component = |c: &squall_core::PlannedComponent| Component {
            id: c.id.clone(),
            kind: c.kind,
            type_name: c.type_name.clone(),
            tasks: c.parallelism,
        };
        let mut flows: Vec<Flow> = Vec::new();
        for (to, c) in plan.components.iter().enumerate() {
            for input in &c.inputs {
                let Some(from) = plan.position(&input.from) else { continue };
                match flows.iter_mut().find(|f| f.ends == (from, to)) {
                    Some(flow) => flow.streams.push(stream(input)),
                    None => flows.push(Flow {
                        ends: (from, to),
                        from: input.from.clone(),
                        to: c.id.clone(),
                        streams: vec![stream(input)],
                    }),
                }
            }
        }
        Drawing { name: plan.name.clone(), components: plan.components.iter().map(component).collect(), flows }
    }
}

impl Component {
    /// `classifier ×4`
    pub(super) fn what(&self, times: char) -> String {
        format!("{} {times}{}", self.type_name, self.tasks)
    }
}

/// Text for SVG and HTML, in quotes too.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn stream(input: &InputStream) -> String {
    let grouping = match input.grouping.key() {
        [] => input.grouping.name().to_owned(),
        key => format!("{} ({})", input.grouping.name(), key.join(", ")),
    };
    if input.stream == DEFAULT_STREAM { grouping } else { format!("{}: {grouping}", input.stream) }
}

/// The drawing of a small topology, for tests.
#[cfg(test)]
pub(super) fn sample() -> Drawing {
    let component = |id: &str, kind, tasks| Component { id: id.into(), kind, type_name: "type".into(), tasks };
    let flow = |from: (usize, &str), to: (usize, &str), stream: &str| Flow {
        ends: (from.0, to.0),
        from: from.1.into(),
        to: to.1.into(),
        streams: vec![stream.into()],
    };
    Drawing {
        name: "sample".into(),
        components: vec![
            component("words", ComponentKind::Spout, 1),
            component("a<b>&\"c\"", ComponentKind::Bolt, 2),
            component("end", ComponentKind::Bolt, 10),
        ],
        flows: vec![
            flow((0, "words"), (1, "a<b>&\"c\""), "fields (word)"),
            flow((1, "a<b>&\"c\""), (2, "end"), "late: all"),
            flow((0, "words"), (2, "end"), "shuffle"),
        ],
    }
}
