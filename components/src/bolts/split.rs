//! `split`: text into words.

use serde::Deserialize;
use squall_core::{Bolt, BoltConfig, Check, Context, FieldType, Output, Result, Schema, StreamDecl, Tuple};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "line")]
    field: String,
    #[serde(default)]
    lowercase: bool,
    #[serde(default)]
    trim: bool,
}

fn line() -> String {
    "line".to_owned()
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "cuts text into words at white space: word";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("field", "the field with the text; `line` unless given"),
        ("lowercase", "words in lower case; false unless given"),
        ("trim", "take what is no letter and no digit off both ends of a word; false unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        check.at("field", check.field(&self.field, FieldType::Str));
        Ok(vec![StreamDecl::default_stream(Schema::new([("word", FieldType::Str)]))])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
        Ok(Box::new(move |tuple: &Tuple<'_>, out: &mut Output<'_>| {
            for word in tuple.str(&self.field)?.split_whitespace() {
                let word = if self.trim { word.trim_matches(|c: char| !c.is_alphanumeric()) } else { word };
                match () {
                    () if word.is_empty() => {}
                    () if self.lowercase => out.emit((word.to_lowercase(),))?,
                    () => out.emit((word,))?,
                }
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::Harness;

    use super::*;

    fn words(config: serde_json::Value, line: &str) -> String {
        let input = Schema::new([("line", FieldType::Str)]);
        let mut bolt = Harness::default().input(input).bolt_config::<Config>(config).unwrap();
        bolt.feed([(line,)]).unwrap();
        assert_eq!(bolt.acked(), [0]);
        assert!(bolt.emitted().iter().all(|e| e.anchors == [0]));
        bolt.rows("default").iter().map(|r| r[0].to_string()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn words_are_cut_at_white_space() {
        assert_eq!(words(serde_json::json!({}), " The\tend,  – don't. "), "The|end,|–|don't.");
        assert_eq!(words(serde_json::json!({"trim": true, "lowercase": true}), " The\tend,  – don't. "), "the|end|don't");
    }

    #[test]
    fn the_field_is_checked() {
        let input = Schema::new([("lines", FieldType::Str)]);
        let error = Harness::default().input(input).bolt_config::<Config>(serde_json::json!({})).err().unwrap().to_string();
        assert!(error.starts_with("config.field: ") && error.contains("did you mean `lines`?"), "{error}");
    }
}
