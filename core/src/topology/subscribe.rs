//! A subscription against the stream it is for.

use super::check::Checker;
use super::read::{At, grouped, near_or_list};
use super::spec::{ComponentSpec, InputSpec};
use crate::key::KEY_GROUPS;
use crate::{FieldType, Grouping, InputStream, StreamDecl};

impl Checker<'_> {
    /// The input with its fields; nothing if they are not known, which is or was reported. What is wrong with the grouping
    /// is reported too, but changes nothing about the fields, so the type can be asked all the same.
    pub(super) fn input(&mut self, input: &InputSpec) -> Option<InputStream> {
        let (from, stream) = (input.from.as_ref()?, input.stream.as_ref()?);
        let position = self.spec.component(&from.value)?;
        let outputs = self.outputs[position].clone()?;
        let Some(declared) = outputs.iter().find(|s| s.name == stream.value) else {
            self.no_stream(from, stream, &outputs);
            return None;
        };
        if let Some(grouping) = &input.grouping {
            self.direct(from, declared, grouping);
            input.fields.iter().for_each(|field| self.key_field(from, declared, field));
        }
        Some(InputStream {
            from: from.value.clone(),
            stream: stream.value.clone(),
            fields: declared.fields.clone(),
            grouping: input.grouping.as_ref().map_or(Grouping::Shuffle, |g| g.value.clone()),
        })
    }

    fn no_stream(&mut self, from: &At<String>, stream: &At<String>, outputs: &[StreamDecl]) {
        if outputs.is_empty() {
            let message = format!("`{}` emits nothing that could be subscribed to", from.value);
            self.faults.add(from.span, message);
            return;
        }
        let names: Vec<&str> = outputs.iter().map(|s| s.name.as_str()).collect();
        let help = near_or_list(&stream.value, &names, "its streams");
        self.faults.add(stream.span, format!("`{}` has no stream `{}`", from.value, stream.value)).help(help);
    }

    fn direct(&mut self, from: &At<String>, stream: &StreamDecl, grouping: &At<Grouping>) {
        let name = format!("stream `{}` of `{}`", stream.name, from.value);
        match (stream.direct, &grouping.value) {
            (false, Grouping::Direct) => {
                let message = format!("{name} is not a direct stream");
                let help = "only on direct streams does the emitter choose the task; did you mean `shuffle`?";
                self.faults.add(grouping.span, message).help(help);
            }
            (true, other) if *other != Grouping::Direct => {
                let message = format!("{name} is a direct stream: its emitter chooses the task");
                self.faults.add(grouping.span, message).help("write grouping = \"direct\"");
            }
            _ => {}
        }
    }

    /// A field of a key: it must exist, and should be something that can be equal.
    fn key_field(&mut self, from: &At<String>, stream: &StreamDecl, field: &At<String>) {
        let Some(declared) = stream.fields.field(&field.value) else {
            let message = format!("stream `{}` of `{}` has no field `{}`", stream.name, from.value, field.value);
            let names: Vec<&str> = stream.fields.fields().iter().map(|f| f.name.as_str()).collect();
            let help =
                if names.is_empty() { "it has no fields".to_owned() } else { near_or_list(&field.value, &names, "its fields") };
            self.faults.add(field.span, message).help(help);
            return;
        };
        if declared.kind == FieldType::Float || declared.kind.is_vector() {
            let message =
                format!("field `{}` is {}: numbers that differ in the last bit are different keys", field.value, declared.kind);
            self.faults.warn(field.span, message).help("group by an int or str field");
        }
    }

    /// More tasks than key groups leave some without work.
    pub(super) fn key_groups(&mut self, component: &ComponentSpec) {
        let keyed = component.inputs.iter().filter_map(|i| i.grouping.as_ref()).find(|g| !g.value.key().is_empty());
        let (Some(grouping), Some(parallelism)) = (keyed, &component.parallelism) else { return };
        if parallelism.value > u64::from(KEY_GROUPS) {
            let idle = grouped(parallelism.value - u64::from(KEY_GROUPS));
            let message = format!(
                "a {} grouping has {} key groups: {idle} tasks get nothing",
                grouping.value.name(),
                grouped(KEY_GROUPS.into())
            );
            self.faults.warn(parallelism.span, message).help(format!("the most that makes sense is {KEY_GROUPS}"));
        }
    }
}
