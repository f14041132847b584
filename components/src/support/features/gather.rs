//! Rows of a batch put together for one model, and which of them it does not take.

use std::collections::BTreeMap;
use std::ops::Range;

use squall_core::{Batch, Error, Result, ValueRef};
use squall_model::{Column, Domain, Model, Rows, Table, Texts};

use super::{Features, order};
use crate::support::{models, schemas::number};

/// The fields of one model, in its order.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) fields: Fields,
    /// Numbers in a row, where the model says.
    pub(super) width: Option<usize>,
    /// Whether a number may be missing.
    pub(super) gaps: bool,
    pub(super) names: Option<Vec<String>>,
}

#[derive(Debug)]
pub(super) enum Fields {
    /// A text each.
    Text(String),
    Vector(String),
    Numbers(Vec<String>),
    /// The field of each column, and what the model takes there; none of a column that it does not look at.
    Table(Vec<Option<(String, Column)>>),
}

/// Which rows were put together, and the memory for those that had to be copied.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The rows of the batch that are scored, in order.
    pub(crate) good: Vec<usize>,
    /// The other rows, each with the reason.
    pub(crate) bad: Vec<(usize, String)>,
    /// Rows that the model itself refused, with the reason.
    pub(super) refused: BTreeMap<usize, String>,
    pub(super) f32s: Vec<f32>,
    pub(super) f64s: Vec<f64>,
    text: String,
    ends: Vec<usize>,
    table: Table,
}

impl Reader {
    pub(super) fn new(features: &Features, name: &str, model: &Model) -> Result<Reader> {
        let fields = match features {
            Features::One(field) if model.takes_texts() => Fields::Text(field.clone()),
            Features::Several(_) if model.takes_texts() => {
                return Err(Error::internal("a list of fields for a model of texts"));
            }
            Features::One(field) => Fields::Vector(field.clone()),
            Features::Several(names) => {
                let order = order::of(names, name, model).map_err(Error::user)?;
                match model.columns() {
                    None => Fields::Numbers(order.into_iter().flatten().map(|i| names[i].clone()).collect()),
                    Some(columns) => {
                        let field = |(place, column): (Option<usize>, &Column)| Some((names.get(place?)?.clone(), *column));
                        Fields::Table(order.into_iter().zip(columns).map(field).collect())
                    }
                }
            }
        };
        let names = model.feature_names().map(<[String]>::to_vec);
        Ok(Reader { fields, width: model.n_features(), gaps: model.takes_missing(), names })
    }

    /// Puts these rows of a batch together and has them scored: how many were. `gathered` tells which, and what is wrong with the
    /// others. Where the model refuses some, they are found one by one and left out.
    pub(crate) fn score(
        &self,
        batch: &Batch,
        rows: Range<usize>,
        gathered: &mut Gathered,
        score: &mut dyn FnMut(Rows<'_>) -> Result<(), squall_model::Error>,
    ) -> Result<usize> {
        gathered.refused.clear();
        let Err(refusal) = self.attempt(batch, rows.clone(), gathered, score)? else { return Ok(gathered.good.len()) };
        let mut refused = BTreeMap::new();
        for row in rows.clone() {
            if let Err(e) = self.attempt(batch, row..row + 1, gathered, score)? {
                refused.insert(row, e.of_row(self.names.as_deref()));
            }
        }
        if refused.is_empty() {
            return Err(models::failed(refusal));
        }
        gathered.refused = refused;
        match self.attempt(batch, rows, gathered, score)? {
            Ok(()) => Ok(gathered.good.len()),
            Err(e) => Err(models::failed(e)),
        }
    }

    /// Scores the rows together; what the model finds wrong with them is told apart from other faults.
    fn attempt(
        &self,
        batch: &Batch,
        rows: Range<usize>,
        gathered: &mut Gathered,
        score: &mut dyn FnMut(Rows<'_>) -> Result<(), squall_model::Error>,
    ) -> Result<Result<(), squall_model::Error>> {
        match self.rows(batch, rows, gathered)?.map_or(Ok(()), score) {
            Err(e) if e.domain() != Domain::User => Err(models::failed(e)),
            done => Ok(done),
        }
    }

    /// What the model takes of these rows; none where no row is good.
    pub(super) fn rows<'b>(
        &self,
        batch: &'b Batch,
        rows: Range<usize>,
        gathered: &'b mut Gathered,
    ) -> Result<Option<Rows<'b>>> {
        gathered.good.clear();
        gathered.bad.clear();
        match &self.fields {
            Fields::Text(field) => texts(field, batch, rows, gathered),
            Fields::Table(columns) => table(columns, batch, rows, gathered),
            _ => self.matrix(batch, rows, gathered),
        }
    }
}

/// Where a field stands in the batch.
pub(super) fn index(batch: &Batch, name: &str) -> Result<usize> {
    batch.schema().index(name).ok_or_else(|| Error::internal(format!("no field `{name}` in ({})", batch.schema())))
}

fn texts<'b>(field: &str, batch: &Batch, rows: Range<usize>, gathered: &'b mut Gathered) -> Result<Option<Rows<'b>>> {
    let Gathered { good, bad, refused, text, ends, .. } = gathered;
    text.clear();
    ends.clear();
    let column = index(batch, field)?;
    for row in rows {
        match (refused.get(&row), batch.columns().get(row, column).unwrap_or(ValueRef::Nil)) {
            (Some(reason), _) => bad.push((row, reason.clone())),
            (None, ValueRef::Str(value)) => {
                text.push_str(value);
                ends.push(text.len());
                good.push(row);
            }
            (None, other) => bad.push((row, format!("field `{field}` is {}, not a text", other.type_name()))),
        }
    }
    if ends.is_empty() {
        return Ok(None);
    }
    let texts = Texts::new(text, ends).ok_or_else(|| Error::internal("texts that do not follow each other"))?;
    Ok(Some(Rows::Texts(texts)))
}

fn table<'b>(
    columns: &[Option<(String, Column)>],
    batch: &Batch,
    rows: Range<usize>,
    gathered: &'b mut Gathered,
) -> Result<Option<Rows<'b>>> {
    let Gathered { good, bad, refused, table, .. } = gathered;
    table.clear(columns.len());
    let place = |column: &Option<(String, Column)>| column.as_ref().map(|(name, _)| index(batch, name)).transpose();
    let places = columns.iter().map(place).collect::<Result<Vec<_>>>()?;
    for row in rows {
        let read = match refused.get(&row) {
            Some(reason) => Err(reason.clone()),
            None => columns.iter().zip(&places).try_for_each(|(column, place)| {
                let (Some((name, takes)), Some(place)) = (column, place) else {
                    table.missing();
                    return Ok(());
                };
                cell(name, *takes, batch.columns().get(row, *place).unwrap_or(ValueRef::Nil), table)
            }),
        };
        match read {
            Ok(()) => good.push(row),
            Err(reason) => {
                table.truncate(good.len());
                bad.push((row, reason));
            }
        }
    }
    Ok((!good.is_empty()).then_some(Rows::Table(table)))
}

fn cell(name: &str, takes: Column, value: ValueRef<'_>, table: &mut Table) -> Result<(), String> {
    match (takes, value) {
        (Column::Unused, _) | (_, ValueRef::Nil) => table.missing(),
        (Column::Text, ValueRef::Str(text)) => table.text(text),
        (Column::Text, other) => return Err(format!("field `{name}` is {}, not a text", other.type_name())),
        (Column::Number, ValueRef::Bool(value)) => table.number(f64::from(u8::from(value))),
        (Column::Number, other) => match number(other) {
            Some(value) if value.is_infinite() => return Err(format!("field `{name}` is not finite")),
            Some(value) => table.number(value),
            None => return Err(format!("field `{name}` is {}, not a number", other.type_name())),
        },
    }
    Ok(())
}
