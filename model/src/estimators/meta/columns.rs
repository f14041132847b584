//! Transformers side by side: `ColumnTransformer` over chosen columns, `FeatureUnion` over all.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, s};

use super::super::text::Reads;
use super::super::{Estimator, Family, Methods, Outline, Scorer, identity, n_features};
use crate::artefact::{Builder, Child, Node, Store};
use crate::import::{Obj, Val};
use crate::{Column, Error, Kind, Table, Texts};

pub(crate) const COLUMNS: Family = Family { op: "columns", classes: &["ColumnTransformer"], import: import_columns, load };

pub(crate) const UNION: Family = Family { op: "union", classes: &["FeatureUnion"], import: import_union, load };

/// A slice of columns is a few bytes in the file and a list here.
const MAX_WIDTH: usize = 1 << 22;

/// What a member is given of each row.
enum Given {
    All,
    Columns(Vec<usize>),
    /// What it has made of the text itself, which is that of a column where there are several.
    Read(Range<usize>, Option<usize>),
}

struct Part {
    given: Given,
    weight: f64,
    width: usize,
    transformer: Scorer,
}

struct SideBySide {
    /// Columns that the parts find: those of the rows, and after them what is made of texts.
    n_features: Option<usize>,
    parts: Vec<Part>,
    reads: Reads,
    takes: Option<Vec<Column>>,
}

fn import_columns(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(COLUMNS.op, object.class());
    let width = n_features(object)?;
    if width > MAX_WIDTH {
        return Err(object.wrong("n_features_in_", "is out of bounds"));
    }
    node.n_features = Some(width);
    for entry in object.list("transformers_")? {
        let Some([name, transformer, columns]) = entry.list().and_then(|l| <[Val<'_>; 3]>::try_from(l).ok()) else {
            return Err(object.wrong("transformers_", "holds something that is no (name, transformer, columns)"));
        };
        let name = name.text().unwrap_or_default();
        if transformer.text().is_some_and(|t| t == "drop") {
            continue;
        }
        let columns = chosen(object, &name, &columns, width).ok_or_else(|| {
            object.wrong("transformers_", format!("chooses the columns of `{name}` in a way that is not known"))
        })?;
        if columns.is_empty() {
            continue;
        }
        let weight = weight(object, &name);
        add(builder, &mut node, &name, &transformer, Some(columns), weight)?;
    }
    Ok(node)
}

fn import_union(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(UNION.op, object.class());
    for entry in object.list("transformer_list")? {
        let Some([name, transformer]) = entry.list().and_then(|l| <[Val<'_>; 2]>::try_from(l).ok()) else {
            return Err(object.wrong("transformer_list", "holds something that is no (name, transformer)"));
        };
        let name = name.text().unwrap_or_default();
        if transformer.is_none() || transformer.text().is_some_and(|t| t == "drop") {
            continue;
        }
        let weight = weight(object, &name);
        add(builder, &mut node, &name, &transformer, None, weight)?;
    }
    Ok(node)
}

fn weight(object: &Obj<'_>, name: &str) -> f64 {
    object.some("transformer_weights").and_then(|w| w.entry(name)).and_then(|w| w.float()).unwrap_or(1.0)
}

fn add(
    builder: &mut Builder,
    node: &mut Node,
    name: &str,
    transformer: &Val<'_>,
    columns: Option<Vec<usize>>,
    weight: f64,
) -> Result<(), Error> {
    let width = columns.as_ref().map(Vec::len).or(node.n_features);
    let inner = match (transformer.text(), transformer.object()) {
        (Some(word), _) if word == "passthrough" => identity("passthrough", width),
        (_, Some(object)) => super::super::import(&object, builder)?,
        _ => return Err(node.broken("it has a member that is no transformer")),
    };
    let i = node.children.len();
    if let Some(columns) = columns {
        let columns = columns.into_iter().map(|c| c as i64).collect();
        builder.i64(node, &format!("columns.{i}"), columns)?;
    }
    node.set_f64(&format!("weight.{i}"), weight);
    node.children.push(Child { name: name.to_owned(), node: inner });
    Ok(())
}

/// The columns of one transformer: what newer versions resolved, or what was written down.
fn chosen(object: &Obj<'_>, name: &str, columns: &Val<'_>, width: usize) -> Option<Vec<usize>> {
    let resolved = object.some("_transformer_to_input_indices").and_then(|d| d.entry(name));
    let columns = resolved.as_ref().unwrap_or(columns);
    let place = |i: i64| usize::try_from(if i < 0 { i + width as i64 } else { i }).ok().filter(|i| *i < width);
    let named = |wanted: &str| {
        let names = object.some("feature_names_in_")?.strings()?;
        names.iter().position(|n| n == wanted)
    };
    if let Some(mask) = columns.array().filter(|a| a.dtype.kind == b'b') {
        return columns
            .ints()
            .filter(|_| mask.shape == [width])
            .map(|m| m.iter().enumerate().filter_map(|(i, on)| (*on != 0).then_some(i)).collect());
    }
    if let Some(name) = columns.text() {
        return Some(vec![named(&name)?]);
    }
    if let Some(names) = columns.strings().filter(|n| !n.is_empty()) {
        return names.iter().map(|n| named(n)).collect();
    }
    if let Some(one) = columns.int() {
        return Some(vec![place(one)?]);
    }
    if let Some(ints) = columns.ints() {
        return ints.iter().map(|i| place(*i)).collect();
    }
    let slice = columns.object().filter(|o| o.class() == "builtins.slice")?;
    let [start, stop, step] = <[Val<'_>; 3]>::try_from(slice.args()).ok()?;
    let end = |v: &Val<'_>, default: usize| match v.int() {
        Some(i) => usize::try_from(if i < 0 { i + width as i64 } else { i }).unwrap_or(0).min(width),
        None => default,
    };
    let step = if step.is_none() { 1 } else { usize::try_from(step.int()?).ok().filter(|s| *s > 0)? };
    Some((end(&start, 0)..end(&stop, width)).step_by(step).collect())
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let mut parts = Vec::new();
    let mut n_features = node.n_features;
    let (mut read, mut texts) = (if node.op == COLUMNS.op { n_features.unwrap_or(0) } else { 0 }, 0);
    for (i, child) in node.children.iter().enumerate() {
        let transformer = super::super::load(&child.node, store)?;
        let columns = super::load_columns(node, store, &format!("columns.{i}"))?;
        let outline = *transformer.outline();
        let given = match columns {
            // Each takes texts, and then the columns it has made of them.
            columns if transformer.reads_text() => {
                let column = match columns.as_deref() {
                    None if node.op == UNION.op => None,
                    Some([column]) => Some(*column),
                    _ => return Err(node.broken("a member that takes a text is given several columns")),
                };
                let from = read;
                read += outline.n_features.unwrap_or(0);
                texts += 1;
                Given::Read(from..read, column)
            }
            Some(columns) => Given::Columns(columns),
            None => {
                n_features = n_features.or(outline.n_features);
                Given::All
            }
        };
        let takes = given.width(n_features);
        if !outline.methods.transform || matches!((takes, outline.n_features), (Some(a), Some(b)) if a != b) {
            return Err(node.broken("a member does not transform what it is given"));
        }
        // A transformer that does not know its width keeps that of its rows.
        let width = if outline.n_features.is_none() && outline.n_outputs == 0 { takes } else { Some(outline.n_outputs) };
        let width = width.ok_or_else(|| node.broken("the width of a member is unknown"))?;
        parts.push(Part { given, weight: node.f64(&format!("weight.{i}"))?, width, transformer });
    }
    let takes = takes(node, n_features, &parts)?;
    let reads = match texts {
        0 => Reads::Numbers,
        _ if node.op == COLUMNS.op => Reads::Table,
        all if all == parts.len() => Reads::Texts,
        _ => return Err(node.broken("some of its members take texts, and others numbers")),
    };
    if texts > 0 {
        n_features = Some(read);
    }
    Ok(Box::new(SideBySide { n_features, parts, reads, takes }))
}

/// What the members take in each column of the rows; none where that is numbers in all of them.
fn takes(node: &Node, n_features: Option<usize>, parts: &[Part]) -> Result<Option<Vec<Column>>, Error> {
    let mut takes = vec![Column::Unused; n_features.unwrap_or(0)];
    for part in parts {
        let inner = part.transformer.columns();
        let mut note = |column: usize, one: Column| {
            let both = takes.get(column).and_then(|c| c.and(one));
            let both = both.ok_or_else(|| node.broken("its members take a column as text and as number"))?;
            takes[column] = both;
            Ok(())
        };
        let one = |i: usize| inner.and_then(|columns| columns.get(i).copied()).unwrap_or(Column::Number);
        match &part.given {
            Given::All => (0..n_features.unwrap_or(0)).try_for_each(|i| note(i, one(i)))?,
            Given::Columns(columns) => columns.iter().enumerate().try_for_each(|(i, c)| note(*c, one(i)))?,
            Given::Read(_, Some(column)) => note(*column, Column::Text)?,
            Given::Read(_, None) => {}
        }
    }
    let numbers = takes.iter().all(|c| *c == Column::Number);
    Ok((!numbers).then_some(takes).filter(|_| parts.iter().all(|p| !matches!(p.given, Given::Read(_, None)))))
}

impl Estimator for SideBySide {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Transformer,
            n_features: self.n_features,
            n_outputs: self.parts.iter().map(|p| p.width).sum(),
            methods: Methods { transform: true, ..Methods::default() },
            takes_nan: true,
        }
    }

    fn reads(&self) -> Reads {
        self.reads
    }

    fn takes_missing(&self) -> bool {
        self.parts.iter().any(|p| p.transformer.takes_missing())
    }

    fn columns(&self) -> Option<&[Column]> {
        self.takes.as_deref()
    }

    fn read(&self, texts: Texts<'_>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((texts.len(), self.n_features.unwrap_or(0)));
        for part in &self.parts {
            if let Given::Read(range, _) = &part.given {
                out.slice_mut(s![.., range.clone()]).assign(&part.transformer.read(texts)?);
            }
        }
        Ok(out)
    }

    fn read_table(&self, x: Array2<f64>, table: &Table, rows: Range<usize>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.n_features.unwrap_or(0)));
        out.slice_mut(s![.., ..x.ncols()]).assign(&x);
        let (mut text, mut ends) = (String::new(), Vec::new());
        for part in &self.parts {
            let Given::Read(range, Some(column)) = &part.given else { continue };
            table.column(*column, rows.clone(), &mut text, &mut ends)?;
            let texts = Texts::new(&text, &ends).ok_or_else(|| Error::Internal("texts of a column".into()))?;
            out.slice_mut(s![.., range.clone()]).assign(&part.transformer.read(texts)?);
        }
        Ok(out)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::zeros((x.nrows(), self.outline().n_outputs));
        let mut at = 0;
        for part in &self.parts {
            let rows = part.given.of(x);
            let features = part.transformer.transform(rows.view()).map_err(|e| part.translate(e))?;
            let mut place = out.slice_mut(s![.., at..at + part.width]);
            if features.dim() != place.dim() {
                return Err(Error::Internal("a transformer of another width than it announced".into()));
            }
            place.assign(&features);
            if part.weight != 1.0 {
                place *= part.weight;
            }
            at += part.width;
        }
        Ok(out)
    }
}

impl Given {
    /// How many columns, of rows of this width.
    fn width(&self, whole: Option<usize>) -> Option<usize> {
        match self {
            Given::All => whole,
            Given::Columns(columns) => Some(columns.len()),
            Given::Read(range, _) => Some(range.len()),
        }
    }

    fn of<'x>(&self, x: ArrayView2<'x, f64>) -> CowArray<'x, f64, Ix2> {
        match self {
            Given::All => CowArray::from(x),
            Given::Columns(columns) => CowArray::from(x.select(Axis(1), columns)),
            Given::Read(range, _) => CowArray::from(x.slice_move(s![.., range.clone()])),
        }
    }
}

impl Part {
    /// Columns in errors are those of the rows that came in.
    fn translate(&self, error: Error) -> Error {
        let outer = |c: usize| match &self.given {
            Given::Columns(columns) => columns.get(c).copied().unwrap_or(c),
            _ => c,
        };
        match error {
            Error::NotFinite { row, column, value } => Error::NotFinite { row, column: outer(column), value },
            Error::Value { row, column, what } => Error::Value { row, column: outer(column), what },
            Error::Category { row, column, category } => Error::Category { row, column: outer(column), category },
            other => other,
        }
    }
}
