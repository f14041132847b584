//! An opened model: what workers hold, share and score with.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};

use ndarray::{Array2, ArrayView2};

use crate::artefact::{Node, Store};
use crate::estimators::text::{Reads, codes::Codes};
use crate::estimators::{self, Scorer};
use crate::map::{Identity, Map};
use crate::{Classes, Column, Error, Kind, Rows, Table, describe, hash, memory};

/// An opened artefact. Its weights are viewed in a read-only memory map that all processes share.
///
/// Scoring takes batches of rows and allocates per batch, never per row; one `Model` may be used by
/// any number of threads at once.
#[derive(Debug)]
pub struct Model {
    store: Store,
    node: Node,
    scorer: Scorer,
    codes: Codes,
    checksum: OnceLock<String>,
}

/// Numbers made of texts or tables at a time (8 MB): the rows of a large vocabulary are wide.
const TEXT_ELEMENTS: usize = 1 << 20;

/// Files mapped by this process, for as long as somebody uses them.
static OPEN: LazyLock<Mutex<HashMap<Identity, Weak<Model>>>> = LazyLock::new(Mutex::default);

impl Model {
    /// Opens the artefact at `path`.
    ///
    /// A file that is open already, by whatever path, is not mapped again: the same `Model` is
    /// returned. Opening reads the header only; see [`Model::prefault`] for the rest.
    ///
    /// # Errors
    /// A file that cannot be read, or that is no undamaged artefact of this version.
    pub fn open(path: &Path) -> Result<Arc<Model>, Error> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let meta = file.metadata().map_err(|e| Error::io("read", path, e))?;
        let identity = Identity::of(&meta);
        // Nothing panics while it is locked; and a map of weak pointers has no state to break.
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = open.get(&identity).and_then(Weak::upgrade) {
            return Ok(model);
        }
        let model = Arc::new(Model::of(&file, path)?);
        open.retain(|_, model| model.strong_count() > 0);
        open.insert(identity, Arc::downgrade(&model));
        Ok(model)
    }

    /// Opens a file that nobody else is to see.
    pub(crate) fn open_uncached(path: &Path) -> Result<Model, Error> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        Model::of(&file, path)
    }

    fn of(file: &File, path: &Path) -> Result<Model, Error> {
        let meta = file.metadata().map_err(|e| Error::io("read", path, e))?;
        if !meta.is_file() || meta.len() == 0 {
            return Err(Error::Artefact { path: path.to_path_buf(), what: "it is empty or no regular file".into() });
        }
        let map = Arc::new(Map::new(file, path)?);
        let (store, node) = Store::open(map, path, Identity::of(&meta))?;
        // Descriptions know what is wrong, not where they come from.
        let placed = |e| match e {
            Error::Artefact { what, .. } => Error::Artefact { path: path.to_path_buf(), what },
            other => other,
        };
        let scorer = estimators::load(&node, &store).map_err(placed)?;
        let codes = Codes::load(&node, &store).map_err(placed)?;
        Ok(Model { store, node, scorer, codes, checksum: OnceLock::new() })
    }

    /// What the model is for.
    pub fn kind(&self) -> Kind {
        self.scorer.outline().kind
    }

    /// Columns a row needs; `None` where the model takes any number, or texts.
    pub fn n_features(&self) -> Option<usize> {
        match self.columns() {
            Some(columns) => Some(columns.len()),
            None => self.scorer.outline().n_features.filter(|_| !self.takes_texts()),
        }
    }

    /// What it takes in each column of a row; `None` where that is a number in all of them, or where it takes texts only.
    pub fn columns(&self) -> Option<&[Column]> {
        self.scorer.columns()
    }

    /// Whether it takes rows of numbers and texts ([`Rows::Table`]): a column of it is a text.
    pub fn takes_tables(&self) -> bool {
        self.columns().is_some_and(|columns| columns.contains(&Column::Text))
    }

    /// Whether a number in a row may be missing (NaN). Where it may not, its row is refused.
    pub fn takes_missing(&self) -> bool {
        self.scorer.takes_missing()
    }

    /// Whether it takes texts ([`Rows::Texts`]) and not numbers.
    pub fn takes_texts(&self) -> bool {
        self.scorer.reads_text()
    }

    /// Columns of `transform`; for other models of `predict_proba`, else of `decision_function`, else
    /// values per row of `predict_values`. With [`targets`](Model::targets), how many these are.
    pub fn n_outputs(&self) -> usize {
        self.scorer.outline().n_outputs
    }

    /// The labels of a classifier, in the order of its columns.
    pub fn classes(&self) -> Option<&Classes> {
        self.scorer.classes()
    }

    /// The labels of each target, of a classifier that gives several labels a row; it has no [`classes`](Model::classes).
    pub fn targets(&self) -> Option<&[Classes]> {
        self.scorer.targets()
    }

    /// Names of the features, where the model was trained on a data frame.
    pub fn feature_names(&self) -> Option<&[String]> {
        self.node.feature_names.as_deref()
    }

    /// Whether it predicts: classes if it has [`classes`](Model::classes) or [`targets`](Model::targets), values if not.
    pub fn has_predict(&self) -> bool {
        self.scorer.outline().methods.predict
    }

    /// Whether it has `predict_proba`.
    pub fn has_proba(&self) -> bool {
        self.scorer.outline().methods.proba
    }

    /// Whether it has `decision_function`.
    pub fn has_decision(&self) -> bool {
        self.scorer.outline().methods.decision
    }

    /// Whether it has `transform`.
    pub fn has_transform(&self) -> bool {
        self.scorer.outline().methods.transform
    }

    /// Replaces the content of `out` by the index of a class per row; with [`targets`](Model::targets), one for each of them, row after
    /// row.
    ///
    /// # Errors
    /// Rows of the wrong width or with NaN, and models that are no classifiers.
    pub fn predict_indices(&self, x: Rows<'_>, out: &mut Vec<u32>) -> Result<(), Error> {
        out.clear();
        self.each(x, |x| self.scorer.indices(x, out))
    }

    /// Replaces the content of `out` by the values of each row, row after row: one for a regressor of
    /// one target, 1 or -1 for outlier detection, the number of the cluster, labels of several targets where they are numbers.
    ///
    /// # Errors
    /// Rows of the wrong width or with NaN, and models that are classifiers or transformers.
    pub fn predict_values(&self, x: Rows<'_>, out: &mut Vec<f64>) -> Result<(), Error> {
        out.clear();
        self.each(x, |x| self.scorer.values(x, out))
    }

    /// Probabilities, rows by classes; of several targets, the classes of each one after the other, or, of labels that are there or
    /// not, one column each.
    ///
    /// # Errors
    /// Rows of the wrong width or with NaN, and models without probabilities.
    pub fn predict_proba(&self, x: Rows<'_>) -> Result<Array2<f64>, Error> {
        self.whole(x, |x| self.scorer.proba(x))
    }

    /// Scores before they become classes, rows by scores: one column for two classes.
    ///
    /// # Errors
    /// Rows of the wrong width or with NaN, and models without such scores.
    pub fn decision_function(&self, x: Rows<'_>) -> Result<Array2<f64>, Error> {
        self.whole(x, |x| self.scorer.decision(x))
    }

    /// New features, rows by [`n_outputs`](Model::n_outputs).
    ///
    /// # Errors
    /// Rows of the wrong width or with NaN, and models that transform nothing.
    pub fn transform(&self, x: Rows<'_>) -> Result<Array2<f64>, Error> {
        self.whole(x, |x| self.scorer.transform(x))
    }

    /// Calls `work` with the rows as numbers, in one part or, of texts, in several.
    fn each(&self, rows: Rows<'_>, mut work: impl FnMut(ArrayView2<'_, f64>) -> Result<(), Error>) -> Result<(), Error> {
        match (rows.widen(), rows) {
            (None, Rows::Table(table)) if !self.takes_texts() => {
                let width = self.scorer.outline().n_features.unwrap_or(table.ncols());
                let step = (TEXT_ELEMENTS / width.max(1)).max(1);
                for start in (0..table.nrows()).step_by(step) {
                    let rows = start..table.nrows().min(start + step);
                    self.numbers(table, rows).and_then(|x| work(x.view())).map_err(|e| table.place(e, start))?;
                }
                Ok(())
            }
            (None, Rows::Texts(texts)) if self.takes_texts() => {
                let width = self.scorer.outline().n_features.unwrap_or(1);
                for part in texts.parts(TEXT_ELEMENTS / width.max(1)) {
                    work(self.scorer.read(part)?.view())?;
                }
                Ok(())
            }
            (Some(x), _) if !self.takes_texts() && !self.takes_tables() => work(x.view()),
            (_, rows) => {
                let expected = match (self.takes_texts(), self.takes_tables()) {
                    (true, _) => "texts",
                    (_, true) => "numbers and texts",
                    _ => "numbers",
                };
                let found = match rows {
                    Rows::Texts(_) => "texts",
                    Rows::Table(_) => "numbers and texts",
                    _ => "numbers",
                };
                Err(Error::Input { expected, found })
            }
        }
    }

    /// Rows of a table as the estimators take them.
    fn numbers(&self, table: &Table, rows: Range<usize>) -> Result<Array2<f64>, Error> {
        let x = table.coded(rows.clone(), self.columns(), &self.codes)?;
        match self.scorer.reads() {
            Reads::Table => self.scorer.read_table(x, table, rows),
            _ => Ok(x),
        }
    }

    /// The same for methods that give a matrix.
    fn whole(
        &self,
        rows: Rows<'_>,
        mut work: impl FnMut(ArrayView2<'_, f64>) -> Result<Array2<f64>, Error>,
    ) -> Result<Array2<f64>, Error> {
        let mut parts = Vec::new();
        self.each(rows, |x| {
            parts.push(work(x)?);
            Ok(())
        })?;
        if parts.is_empty() {
            let width = self.scorer.outline().n_features.unwrap_or(0);
            parts.push(work(Array2::zeros((0, width)).view())?);
        }
        estimators::stack(parts).ok_or_else(|| Error::Internal("parts of an answer of several widths".into()))
    }

    /// sha256 of the artefact file in hex; computed from the map when first asked for.
    pub fn checksum(&self) -> &str {
        self.checksum.get_or_init(|| hash::sha256(self.store.map.bytes()))
    }

    /// sha256 of the file the artefact was made from, in hex.
    pub fn source_checksum(&self) -> &str {
        &self.store.source_sha256
    }

    /// Where it was opened first.
    pub fn path(&self) -> &Path {
        &self.store.path
    }

    /// Size of the map, which all processes share.
    pub fn mapped_bytes(&self) -> u64 {
        self.store.map.bytes().len() as u64
    }

    /// Reads the whole file into memory now, so that the first rows need not wait for the disk.
    /// Where the kernel cannot do it, pages come when they are touched, and this is no error.
    ///
    /// A model for which there is not memory enough, together with the others that this process has open, is refused before. The
    /// machine tells how much there is, or its control group; `SQUALL_MODEL_MEMORY`, in bytes, overrides both.
    ///
    /// # Errors
    /// Too little memory, or the kernel's refusal.
    pub fn prefault(&self) -> Result<(), Error> {
        if let Some(available) = memory::available_memory() {
            let others = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            let others = others.values().filter_map(Weak::upgrade).filter(|m| !std::ptr::eq(&**m, self));
            let others = others.map(|m| m.mapped_bytes()).sum();
            let needed = self.mapped_bytes();
            if needed.saturating_add(others) > available {
                return Err(Error::Memory { path: self.store.path.clone(), needed, others, available });
            }
        }
        let done = self.store.map.prefault();
        done.map_err(|e| Error::io("read ahead", &self.store.path, e))
    }

    /// The tree of estimators with parameters and shapes, for people and user interfaces.
    pub fn describe(&self) -> serde_json::Value {
        describe::tree(&self.node, &self.store)
    }

    pub(crate) fn summary(&self) -> String {
        describe::summary(&self.node, &self.scorer)
    }
}
