//! Categories that are texts, as numbers: every text an estimator of the model knows has a code.
//!
//! A text in a row becomes its code before any estimator sees it, so that encoders and imputers compare
//! numbers whatever the column holds.

use super::vocabulary::Vocabulary;
use crate::artefact::{Builder, Node, Store};
use crate::import::Val;
use crate::{Column, Error};

/// What begins the names of its arrays, which stand beside those of the outermost estimator.
const PREFIX: &str = "codes.";

/// The code of a text that no estimator knows.
const UNKNOWN: f64 = -1.0;

/// The codes of a model; none where no column holds categories of texts.
#[derive(Debug)]
pub(crate) struct Codes(Option<Vocabulary>);

/// Stores the codes that were given out, if any were.
pub(crate) fn store(builder: &mut Builder, node: &mut Node) -> Result<(), Error> {
    let texts = builder.take_codes();
    match texts.is_empty() {
        true => Ok(()),
        false => super::vocabulary::store(PREFIX, &texts, builder, node),
    }
}

/// The categories of a column, which are numbers, or texts as their codes (then true). What is missing is NaN.
pub(crate) fn coded(values: &Val<'_>, builder: &mut Builder) -> Result<Option<(Vec<f64>, bool)>, Error> {
    let coded = coded_each(values, builder)?;
    Ok(coded.and_then(|(values, texts)| {
        let some = texts.contains(&true);
        let mixed = some && texts.iter().zip(&values).any(|(text, value)| !text && !value.is_nan());
        (!mixed).then_some((values, some))
    }))
}

/// Values, and which of them were texts.
type Coded = (Vec<f64>, Vec<bool>);

/// Values of several columns: numbers, or texts as their codes, and which are these. What is missing is NaN.
pub(crate) fn coded_each(values: &Val<'_>, builder: &mut Builder) -> Result<Option<Coded>, Error> {
    if let Some(numbers) = values.floats() {
        return Ok(Some((numbers.iter().copied().collect(), vec![false; numbers.len()])));
    }
    if let Some(texts) = values.strings() {
        let codes: Result<Vec<f64>, Error> = texts.iter().map(|text| builder.code(text)).collect();
        return Ok(Some((codes?, vec![true; texts.len()])));
    }
    let Some(list) = values.list() else { return Ok(None) };
    let (mut out, mut texts) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
    for value in &list {
        let text = value.text();
        out.push(match (&text, value.float()) {
            (Some(text), _) => builder.code(text)?,
            (None, Some(number)) => number,
            (None, None) if value.is_none() => f64::NAN,
            _ => return Ok(None),
        });
        texts.push(text.is_some());
    }
    Ok(Some((out, texts)))
}

/// Notes which columns of an estimator are texts.
pub(crate) fn set_texts(node: &mut Node, texts: Vec<bool>) {
    if texts.contains(&true) {
        node.set("texts", texts);
    }
}

/// What such an estimator of `n` columns takes in each of them; none where all are numbers.
pub(crate) fn takes(node: &Node, n: usize) -> Result<Option<Vec<Column>>, Error> {
    let Some(texts) = node.params.get("texts") else { return Ok(None) };
    let column = |text: &serde_json::Value| text.as_bool().map(|text| if text { Column::Text } else { Column::Number });
    let columns: Option<Vec<Column>> = texts.as_array().and_then(|texts| texts.iter().map(column).collect());
    match columns.filter(|c| c.len() == n) {
        Some(columns) => Ok(Some(columns)),
        None => Err(node.broken("which of its columns are texts does not add up")),
    }
}

impl Codes {
    /// Views the codes beside the outermost estimator.
    pub(crate) fn load(node: &Node, store: &Store) -> Result<Codes, Error> {
        if !Vocabulary::stands(PREFIX, node) {
            return Ok(Codes(None));
        }
        Vocabulary::load(PREFIX, node, store, usize::MAX).map(|v| Codes(Some(v)))
    }

    /// The code of a text.
    pub(crate) fn code(&self, text: &str) -> f64 {
        self.0.as_ref().and_then(|v| v.column(text)).map_or(UNKNOWN, |code| code as f64)
    }
}
