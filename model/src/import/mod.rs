//! From a model file of another program to an artefact.

mod boosters;
mod source;
mod sparse;
mod view;

use std::path::{Path, PathBuf};

pub(crate) use view::{Obj, Val};

use crate::artefact::{self, Builder, Node};
use crate::{Error, Kind, Model, OnnxWeights, estimators, hash, pickle};

/// What [`import`] made.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// sha256 of the artefact, in hex.
    pub artefact_sha256: String,
    /// sha256 of the source file, in hex.
    pub source_sha256: String,
    /// What the model is for.
    pub kind: Kind,
    /// One line for people: `Pipeline(PCA, LogisticRegression), 64 features, 10 classes`.
    pub summary: String,
    /// Size of the artefact.
    pub bytes: u64,
    /// What was left out or may surprise.
    pub warnings: Vec<String>,
}

/// What may be chosen at an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How ONNX Runtime holds the weights; for ONNX files only.
    pub onnx_weights: Option<OnnxWeights>,
    /// The labels of the classes 0, 1, 2 …; for classifiers from files of XGBoost and LightGBM only, which keep none.
    pub labels: Option<Vec<String>>,
    /// The same, but of no consequence where the file has its own labels or is no classifier's.
    pub labels_if_none: Option<Vec<String>>,
}

/// Reads the model in `source` and publishes its artefact as `out`.
///
/// The format is told by content, not by the file's name. The artefact is written beside `out`,
/// synced and renamed, mode 0644: a reader sees the old file or the whole new one. `progress` is
/// called with (bytes done, bytes in all): the first half is reading, the second understanding.
///
/// # Errors
/// A source that cannot be read, is damaged, or holds something that cannot be scored here.
pub fn import(source: &Path, out: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Imported, Error> {
    import_with(source, out, Options::default(), progress)
}

/// [`import`] with choices.
///
/// # Errors
/// As those of `import`, and a choice that the model does not have.
pub fn import_with(source: &Path, out: &Path, options: Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Imported, Error> {
    let packed = source::read(source, &mut |done, total| progress(done, total.saturating_mul(2)))?;
    let size = packed.len() as u64;
    let plain = source::is_onnx(&packed);
    let source_sha256 = hash::sha256_of(&packed, &beside(&packed, source)?)?;
    let bytes = source::unpack(packed)?;
    let mut builder = Builder::new(bytes.len());
    let format = source::detect(&bytes)?;
    if options.onnx_weights.is_some() && format != source::Format::Onnx {
        return Err(Error::unsupported(
            "onnx_weights",
            "the model is from no ONNX file, and its weights are shared in any case",
        ));
    }
    let is_booster = matches!(format, source::Format::XgboostJson | source::Format::XgboostUbj | source::Format::Lightgbm);
    if options.labels.is_some() && !is_booster {
        return Err(Error::unsupported(
            "labels",
            "the model's file has its own labels; only those of XGBoost and LightGBM have none",
        ));
    }
    let mut node = match format {
        source::Format::Pickle => {
            let unpacked = bytes.len().max(1) as u64;
            let mut tell = |at: usize| {
                let share = (at as u128 * u128::from(size) / u128::from(unpacked)) as u64;
                progress(size + share.min(size), size * 2);
            };
            from_pickle(&bytes, &mut builder, &mut tell).map(Some)
        }
        source::Format::XgboostJson => boosters::xgboost_json(&bytes, &mut builder).map(Some),
        source::Format::XgboostUbj => boosters::xgboost_ubj(&bytes, &mut builder).map(Some),
        source::Format::Lightgbm => boosters::lightgbm(&bytes, &mut builder).map(Some),
        source::Format::Onnx => {
            let held = options.onnx_weights.unwrap_or_default();
            estimators::onnx::import(&bytes, source.parent().filter(|_| plain), held, &mut builder).map(Some)
        }
        source::Format::Safetensors => Ok(None),
    }?;
    if let Some(node) = &mut node {
        let wanted = options.labels_if_none.filter(|_| is_booster && node.classes().is_some());
        options.labels.or(wanted).map_or(Ok(()), |labels| boosters::label(node, labels))?;
    }
    let content = match node {
        Some(node) => artefact::write(&node, &builder, &source_sha256)?,
        // An artefact of ours is published as it is, once it has proved to be one.
        None => bytes,
    };
    let warnings = builder.warnings;
    let published = publish(out, &content, source_sha256, warnings)?;
    progress(size * 2, size * 2);
    Ok(published)
}

/// sha256 in hex of a source file, and of the files beside it that it names, one after the other: what [`Imported`] has.
///
/// # Errors
/// A file that cannot be read.
pub fn source_checksum(source: &Path) -> Result<String, Error> {
    let start = source::start(source)?;
    match source::is_onnx(&start) {
        true => {
            let bytes = source::read(source, &mut |_, _| {})?;
            hash::sha256_of(&bytes, &beside(&bytes, source)?)
        }
        false => hash::sha256_of(&[], &[source.to_path_buf()]),
    }
}

/// The files that an ONNX file names.
fn beside(bytes: &[u8], source: &Path) -> Result<Vec<PathBuf>, Error> {
    match source::is_onnx(bytes) {
        true => estimators::onnx::files(bytes, source.parent()),
        false => Ok(Vec::new()),
    }
}

/// Writes the artefact, opens it as a worker would, and reports.
fn publish(out: &Path, content: &[u8], source_sha256: String, warnings: Vec<String>) -> Result<Imported, Error> {
    let mut imported = None;
    artefact::publish(out, content, &mut |written| {
        // Opened before it is renamed: what is published can be scored.
        let model = Model::open_uncached(written).map_err(|e| match e {
            Error::Artefact { what, .. } => Error::Damaged { offset: 0, what: format!("the model does not add up: {what}") },
            other => other,
        })?;
        imported = Some(Imported {
            artefact_sha256: hash::sha256(content),
            source_sha256: source_sha256.clone(),
            kind: model.kind(),
            summary: model.summary(),
            bytes: content.len() as u64,
            warnings: warnings.clone(),
        });
        Ok(())
    })?;
    imported.ok_or_else(|| Error::Internal("an artefact was published unchecked".into()))
}

fn from_pickle(bytes: &[u8], builder: &mut Builder, progress: &mut dyn FnMut(usize)) -> Result<Node, Error> {
    let (heap, root) = pickle::load(bytes, progress)?;
    let root = Val::new(&heap, root);
    match root.object() {
        Some(object) => {
            let mut node = estimators::import(&object, builder)?;
            estimators::text::codes::store(builder, &mut node)?;
            Ok(node)
        }
        None => Err(Error::Format { what: format!("the pickle holds {}, not an estimator", root.type_name()) }),
    }
}
