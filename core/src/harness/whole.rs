//! A whole topology under test: each component after those it takes from, one task each, batches handed on as they are.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::Harness;
use crate::suggest::did_you_mean;
use crate::topology::{Case, Expect};
use crate::{ComponentKind, DEFAULT_STREAM, Error, FieldType, Next, Plan, PlannedComponent, Registry, Result, Schema, Value};

/// Rows that a bolt is given at a time.
const BATCH: usize = 100;
/// A spout that emits nothing for so many calls is not asked again.
const PATIENCE: u32 = 1_000_000;
/// How long a spout is waited for that waits for something outside.
const WAIT: Duration = Duration::from_secs(5);
/// So many faults of one kind are told.
const SHOWN: usize = 5;

/// What a test runs in.
///
/// ```
/// fn f(s: &squall_core::harness::Surroundings<'_>) -> usize { s.models.len() }
/// ```
pub struct Surroundings<'a> {
    /// The component types.
    pub registry: &'a Registry,
    /// The models' artefacts by name.
    pub models: &'a BTreeMap<String, PathBuf>,
    /// Where components keep files; one's own for each test.
    pub state_dir: &'a Path,
    /// Waits: a spout has nothing to emit for so long.
    pub pause: &'a dyn Fn(Duration),
}

/// Runs a test of a topology in this thread; what was other than expected, a line each, nothing if all was.
///
/// Every component has one task. A bolt takes its inputs one after the other in the order of the file, ticks once if it has a `tick`,
/// and is closed. What spouts emitted counts as done at the end, whatever became of it.
///
/// ```
/// use squall_core::harness::{Surroundings, run_case};
/// use squall_core::topology::Case;
/// use squall_core::{Plan, Registry};
/// let plan: Plan = serde_json::from_str(r#"{"name": "empty"}"#).unwrap();
/// let case: Case = serde_json::from_str(r#"{"expect": {"count": {"taken": 1}}}"#).unwrap();
/// let around = Surroundings {
///     registry: &Registry::default(), models: &Default::default(), state_dir: "/tmp".as_ref(), pause: &|_| {},
/// };
/// assert_eq!(run_case(&plan, &case, &around), ["there is no component `count`"]);
/// ```
pub fn run_case(plan: &Plan, case: &Case, around: &Surroundings<'_>) -> Vec<String> {
    let mut run = Run { case, around, flows: BTreeMap::new(), done: BTreeMap::new(), faults: Vec::new() };
    for key in case.rows.keys().chain(case.expect.keys()) {
        let (id, _) = place(key);
        if plan.position(id).is_none() {
            let hint = did_you_mean(id, plan.components.iter().map(|c| c.id.as_str()));
            run.faults.push(format!("there is no component `{id}`{hint}"));
        }
    }
    for component in &plan.components {
        if !run.faults.is_empty() {
            // What comes after would only fail for want of rows.
            break;
        }
        let ran = catch_unwind(AssertUnwindSafe(|| run.component(component)));
        let ran = ran.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Error::internal(format!("panicked: {}", text.unwrap_or("no message"))))
        });
        if let Err(e) = ran {
            run.faults.push(format!("`{}`: {e}", component.id));
        }
        run.judge(component);
    }
    run.faults
}

/// `component/stream`, or `component` for its default stream.
fn place(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or((key, DEFAULT_STREAM))
}

type Rows = Vec<Vec<Value>>;

#[derive(Default)]
struct Done {
    taken: u64,
    failed: Vec<String>,
    counters: Vec<(String, u64)>,
}

struct Run<'a> {
    case: &'a Case,
    around: &'a Surroundings<'a>,
    /// What was emitted, by component and stream.
    flows: BTreeMap<(String, String), Rows>,
    done: BTreeMap<String, Done>,
    faults: Vec<String>,
}

impl Run<'_> {
    fn component(&mut self, c: &PlannedComponent) -> Result<()> {
        match c.kind {
            ComponentKind::Bolt => self.bolt(c),
            ComponentKind::Spout if self.case.rows.keys().any(|key| place(key).0 == c.id) => self.given(c),
            ComponentKind::Spout => self.spout(c),
        }
    }

    fn harness(&self, c: &PlannedComponent) -> Harness {
        let mut harness = Harness::default().state_dir(self.around.state_dir);
        for input in &c.inputs {
            harness = harness.input_from(&input.from, &input.stream, input.fields.clone());
        }
        self.around.models.iter().fold(harness, |h, (name, path)| h.model(name, path))
    }

    /// A spout that emits what the test says.
    fn given(&mut self, c: &PlannedComponent) -> Result<()> {
        for (key, rows) in self.case.rows.iter().filter(|(key, _)| place(key).0 == c.id) {
            let (_, stream) = place(key);
            let Some(output) = c.outputs.iter().find(|o| o.name == stream) else {
                let hint = did_you_mean(stream, c.outputs.iter().map(|o| o.name.as_str()));
                return Err(Error::user(format!("it emits on no stream `{stream}`{hint}")));
            };
            let row = |(i, row): (usize, &Map<String, Json>)| {
                values(row, &output.fields).map_err(|e| Error::user(format!("row {} of the test: {e}", i + 1)))
            };
            let rows = rows.iter().enumerate().map(row).collect::<Result<Rows>>()?;
            self.flows.insert((c.id.clone(), stream.to_owned()), rows);
        }
        Ok(())
    }

    /// A spout that runs itself, up to the limit.
    fn spout(&mut self, c: &PlannedComponent) -> Result<()> {
        let mut spout = self.harness(c).registered_spout(self.around.registry, &c.type_name, c.config.clone())?;
        let (mut emitted, mut idle) = (0, 0);
        while emitted < self.case.limit && idle < PATIENCE {
            spout.room((self.case.limit - emitted).min(BATCH));
            let next = spout.next()?;
            let sent = spout.take();
            idle = if sent.is_empty() { idle + 1 } else { 0 };
            emitted += sent.len();
            for row in sent {
                self.flows.entry((c.id.clone(), row.stream)).or_default().push(row.values);
            }
            match next {
                Next::More => {}
                Next::After(time) => (self.around.pause)(time),
                Next::Wait if spout.woken(WAIT) => {}
                Next::Wait | Next::End => break,
            }
        }
        spout.ack_all();
        self.done.entry(c.id.clone()).or_default().counters = spout.metrics().read();
        Ok(())
    }

    fn bolt(&mut self, c: &PlannedComponent) -> Result<()> {
        let mut bolt = self.harness(c).registered_bolt(self.around.registry, &c.type_name, c.config.clone())?;
        let mut taken = 0;
        for input in &c.inputs {
            let rows = self.flows.get(&(input.from.clone(), input.stream.clone())).map_or(&[][..], Vec::as_slice);
            taken += rows.len() as u64;
            for batch in rows.chunks(BATCH) {
                bolt.feed_stream(&input.from, &input.stream, batch.iter().cloned())?;
            }
        }
        if c.tick.is_some() {
            bolt.tick()?;
        }
        bolt.cleanup()?;
        for row in bolt.take() {
            self.flows.entry((c.id.clone(), row.stream)).or_default().push(row.values);
        }
        let failed = bolt.failed().into_iter().map(|(_, error)| error).collect();
        self.done.insert(c.id.clone(), Done { taken, failed, counters: bolt.metrics().read() });
        Ok(())
    }

    /// Compares what a component did with what was expected of it.
    fn judge(&mut self, c: &PlannedComponent) {
        let mut faults = Vec::new();
        let done = self.done.remove(&c.id).unwrap_or_default();
        let expected: Vec<(&str, &Expect)> = self
            .case
            .expect
            .iter()
            .map(|(key, e)| (place(key), e))
            .filter(|((id, _), _)| *id == c.id)
            .map(|((_, s), e)| (s, e))
            .collect();
        if !done.failed.is_empty() && expected.iter().all(|(_, e)| e.failed.is_none()) {
            faults.push(format!("{} tuples failed, the first with: {}", done.failed.len(), done.failed[0]));
        }
        let mut number = |what: &str, found: u64, wanted: Option<u64>| {
            if let Some(wanted) = wanted.filter(|w| *w != found) {
                faults.push(format!("{what}: {found}, expected {wanted}"));
            }
        };
        for (_, e) in &expected {
            number("taken in", done.taken, e.taken);
            number("failed", done.failed.len() as u64, e.failed);
            for (name, wanted) in &e.counters {
                let found = done.counters.iter().find(|(n, _)| n == name).map_or(0, |(_, n)| *n);
                number(&format!("counter `{name}`"), found, Some(*wanted));
            }
        }
        for (stream, e) in expected.iter().filter(|(_, e)| e.rows.is_some() || e.count.is_some()) {
            let Some(output) = c.outputs.iter().find(|o| o.name == *stream) else {
                let hint = did_you_mean(stream, c.outputs.iter().map(|o| o.name.as_str()));
                faults.push(format!("it emits on no stream `{stream}`{hint}"));
                continue;
            };
            let rows = self.flows.get(&(c.id.clone(), (*stream).to_owned())).map_or(&[][..], Vec::as_slice);
            let found: Vec<Map<String, Json>> = rows.iter().map(|row| object(row, &output.fields)).collect();
            stream_faults(&found, &output.fields, e, self.case.tolerance, &mut faults);
        }
        let more = faults.len().saturating_sub(2 * SHOWN);
        self.faults.extend(faults.into_iter().take(2 * SHOWN).map(|fault| format!("`{}`: {fault}", c.id)));
        if more > 0 {
            self.faults.push(format!("`{}`: and {more} more", c.id));
        }
    }
}

fn stream_faults(found: &[Map<String, Json>], schema: &Schema, e: &Expect, tolerance: f64, faults: &mut Vec<String>) {
    let wanted = e.rows.as_deref().unwrap_or_default();
    let all = e.rows.as_ref().map(|rows| rows.len() as u64);
    let count = e.count.or(all);
    if count.is_some_and(|n| n != found.len() as u64) {
        faults.push(format!("emitted {} rows, expected {}", found.len(), count.unwrap_or_default()));
    }
    for name in wanted.iter().flat_map(Map::keys) {
        if schema.index(name).is_none() {
            let hint = did_you_mean(name, schema.fields().iter().map(|f| f.name.as_str()));
            faults.push(format!("it emits no field `{name}` ({schema}){hint}"));
            return;
        }
    }
    let fits = |found: &Map<String, Json>, wanted: &Map<String, Json>| {
        wanted
            .iter()
            .find(|(name, value)| !found.get(*name).is_some_and(|f| equal(f, value, tolerance)))
            .map(|(name, _)| name.clone())
    };
    if e.any_order {
        let mut left: Vec<&Map<String, Json>> = found.iter().collect();
        for row in wanted {
            match left.iter().position(|f| fits(f, row).is_none()) {
                Some(at) => drop(left.remove(at)),
                None => faults.push(format!("no row is like {}", shown(row))),
            }
        }
        return;
    }
    for (i, (row, wanted)) in found.iter().zip(wanted).enumerate() {
        if let Some(name) = fits(row, wanted) {
            let (is, should) = (row.get(&name).unwrap_or(&Json::Null), wanted.get(&name).unwrap_or(&Json::Null));
            faults.push(format!("row {}: `{name}` is {is}, expected {should}, in {}", i + 1, shown(row)));
        }
    }
}

/// A row for people, cut where it is long.
fn shown(row: &Map<String, Json>) -> String {
    let text = Json::Object(row.clone()).to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether two values are the same, numbers within the tolerance.
fn equal(a: &Json, b: &Json, tolerance: f64) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a != b => {
            let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else { return false };
            (a - b).abs() <= tolerance * b.abs().max(1.0)
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, tolerance)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b, tolerance)))
        }
        _ => a == b,
    }
}

fn object(row: &[Value], schema: &Schema) -> Map<String, Json> {
    let names = schema.fields().iter().map(|f| f.name.clone());
    names.zip(row.iter().map(|v| v.as_ref().into())).collect()
}

/// A row as the schema has it.
fn values(row: &Map<String, Json>, schema: &Schema) -> Result<Vec<Value>> {
    if let Some(odd) = row.keys().find(|key| schema.index(key).is_none()) {
        let hint = did_you_mean(odd, schema.fields().iter().map(|f| f.name.as_str()));
        return Err(Error::user(format!("there is no field `{odd}` in ({schema}){hint}")));
    }
    let value = |f: &crate::Field| {
        let given = row.get(&f.name).ok_or_else(|| Error::user(format!("field `{}` is missing", f.name)))?;
        let wrong = || Error::user(format!("field `{}` takes {}, not {given}", f.name, f.kind));
        let numbers =
            || given.as_array().and_then(|a| a.iter().map(Json::as_f64).collect::<Option<Vec<f64>>>()).ok_or_else(wrong);
        Ok(match f.kind {
            FieldType::F64s(_) => Value::F64s(numbers()?),
            FieldType::F32s(_) => Value::F32s(numbers()?.into_iter().map(|x| x as f32).collect()),
            FieldType::Bytes => Value::Bytes(given.as_str().ok_or_else(wrong)?.as_bytes().to_vec()),
            FieldType::Float => Value::Float(given.as_f64().ok_or_else(wrong)?),
            FieldType::Any | FieldType::Bool | FieldType::Int | FieldType::Str => Value::from(given.clone()),
        })
    };
    schema.fields().iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Bolt, BoltConfig, Check, Context, Output, Spout, SpoutConfig, SpoutOutput, StreamDecl, Tuple};

    #[derive(serde::Deserialize)]
    struct Count {
        to: i64,
    }

    struct Counting(i64, i64);

    impl SpoutConfig for Count {
        const ABOUT: &'static str = "counts";
        fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
            Ok(vec![StreamDecl::default_stream(Schema::new([("n", FieldType::Int)]))])
        }
        fn build(self, _: &Context) -> Result<Box<dyn Spout>> {
            Ok(Box::new(Counting(0, self.to)))
        }
    }

    impl Spout for Counting {
        fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
            if self.0 == self.1 {
                return Ok(Next::End);
            }
            self.0 += 1;
            out.emit_with_id((self.0,), self.0 as u64)?;
            Ok(Next::More)
        }
    }

    #[derive(serde::Deserialize)]
    struct Halve {}

    impl BoltConfig for Halve {
        const ABOUT: &'static str = "halves even numbers";
        fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
            let schema = || Schema::new([("half", FieldType::Float)]);
            Ok(vec![StreamDecl::default_stream(schema()), StreamDecl::named("odd", schema())])
        }
        fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
            let seen = ctx.metrics.counter("seen");
            Ok(Box::new(move |t: &Tuple<'_>, out: &mut Output<'_>| {
                seen.add(1);
                match t.int("n")? {
                    13 => Err("unlucky".into()),
                    n if n % 2 == 0 => out.emit((n as f64 / 2.0,)),
                    n => out.emit_to("odd", (n as f64 / 2.0,)),
                }
            }))
        }
    }

    fn faults(case: serde_json::Value) -> Vec<String> {
        let mut registry = Registry::default();
        registry.spout::<Count>("count").bolt::<Halve>("halve");
        let ints = json!([{"name": "n", "type": "int"}]);
        let halves = json!([{"name": "half", "type": "float"}]);
        let plan = json!({"name": "p", "components": [
            {"id": "numbers", "kind": "spout", "type": "count", "config": {"to": 6}, "parallelism": 1,
             "outputs": [{"name": "default", "fields": ints}]},
            {"id": "halves", "kind": "bolt", "type": "halve", "config": {}, "parallelism": 2,
             "inputs": [{"from": "numbers", "stream": "default", "fields": ints, "grouping": {"type": "shuffle"}}],
             "outputs": [{"name": "default", "fields": halves}, {"name": "odd", "fields": halves}]}]});
        let around =
            Surroundings { registry: &registry, models: &BTreeMap::new(), state_dir: Path::new("/nowhere"), pause: &|_| {} };
        let case = serde_json::from_value(case).unwrap();
        run_case(&serde_json::from_value(plan).unwrap(), &case, &around)
    }

    #[test]
    fn what_is_as_expected_is_no_fault() {
        let good = json!({"expect": {
            "numbers": {"count": 6},
            "halves": {"rows": [{"half": 1}, {"half": 2.0}, {"half": 3.0000000001}], "taken": 6, "counters": {"seen": 6}},
            "halves/odd": {"rows": [{"half": 2.5}, {"half": 0.5}], "any_order": true, "count": 3},
        }});
        assert_eq!(faults(good), Vec::<String>::new());
        let given = json!({"rows": {"numbers": [{"n": 4}]}, "expect": {"halves": {"rows": [{"half": 2}]}}});
        assert_eq!(faults(given), Vec::<String>::new());
        assert_eq!(faults(json!({"limit": 2, "expect": {"halves": {"count": 1, "taken": 2}}})), Vec::<String>::new());
    }

    #[test]
    fn what_is_other_is_told_with_place_and_values() {
        let wrong = faults(
            json!({"rows": {"numbers": [{"n": 4}, {"n": 8}]}, "expect": {"halves": {"rows": [{"half": 2}, {"half": 3}]}}}),
        );
        assert_eq!(wrong, ["`halves`: row 2: `half` is 4.0, expected 3, in {\"half\":4.0}"]);
        let wrong = faults(json!({"expect": {"halves": {"count": 1, "taken": 7, "counters": {"seen": 0}}}}));
        assert_eq!(
            wrong,
            [
                "`halves`: taken in: 6, expected 7",
                "`halves`: counter `seen`: 6, expected 0",
                "`halves`: emitted 3 rows, expected 1"
            ]
        );
        let wrong = faults(json!({"rows": {"numbers": [{"n": 13}]}}));
        assert_eq!(wrong, ["`halves`: 1 tuples failed, the first with: unlucky"]);
        assert!(faults(json!({"rows": {"numbers": [{"n": 13}]}, "expect": {"halves": {"failed": 1}}})).is_empty());
        let wrong = faults(json!({"rows": {"numbers": [{"m": 1}]}}));
        assert_eq!(wrong, ["`numbers`: row 1 of the test: there is no field `m` in (n: int); did you mean `n`?"]);
        let wrong = faults(json!({"expect": {"halves": {"rows": [{"hlf": 1}], "count": 3}}}));
        assert!(wrong[0].contains("it emits no field `hlf` (half: float); did you mean `half`?"), "{wrong:?}");
        assert!(faults(json!({"expect": {"halfs": {}}}))[0].contains("did you mean `halves`?"));
    }
}
