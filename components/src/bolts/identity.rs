//! `identity`: passes everything on.

use serde::Deserialize;
use squall_core::{Batch, Bolt, BoltConfig, Check, Context, Output, Result, StreamDecl, Tuple};

use crate::support::schemas;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {}

impl BoltConfig for Config {
    const ABOUT: &'static str = "passes every tuple on as it is";

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![StreamDecl::default_stream(schemas::shared(check)?)])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Identity))
    }
}

struct Identity;

impl Bolt for Identity {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        pass(tuple, out)
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        out.emit_rows_for(batch, 0, batch.columns().all())
    }
}

/// Emits the tuple as it is.
pub(super) fn pass(tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
    out.emit(tuple)
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;
    use squall_core::{FieldType, Schema, Value};

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let input = Schema::new([("n", FieldType::Int), ("v", FieldType::F32s(None))]);
        let mut bolt = Harness::default().input(input.clone()).bolt_config::<Config>(serde_json::json!({})).unwrap();
        assert_eq!(bolt.context().outputs[0].fields, input);
        bolt.feed([(1, vec![0.5f32])]).unwrap();
        assert_eq!(bolt.rows("default"), [[Value::Int(1), Value::F32s(vec![0.5])]]);
        assert_eq!(bolt.acked(), [0]);
    }
}
