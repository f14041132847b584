//! The estimators that can be scored: one file per family, and the list of them all.
//!
//! Each family brings three things: how to read its attributes out of a pickle (`import`), how to
//! view its arrays in an opened artefact (`load`), and the computation over a batch of rows.

mod bayes;
mod centroid;
mod cluster;
mod discriminant;
mod layers;
mod linear;
mod math;
mod meta;
mod mixture;
mod mlp;
mod neighbors;
pub(crate) mod onnx;
mod pca;
mod preprocess;
mod regress;
mod scorer;
mod svm;
pub(crate) mod text;
pub(crate) mod trees;
mod vector;

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

pub(crate) use math::stack;
use preprocess::identity;
pub(crate) use scorer::Scorer;
use text::Reads;

use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Classes, Column, Error, Kind, Table, Texts};

/// Views the arrays of a node in its store.
type Load = fn(&Node, &Store) -> Result<Box<dyn Estimator>, Error>;

/// How one kind of estimator is imported and loaded.
pub(crate) struct Family {
    /// Its name in artefacts.
    op: &'static str,
    /// The scikit-learn classes that become it.
    classes: &'static [&'static str],
    import: fn(&Obj<'_>, &mut Builder) -> Result<Node, Error>,
    load: Load,
}

/// Everything that can be imported and scored.
const FAMILIES: &[Family] = &[
    bayes::DISCRETE,
    bayes::GAUSSIAN,
    centroid::NEAREST,
    cluster::KMEANS,
    discriminant::LINEAR,
    discriminant::QUADRATIC,
    linear::CLASSIFIER,
    meta::ADA_CLASSIFIER,
    meta::ADA_REGRESSOR,
    meta::BAGGING,
    meta::CALIBRATED,
    meta::COLUMNS,
    meta::CONSTANT,
    meta::ONE_VERSUS_ONE,
    meta::ONE_VERSUS_REST,
    meta::PIPELINE,
    meta::STACKING,
    meta::TARGETS,
    meta::UNION,
    meta::VOTING,
    meta::SEARCH,
    mixture::GAUSSIAN,
    mlp::CLASSIFIER,
    mlp::REGRESSOR,
    neighbors::CLASSIFIER,
    neighbors::REGRESSOR,
    onnx::ONNX,
    onnx::ONNX_WEIGHTS,
    pca::FAMILY,
    preprocess::BINARIZER,
    preprocess::BINS,
    preprocess::FUNCTION,
    preprocess::IMPUTER,
    preprocess::MAX_ABS,
    preprocess::MIN_MAX,
    preprocess::NORMALIZER,
    preprocess::ONE_HOT,
    preprocess::ORDINAL,
    preprocess::POLYNOMIAL,
    preprocess::POWER,
    preprocess::QUANTILE,
    preprocess::ROBUST,
    preprocess::SELECTOR,
    preprocess::STANDARD,
    regress::REGRESSOR,
    svm::CLASSIFIER,
    svm::ONE_CLASS,
    svm::REGRESSOR,
    text::TFIDF,
    text::VECTORIZER,
    trees::ENSEMBLE,
    trees::FOREST_CLASSIFIER,
    trees::FOREST_REGRESSOR,
    trees::GRADIENT_CLASSIFIER,
    trees::GRADIENT_REGRESSOR,
    trees::HISTOGRAM_CLASSIFIER,
    trees::HISTOGRAM_REGRESSOR,
    trees::ISOLATION,
    trees::TREE_CLASSIFIER,
    trees::TREE_REGRESSOR,
];

/// The most columns a row may have, given or made: 128 MB. A few bytes of a file can ask for any number.
const MAX_COLUMNS: usize = 1 << 24;

/// Methods an estimator answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Methods {
    pub(crate) predict: bool,
    pub(crate) proba: bool,
    pub(crate) decision: bool,
    pub(crate) transform: bool,
}

/// What an estimator looks like from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outline {
    pub(crate) kind: Kind,
    /// Columns it takes; unknown where any number will do.
    pub(crate) n_features: Option<usize>,
    /// Columns it gives: of `transform`, else of `predict_proba`, else of the decision function or values.
    pub(crate) n_outputs: usize,
    pub(crate) methods: Methods,
    /// Whether rows may hold NaN and infinities.
    pub(crate) takes_nan: bool,
}

/// A loaded estimator. Rows come checked for width and, unless it takes them, for NaN.
///
/// Methods that the outline does not announce are never called.
pub(crate) trait Estimator: Send + Sync {
    fn outline(&self) -> Outline;

    fn classes(&self) -> Option<&Classes> {
        None
    }

    /// The classes of each target, of a classifier that gives several labels a row. It has no `classes`.
    fn targets(&self) -> Option<&[Classes]> {
        None
    }

    /// What the rows are that it takes. Unless they are numbers, `read` or `read_table` makes the rows that the other methods take.
    fn reads(&self) -> Reads {
        Reads::Numbers
    }

    /// What it takes in each column it is given; none where that is numbers in all of them.
    fn columns(&self) -> Option<&[Column]> {
        None
    }

    /// Whether a row with NaN has a chance: an estimator made of others lets rows through for these to check.
    fn takes_missing(&self) -> bool {
        self.outline().takes_nan
    }

    /// Whether `transform` gives rows as they are, so that a pipeline may leave it out.
    fn passes(&self) -> bool {
        false
    }

    /// A row of numbers for each text.
    fn read(&self, _texts: Texts<'_>) -> Result<Array2<f64>, Error> {
        unannounced()
    }

    /// A row of numbers for each of these rows of a table. `x` has their numbers, and the codes of texts.
    fn read_table(&self, _x: Array2<f64>, _table: &Table, _rows: Range<usize>) -> Result<Array2<f64>, Error> {
        unannounced()
    }

    /// Appends a class index per row, or one for each target.
    fn indices(&self, _x: ArrayView2<'_, f64>, _out: &mut Vec<u32>) -> Result<(), Error> {
        unannounced()
    }

    /// Appends the values of each row; of several targets, their labels as numbers.
    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        match self.targets() {
            Some(targets) => numbers_of(self, targets, x, out),
            None => unannounced(),
        }
    }

    fn proba(&self, _x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        unannounced()
    }

    fn decision(&self, _x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        unannounced()
    }

    fn transform(&self, _x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        unannounced()
    }
}

/// Appends the labels of each target, which are numbers.
fn numbers_of(
    model: &(impl Estimator + ?Sized),
    targets: &[Classes],
    x: ArrayView2<'_, f64>,
    out: &mut Vec<f64>,
) -> Result<(), Error> {
    let mut indices = Vec::new();
    model.indices(x, &mut indices)?;
    out.extend(indices.iter().zip(targets.iter().cycle()).map(|(i, classes)| classes.number(*i as usize)));
    Ok(())
}

fn unannounced<T>() -> Result<T, Error> {
    Err(Error::Internal("a method the model does not have".into()))
}

/// Reads an estimator out of a pickle.
pub(crate) fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let known = object.class().starts_with("sklearn.");
    let family = FAMILIES.iter().find(|f| known && f.classes.contains(&object.name()));
    let Some(family) = family else {
        return Err(Error::unsupported(
            object.class(),
            format!("it is not among the estimators that can be scored: {}", supported().join(", ")),
        ));
    };
    builder.deeper(|builder| {
        let mut node = (family.import)(object, builder)?;
        let names = object.some("feature_names_in_").and_then(|v| v.strings());
        node.feature_names = node.feature_names.or(names);
        if !text::parts_fit(&node) {
            let what = "a part of it takes texts, and it does not: put the vectorizer first in a Pipeline around it, or into the \
                        ColumnTransformer that is first in one";
            return Err(Error::unsupported(object.class(), what));
        }
        Ok(node)
    })
}

/// Views an estimator in an opened artefact.
pub(crate) fn load(node: &Node, store: &Store) -> Result<Scorer, Error> {
    let family = FAMILIES.iter().find(|f| f.op == node.op);
    let family = family.ok_or_else(|| node.broken("it is of a kind this version does not know"))?;
    let scorer = Scorer::new(node.class.clone(), (family.load)(node, store)?);
    let Outline { n_features, n_outputs, .. } = *scorer.outline();
    if n_features.unwrap_or(0).max(n_outputs) > MAX_COLUMNS {
        return Err(node.broken("its rows have too many columns"));
    }
    Ok(scorer)
}

/// The number of features, by the names it had over the years.
fn n_features(object: &Obj<'_>) -> Result<usize, Error> {
    let known = ["n_features_in_", "_n_features", "n_features_", "n_input_features_", "n_features"];
    let name = known.into_iter().find(|name| object.some(name).is_some()).unwrap_or(known[0]);
    match object.size(name)? {
        n if n > MAX_COLUMNS => Err(object.wrong(name, "is out of bounds")),
        n => Ok(n),
    }
}

/// The scikit-learn classes that can be imported, in alphabetical order.
pub fn supported() -> Vec<&'static str> {
    let mut names: Vec<&str> = FAMILIES.iter().flat_map(|f| f.classes).copied().collect();
    names.sort_unstable();
    names
}
