//! `words`: random words.

use serde::Deserialize;
use squall_core::{Check, Context, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl};

use crate::support::{pending::Pending, together::Together, yes};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "weather")]
    words: Vec<String>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default = "yes")]
    tracked: bool,
}

fn weather() -> Vec<String> {
    ["storm", "squall", "gust", "breeze", "gale", "cloud", "rain", "hail", "thunder", "lightning"].map(str::to_owned).into()
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "random words from a list, the same ones for the same seed";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("words", "the list; ten words for the weather unless given"),
        ("seed", "another seed gives other words; 0 unless given"),
        ("limit", "end after this many words from each task; endless unless given"),
        ("tracked", "replay words that fail; true unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.words.is_empty() {
            check.fault("words", "`words` needs at least one word");
        }
        Ok(vec![StreamDecl::default_stream(Schema::new([("word", FieldType::Str)]))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        Ok(Box::new(Words {
            words: self.words,
            salt: mix(self.seed ^ mix(u64::from(ctx.index))),
            next: 0,
            limit: self.limit.unwrap_or(u64::MAX),
            pending: self.tracked.then(Pending::default),
            together: Together::new(ctx, self.tracked),
        }))
    }
}

/// The word of a number depends on the number alone, so that a replay need remember nothing.
struct Words {
    words: Vec<String>,
    salt: u64,
    next: u64,
    limit: u64,
    pending: Option<Pending<()>>,
    together: Together,
}

/// The finisher of SplitMix64: spreads neighbouring numbers over all 64 bits.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

impl Words {
    fn push(&mut self, n: u64) -> Result<()> {
        let word = (mix(self.salt ^ n) % self.words.len() as u64) as usize;
        self.together.push((self.words[word].as_str(),), n)
    }
}

impl Spout for Words {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let mut said = Next::More;
        while self.together.len() < out.room() {
            if let Some((id, ())) = self.pending.as_mut().and_then(Pending::next_again) {
                self.push(id)?;
                continue;
            }
            if self.next == self.limit {
                said = Next::End;
                break;
            }
            self.push(self.next)?;
            self.pending.iter_mut().for_each(|p| p.sent(self.next, ()));
            self.next += 1;
        }
        self.together.emit(out)?;
        Ok(said)
    }

    fn ack(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.ack(id));
    }

    fn fail(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.fail(id));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_core::harness::Harness;

    use super::*;

    #[test]
    fn all_words_come_about_equally_often_and_replays_are_the_same_word() {
        let mut spout = Harness::default().spout_config::<Config>(serde_json::json!({"limit": 2000})).unwrap();
        assert_eq!(spout.run().unwrap(), Next::End);
        let mut counts = BTreeMap::new();
        spout.sent().iter().for_each(|s| *counts.entry(s.values[0].to_string()).or_insert(0) += 1);
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|n| (150..250).contains(n)), "{counts:?}");
        let word = spout.sent()[77].values.clone();
        spout.fail(77);
        spout.run().unwrap();
        assert_eq!(spout.sent()[2000].values, word);
    }
}
