//! `TfidfTransformer`: counts of terms weighted by how rare they are, then scaled to length 1.

use ndarray::{Array2, ArrayView2};

use super::super::preprocess::transformer;
use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

pub(crate) const TFIDF: Family = Family { op: "tfidf", classes: &["TfidfTransformer"], import, load };

#[derive(Clone, Copy)]
enum Norm {
    None,
    One,
    Two,
}

/// What is done to the counts of a text.
pub(super) struct Weighting {
    sublinear: bool,
    idf: Option<View<f64>>,
    norm: Norm,
}

impl Weighting {
    /// Notes the weighting of a transformer over `width` columns.
    pub(super) fn import(object: &Obj<'_>, builder: &mut Builder, node: &mut Node, width: usize) -> Result<(), Error> {
        node.set("sublinear", object.flag("sublinear_tf", false));
        if object.flag("use_idf", true) {
            // Older versions keep a diagonal matrix, whose data are the weights.
            let idf = match ["idf_", "_idf_diag"].iter().find(|name| object.some(name).is_some()) {
                Some(&"_idf_diag") => object.object("_idf_diag")?.vector("data")?,
                _ => object.vector("idf_")?,
            };
            if idf.len() != width {
                return Err(object.wrong("idf_", "does not fit the vocabulary"));
            }
            builder.vec(node, "idf", idf)?;
        }
        Weighting::import_norm(object, node)
    }

    pub(super) fn import_norm(object: &Obj<'_>, node: &mut Node) -> Result<(), Error> {
        if object.some("norm").is_some() {
            node.set("norm", &*object.text("norm")?);
        }
        Ok(())
    }

    pub(super) fn load(node: &Node, store: &Store, width: usize) -> Result<Weighting, Error> {
        let idf = match node.tensors.contains_key("idf") {
            true => Some(store.f64(node, "idf")?.expect(node, "idf", &[width])?),
            false => None,
        };
        let norm = match node.params.get("norm").and_then(|n| n.as_str()) {
            None => Norm::None,
            Some("l1") => Norm::One,
            Some("l2") => Norm::Two,
            Some(_) => return Err(node.broken("its norm is unknown")),
        };
        Ok(Weighting { sublinear: node.flag("sublinear"), idf, norm })
    }

    /// Weighs a row; the columns that are not listed are zero.
    pub(super) fn apply(&self, row: &mut [f64], columns: impl Iterator<Item = usize> + Clone) {
        let idf = self.idf.as_ref().map(View::slice);
        if self.sublinear || idf.is_some() {
            for column in columns.clone() {
                let value = if self.sublinear { row[column].ln() + 1.0 } else { row[column] };
                row[column] = value * idf.map_or(1.0, |idf| idf[column]);
            }
        }
        let values = columns.clone().map(|c| row[c]);
        let length = match self.norm {
            Norm::None => return,
            Norm::One => values.map(f64::abs).sum::<f64>(),
            Norm::Two => values.map(|v| v * v).sum::<f64>().sqrt(),
        };
        if length != 0.0 {
            columns.for_each(|c| row[c] /= length);
        }
    }
}

struct Tfidf {
    weighting: Weighting,
    n_features: Option<usize>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(TFIDF.op, object.class());
    let given = ["idf_", "_idf_diag"].iter().find(|name| object.some(name).is_some());
    node.n_features = match given {
        Some(&"_idf_diag") => Some(object.object("_idf_diag")?.vector("data")?.len()),
        Some(_) => Some(object.vector("idf_")?.len()),
        None => object.size("n_features_in_").ok(),
    };
    let width = given.and(node.n_features).unwrap_or(0);
    Weighting::import(object, builder, &mut node, width)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let weighting = Weighting::load(node, store, node.n_features.unwrap_or(0))?;
    Ok(Box::new(Tfidf { weighting, n_features: node.n_features }))
}

impl Estimator for Tfidf {
    fn outline(&self) -> Outline {
        transformer(self.n_features, self.n_features.unwrap_or(0), false)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = x.as_standard_layout().into_owned();
        let mut columns = Vec::new();
        for mut row in out.outer_iter_mut() {
            let Some(row) = row.as_slice_mut() else { continue };
            columns.clear();
            columns.extend(row.iter().enumerate().filter_map(|(i, v)| (*v != 0.0).then_some(i)));
            self.weighting.apply(row, columns.iter().copied());
        }
        Ok(out)
    }
}
