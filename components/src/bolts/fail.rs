//! `fail`: fails tuples on purpose, for trying out replays.

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Error, Output, Result, StreamDecl, Tuple};

use super::identity;
use crate::support::schemas;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    every: u64,
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default)]
    panic: bool,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "fails every nth tuple, replays included, and passes the others on";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("every", "n; 1 fails all tuples"),
        ("limit", "after this many failures of a task nothing fails any more; no limit unless given"),
        ("panic", "true: panics instead, which fails what is left of the batch"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.every == 0 {
            check.fault("every", "`every` must be at least 1");
        }
        Ok(vec![StreamDecl::default_stream(schemas::shared(check)?)])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let (mut seen, mut left) = (0, self.limit.unwrap_or(u64::MAX));
        let every = self.every.max(1);
        let failed = ctx.metrics.counter("failed on purpose");
        Ok(Box::new(move |tuple: &Tuple<'_>, out: &mut Output<'_>| {
            seen += 1;
            if left > 0 && seen % every == 0 {
                left -= 1;
                failed.add(1);
                assert!(!self.panic, "panicked on purpose at tuple {seen}");
                return Err(Error::user("failed on purpose"));
            }
            identity::pass(tuple, out)
        }))
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;
    use squall_core::{FieldType, Schema};

    use super::*;

    #[test]
    fn every_third_fails_until_the_limit() {
        let input = Schema::new([("n", FieldType::Int)]);
        let config = serde_json::json!({"every": 3, "limit": 2});
        let mut bolt = Harness::default().input(input).bolt_config::<Config>(config).unwrap();
        bolt.feed((0..12).map(|n| (n,))).unwrap();
        assert_eq!(bolt.failed().iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(bolt.rows("default").len(), 10);
        assert_eq!(bolt.metrics().counter("failed on purpose").get(), 2);
    }
}
