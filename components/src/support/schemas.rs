//! Schemas of bolts that pass fields on, and rows of what is emitted.

use std::sync::Arc;

use squall_core::{Batch, Check, Columns, Context, Error, Field, FieldType, InputStream, Result, Schema, ValueRef};

/// No rows yet of the default stream.
pub(crate) fn rows(ctx: &Context) -> Columns {
    Columns::new(Arc::new(ctx.outputs.first().map(|o| o.fields.clone()).unwrap_or_default()))
}

/// The schema that all inputs share; for bolts that pass tuples on as they are.
pub(crate) fn shared(check: &Check<'_>) -> Result<Schema> {
    let Some(first) = check.inputs.first() else {
        return Err(check.no_input());
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
pub(crate) fn passed(check: &Check<'_>, key: &str, names: &[String]) -> Vec<Field> {
    let field = |(i, name): (usize, &String)| {
        let place = format!("{key}[{i}]");
        let Some(kind) = check.at(&place, check.field(name, FieldType::Any)) else {
            return Field::new(name, FieldType::Any);
        };
        let other = |input: &InputStream| input.fields.field(name).is_some_and(|f| f.kind != kind);
        if let Some(other) = check.inputs.iter().find(|i| other(i)) {
            let found = other.fields.field(name).map_or(FieldType::Any, |f| f.kind);
            check.fault(&place, format!("`{name}` is {kind} in one input, {found} from `{}`", other.from));
        }
        Field::new(name, kind)
    };
    names.iter().enumerate().map(field).collect()
}

/// A schema; a name that occurs twice in it is a fault.
pub(crate) fn distinct(check: &Check<'_>, fields: Vec<Field>, remedy: &str) -> Schema {
    let schema = Schema::default().with(fields);
    if let Some(name) = schema.duplicate() {
        check.fault("", format!("two output fields are called `{name}`: {remedy}"));
    }
    schema
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
        let check = Check::new(&inputs, None);
        assert!(shared(&check).unwrap_err().to_string().contains("`a` emits (x: int) and `b` emits (x: str)"));
        passed(&check, "pass", &["x".into()]);
        let error = check.verdict().unwrap_err().to_string();
        assert!(error.starts_with("pass[0]: `x` is int in one input, str from `b`"), "{error}");
        let check = Check::new(&inputs[..1], None);
        passed(&check, "pass", &["x".into(), "xx".into()]);
        let error = check.verdict().unwrap_err().to_string();
        assert!(error.starts_with("pass[1]: ") && error.contains("did you mean `x`"), "{error}");
    }
}
