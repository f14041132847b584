//! Which field of a list becomes which column of a model.

use squall_core::suggest::did_you_mean;
use squall_model::{Column, Model};

/// For each column of the model, the place in the list of the field that it takes; none for a column that it does not look at.
///
/// Where the model knows the names of its features and the list holds nothing else, fields go to the columns of their names, and
/// those of unused columns may be left out. Otherwise the list is in the model's order.
pub(super) fn of(names: &[String], model_name: &str, model: &Model) -> Result<Vec<Option<usize>>, String> {
    let unused = |column: usize| model.columns().is_some_and(|c| c.get(column) == Some(&Column::Unused));
    if let Some(known) = model.feature_names().filter(|known| names.iter().all(|name| known.contains(name))) {
        let place = |(column, name): (usize, &String)| match names.iter().position(|n| n == name) {
            None if unused(column) => Ok(None),
            None => Err(format!("the list lacks `{name}`; model `{model_name}` takes {}", wanted(model).join(", "))),
            place => Ok(place),
        };
        return known.iter().enumerate().map(place).collect();
    }
    let Some(n) = model.n_features().filter(|n| *n != names.len()) else {
        return Ok((0..names.len()).map(|i| Some(i).filter(|i| !unused(*i))).collect());
    };
    let (s, number) = (if n == 1 { "" } else { "s" }, if names.len() == 1 { "number" } else { "numbers" });
    let what = if model.takes_tables() { "fields" } else { number };
    let mut text = format!("model `{model_name}` takes {n} feature{s}, but the list has {} {what}", names.len());
    if let Some(known) = model.feature_names() {
        let stranger = names.iter().find(|name| !known.contains(name));
        let hint = stranger.map(|name| did_you_mean(name, known.iter().map(String::as_str))).unwrap_or_default();
        text += &format!("; it takes {}{hint}", wanted(model).join(", "));
    }
    Err(text)
}

/// What the model looks at, by name where it has names.
pub(super) fn wanted(model: &Model) -> Vec<String> {
    let n = model.n_features().unwrap_or(0);
    let columns = (0..n).map(|i| model.columns().and_then(|c| c.get(i).copied()).unwrap_or(Column::Number));
    let name = |i: usize| match model.feature_names().and_then(|names| names.get(i)) {
        Some(name) => format!("`{name}`"),
        None => format!("feature {i}"),
    };
    let told = columns.enumerate().filter(|(_, column)| *column != Column::Unused);
    told.map(|(i, column)| if model.takes_tables() { format!("{} ({column})", name(i)) } else { name(i) }).collect()
}
