//! `CountVectorizer`, `TfidfVectorizer` and `HashingVectorizer`.

use ndarray::{Array2, ArrayView2};

use super::super::preprocess::transformer;
use super::super::{Estimator, Family, MAX_COLUMNS, Outline};
use super::analyze::{self, Analyzer};
use super::tfidf::Weighting;
use super::{Reads, hashing, vocabulary};
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;
use crate::{Error, Texts};

pub(crate) const VECTORIZER: Family =
    Family { op: "vectorizer", classes: &["CountVectorizer", "HashingVectorizer", "TfidfVectorizer"], import, load };

/// How a term finds its column.
enum Columns {
    Vocabulary(vocabulary::Vocabulary),
    Hash { signed: bool },
}

struct Vectorizer {
    analyzer: Analyzer,
    columns: Columns,
    width: usize,
    /// A term counts once however often it occurs.
    binary: bool,
    weighting: Weighting,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(VECTORIZER.op, object.class());
    analyze::import(object, &mut node)?;
    node.set("binary", object.flag("binary", false));
    let width = match object.name() {
        "HashingVectorizer" => {
            // Before 0.19 the flag had another meaning, and its default gave what alternating signs give.
            node.set("signed", object.flag("alternate_sign", true) && !object.flag("non_negative", false));
            Weighting::import_norm(object, &mut node)?;
            object.size("n_features")?
        }
        name => {
            let mut terms = Vec::new();
            let pairs = object.need("vocabulary_")?.pairs();
            for (term, column) in pairs.ok_or_else(|| object.wrong("vocabulary_", "is no dict"))? {
                let column = column.int().and_then(|c| usize::try_from(c).ok());
                let (Some(term), Some(column)) = (term.text(), column) else {
                    return Err(object.wrong("vocabulary_", "holds something that is no term and column"));
                };
                terms.push((term.into_owned(), column));
            }
            terms.sort();
            if terms.windows(2).any(|w| w[0].0 == w[1].0) {
                return Err(object.wrong("vocabulary_", "has a term twice"));
            }
            vocabulary::store("", &terms, builder, &mut node)?;
            let width = terms.iter().map(|t| t.1 + 1).max().unwrap_or(0);
            if name == "TfidfVectorizer" {
                Weighting::import(&object.object("_tfidf")?, builder, &mut node, width)?;
            }
            width
        }
    };
    if width == 0 || width > MAX_COLUMNS {
        return Err(object.wrong("vocabulary_", format!("has {width} columns, which is none or too many")));
    }
    node.n_features = Some(width);
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let width = node.n_features.filter(|n| (1..=MAX_COLUMNS).contains(n));
    let width = width.ok_or_else(|| node.broken("its number of columns is out of bounds"))?;
    let columns = match vocabulary::Vocabulary::stands("", node) {
        true => Columns::Vocabulary(vocabulary::Vocabulary::load("", node, store, width)?),
        false => Columns::Hash { signed: node.flag("signed") },
    };
    Ok(Box::new(Vectorizer {
        analyzer: Analyzer::load(node)?,
        columns,
        width,
        binary: node.flag("binary"),
        weighting: Weighting::load(node, store, width)?,
    }))
}

impl Estimator for Vectorizer {
    fn outline(&self) -> Outline {
        transformer(Some(self.width), self.width, false)
    }

    fn reads(&self) -> Reads {
        Reads::Texts
    }

    fn passes(&self) -> bool {
        true
    }

    fn read(&self, texts: Texts<'_>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((texts.len(), self.width));
        let mut touched: Vec<u32> = Vec::new();
        for (text, mut row) in texts.iter().zip(out.outer_iter_mut()) {
            let Some(row) = row.as_slice_mut() else { continue };
            touched.clear();
            self.analyzer.terms(text, &mut |term| {
                let (column, sign) = match &self.columns {
                    Columns::Vocabulary(vocabulary) => match vocabulary.column(term) {
                        Some(column) => (column, 1.0),
                        None => return,
                    },
                    Columns::Hash { signed } => {
                        let (column, sign) = hashing::column(term, self.width);
                        (column, if *signed { sign } else { 1.0 })
                    }
                };
                row[column] += sign;
                touched.push(column as u32);
            });
            touched.sort_unstable();
            touched.dedup();
            if self.binary {
                touched.iter().for_each(|c| row[*c as usize] = 1.0);
            }
            self.weighting.apply(row, touched.iter().map(|c| *c as usize));
        }
        Ok(out)
    }

    /// What it is given is what it has read.
    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(x.to_owned())
    }
}
