//! `accuracy`: how many predictions are right.

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Counter, Error, FieldType, Output, Result, StreamDecl, Tuple, ValueRef};

use crate::support::schemas::number;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    expected: String,
    predicted: String,
}

impl BoltConfig for Config {
    const ABOUT: &'static str =
        "compares predictions with what is right; counts `correct` and `total`, logs the accuracy at the end";
    const KEYS: &'static [(&'static str, &'static str)] =
        &[("expected", "the field with what is right"), ("predicted", "the field with the prediction")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let label = |key: &str, field: &str| {
            let kind = check.at(key, check.field(field, FieldType::Any))?;
            if kind.is_vector() {
                check.fault(key, format!("a {kind} is not a label"));
                return None;
            }
            Some(kind)
        };
        let numeric = |kind| matches!(kind, FieldType::Int | FieldType::Float);
        let both = (label("expected", &self.expected), label("predicted", &self.predicted));
        if let (Some(expected), Some(predicted)) = both
            && !expected.accepts(predicted)
            && !(numeric(expected) && numeric(predicted))
        {
            let Config { expected: e, predicted: p } = self;
            check.fault("predicted", format!("`{p}` is {predicted} and never equals `{e}`, which is {expected}"));
        }
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let (correct, total) = (ctx.metrics.counter("correct"), ctx.metrics.counter("total"));
        Ok(Box::new(Accuracy { config: self, correct, total }))
    }
}

struct Accuracy {
    config: Config,
    correct: Counter,
    total: Counter,
}

fn same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl Bolt for Accuracy {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Output<'_>) -> Result<()> {
        let value = |field: &str| tuple.get(field).ok_or_else(|| Error::internal(format!("no field `{field}`")));
        let right = same(value(&self.config.expected)?, value(&self.config.predicted)?);
        self.total.add(1);
        self.correct.add(u64::from(right));
        Ok(())
    }

    fn cleanup(&mut self) -> Result<()> {
        let (correct, total) = (self.correct.get(), self.total.get());
        if total > 0 {
            let share = correct as f64 / total as f64;
            log::info!(target: "squall::accuracy", "accuracy {share:.4}: {correct} of {total} are right");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::{BoltHarness, Harness};
    use squall_core::{Field, Schema};

    use super::*;

    fn bolt(expected: FieldType, predicted: FieldType) -> Result<BoltHarness> {
        let input = Schema::default().with([Field::new("label", expected), Field::new("guess", predicted)]);
        let config = serde_json::json!({"expected": "label", "predicted": "guess"});
        Harness::default().input(input).bolt_config::<Config>(config)
    }

    #[test]
    fn right_ones_are_counted() {
        let mut digits = bolt(FieldType::Int, FieldType::Float).unwrap();
        digits.feed([(1, 1.0), (2, 3.0), (4, 4.0)]).unwrap();
        digits.cleanup().unwrap();
        let numbers = digits.metrics().read();
        assert_eq!(numbers, [("correct".to_owned(), 2), ("total".to_owned(), 3)]);
        let mut names = bolt(FieldType::Str, FieldType::Str).unwrap();
        names.feed([("setosa", "setosa"), ("setosa", "virginica")]).unwrap();
        assert_eq!(names.metrics().counter("correct").get(), 1);
    }

    #[test]
    fn labels_that_never_agree_are_refused() {
        let error = bolt(FieldType::Str, FieldType::Int).err().unwrap().to_string();
        assert!(error.starts_with("config.predicted: `guess` is int and never equals `label`, which is str"), "{error}");
        assert!(bolt(FieldType::F64s(None), FieldType::Int).err().unwrap().to_string().starts_with("config.expected: "));
    }
}
