//! `sleep`: a slow bolt, for trying out back-pressure.

use std::time::Duration;

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Output, Result, StreamDecl, Tuple};

use super::identity;
use crate::support::schemas;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    millis: u64,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "sleeps over every tuple, then passes it on";
    const KEYS: &'static [(&'static str, &'static str)] = &[("millis", "how long, in milliseconds")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![StreamDecl::default_stream(schemas::shared(check)?)])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        let time = Duration::from_millis(self.millis);
        Ok(Box::new(move |tuple: &Tuple<'_>, out: &mut Output<'_>| {
            std::thread::sleep(time);
            identity::pass(tuple, out)
        }))
    }

    fn blocking(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use squall_core::harness::Harness;
    use squall_core::{FieldType, Schema};

    use super::*;

    #[test]
    fn every_tuple_takes_its_time() {
        let input = Schema::new([("n", FieldType::Int)]);
        let mut bolt = Harness::default().input(input).bolt_config::<Config>(serde_json::json!({"millis": 3})).unwrap();
        let start = Instant::now();
        bolt.feed([(1,), (2,)]).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(6));
        assert_eq!(bolt.rows("default").len(), 2);
        assert!(Config { millis: 3 }.blocking());
    }
}
