//! One component against its type: configuration, outputs.

use super::check::Checker;
use super::config::{Config, find, to_json};
use super::read::near_or_list;
use super::source::Span;
use super::spec::{ComponentSpec, ConfigSpec};
use super::tree::{Node, Table, Val};
use super::words;
use crate::{Catalog, ConfigFault, InputStream, PlannedComponent, Refused, ResolveRequest, Resolved, StreamDecl, TypeInfo};

impl Checker<'_> {
    /// Checks a component; those it takes from were checked before, unless they are in a cycle with it.
    pub(super) fn component(&mut self, position: usize, catalog: &mut dyn Catalog) {
        let component = &self.spec.components[position];
        let info = self.type_info(component);
        let inputs: Vec<Option<InputStream>> = component.inputs.iter().map(|i| self.input(i)).collect();
        self.key_groups(component);
        let known = !component.inputs_broken && inputs.iter().all(Option::is_some);
        let empty = Table::default();
        let config = match &component.config {
            ConfigSpec::None => to_json(&empty, &mut self.faults),
            ConfigSpec::Given { node: Node { value: Val::Table(table), .. }, .. } => to_json(table, &mut self.faults),
            _ => None,
        };
        let (Some(info), Some(config)) = (info, config) else {
            // What is declared holds, whatever the type is.
            self.outputs[position] = component.outputs.as_ref().filter(|o| !o.broken).map(|o| o.streams.clone());
            return;
        };
        let mut request = ResolveRequest {
            kind: component.kind,
            type_name: info.name.clone(),
            config: config.json.clone(),
            inputs: inputs.into_iter().flatten().collect(),
            partial: !known,
            models: self.model_files.clone(),
        };
        let resolved = match self.ask(component, &config, &mut request, catalog) {
            Some(Ok(resolved)) => resolved,
            Some(Err(refused)) => {
                refused.faults.iter().for_each(|fault| self.config_fault(component, &info, fault));
                // Where the streams are known all the same, what is behind is checked against them.
                let outputs = refused.outputs.filter(|o| o.iter().all(|stream| stream.fields.duplicate().is_none()));
                let declared = info.outputs_in_topology.then(Vec::new);
                let known = outputs.or(declared).and_then(|outputs| self.outputs_of(component, &info, outputs));
                self.outputs[position] = known;
                return;
            }
            None => return,
        };
        let Some(outputs) = self.outputs_of(component, &info, resolved.outputs) else { return };
        self.outputs[position] = Some(outputs.clone());
        if !known {
            return;
        }
        let parallelism = component.parallelism.as_ref().map_or(1, |p| p.value);
        self.planned[position] = Some(PlannedComponent {
            id: component.id.clone(),
            kind: component.kind,
            type_name: info.name,
            config: request.config,
            parallelism: u32::try_from(parallelism).unwrap_or(1),
            tick: component.tick,
            blocking: resolved.blocking,
            inputs: request.inputs,
            outputs,
            secrets: config.secrets,
        });
    }

    fn type_info(&mut self, component: &ComponentSpec) -> Option<TypeInfo> {
        let name = component.type_name.as_ref()?;
        let types = self.types.as_ref()?;
        if let Some(info) = types.iter().find(|t| t.name == name.value && t.kind == component.kind) {
            return Some(info.clone());
        }
        let kind = component.kind;
        if let Some(other) = types.iter().find(|t| t.name == name.value) {
            let message = format!("`{}` is a {} type, not a {kind} type", name.value, other.kind);
            let help = format!("put it under [{}s.{}]", other.kind, component.id);
            self.faults.add(name.span, message).help(help);
        } else {
            let known: Vec<&str> = types.iter().filter(|t| t.kind == kind).map(|t| t.name.as_str()).collect();
            let mut help = near_or_list(&name.value, &known, &format!("{kind} types"));
            if known.len() > 12 && !help.starts_with("did you mean") {
                help = "`squall components` lists them".to_owned();
            }
            self.faults.add(name.span, format!("unknown {kind} type `{}`", name.value)).help(help);
        }
        None
    }

    /// Asks the type; variables that it does not want as text are given as the numbers or booleans they look like.
    fn ask(
        &mut self,
        component: &ComponentSpec,
        config: &Config,
        request: &mut ResolveRequest,
        catalog: &mut dyn Catalog,
    ) -> Option<Result<Resolved, Refused>> {
        let mut waiting: Vec<_> = config.variables.iter().collect();
        loop {
            let refused = match catalog.resolve(request) {
                Ok(Ok(resolved)) => return Some(Ok(resolved)),
                Ok(Err(refused)) => refused,
                Err(error) => {
                    let message = format!("cannot check {} `{}`: {error}", component.kind, component.id);
                    self.faults.add(component.id_span, message);
                    return None;
                }
            };
            let ConfigSpec::Given { node, .. } = &component.config else { return Some(Err(refused)) };
            let wants_other = |m: &str| m.contains("invalid type: string") || m.contains("did not match any variant");
            let places: Vec<String> = refused
                .faults
                .iter()
                .filter(|f| wants_other(&f.message))
                .filter_map(|f| find(node, &f.path).map(|found| found.pointer))
                .collect();
            let at_or_under = |pointer: &str, place: &String| {
                pointer.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let (now, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(pointer, ..)| places.iter().any(|place| at_or_under(pointer, place)));
            if now.is_empty() {
                return Some(Err(refused));
            }
            for (pointer, typed, span) in now {
                if let Some(value) = request.config.pointer_mut(pointer) {
                    *value = typed.clone();
                    self.typed.insert(*span);
                }
            }
            waiting = later;
        }
    }

    /// Reports what a type says about a configuration at the place it means.
    fn config_fault(&mut self, component: &ComponentSpec, info: &TypeInfo, fault: &ConfigFault) {
        // The model is named rightly; that it cannot be used was reported where it is defined.
        if self.bad_models.iter().any(|name| fault.message.contains(&format!("no model `{name}`"))) {
            return;
        }
        let (message, mut help) = words::plain(&fault.path, &fault.message);
        let missing = message.strip_suffix(" is missing").map(|key| key.trim_matches('`'));
        let formless = message.ends_with("forms it can have").then_some(fault.path.as_str());
        if help.is_none() {
            let wanted = missing.or(formless);
            let meaning = info.keys.iter().find(|(key, text)| Some(key.as_str()) == wanted && !text.is_empty());
            help = meaning.map(|(key, text)| format!("{key}: {text}"));
        }
        let span = match &component.config {
            ConfigSpec::Given { key_span, node } => config_span(fault, *key_span, node),
            _ => None,
        };
        let span = span.unwrap_or(component.type_name.as_ref().map_or(component.id_span, |t| t.span));
        let message = match missing {
            Some(key) => format!("{} `{}` needs `{key}` in its config", component.kind, component.id),
            None => message,
        };
        self.faults.add(span, message).help(help.unwrap_or_default());
    }

    /// The output streams, if nothing is wrong with them.
    fn outputs_of(&mut self, component: &ComponentSpec, info: &TypeInfo, resolved: Vec<StreamDecl>) -> Option<Vec<StreamDecl>> {
        let outputs = match &component.outputs {
            Some(declared) if !info.outputs_in_topology => {
                let listed: Vec<String> = resolved.iter().map(|s| format!("{} ({})", s.name, s.fields)).collect();
                let message = format!("`outputs` cannot be given here: type `{}` knows its own", info.name);
                let help = match listed.as_slice() {
                    [] => "take `outputs` out; it emits nothing".to_owned(),
                    listed => format!("take `outputs` out; it emits {}", listed.join(", ")),
                };
                self.faults.add(declared.key_span, message).help(help);
                resolved
            }
            Some(declared) if declared.broken => return None,
            Some(declared) => declared.streams.clone(),
            None => resolved,
        };
        for stream in &outputs {
            if let Some(field) = stream.fields.duplicate() {
                let span = component.type_name.as_ref().map_or(component.id_span, |t| t.span);
                let message = format!("stream `{}` of `{}` would have two fields `{field}`", stream.name, component.id);
                let help = format!("its fields: {}; rename one of them here or where it comes from", stream.fields);
                self.faults.add(span, message).help(help);
                return None;
            }
        }
        Some(outputs)
    }
}

/// The key for what is wrong with a key or missing in it, the value for what is wrong with the value.
fn config_span(fault: &ConfigFault, config_key: Span, config: &Node) -> Option<Span> {
    let about_keys = ["unknown key ", "unknown field "];
    if about_keys.iter().any(|s| fault.message.starts_with(s)) {
        let key = fault.message.split('`').nth(1).unwrap_or_default();
        let inner = find(config, &format!("{}.{key}", fault.path)).filter(|f| f.exact);
        let found = inner.or_else(|| find(config, &fault.path));
        return Some(found.map_or(config_key, |f| f.key_span));
    }
    if fault.path.is_empty() {
        // Of the component as a whole, unless it is something that the configuration lacks.
        return fault.message.starts_with("missing field ").then_some(config_key);
    }
    Some(find(config, &fault.path).map_or(config_key, |f| if f.is_table { f.key_span } else { f.span }))
}
