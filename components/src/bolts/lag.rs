//! `lag`: how long ago tuples were meant to be sent.

use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Counter, Error, FieldType, Histogram, Metrics, Output, Result, StreamDecl, Tuple,
    ValueRef,
};

use crate::support::clock::monotonic_ns;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "sent")]
    field: String,
}

fn sent() -> String {
    "sent".to_owned()
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "for measuring: swallows tuples of `pace` and counts their latencies in buckets `lag_N`";
    const KEYS: &'static [(&'static str, &'static str)] =
        &[("field", "the field with the intended time of sending, on this machine's monotonic clock; `sent` unless given")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        check.at("field", check.field(&self.field, FieldType::Int));
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(Lag { field: self.field, metrics: ctx.metrics.clone(), buckets: Vec::new() }))
    }
}

struct Lag {
    field: String,
    metrics: Metrics,
    /// By [`Histogram`]'s numbers; made when first used.
    buckets: Vec<Option<Counter>>,
}

impl Lag {
    fn add(&mut self, bucket: u32, times: u64) {
        let at = bucket as usize;
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, None);
        }
        let metrics = &self.metrics;
        self.buckets[at].get_or_insert_with(|| metrics.counter(&format!("lag_{bucket}"))).add(times);
    }
}

impl Bolt for Lag {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Output<'_>) -> Result<()> {
        let lag = monotonic_ns().saturating_sub(tuple.int(&self.field)?);
        self.add(Histogram::bucket_of(lag.max(0) as u64), 1);
        Ok(())
    }

    /// All tuples of a batch came at the same moment, and neighbours mostly fall into one bucket.
    fn execute_batch(&mut self, batch: &Batch, _: &mut Output<'_>) -> Result<()> {
        let field = batch.schema().index(&self.field);
        let field = field.ok_or_else(|| Error::user(format!("no field `{}` in ({})", self.field, batch.schema())))?;
        let now = monotonic_ns();
        let (mut last, mut times) = (0, 0);
        for row in 0..batch.len() {
            let Some(ValueRef::Int(sent)) = batch.columns().get(row, field) else {
                return Err(Error::user(format!("field `{}` is no time", self.field)));
            };
            let bucket = Histogram::bucket_of(now.saturating_sub(sent).max(0) as u64);
            if bucket != last && times > 0 {
                self.add(last, times);
                times = 0;
            }
            last = bucket;
            times += 1;
        }
        if times > 0 {
            self.add(last, times);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Schema;
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn every_tuple_is_in_a_bucket() {
        let input = Schema::new([("sent", FieldType::Int)]);
        let mut bolt = Harness::default().input(input).bolt_config::<Config>(serde_json::json!({})).unwrap();
        let now = monotonic_ns();
        // One from the future, where clocks disagree, and two of a minute ago.
        bolt.feed([(now + 1_000_000_000_000,), (now - 60_000_000_000,), (now - 60_000_000_000,)]).unwrap();
        assert_eq!(bolt.acked(), [0, 1, 2]);
        let read = bolt.metrics().read();
        assert_eq!(read[0], ("lag_0".to_owned(), 1));
        let minute = Histogram::bucket_of(60_000_000_000);
        assert_eq!(read.len(), 2, "{read:?}");
        assert_eq!(read[1].1, 2);
        let bucket: u32 = read[1].0.strip_prefix("lag_").unwrap().parse().unwrap();
        assert!((minute..=minute + 1).contains(&bucket), "{read:?}");
    }

    #[test]
    fn the_field_is_checked() {
        let input = Schema::new([("sent", FieldType::Str)]);
        let error = Harness::default().input(input).bolt_config::<Config>(serde_json::json!({})).err().unwrap().to_string();
        assert!(error.contains("config.field: "), "{error}");
    }
}
