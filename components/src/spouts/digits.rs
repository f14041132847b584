//! `digits`: scikit-learn's 8×8 handwritten digits.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use squall_core::{Check, Context, FieldType, Result, Spout, SpoutConfig, StreamDecl};

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
    const ABOUT: &'static str = "handwritten digits from a CSV file of p0..p63 and label: row, pixels f64[64], label";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file, absolute"),
        ("cycle", "begin again at the end, for ever; false unless given"),
        ("period", "one image in this time, such as \"100ms\"; as fast as they go if it is 0 or not given"),
        ("tracked", "replay images that fail; true unless given"),
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
        let pixels = Vector { columns: Columns::Range("p0..p63".into()), kind: Element::F64 };
        csv::Config {
            vectors: [("pixels".to_owned(), pixels)].into(),
            fields: [("label".to_owned(), FieldType::Int)].into(),
            row: Some("row".into()),
            cycle: self.cycle,
            period: self.period,
            tracked: self.tracked,
            ..csv::Config::of(self.path.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;
    use squall_core::{Next, Value};

    use super::*;

    #[test]
    fn all_1797_digits_come_once() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/data/digits.csv");
        let mut spout = Harness::default().spout_config::<Config>(serde_json::json!({"path": path})).unwrap();
        assert_eq!(spout.context().outputs[0].fields.to_string(), "row: int, pixels: f64[64], label: int");
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(spout.sent().len(), 1797);
        assert_eq!(spout.sent()[1796].values[2], Value::Int(8));
    }
}
