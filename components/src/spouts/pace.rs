//! `pace`: tuples at a given rate, each with the time at which it was meant to be sent.

use std::time::Duration;

use serde::Deserialize;
use squall_core::{
    Check, Context, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl, StreamId, ValueRef,
};

use crate::support::{clock::monotonic_ns, pending::Pending};

/// The kernel lets nobody sleep for less (its timer slack): shorter waits would only be busy.
const SHORTEST: Duration = Duration::from_micros(50);
/// Larger payloads are no use to anybody.
const LARGEST: u32 = 4 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    bytes: Option<u32>,
    #[serde(default)]
    f32s: Option<u32>,
    #[serde(default)]
    tracked: bool,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str =
        "for measuring: tuples at a steady rate, each with the time it was meant to leave: sent, payload";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("rate", "tuples per second of all tasks together, kept whatever becomes of them; as fast as they go unless given"),
        ("bytes", "a field `payload` of so many bytes"),
        ("f32s", "a field `payload` of so many 32-bit floats"),
        ("tracked", "emit with ids and replay what fails; false unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            check.fault("rate", "`rate` must be a number above 0; leave it out for as fast as they go");
        }
        let payload = match (self.bytes, self.f32s) {
            (Some(_), Some(_)) => Some(("payload", FieldType::Any)),
            (Some(_), None) => Some(("payload", FieldType::Bytes)),
            (None, Some(n)) => Some(("payload", FieldType::F32s(Some(n)))),
            (None, None) => None,
        };
        if self.bytes.is_some() && self.f32s.is_some() {
            check.fault("f32s", "the payload is `bytes` or `f32s`, not both");
        }
        for (key, size, most) in [("bytes", self.bytes, LARGEST), ("f32s", self.f32s, LARGEST / 4)] {
            if size.is_some_and(|n| n > most) {
                check.fault(key, format!("`{key}` must be at most {most}"));
            }
        }
        Ok(vec![StreamDecl::default_stream(Schema::new([("sent", FieldType::Int)].into_iter().chain(payload)))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        let tasks = f64::from(ctx.parallelism.max(1));
        let payload = match (self.bytes, self.f32s) {
            (Some(n), _) => Payload::Bytes(vec![0x5a; n as usize]),
            (_, Some(n)) => Payload::F32s((0..n).map(|i| i as f32).collect()),
            _ => Payload::None,
        };
        Ok(Box::new(Paced {
            // Tasks take turns.
            late: self.rate.map_or(0.0, |rate| f64::from(ctx.index) / rate),
            period: self.rate.map(|rate| tasks / rate),
            started: None,
            next: 0,
            since_start: 0,
            payload,
            pending: self.tracked.then(Pending::default),
        }))
    }
}

enum Payload {
    None,
    Bytes(Vec<u8>),
    F32s(Vec<f32>),
}

struct Paced {
    late: f64,
    /// Seconds from one tuple to the next.
    period: Option<f64>,
    started: Option<i64>,
    next: u64,
    since_start: u64,
    payload: Payload,
    pending: Option<Pending<i64>>,
}

impl Paced {
    fn emit(&self, sent: i64, id: Option<u64>, out: &mut SpoutOutput<'_>) -> Result<()> {
        let sent = ValueRef::Int(sent);
        match &self.payload {
            Payload::None => out.emit_on(StreamId::DEFAULT, [sent], id, None, None),
            Payload::Bytes(b) => out.emit_on(StreamId::DEFAULT, [sent, ValueRef::Bytes(b)], id, None, None),
            Payload::F32s(v) => out.emit_on(StreamId::DEFAULT, [sent, ValueRef::F32s(v)], id, None, None),
        }
    }

    /// When the next tuple is to leave, on the clock's time; now where no rate is kept.
    fn due(&mut self, now: i64) -> i64 {
        let Some(period) = self.period else { return now };
        let start = *self.started.get_or_insert(now);
        start + ((self.late + self.since_start as f64 * period) * 1e9) as i64
    }
}

impl Spout for Paced {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let mut now = monotonic_ns();
        while out.room() > 0 {
            if let Some((id, sent)) = self.pending.as_mut().and_then(|p| p.next_again().map(|(id, sent)| (id, *sent))) {
                // The time it was meant to leave stays: a replay shows as latency.
                self.emit(sent, Some(id), out)?;
                continue;
            }
            let due = self.due(now);
            if due > now {
                now = monotonic_ns();
                if due > now {
                    return Ok(Next::After(Duration::from_nanos((due - now) as u64).max(SHORTEST)));
                }
            }
            let id = self.pending.is_some().then_some(self.next);
            self.emit(due, id, out)?;
            self.pending.iter_mut().for_each(|p| p.sent(self.next, due));
            self.next += 1;
            self.since_start += 1;
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.ack(id));
    }

    fn fail(&mut self, id: u64) {
        self.pending.iter_mut().for_each(|p| p.fail(id));
    }

    /// What was not sent during a pause is not made up for.
    fn activate(&mut self) {
        (self.started, self.since_start) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use squall_core::Value;
    use squall_core::harness::Harness;

    use super::*;

    fn sent(row: &[Value]) -> i64 {
        match row[0] {
            Value::Int(n) => n,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn times_are_those_intended_however_late_they_leave() {
        let config = serde_json::json!({"rate": 1e6, "tracked": true});
        let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
        while spout.sent().len() < 50 {
            spout.next().unwrap();
        }
        let rows = spout.rows("default");
        for pair in rows.windows(2) {
            let step = sent(&pair[1]) - sent(&pair[0]);
            assert!((999..=1001).contains(&step), "{step}");
        }
        spout.take();
        spout.fail(3);
        spout.next().unwrap();
        assert_eq!(spout.sent()[0].id, Some(3));
        assert_eq!(sent(&spout.rows("default")[0]), sent(&rows[3]), "a replay keeps its time");
    }

    #[test]
    fn a_slow_rate_waits() {
        let mut spout = Harness::default().spout_config::<Config>(serde_json::json!({"rate": 0.01})).unwrap();
        assert!(matches!(spout.next().unwrap(), Next::After(wait) if wait > Duration::from_secs(50)));
        assert_eq!(spout.sent().len(), 1);
    }

    #[test]
    fn payloads_and_wrong_ones() {
        let spout = |config| Harness::default().spout_config::<Config>(config);
        let mut floats = spout(serde_json::json!({"f32s": 3})).unwrap();
        assert_eq!(floats.context().outputs[0].fields.to_string(), "sent: int, payload: f32[3]");
        floats.next().unwrap();
        assert_eq!(floats.rows("default")[0][1], Value::F32s(vec![0.0, 1.0, 2.0]));
        for (wrong, expected) in [
            (serde_json::json!({"rate": 0}), "config.rate: "),
            (serde_json::json!({"bytes": 1, "f32s": 1}), "not both"),
            (serde_json::json!({"bytes": 5_000_000}), "config.bytes: "),
        ] {
            let error = spout(wrong).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
