//! `null`: swallows everything.

use serde::Deserialize;
use squall_core::{Batch, Bolt, BoltConfig, Check, Context, Counter, Output, Result, StreamDecl, Tuple};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {}

impl BoltConfig for Config {
    const ABOUT: &'static str = "swallows every tuple; counts them as `swallowed`";

    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Null(ctx.metrics.counter("swallowed"))))
    }
}

struct Null(Counter);

impl Bolt for Null {
    fn execute(&mut self, _: &Tuple<'_>, _: &mut Output<'_>) -> Result<()> {
        self.0.add(1);
        Ok(())
    }

    fn execute_batch(&mut self, batch: &Batch, _: &mut Output<'_>) -> Result<()> {
        self.0.add(batch.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Schema;
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn everything_is_acked_and_counted() {
        let mut bolt = Harness::default().input(Schema::default()).bolt_config::<Config>(serde_json::json!({})).unwrap();
        bolt.feed([(), ()]).unwrap();
        assert_eq!(bolt.acked(), [0, 1]);
        assert_eq!(bolt.metrics().counter("swallowed").get(), 2);
    }
}
