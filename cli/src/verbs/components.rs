//! `squall components`: the types a topology may use, and their keys.

use std::path::PathBuf;

use squall_core::{ComponentKind, TypeInfo};

use crate::catalog;
use crate::exit::{Failure, Outcome};
use crate::show::{Align, Show};

/// Lists the component types, their configuration keys and what these mean.
///
/// Examples:
///   squall components                          all built-in types
///   squall components classifier               one type and its keys
///   squall components --worker target/release/mine
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only this type, with its keys.
    name: Option<String>,
    /// The types of this custom worker binary instead of the built-in ones.
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, show: &Show) -> Outcome {
    let mut types = catalog::open(args.worker.as_deref())?.types()?;
    // Spouts first, as tuples flow.
    types.sort_by_key(|t| (t.kind == ComponentKind::Bolt, t.name.clone()));
    if let Some(name) = &args.name {
        let hint = squall_core::suggest::did_you_mean(name, types.iter().map(|t| t.name.as_str()));
        types.retain(|t| &t.name == name);
        if types.is_empty() {
            return Err(Failure::NotFound(format!("no component type `{name}`{hint}")));
        }
    }
    if show.json {
        return show.json(&types);
    }
    if args.name.is_some() {
        return types.iter().try_for_each(|t| one(t, show));
    }
    let rows: Vec<Vec<String>> = types
        .iter()
        .map(|t| {
            let keys: Vec<&str> = t.keys.iter().map(|(key, _)| key.as_str()).collect();
            vec![t.name.clone(), t.kind.to_string(), t.about.clone(), keys.join(", ")]
        })
        .collect();
    show.table(&[("type", Align::Left), ("kind", Align::Left), ("does", Align::Left), ("keys", Align::Left)], &rows)
}

fn one(info: &TypeInfo, show: &Show) -> Outcome {
    show.line(&format!("{} ({}): {}", info.name, info.kind, info.about))?;
    if info.keys.is_empty() {
        return show.line("it has no configuration keys");
    }
    let rows: Vec<Vec<String>> = info.keys.iter().map(|(key, meaning)| vec![key.clone(), meaning.clone()]).collect();
    show.table(&[("key", Align::Left), ("meaning", Align::Left)], &rows)
}
