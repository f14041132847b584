//! Encoders of categories, be they numbers or texts: one column each, or their number.

use ndarray::{Array2, ArrayView2};

use super::super::text::codes;
use super::super::{Estimator, Family, Outline};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Column, Error};

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
    /// Of a feature of many categories, these in order with their numbers.
    sorted: Vec<Vec<(f64, usize)>>,
    /// Which features are texts, if any is.
    takes: Option<Vec<Column>>,
    /// The group of each category, where infrequent ones share one.
    groups: Option<View<i64>>,
    /// The group of what is unknown, by feature, where it has one.
    others: Vec<Option<usize>>,
    unknown: Unknown,
    /// One-hot: where each feature's columns begin, and which category has none.
    columns: Option<(Vec<usize>, Vec<Option<usize>>)>,
    /// Ordinal: what NaN becomes.
    missing: f64,
}

fn import(op: &str, object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(op, object.class());
    let (mut categories, mut counts, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for feature in object.list("categories_")? {
        let Some((values, are_texts)) = codes::coded(&feature, builder)? else {
            return Err(Error::unsupported(object.class(), "a feature has categories that are both texts and numbers"));
        };
        counts.push(values.len() as i64);
        texts.push(are_texts);
        categories.extend(values);
    }
    node.n_features = Some(counts.len());
    codes::set_texts(&mut node, texts);
    let unknown = object.word("handle_unknown", "error");
    node.set("unknown", &*unknown);
    if object.flag("_infrequent_enabled", false) {
        let joins = matches!(&*unknown, "infrequent_if_exist" | "warn");
        let (groups, others) = groups(object, &counts, joins)?;
        builder.i64(&mut node, "groups", groups)?;
        builder.i64(&mut node, "others", others)?;
    }
    if op == ONE_HOT.op {
        let dropped =
            object.some("_drop_idx_after_grouping").or_else(|| object.some("drop_idx_")).and_then(|v| v.list_or_ints());
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

/// Infrequent categories share a group: the group of each category, and that of unknown ones by feature, -1 where they have none.
fn groups(object: &Obj<'_>, counts: &[i64], joins: bool) -> Result<(Vec<i64>, Vec<i64>), Error> {
    let wrong = |name: &str| object.wrong(name, "does not fit `categories_`");
    let mappings = object.list("_default_to_infrequent_mappings")?;
    let infrequent = object.list("_infrequent_indices")?;
    if mappings.len() != counts.len() || infrequent.len() != counts.len() {
        return Err(wrong("_infrequent_indices"));
    }
    let (mut groups, mut others) = (Vec::new(), Vec::new());
    for ((mapping, infrequent), count) in mappings.iter().zip(&infrequent).zip(counts) {
        if mapping.is_none() {
            groups.extend(0..*count);
            others.push(-1);
            continue;
        }
        let mapping: Option<Vec<i64>> = mapping.ints().map(|m| m.iter().copied().collect());
        let mut mapping = mapping.ok_or_else(|| wrong("_default_to_infrequent_mappings"))?;
        if mapping.len() as i64 + 1 == *count {
            // That missing values are the last category of a number for themselves is not told.
            mapping.push(0);
        }
        if mapping.len() as i64 != *count {
            return Err(wrong("_default_to_infrequent_mappings"));
        }
        let first = infrequent.ints().and_then(|i| usize::try_from(*i.iter().next()?).ok());
        let other = first.and_then(|i| mapping.get(i).copied()).ok_or_else(|| wrong("_infrequent_indices"))?;
        groups.extend(&mapping);
        others.push(if joins { other } else { -1 });
    }
    Ok((groups, others))
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let broken = || node.broken("its categories do not add up");
    let categories = store.f64(node, "categories")?;
    let starts = super::starts(store.i64(node, "counts")?.slice(), categories.len()).ok_or_else(broken)?;
    let one_hot = node.op == ONE_HOT.op;
    let (groups, others) = match node.tensors.contains_key("groups") {
        false => (None, Vec::new()),
        true => {
            let groups = store.i64(node, "groups")?.expect(node, "groups", &[categories.len()])?;
            let others = store.i64(node, "others")?.expect(node, "others", &[starts.len() - 1])?;
            let inside =
                |ends: &[usize]| groups.slice()[ends[0]..ends[1]].iter().all(|g| (0..(ends[1] - ends[0]) as i64).contains(g));
            let known = |(ends, other): (&[usize], &i64)| *other < 0 || groups.slice()[ends[0]..ends[1]].contains(other);
            if !starts.windows(2).all(inside) || !starts.windows(2).zip(others.slice()).all(known) {
                return Err(broken());
            }
            let others = others.slice().iter().map(|other| usize::try_from(*other).ok()).collect();
            (Some(groups), others)
        }
    };
    let unknown = match (node.text("unknown")?, one_hot) {
        ("error", _) => Unknown::Refuse,
        ("use_encoded_value", false) => Unknown::Number(node.f64("unknown_value")?),
        // The others differ only in where infrequent categories share a group.
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
                let count = match &groups {
                    Some(groups) => groups.slice()[ends[0]..ends[1]].iter().max().map_or(0, |g| *g as usize + 1),
                    None => ends[1] - ends[0],
                };
                if dropped.is_some_and(|d| d >= count) {
                    return Err(broken());
                }
                first.push(first.last().copied().unwrap_or(0) + count - usize::from(dropped.is_some()));
            }
            Some((first, dropped))
        }
    };
    let missing = if one_hot { f64::NAN } else { node.f64("missing")? };
    let takes = codes::takes(node, starts.len() - 1)?;
    let sorted = starts.windows(2).map(|ends| sorted(&categories.slice()[ends[0]..ends[1]])).collect();
    Ok(Box::new(Encoder { categories, starts, sorted, takes, groups, others, unknown, columns, missing }))
}

impl Encoder {
    /// The number of a value among the categories of a feature.
    fn find(&self, feature: usize, value: f64) -> Option<usize> {
        let categories = &self.categories.slice()[self.starts[feature]..self.starts[feature + 1]];
        match self.sorted[feature].as_slice() {
            [] => categories.iter().position(|c| *c == value || (c.is_nan() && value.is_nan())),
            sorted => sorted.binary_search_by(|(c, _)| c.total_cmp(&key(value))).ok().map(|i| sorted[i].1),
        }
    }
}

/// Up to here looking at one category after the other is as fast.
const FEW: usize = 16;

/// Categories in order with their numbers, where there are many.
fn sorted(categories: &[f64]) -> Vec<(f64, usize)> {
    if categories.len() <= FEW {
        return Vec::new();
    }
    let mut sorted: Vec<(f64, usize)> = categories.iter().enumerate().map(|(i, c)| (key(*c), i)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Of equal ones the first counts.
    sorted.dedup_by(|later, first| later.0.total_cmp(&first.0).is_eq());
    sorted
}

/// Equal numbers as one in the total order: there is one zero, and one NaN.
fn key(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

impl Estimator for Encoder {
    fn outline(&self) -> Outline {
        let n = self.starts.len() - 1;
        let outputs = self.columns.as_ref().map_or(n, |(first, _)| first.last().copied().unwrap_or(0));
        super::transformer(Some(n), outputs, true)
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.outline().n_outputs));
        for ((row, column), value) in x.indexed_iter() {
            let group = |i: usize| match &self.groups {
                Some(groups) => groups.slice()[self.starts[column] + i] as usize,
                None => i,
            };
            let found = self.find(column, *value).map(group).or(self.others.get(column).copied().flatten());
            if let (None, Unknown::Refuse) = (found, &self.unknown) {
                if value.is_nan() {
                    let what = "it is missing, and training saw no missing value there".to_owned();
                    return Err(Error::Value { row, column, what });
                }
                return Err(Error::Category { row, column, category: value.to_string() });
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
