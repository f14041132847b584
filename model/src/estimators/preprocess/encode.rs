//! Encoders of numeric categories: one column each, or their number.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;

pub(crate) const ONE_HOT: Family =
    Family { op: "one_hot", classes: &["OneHotEncoder"], import: |o, b| import(ONE_HOT.op, o, b), load };

pub(crate) const ORDINAL: Family =
    Family { op: "ordinal", classes: &["OrdinalEncoder"], import: |o, b| import(ORDINAL.op, o, b), load };

/// What becomes of a value that training did not see.
enum Unknown {
    Refuse,
    /// One-hot: no column is set.
    Nothing,
    /// Ordinal: this number.
    Number(f64),
}

struct Encoder {
    /// Categories of all features, one after the other, each ascending with NaN last.
    categories: View<f64>,
    /// Where each feature's categories begin, and the end of the last.
    starts: Vec<usize>,
    unknown: Unknown,
    /// One-hot: where each feature's columns begin, and which category has none.
    columns: Option<(Vec<usize>, Vec<Option<usize>>)>,
    /// Ordinal: what NaN becomes.
    missing: f64,
}

fn import(op: &str, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(op, object.class());
    if object.flag("_infrequent_enabled", false) {
        return Err(Error::unsupported(object.class(), "infrequent categories are not supported"));
    }
    let (mut categories, mut counts) = (Vec::new(), Vec::new());
    for feature in object.list("categories_")? {
        let Some(values) = feature.floats() else {
            return Err(Error::unsupported(
                object.class(),
                "its categories are texts, and rows are numbers; encode them in a bolt before the model",
            ));
        };
        counts.push(values.len() as i64);
        categories.extend(values);
    }
    node.n_features = Some(counts.len());
    node.set("unknown", &*object.word("handle_unknown", "error"));
    if op == ONE_HOT.op {
        let dropped = object.some("drop_idx_").and_then(|v| v.list_or_ints());
        let dropped = dropped.unwrap_or_else(|| vec![-1; counts.len()]);
        builder.i64(&mut node, "dropped", dropped)?;
    } else {
        let unknown = object.some("unknown_value").and_then(|v| v.float()).unwrap_or(f64::NAN);
        node.set_f64("unknown_value", unknown);
        let missing = object.some("encoded_missing_value").and_then(|v| v.float()).unwrap_or(f64::NAN);
        node.set_f64("missing", missing);
    }
    builder.vec(&mut node, "categories", categories)?;
    builder.i64(&mut node, "counts", counts)?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let broken = || node.broken("its categories do not add up");
    let categories = store.f64(node, "categories")?;
    let starts = super::starts(store.i64(node, "counts")?.slice(), categories.len()).ok_or_else(broken)?;
    let one_hot = node.op == ONE_HOT.op;
    let unknown = match (node.text("unknown")?, one_hot) {
        ("error", _) => Unknown::Refuse,
        ("use_encoded_value", false) => Unknown::Number(node.f64("unknown_value")?),
        // Without infrequent categories the others come to the same.
        (_, true) => Unknown::Nothing,
        _ => return Err(node.broken("what it does with unknown values is unknown")),
    };
    let columns = match one_hot {
        false => None,
        true => {
            let dropped = store.i64(node, "dropped")?.expect(node, "dropped", &[starts.len() - 1])?;
            let dropped: Vec<Option<usize>> = dropped.slice().iter().map(|d| usize::try_from(*d).ok()).collect();
            let mut first = vec![0];
            for (ends, dropped) in starts.windows(2).zip(&dropped) {
                let count = ends[1] - ends[0];
                if dropped.is_some_and(|d| d >= count) {
                    return Err(broken());
                }
                first.push(first.last().copied().unwrap_or(0) + count - usize::from(dropped.is_some()));
            }
            Some((first, dropped))
        }
    };
    let missing = if one_hot { f64::NAN } else { node.f64("missing")? };
    Ok(Box::new(Encoder { categories, starts, unknown, columns, missing }))
}

impl Encoder {
    /// The number of a value among the categories of a feature.
    fn find(&self, feature: usize, value: f64) -> Option<usize> {
        let categories = &self.categories.slice()[self.starts[feature]..self.starts[feature + 1]];
        categories.iter().position(|c| *c == value || (c.is_nan() && value.is_nan()))
    }
}

impl Estimator for Encoder {
    fn outline(&self) -> Outline {
        let n = self.starts.len() - 1;
        let outputs = self.columns.as_ref().map_or(n, |(first, _)| first.last().copied().unwrap_or(0));
        super::transformer(Some(n), outputs, true)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.outline().n_outputs));
        for ((row, column), value) in x.indexed_iter() {
            let found = self.find(column, *value);
            if let (None, Unknown::Refuse) = (found, &self.unknown) {
                let what = format!("{value} is a category that training did not see");
                return Err(Error::Value { row, column, what });
            }
            match (&self.columns, found, &self.unknown) {
                (Some((first, dropped)), Some(found), _) => {
                    let after = dropped[column].is_some_and(|d| d < found);
                    if dropped[column] != Some(found) {
                        out[[row, first[column] + found - usize::from(after)]] = 1.0;
                    }
                }
                (None, Some(_), _) if value.is_nan() => out[[row, column]] = self.missing,
                (None, Some(found), _) => out[[row, column]] = found as f64,
                (None, None, Unknown::Number(number)) => out[[row, column]] = *number,
                _ => {}
            }
        }
        Ok(out)
    }
}
