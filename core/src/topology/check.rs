//! From a [`Spec`] to a [`Plan`]: names, types and references compared with what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::component::MOST_TASKS;
use super::diagnostic::Diagnostic;
use super::fault::Faults;
use super::graph::Graph;
use super::read::{At, grouped};
use super::source::Span;
use super::spec::{ModelSpec, Spec};
use super::{diagnostic::Severity, shown};
use crate::suggest::did_you_mean;
use crate::{Catalog, ComponentKind, Plan, PlannedComponent, PlannedModel, StreamDecl, TypeInfo};

/// A shorter value is no secret, and masking it would only garble messages.
const SHORTEST_SECRET: usize = 3;

/// A model of the topology that was imported.
///
/// ```
/// use squall_core::topology::PreparedModel;
/// let m = PreparedModel {
///     artefact: "cache/ab12.safetensors".into(), sha256: "ab12".into(), source: "cd34".into(), bytes: 1024,
///     file: "digits.pkl".into(),
/// };
/// assert_eq!(m.bytes, 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedModel {
    /// The artefact, a file that can be opened now.
    pub artefact: PathBuf,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// The SHA-256 of the file it was imported from.
    pub source: String,
    /// The artefact's size in bytes.
    pub bytes: u64,
    /// The name of the file it was imported from.
    pub file: String,
}

/// Checks a topology and makes its plan, with warnings.
///
/// `models` has for every one of [`Spec::models`] what was imported, or why it could not be, which is then reported with
/// all else. A component whose inputs cannot be known because of another fault is checked as far as possible.
///
/// # Errors
/// Everything that is wrong, [`parse`](super::parse)'s findings included, in order of line; warnings among it.
///
/// ```
/// use std::collections::BTreeMap;
/// use squall_core::{Registry, topology::{Sources, check, parse}};
/// let read = &mut |_: &std::path::Path| Ok("name = \"empty\"".to_owned());
/// let spec = parse("a.toml".as_ref(), &mut Sources { read, var: &|_| None });
/// let faults = check(&spec, &mut Registry::default(), &BTreeMap::new()).unwrap_err();
/// assert_eq!(faults[0].message, "the topology has no spout, so nothing would ever flow");
/// ```
pub fn check(
    spec: &Spec,
    catalog: &mut dyn Catalog,
    models: &BTreeMap<String, Result<PreparedModel, String>>,
) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut checker = Checker::new(spec);
    for model in &spec.models {
        checker.model(model, models.get(&model.name));
    }
    checker.types = match catalog.types() {
        Ok(types) => Some(types),
        Err(error) => {
            checker.faults.add(None, format!("cannot find out which component types there are: {error}"));
            None
        }
    };
    let graph = checker.graph();
    checker.cycles(&graph);
    checker.numbers_of_tasks();
    let order = graph.order();
    let behind = (0..spec.components.len()).filter(|c| !order.contains(c));
    let in_cycles: BTreeSet<usize> = graph.cycles().into_iter().flatten().collect();
    for component in order.iter().copied().chain(behind) {
        checker.component(component, catalog);
        if in_cycles.contains(&component) {
            // What comes round was not meant to be taken in.
            checker.outputs[component] = None;
        }
    }
    checker.finish(&order)
}

pub(super) struct Checker<'s> {
    pub(super) spec: &'s Spec,
    pub(super) faults: Faults,
    pub(super) typed: BTreeSet<Span>,
    /// Nothing if they could not be found out.
    pub(super) types: Option<Vec<TypeInfo>>,
    pub(super) model_files: BTreeMap<String, PathBuf>,
    pub(super) bad_models: BTreeSet<String>,
    pub(super) planned_models: BTreeMap<String, PlannedModel>,
    /// The output streams of components that passed.
    pub(super) outputs: Vec<Option<Vec<StreamDecl>>>,
    pub(super) planned: Vec<Option<PlannedComponent>>,
}

impl<'s> Checker<'s> {
    fn new(spec: &'s Spec) -> Self {
        Checker {
            spec,
            faults: spec.loaded.faults.clone(),
            typed: spec.typed.clone(),
            types: None,
            model_files: BTreeMap::new(),
            bad_models: spec.broken_models.clone(),
            planned_models: BTreeMap::new(),
            outputs: vec![None; spec.components.len()],
            planned: vec![None; spec.components.len()],
        }
    }

    fn model(&mut self, model: &ModelSpec, prepared: Option<&Result<PreparedModel, String>>) {
        let ModelSpec { name, sha256, labels, location_span, sha256_span, .. } = model;
        match prepared {
            Some(Ok(p)) => {
                if let (Some(wanted), Some(span)) = (sha256, sha256_span)
                    && *wanted != p.source
                {
                    let help = format!("its sha256 is {}; the file was changed, or it is not the one that was meant", p.source);
                    self.faults.add(*span, format!("model `{name}` does not have this checksum")).help(help);
                    self.bad_models.insert(name.clone());
                    return;
                }
                self.model_files.insert(name.clone(), p.artefact.clone());
                let PreparedModel { sha256, source, bytes, file, .. } = p.clone();
                let labels = labels.clone();
                self.planned_models.insert(name.clone(), PlannedModel { artefact: sha256, source, bytes, file, labels });
            }
            Some(Err(error)) => {
                self.faults.add(*location_span, format!("model `{name}`: {error}"));
                self.bad_models.insert(name.clone());
            }
            None => {
                self.faults.add(*location_span, format!("model `{name}` was not imported"));
                self.bad_models.insert(name.clone());
            }
        }
    }

    /// Who feeds whom; reports names that do not exist and streams that are subscribed to twice.
    fn graph(&mut self) -> Graph {
        let spec = self.spec;
        let mut graph = Graph(vec![BTreeSet::new(); spec.components.len()]);
        for (to, component) in spec.components.iter().enumerate() {
            let mut seen: Vec<(&str, &str, Span)> = Vec::new();
            for input in &component.inputs {
                let Some(from) = &input.from else { continue };
                match spec.component(&from.value) {
                    Some(position) => drop(graph.0[to].insert(position)),
                    None if spec.broken_components.contains(&from.value) || !spec.loaded.complete => {}
                    None => {
                        let names = spec.components.iter().map(|c| c.id.as_str());
                        let help = did_you_mean(&from.value, names.filter(|n| *n != component.id));
                        self.faults.add(from.span, format!("there is no spout or bolt `{}`", from.value)).help(help);
                    }
                }
                let Some(stream) = &input.stream else { continue };
                match seen.iter().find(|(f, s, _)| *f == from.value && *s == stream.value) {
                    Some((_, _, first)) => {
                        let message =
                            format!("`{}` subscribes to stream `{}` of `{}` twice", component.id, stream.value, from.value);
                        let fault = self.faults.add(from.span, message);
                        fault.help("every tuple would come twice: take one of them out").also(*first, "first subscribed here");
                    }
                    None => seen.push((&from.value, &stream.value, from.span)),
                }
            }
        }
        graph
    }

    fn cycles(&mut self, graph: &Graph) {
        let spec = self.spec;
        let from_span = |to: usize, from: usize| {
            let inputs = spec.components[to].inputs.iter().filter_map(|i| i.from.as_ref());
            inputs.filter(|f| f.value == spec.components[from].id).map(|f| f.span).next()
        };
        for cycle in graph.cycles() {
            let name = |c: usize| spec.components[c].id.as_str();
            let mut names: Vec<&str> = cycle.iter().map(|c| name(*c)).collect();
            names.extend(cycle.first().map(|c| name(*c)));
            let edges = cycle.iter().enumerate().map(|(i, from)| (*from, cycle[(i + 1) % cycle.len()]));
            let mut spans: Vec<(Span, String)> = edges
                .filter_map(|(from, to)| Some((from_span(to, from)?, format!("`{}` feeds `{}`", name(from), name(to)))))
                .collect();
            spans.sort();
            let Some((first, _)) = spans.first().cloned() else { continue };
            let message = match &names[..] {
                [itself, _] => format!("bolt `{itself}` feeds itself"),
                _ => format!("these bolts feed each other: {}", names.join(" → ")),
            };
            let fault = self.faults.add(first, message);
            fault.help("a cycle would stand still under back-pressure: take one of its inputs out");
            fault.also.extend(spans.into_iter().skip(1));
        }
    }

    fn numbers_of_tasks(&mut self) {
        let mut total = 0;
        for parallelism in self.spec.components.iter().filter_map(|c| c.parallelism.as_ref()) {
            let before = total;
            total += parallelism.value;
            if before <= MOST_TASKS && total > MOST_TASKS {
                let message = format!("with this the topology has {} tasks", grouped(total));
                self.faults.add(parallelism.span, message).help(format!("the most is {}", grouped(MOST_TASKS)));
            }
        }
        let known = self.spec.components.iter().all(|c| c.parallelism.is_some()) && self.spec.broken_components.is_empty();
        if let Some(At { value: workers, span }) = &self.spec.workers
            && known
            && *workers > total
        {
            let message =
                format!("{} workers for {} tasks: the rest would have nothing to do", grouped(*workers), grouped(total));
            self.faults.warn(*span, message).help(format!("only {} will be started", grouped(total)));
        }
    }

    fn finish(mut self, order: &[usize]) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
        let spec = self.spec;
        let kinds = [ComponentKind::Spout, ComponentKind::Bolt];
        let in_order = kinds.iter().flat_map(|kind| order.iter().filter(|c| spec.components[**c].kind == *kind));
        let components: Option<Vec<_>> = in_order.map(|c| self.planned[*c].take()).collect();
        let mut diagnostics = self.faults.diagnostics(&spec.loaded.files);
        diagnostics.iter_mut().for_each(|d| mask(d, &spec.loaded.secrets));
        let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
        let (false, Some(name), Some(components)) = (failed, &spec.name, components) else {
            return Err(diagnostics);
        };
        let plan = Plan {
            name: name.value.clone(),
            settings: spec.settings.clone(),
            components,
            models: self.planned_models,
            worker: None,
            source: shown::source(&spec.loaded, &self.typed),
        };
        Ok((plan, diagnostics))
    }
}

/// Takes secrets out of what is said: messages of component types quote values.
pub(super) fn mask(d: &mut Diagnostic, secrets: &[String]) {
    for secret in secrets.iter().filter(|s| s.chars().count() >= SHORTEST_SECRET) {
        let quoted = format!("{secret:?}");
        for form in [&quoted[1..quoted.len() - 1], secret.as_str()] {
            d.message = d.message.replace(form, "***");
            d.help = d.help.take().map(|h| h.replace(form, "***"));
        }
    }
}
