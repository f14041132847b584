//! Opens a session of ONNX Runtime over an artefact.

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::weights::{Place, join};
use super::{OnnxWeights, said};
use crate::artefact::{Node, Store, View};
use crate::map::Identity;
use crate::{Error, memory};

/// Where the runtime looks for files that a model from memory names; it knows the key since 1.21.
const FOLDER: &str = "session.model_external_initializers_file_folder_path";

pub(super) fn open(node: &Node, store: &Store) -> Result<Session, Error> {
    let model = store.u8(node, "model")?;
    let weights = node.tensors.keys().filter(|role| role.starts_with("weight.")).count();
    let views = (0..weights).map(|n| store.u8(node, &format!("weight.{n}"))).collect::<Result<Vec<_>, _>>()?;
    let held = match views.is_empty() {
        // What the graph holds is copied in any case.
        true => OnnxWeights::Prepacked,
        false => node.text("weights")?.parse().map_err(|e: String| node.broken(&format!("its weights: {e}")))?,
    };
    if held == OnnxWeights::Shared
        && let Some(session) = mapped(model.slice(), &views, store)?
    {
        return Ok(session);
    }
    // A copy for this process, which has to fit before the runtime makes it.
    let needed = views.iter().map(|v| v.len() as u64).sum::<u64>() + model.len() as u64;
    if let Some(available) = memory::available_memory().filter(|available| needed > *available) {
        return Err(Error::Memory { path: store.path.clone(), needed, others: 0, available });
    }
    let whole = join(model.slice(), &|n| views.get(n).map(|v| Place::Here(v.slice())))?;
    commit(builder(), &whole).map_err(said)
}

/// A session whose weights the runtime maps from the artefact itself; none where it does not: before 1.21, it would look for them
/// in the folder of the process.
fn mapped(model: &[u8], views: &[View<u8>], store: &Store) -> Result<Option<Session>, Error> {
    let Ok(path) = store.path.canonicalize() else { return Ok(None) };
    let (Some(folder), Some(name)) = (path.parent().and_then(|p| p.to_str()), path.file_name().and_then(|n| n.to_str())) else {
        return Ok(None);
    };
    let place = |n: usize| {
        let (offset, length) = views.get(n)?.place();
        Some(Place::File { name, offset, length })
    };
    let placed = join(model, &place)?;
    let builder = builder().and_then(|b| Ok(b.with_prepacking(false)?.with_config_entry(FOLDER, folder)?));
    let Ok(session) = commit(builder, &placed) else { return Ok(None) };
    // It opened the file by its path, which a new file may have taken since we opened it.
    let now = std::fs::metadata(&path).map_err(|e| Error::io("read", &path, e))?;
    match Identity::of(&now) == store.identity {
        true => Ok(Some(session)),
        false => Err(Error::Artefact { path, what: "it was replaced while it was opened".into() }),
    }
}

fn builder() -> ort::Result<SessionBuilder> {
    // Tasks are what runs at the same time, not the steps of one row.
    let builder = Session::builder()?.with_intra_threads(1)?.with_inter_threads(1)?;
    Ok(builder.with_intra_op_spinning(false)?)
}

fn commit(builder: ort::Result<SessionBuilder>, model: &[u8]) -> ort::Result<Session> {
    builder?.commit_from_memory(model)
}
