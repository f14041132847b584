//! `filter`: passes on the tuples for which a comparison holds.

use std::cmp::Ordering;

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, FieldType, Output, Result, StreamDecl, Tuple, Value, ValueRef};

use super::identity;
use crate::support::{schemas, schemas::number};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    field: String,
    op: Op,
    value: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Op {
    #[serde(rename = "==", alias = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = "contains")]
    Contains,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "passes on the tuples for which `field op value` holds";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("field", "the field to look at"),
        ("op", "==, !=, <, <=, >, >= or contains (text in text)"),
        ("value", "what to compare it with: a number, a text, true or false"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let found = check.at("field", check.field(&self.field, FieldType::Any));
        let kind = found.unwrap_or(FieldType::Any);
        let value = Value::from(self.value.clone());
        let fits = match kind {
            FieldType::Any => !matches!(value, Value::Nil | Value::List(_) | Value::Map(_)),
            FieldType::Int | FieldType::Float => number(value.as_ref()).is_some(),
            FieldType::Str => matches!(value, Value::Str(_)),
            FieldType::Bool => matches!(value, Value::Bool(_)),
            other => {
                check.fault("field", format!("`{}` is {other}, which cannot be compared", self.field));
                true
            }
        };
        if !fits {
            let what = if found.is_some() { format!("`{}` is {kind} and", self.field) } else { "a field".to_owned() };
            check.fault("value", format!("{what} cannot be compared with {}", self.value));
        }
        let text = matches!(kind, FieldType::Str | FieldType::Any);
        match (self.op, kind) {
            (Op::Contains, _) if !text => check.fault("op", format!("`{}` is {kind}: only text contains text", self.field)),
            (Op::Equal | Op::NotEqual | Op::Contains, _) => {}
            (_, FieldType::Bool) => check.fault("op", "true and false have no order: use == or !="),
            _ => {}
        }
        Ok(vec![StreamDecl::default_stream(schemas::shared(check)?)])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let Config { field, op, value } = self;
        let value = Value::from(value);
        let dropped = ctx.metrics.counter("filtered out");
        Ok(Box::new(move |tuple: &Tuple<'_>, out: &mut Output<'_>| {
            if tuple.get(&field).is_some_and(|found| holds(found, op, value.as_ref())) {
                return identity::pass(tuple, out);
            }
            dropped.add(1);
            Ok(())
        }))
    }
}

/// Values that have no order between them (text and numbers, NaN) are only unequal.
fn holds(found: ValueRef<'_>, op: Op, value: ValueRef<'_>) -> bool {
    let order = match (found, value) {
        (ValueRef::Str(a), ValueRef::Str(b)) if op == Op::Contains => return a.contains(b),
        (ValueRef::Int(a), ValueRef::Int(b)) => Some(a.cmp(&b)),
        (ValueRef::Str(a), ValueRef::Str(b)) => Some(a.cmp(b)),
        (ValueRef::Bool(a), ValueRef::Bool(b)) => Some(a.cmp(&b)),
        (a, b) => number(a).zip(number(b)).and_then(|(a, b)| a.partial_cmp(&b)),
    };
    match op {
        Op::Equal => order == Some(Ordering::Equal),
        Op::NotEqual => order != Some(Ordering::Equal),
        Op::Less => order == Some(Ordering::Less),
        Op::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Greater => order == Some(Ordering::Greater),
        Op::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Op::Contains => false,
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::{BoltHarness, Harness};
    use squall_core::{Field, Schema};

    use super::*;

    fn bolt(kind: FieldType, op: &str, value: serde_json::Value) -> Result<BoltHarness> {
        let input = Schema::default().with([Field::new("x", kind)]);
        let config = serde_json::json!({"field": "x", "op": op, "value": value});
        Harness::default().input(input).bolt_config::<Config>(config)
    }

    fn passed(op: &str, value: serde_json::Value, rows: &[f64]) -> Vec<usize> {
        let mut bolt = bolt(FieldType::Float, op, value).unwrap();
        bolt.feed(rows.iter().map(|x| (*x,))).unwrap();
        assert_eq!(bolt.acked().len(), rows.len(), "what is filtered out is done");
        bolt.emitted().iter().map(|e| e.anchors[0]).collect()
    }

    #[test]
    fn comparisons_hold_for_the_right_tuples() {
        let rows = [1.0, 2.0, 3.0, f64::NAN];
        let cases: [(&str, &[usize]); 6] =
            [("==", &[1]), ("!=", &[0, 2, 3]), ("<", &[0]), ("<=", &[0, 1]), (">", &[2]), (">=", &[1, 2])];
        for (op, expected) in cases {
            assert_eq!(passed(op, 2.into(), &rows), expected, "{op}");
        }
        let mut words = bolt(FieldType::Str, "contains", "or".into()).unwrap();
        words.feed([("storm",), ("squall",)]).unwrap();
        assert_eq!(words.rows("default"), [["storm".into()]]);
        assert_eq!(words.metrics().counter("filtered out").get(), 1);
    }

    #[test]
    fn comparisons_that_never_hold_are_refused() {
        let error = |kind, op, value: serde_json::Value| bolt(kind, op, value).err().unwrap().to_string();
        assert!(
            error(FieldType::Int, ">", "a".into()).starts_with("config.value: `x` is int and cannot be compared with \"a\"")
        );
        assert!(error(FieldType::Int, "contains", 1.into()).starts_with("config.op: "));
        assert!(error(FieldType::Bool, "<", true.into()).starts_with("config.op: "));
        assert!(error(FieldType::F64s(None), "==", 1.into()).starts_with("config.field: "));
        assert!(error(FieldType::Int, "~", 1.into()).contains("unknown variant `~`"));
    }
}
