//! Models: opening them, with errors as the rest of Squall has them.

use std::path::Path;
use std::sync::Arc;

use squall_core::control::ModelVersion;
use squall_core::{Check, Context, Error, Followed, Result};
use squall_model::{Domain, Model};

use super::at;

/// The model as the check of a topology sees it; `key` is where the configuration names it.
pub(crate) fn check(check: &Check<'_>, key: &str, name: &str) -> Result<Arc<Model>> {
    let path = check.model(name).map_err(|e| at(key, e))?;
    open(name, path).map_err(|e| at(key, e))
}

/// The model as a worker opens it, the map that all tasks and processes of the machine share, and every version that takes its
/// place: read into memory, then put into the form that the task uses.
pub(crate) fn follow<T: Send + 'static>(
    ctx: &Context,
    name: &str,
    make: impl Fn(Arc<Model>, &ModelVersion) -> Result<T> + Send + Sync + 'static,
) -> Result<Followed<T>> {
    let owned = name.to_owned();
    ctx.live.follow(name, move |version| {
        let path = version.path.as_ref().ok_or_else(|| Error::internal(format!("model `{owned}` has no file")))?;
        let model = open(&owned, path)?;
        model.prefault().map_err(|e| Error::external(format!("cannot read model `{owned}` into memory")).because(e))?;
        make(model, version)
    })
}

fn open(name: &str, path: &Path) -> Result<Arc<Model>> {
    Model::open(path).map_err(|e| {
        let message = format!("cannot open model `{name}`");
        match e.domain() {
            Domain::User => Error::user(message),
            Domain::External => Error::external(message),
            Domain::Internal => Error::internal(message),
        }
        .because(e)
    })
}

/// What a model says of rows it cannot score.
pub(crate) fn failed(error: squall_model::Error) -> Error {
    match error.domain() {
        Domain::User => Error::user("cannot score"),
        Domain::External => Error::external("cannot score"),
        Domain::Internal => Error::internal("cannot score"),
    }
    .because(error)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    /// The artefact of a shipped model, made anew in `dir`.
    pub(crate) fn artefact(dir: &Path, name: &str) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/models").join(format!("{name}.pkl"));
        let out = dir.join(format!("{name}.safetensors"));
        squall_model::import(&source, &out, &mut |_, _| {}).unwrap();
        out
    }

    use std::path::Path;
}
