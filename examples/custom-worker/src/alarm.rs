//! A bolt: readings that are far from the running mean of their station.

use std::collections::HashMap;

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Counter, FieldType, Output, Result, Schema, StreamDecl, Tuple};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    degrees: f64,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "readings far from their station's running mean: station, celsius, mean";
    const KEYS: &'static [(&'static str, &'static str)] = &[("degrees", "how far from the mean is too far")];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        check.field("station", FieldType::Str)?;
        check.field("celsius", FieldType::Float)?;
        let fields = Schema::new([("station", FieldType::Str), ("celsius", FieldType::Float), ("mean", FieldType::Float)]);
        Ok(vec![StreamDecl::default_stream(fields)])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let alarms = ctx.metrics.counter("alarms");
        Ok(Box::new(Alarm { degrees: self.degrees, means: HashMap::new(), alarms }))
    }
}

struct Alarm {
    degrees: f64,
    /// For each station the mean and of how many readings. The fields grouping brings all readings of a station to one task.
    means: HashMap<String, (f64, u32)>,
    alarms: Counter,
}

impl Bolt for Alarm {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        let (station, celsius) = (tuple.str("station")?, tuple.float("celsius")?);
        if !celsius.is_finite() {
            return Err(format!("{station}: {celsius} is no temperature").into());
        }
        let (mean, n) = self.means.entry(station.to_owned()).or_default();
        if *n >= 3 && (celsius - *mean).abs() > self.degrees {
            self.alarms.add(1);
            return out.emit((station, celsius, *mean));
        }
        *n += 1;
        *mean += (celsius - *mean) / f64::from(*n);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::harness::{BoltHarness, Harness};

    fn alarm() -> BoltHarness {
        let input = Schema::new([("station", FieldType::Str), ("celsius", FieldType::Float)]);
        Harness::default().input(input).bolt_config::<Config>(serde_json::json!({"degrees": 10})).unwrap()
    }

    #[test]
    fn a_wild_reading_raises_an_alarm_and_does_not_move_the_mean() {
        let mut bolt = alarm();
        bolt.feed([("a", 14.0), ("a", 15.0), ("a", 16.0), ("a", 85.0), ("b", 85.0), ("a", 84.0)]).unwrap();
        let alarms = bolt.rows("default");
        assert_eq!(alarms, [["a".into(), 85.0.into(), 15.0.into()], ["a".into(), 84.0.into(), 15.0.into()]]);
        assert_eq!(bolt.emitted()[0].anchors, [3]);
        assert_eq!(bolt.metrics().counter("alarms").get(), 2);
        assert_eq!(bolt.acked(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_is_no_number_fails_and_comes_back_to_the_spout() {
        let mut bolt = alarm();
        bolt.feed([("a", f64::NAN)]).unwrap();
        assert_eq!(bolt.failed(), [(0, "a: NaN is no temperature".to_owned())]);
    }
}
