//! A spout: temperatures of made-up weather stations. Number n always gives the same reading, so that a reading that failed
//! can be emitted again without being remembered.

use std::collections::VecDeque;

use serde::Deserialize;
use squall_core::{Check, Context, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    stations: u64,
    readings: u64,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "temperatures of made-up weather stations: station, celsius";
    const KEYS: &'static [(&'static str, &'static str)] =
        &[("stations", "how many stations"), ("readings", "how many readings in all, then it ends")];

    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.stations == 0 {
            return Err("`stations`: must be at least 1".into());
        }
        let fields = Schema::new([("station", FieldType::Str), ("celsius", FieldType::Float)]);
        Ok(vec![StreamDecl::default_stream(fields)])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        // With several tasks, each has every nth reading.
        let (first, step) = (u64::from(ctx.index), u64::from(ctx.parallelism));
        Ok(Box::new(Stations { config: self, next: first, step, again: VecDeque::new() }))
    }
}

struct Stations {
    config: Config,
    next: u64,
    step: u64,
    again: VecDeque<u64>,
}

impl Stations {
    fn emit(&self, n: u64, out: &mut SpoutOutput<'_>) -> Result<()> {
        let station = format!("station-{}", n % self.config.stations);
        // Every hundredth reading is a sensor gone wild.
        let celsius = if n % 100 == 99 { 85.0 } else { 15.0 + (n * 7919 % 41) as f64 / 10.0 };
        out.emit_with_id((station, celsius), n)
    }
}

impl Spout for Stations {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        if let Some(n) = self.again.pop_front() {
            self.emit(n, out)?;
            return Ok(Next::More);
        }
        if self.next >= self.config.readings {
            return Ok(Next::End);
        }
        self.emit(self.next, out)?;
        self.next += self.step;
        Ok(Next::More)
    }

    fn fail(&mut self, id: u64) {
        self.again.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::harness::Harness;

    #[test]
    fn readings_end_and_failed_ones_come_again() {
        let config = serde_json::json!({"stations": 3, "readings": 5});
        let mut spout = Harness::default().task(1, 2).spout_config::<Config>(config).unwrap();
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(spout.pending(), [1, 3]);
        spout.fail(3);
        assert_eq!(spout.run().unwrap(), Next::End);
        let stations: Vec<String> = spout.rows("default").iter().map(|row| row[0].to_string()).collect();
        assert_eq!(stations, ["station-1", "station-0", "station-0"]);
    }

    #[test]
    fn no_stations_are_refused_before_anything_starts() {
        let config = serde_json::json!({"stations": 0, "readings": 5});
        let error = Harness::default().spout_config::<Config>(config).err().unwrap();
        assert_eq!(error.to_string(), "config.stations: must be at least 1");
    }
}
