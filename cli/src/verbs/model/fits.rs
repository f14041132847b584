//! `squall model fits`: whether a version of a model fits a topology. Nimbus asks it, which knows neither models nor components.

use std::collections::BTreeMap;
use std::path::PathBuf;

use squall_core::control::ModelFit;
use squall_core::{Plan, PlannedComponent, ResolveRequest, StreamDecl};
use squall_model::Model;

use super::bounds::Bounds;
use crate::catalog;
use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// Tells whether a version of a model fits a topology; for nimbus, which asks on standard input.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    bounds: Bounds,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    args.bounds.set(show)?;
    let fit: ModelFit = serde_json::from_reader(std::io::stdin().lock())
        .map_err(|e| Failure::Usage(format!("the question is not understood: {e}")))?;
    // What cannot be opened here may be opened by workers, so that this is not the file's fault.
    for path in fit.artefacts.values() {
        Model::open(path)?;
    }
    fits(&fit.plan, &fit.model, &fit.file, &fit.artefacts)
}

/// Whether the components that use a model would emit the same fields with this version; so that a wrong file is refused before it
/// travels. Those that also use a model of which there is no artefact are left out. Workers check again: they know components
/// that this command does not.
pub(super) fn fits(plan: &Plan, model: &str, file: &str, artefacts: &BTreeMap<String, PathBuf>) -> Outcome {
    let mut catalog = catalog::open(None)?;
    let known: Vec<String> = catalog.types()?.into_iter().map(|t| t.name).collect();
    let all_here = |c: &PlannedComponent| plan.models.keys().all(|m| !c.uses_model(m) || artefacts.contains_key(m));
    let checked = |c: &&PlannedComponent| c.uses_model(model) && all_here(c) && !is_masked(c) && known.contains(&c.type_name);
    for component in plan.components.iter().filter(checked) {
        let request = ResolveRequest {
            kind: component.kind,
            type_name: component.type_name.clone(),
            config: component.config.clone(),
            inputs: component.inputs.clone(),
            partial: false,
            models: artefacts.clone(),
        };
        let cannot = |why: String| Err(Failure::Usage(format!("`{}` cannot use {file}: {why}", component.id)));
        match catalog.resolve(&request)? {
            Err(refused) => {
                let why: Vec<String> = refused.faults.iter().map(|f| called(&f.message, artefacts, model, file)).collect();
                return cannot(why.join("; "));
            }
            Ok(resolved) if resolved.outputs != component.outputs => {
                let (now, before) = (fields(&resolved.outputs), fields(&component.outputs));
                return cannot(format!("it would emit {now}, and the topology was checked with {before}"));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// What is masked cannot be checked.
fn is_masked(component: &PlannedComponent) -> bool {
    let masked = |place: &String| component.config.pointer(place).is_some_and(|value| value == "***");
    component.secrets.iter().any(masked)
}

fn fields(outputs: &[StreamDecl]) -> String {
    outputs.iter().map(|o| format!("({})", o.fields)).collect::<Vec<_>>().join(", ")
}

/// A text in which the file has the name that people know.
fn called(text: &str, artefacts: &BTreeMap<String, PathBuf>, model: &str, file: &str) -> String {
    artefacts.get(model).map_or_else(|| text.to_owned(), |path| text.replace(&*path.to_string_lossy(), file))
}
