//! `iris`: Fisher's 150 irises.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use squall_core::{Check, Context, Result, Spout, SpoutConfig, StreamDecl};

use super::csv::{self, Columns, Element, Vector};
use crate::support::yes;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    path: PathBuf,
    #[serde(default)]
    cycle: bool,
    #[serde(default, with = "squall_core::units::duration_text::option")]
    period: Option<Duration>,
    #[serde(default = "yes")]
    tracked: bool,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "irises from a CSV file: data (the row as text), features f64[4], species";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file, absolute"),
        ("cycle", "begin again at the end, for ever; false unless given"),
        ("period", "one flower in this time, such as \"100ms\"; as fast as they go if it is 0 or not given"),
        ("tracked", "replay flowers that fail; true unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        self.csv().outputs(check)
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        self.csv().build(ctx)
    }
}

impl Config {
    fn csv(&self) -> csv::Config {
        let columns = Columns::Range("sepal_length..petal_width".into());
        csv::Config {
            vectors: [("features".to_owned(), Vector { columns, kind: Element::F64 })].into(),
            text: Some("data".into()),
            cycle: self.cycle,
            period: self.period,
            tracked: self.tracked,
            ..csv::Config::of(self.path.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Value;
    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn the_row_comes_as_text_and_as_numbers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/data/iris.csv");
        let config = serde_json::json!({"path": path, "cycle": true});
        let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
        assert_eq!(spout.context().outputs[0].fields.to_string(), "data: str, features: f64[4], species: str");
        spout.room(151);
        spout.next().unwrap();
        let first = [Value::from("5.1,3.5,1.4,0.2,setosa"), Value::F64s(vec![5.1, 3.5, 1.4, 0.2]), "setosa".into()];
        assert_eq!(spout.sent()[0].values, first);
        assert_eq!(spout.sent()[150].values, first, "the 151st is the first again");
    }
}
