//! Schemas of bolts that pass fields on.

use squall_core::{Batch, Check, Error, Field, FieldType, Result, Schema, ValueRef};

use super::at;

/// The schema that all inputs share; for bolts that pass tuples on as they are.
pub(crate) fn shared(check: &Check<'_>) -> Result<Schema> {
    let Some(first) = check.inputs.first() else {
        return Err(Error::user("the bolt has no input"));
    };
    for other in check.inputs {
        if other.fields != first.fields {
            return Err(Error::user(format!(
                "all inputs must have the same fields, but `{}` emits ({}) and `{}` emits ({})",
                first.from, first.fields, other.from, other.fields
            )));
        }
    }
    Ok(first.fields.clone())
}

/// The fields that are passed on, each of the type that all inputs give it.
pub(crate) fn passed(check: &Check<'_>, key: &str, names: &[String]) -> Result<Vec<Field>> {
    let field = |(i, name): (usize, &String)| -> Result<Field> {
        let place = format!("{key}[{i}]");
        let kind = check.field(name, FieldType::Any).map_err(|e| at(&place, e))?;
        for input in check.inputs {
            if let Some(other) = input.fields.field(name).filter(|f| f.kind != kind) {
                return Err(at(&place, format!("`{name}` is {kind} in one input, {} from `{}`", other.kind, input.from)));
            }
        }
        Ok(Field::new(name, kind))
    };
    names.iter().enumerate().map(field).collect()
}

/// A schema, unless a name occurs twice in it.
pub(crate) fn distinct(fields: Vec<Field>, remedy: &str) -> Result<Schema> {
    let schema = Schema::default().with(fields);
    match schema.duplicate() {
        Some(name) => Err(Error::user(format!("two output fields are called `{name}`: {remedy}"))),
        None => Ok(schema),
    }
}

/// Where the named fields stand in a batch; found once per batch instead of once per tuple.
pub(crate) fn positions(batch: &Batch, names: &[String], out: &mut Vec<usize>) -> Result<()> {
    out.clear();
    for name in names {
        let position = batch.schema().index(name);
        out.push(position.ok_or_else(|| Error::internal(format!("no field `{name}` in ({})", batch.schema())))?);
    }
    Ok(())
}

/// A number as a float, whatever kind of number it is.
pub(crate) fn number(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Float(v) => Some(v),
        ValueRef::Int(v) => Some(v as f64),
        ValueRef::Uint(v) => Some(v as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use squall_core::{Grouping, InputStream};

    use super::*;

    fn input(from: &str, fields: &[(&str, FieldType)]) -> InputStream {
        let fields = Schema::new(fields.iter().copied());
        InputStream { from: from.into(), stream: "default".into(), fields, grouping: Grouping::Shuffle }
    }

    #[test]
    fn inputs_must_agree_on_what_is_passed_on() {
        let inputs = [input("a", &[("x", FieldType::Int)]), input("b", &[("x", FieldType::Str)])];
        let check = Check { inputs: &inputs, models: None };
        assert!(shared(&check).unwrap_err().to_string().contains("`a` emits (x: int) and `b` emits (x: str)"));
        let error = passed(&check, "pass", &["x".into()]).unwrap_err().to_string();
        assert!(error.starts_with("`pass[0]`: `x` is int in one input, str from `b`"), "{error}");
        let check = Check { inputs: &inputs[..1], models: None };
        let error = passed(&check, "pass", &["x".into(), "xx".into()]).unwrap_err().to_string();
        assert!(error.contains("`pass[1]`") && error.contains("did you mean `x`"), "{error}");
    }
}
