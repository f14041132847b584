//! `console`: every tuple in the log.

use std::fmt::Write;

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, Output, Result, StreamDecl, Tuple};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "writes every tuple as a line into the worker's log, under `squall::console`";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("format", "text (field=value …) or json; text unless given"),
        ("limit", "be silent after this many tuples of a task; no limit unless given"),
    ];

    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(Vec::new())
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        let shown = ctx.metrics.counter("shown");
        let mut line = String::new();
        Ok(Box::new(move |tuple: &Tuple<'_>, _: &mut Output<'_>| {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            shown.add(1);
            line.clear();
            show(tuple, self.format, &mut line);
            log::info!(target: "squall::console", "{line}");
            if left == 0 {
                log::info!(target: "squall::console", "and so on: the limit is reached");
            }
            Ok(())
        }))
    }
}

fn show(tuple: &Tuple<'_>, format: Format, line: &mut String) {
    match format {
        Format::Json => {
            let _ = write!(line, "{}", tuple.to_json());
        }
        Format::Text => {
            let names = tuple.batch().schema().fields().iter().map(|f| f.name.as_str());
            for (i, (name, value)) in names.zip(tuple.values()).enumerate() {
                let space = if i > 0 { " " } else { "" };
                let _ = write!(line, "{space}{name}={value}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;
    use squall_core::{Batch, FieldType, Schema};

    use super::*;

    fn schema() -> Schema {
        Schema::new([("word", FieldType::Str), ("x", FieldType::F64s(None))])
    }

    #[test]
    fn a_line_shows_all_fields() {
        let batch = Batch::of(schema(), [("a b", vec![1.0, 2.5])]).unwrap();
        let tuple = batch.tuple(0).unwrap();
        let mut line = String::new();
        show(&tuple, Format::Text, &mut line);
        assert_eq!(line, "word=a b x=[1, 2.5]");
        line.clear();
        show(&tuple, Format::Json, &mut line);
        assert_eq!(line, r#"{"word":"a b","x":[1.0,2.5]}"#);
    }

    #[test]
    fn it_falls_silent_and_goes_on() {
        let config = serde_json::json!({"limit": 2, "format": "json"});
        let mut bolt = Harness::default().input(schema()).bolt_config::<Config>(config).unwrap();
        bolt.feed((0..5).map(|_| ("a", vec![0.0]))).unwrap();
        assert_eq!(bolt.metrics().counter("shown").get(), 2);
        assert_eq!(bolt.acked().len(), 5);
    }
}
