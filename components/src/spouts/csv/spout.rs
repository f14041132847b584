//! The spout that emits the rows.

use std::time::{Duration, Instant};

use csv::Position;
use squall_core::{Check, Columns, Context, Error, Next, Result, Spout, SpoutOutput, Value};

use super::Config;
use super::layout::Layout;
use super::rows::{self, Rows};
use crate::support::{pending::Pending, schemas};

/// A file that cycles is kept in memory, parsed, if it is not larger than this.
const KEPT: u64 = 64 << 20;

/// Where a row under way came from.
#[derive(Debug, Clone)]
struct Place {
    row: u64,
    at: Position,
}

/// Ids are row numbers; in later rounds of a cycle they go on from where the round before ended.
pub(super) struct CsvSpout {
    rows: Rows,
    index: u64,
    tasks: u64,
    cycle: bool,
    tracked: bool,
    pace: Option<Pace>,
    pending: Pending<Place>,
    /// The first id of this round.
    base: u64,
    /// Ids below this one were done before the spout was set back to here.
    from: u64,
    /// All rows of this task that can be parsed, once they have all been read, each with its number and place.
    kept: Kept,
    /// Those of the rows that are emitted together.
    ids: Vec<u64>,
    ended: bool,
}

enum Kept {
    /// Not wanted.
    No,
    /// Being read for the first time.
    Reading(Block),
    /// The rows, how many rows the file has, and which is next.
    All(Block, u64, usize),
}

/// Rows and where each came from.
struct Block {
    rows: Columns,
    places: Vec<Place>,
}

impl Block {
    fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
    }
}

impl CsvSpout {
    pub(super) fn new(config: Config, ctx: &Context) -> Result<Self> {
        let delimiter = config.delimiter()?;
        let check = Check::default();
        let layout = Layout::new(&config, &rows::header(&config.path, delimiter)?, &check);
        check.verdict()?;
        let rows = Rows::open(config.path, delimiter, layout)?;
        let keep = config.cycle && rows.size()? <= KEPT;
        Ok(CsvSpout {
            rows,
            index: u64::from(ctx.index),
            tasks: u64::from(ctx.parallelism.max(1)),
            cycle: config.cycle,
            tracked: config.tracked,
            pace: config.period.filter(|p| !p.is_zero()).map(Pace::new),
            pending: Pending::default(),
            base: 0,
            from: 0,
            kept: if keep { Kept::Reading(Block { rows: schemas::rows(ctx), places: Vec::new() }) } else { Kept::No },
            ids: Vec::new(),
            ended: false,
        })
    }

    /// Emits the next row, or ends; of rows that are kept, up to so many at once.
    fn row(&mut self, most: usize, out: &mut SpoutOutput<'_>) -> Result<Next> {
        loop {
            if let Kept::All(block, total, at) = &mut self.kept {
                let first = *at;
                if first == block.places.len() {
                    self.base += *total;
                    *at = 0;
                    continue;
                }
                *at = (first + most).min(block.places.len());
                let (base, from) = (self.base, self.from);
                // Ids ascend, so those that were done before are the first.
                let done = block.places[first..*at].partition_point(|place| base + place.row < from);
                let first = first + done;
                if first == *at {
                    continue;
                }
                let rows = block.rows.slice(first..*at).ok_or_else(|| Error::internal("fewer rows were kept than places"))?;
                if !self.tracked {
                    out.emit_rows(rows)?;
                    return Ok(Next::More);
                }
                let places = &block.places[first..*at];
                self.ids.clear();
                self.ids.extend(places.iter().map(|place| base + place.row));
                out.emit_rows_with_ids(rows, &self.ids)?;
                places.iter().zip(&self.ids).for_each(|(place, id)| self.pending.sent(*id, place.clone()));
                return Ok(Next::More);
            }
            let (index, tasks) = (self.index, self.tasks);
            let Some(row) = self.rows.next(|n| n % tasks == index)? else {
                let total = self.rows.next;
                match std::mem::replace(&mut self.kept, Kept::No) {
                    _ if !self.cycle => {}
                    Kept::Reading(block) if block.places.is_empty() => {}
                    Kept::Reading(block) => {
                        self.kept = Kept::All(block, total, 0);
                        self.base += total;
                        continue;
                    }
                    _ if total > self.index => {
                        self.base += total;
                        self.rows.rewind()?;
                        continue;
                    }
                    _ => {}
                }
                self.ended = true;
                return Ok(Next::End);
            };
            let place = Place { row: row.number, at: row.place };
            let values = row.values?;
            let id = self.base + row.number;
            let sent = if id >= self.from {
                Some(emit(out, &mut self.pending, self.tracked.then_some(id), &values, place.clone())?)
            } else {
                None
            };
            if let Kept::Reading(block) = &mut self.kept {
                let values: Vec<_> = values.iter().map(Value::as_ref).collect();
                block.rows.push(&values).map_err(Error::user)?;
                block.places.push(place);
            }
            if let Some(sent) = sent {
                return Ok(sent);
            }
        }
    }
}

fn emit(
    out: &mut SpoutOutput<'_>,
    pending: &mut Pending<Place>,
    id: Option<u64>,
    values: &[Value],
    place: Place,
) -> Result<Next> {
    match id {
        Some(id) => {
            out.emit_with_id(values, id)?;
            pending.sent(id, place);
        }
        None => out.emit(values)?,
    }
    Ok(Next::More)
}

impl Spout for CsvSpout {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        while out.room() > 0 {
            if let Some((id, place)) = self.pending.next_again() {
                let place = place.clone();
                let values = self.rows.read_again(place.row, &place.at)?;
                out.emit_with_id(&values[..], id)?;
                continue;
            }
            if self.ended {
                return Ok(Next::End);
            }
            if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.wait(Instant::now())) {
                return Ok(Next::After(wait));
            }
            let most = if self.pace.is_some() { 1 } else { out.room() };
            if self.row(most, out)? == Next::End {
                return Ok(Next::End);
            }
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: u64) {
        self.pending.ack(id);
    }

    fn fail(&mut self, id: u64) {
        self.pending.fail(id);
    }

    fn position(&mut self) -> Result<Option<Vec<u8>>> {
        let next = match &self.kept {
            Kept::All(block, total, at) => self.base + block.places.get(*at).map_or(*total, |place| place.row),
            _ => self.base + self.rows.next,
        };
        let position = self.pending.lowest().map_or(next, |(id, _)| id).max(self.from);
        Ok(self.tracked.then(|| position.to_le_bytes().to_vec()))
    }

    fn seek(&mut self, position: &[u8]) -> Result<()> {
        let position = position.try_into().map_err(|_| Error::internal("a csv position is 8 bytes"))?;
        self.from = u64::from_le_bytes(position);
        (self.base, self.ended) = (0, false);
        self.pending.clear();
        if let Kept::All(_, _, at) = &mut self.kept {
            *at = 0;
        } else {
            if let Kept::Reading(block) = &mut self.kept {
                block.clear();
            }
            self.rows.rewind()?;
        }
        Ok(())
    }
}

/// One row in each period, counted from the first; what is missed is not made up for.
pub(super) struct Pace {
    period: Duration,
    due: Option<Instant>,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Pace { period, due: None }
    }

    /// How long to wait; `None` when a row is due, which counts as emitted.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let due = self.due.unwrap_or(now);
        if now < due {
            return Some(due - now);
        }
        self.due = Some(if now - due < self.period { due } else { now } + self.period);
        None
    }
}

#[cfg(test)]
mod tests {
    use squall_core::ValueRef;
    use squall_core::harness::{Harness, SpoutHarness};

    use super::*;

    const DATA: &str = "a,b,label,name\n1,2.5,0,x\n3,4,1,\"y, \"\"z\"\"\"\n-1,0,2,é\n";

    struct Test {
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
    }

    fn file(text: &str) -> Test {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        Test { _dir: dir, path }
    }

    impl Test {
        fn spout(&self, surroundings: Harness, more: serde_json::Value) -> Result<SpoutHarness> {
            let mut config = serde_json::json!({
                "path": self.path, "vectors": {"x": {"columns": "a..b"}}, "fields": {"label": "int"}
            });
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            surroundings.spout_config::<Config>(config)
        }

        fn error(&self, more: serde_json::Value) -> String {
            self.spout(Harness::default(), more).err().expect("a refused configuration").to_string()
        }
    }

    fn labels(spout: &mut SpoutHarness) -> Vec<(u64, i64)> {
        let label = |v: &Value| if let ValueRef::Int(n) = v.as_ref() { n } else { panic!("{v:?}") };
        spout.take().iter().map(|s| (s.id.unwrap(), label(&s.values[1]))).collect()
    }

    #[test]
    fn rows_come_with_vectors_types_and_ids() {
        let file = file(DATA);
        let mut spout = file.spout(Harness::default(), serde_json::json!({"row": "n", "text": "line"})).unwrap();
        let fields = spout.context().outputs[0].fields.to_string();
        assert_eq!(fields, "n: int, line: str, x: f64[2], label: int, name: str");
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(spout.sent()[1].id, Some(1));
        let second =
            vec![Value::Int(1), "3,4,1,y, \"z\"".into(), Value::F64s(vec![3.0, 4.0]), Value::Int(1), "y, \"z\"".into()];
        assert_eq!(spout.sent()[1].values, second);
        assert_eq!(spout.sent().len(), 3);
    }

    #[test]
    fn failed_rows_are_read_again_and_the_end_comes_back() {
        let file = file(DATA);
        let mut spout = file.spout(Harness::default(), serde_json::json!({})).unwrap();
        spout.room(2);
        spout.next().unwrap();
        spout.take();
        spout.ack(0);
        assert_eq!(spout.spout().position().unwrap(), Some(1u64.to_le_bytes().to_vec()));
        spout.fail(1);
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(labels(&mut spout), [(1, 1), (2, 2)]);
        spout.fail(2);
        assert_eq!(spout.run().unwrap(), Next::End);
        assert_eq!(labels(&mut spout), [(2, 2)]);
        spout.ack_all();
        assert_eq!(spout.spout().position().unwrap(), Some(3u64.to_le_bytes().to_vec()));
        spout.spout().seek(&1u64.to_le_bytes()).unwrap();
        spout.run().unwrap();
        assert_eq!(labels(&mut spout), [(1, 1), (2, 2)]);
    }

    #[test]
    fn a_cycle_does_not_die_at_the_wrap_and_tasks_share_the_rows() {
        let file = file(DATA);
        for (index, first, ids) in [(0, 0, [0, 2, 3, 5, 6]), (1, 1, [1, 4, 7, 10, 13])] {
            let mut spout = file.spout(Harness::default().task(index, 2), serde_json::json!({"cycle": true})).unwrap();
            spout.room(1);
            for _ in 0..5 {
                assert_eq!(spout.next().unwrap(), Next::More);
            }
            let sent = labels(&mut spout);
            assert_eq!(sent.iter().map(|s| s.0).collect::<Vec<_>>(), ids);
            assert_eq!(sent[0].1, first);
            assert!(sent.iter().all(|(id, label)| (id % 3) as i64 == *label));
            spout.fail(ids[4]);
            spout.next().unwrap();
            assert_eq!(labels(&mut spout)[0].0, ids[4]);
        }
    }

    #[test]
    fn a_cycle_without_rows_ends() {
        let file = file("a,b,label\n");
        let mut spout = file.spout(Harness::default(), serde_json::json!({"cycle": true})).unwrap();
        assert_eq!(spout.run().unwrap(), Next::End);
    }

    #[test]
    fn a_bad_row_is_told_with_its_line_and_passed_over() {
        let file = file("a,b,label\n1,2,3\n1,x,3\n1,2\n4,5,6\n");
        let mut spout = file.spout(Harness::default(), serde_json::json!({"cycle": true})).unwrap();
        assert!(spout.run().unwrap_err().to_string().ends_with("rows.csv, line 3: column `b`: `x` is not a number"));
        assert!(spout.run().unwrap_err().to_string().ends_with("line 4: 2 columns, not 3 as the first line"));
        spout.room(3);
        spout.next().unwrap();
        assert_eq!(labels(&mut spout), [(0, 3), (3, 6), (4, 3), (7, 6)]);
    }

    #[test]
    fn one_row_in_each_period() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(100));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.wait(at(0)), None);
        assert_eq!(pace.wait(at(30)), Some(Duration::from_millis(70)));
        assert_eq!(pace.wait(at(110)), None);
        assert_eq!(pace.wait(at(150)), Some(Duration::from_millis(50)));
        assert_eq!(pace.wait(at(950)), None);
        assert_eq!(pace.wait(at(950)), Some(Duration::from_millis(100)));
        let file = file(DATA);
        let mut spout = file.spout(Harness::default(), serde_json::json!({"period": "1h", "cycle": true})).unwrap();
        assert!(matches!(spout.run().unwrap(), Next::After(wait) if wait > Duration::from_secs(3000)));
        assert_eq!(spout.sent().len(), 1);
    }

    #[test]
    fn empty_cells_are_missing_where_they_may_be() {
        let file = file("a,b,label,name,score\n1,2,,,\n1,2,5,x,0.5\n");
        let more = |missing: &[&str]| serde_json::json!({"fields": {"label": "int", "score": "float"}, "missing": missing});
        let mut spout = file.spout(Harness::default(), more(&["label", "name", "score"])).unwrap();
        assert_eq!(spout.context().outputs[0].fields.to_string(), "x: f64[2], label: any, name: any, score: float");
        assert_eq!(spout.run().unwrap(), Next::End);
        let rows = spout.rows("default");
        assert_eq!(rows[0][1..3], [Value::Nil, Value::Nil]);
        assert!(matches!(rows[0][3], Value::Float(score) if score.is_nan()), "{rows:?}");
        assert_eq!(rows[1][1..], [Value::Int(5), "x".into(), Value::Float(0.5)]);
        let error = file.error(more(&["a"]));
        assert!(error.starts_with("config.missing[0]: column `a` is in a vector"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        let file = file(DATA);
        let error = file.error(serde_json::json!({"vectors": {"x": {"columns": ["a", "bb"]}}}));
        assert!(error.starts_with("config.vectors.x.columns[1]: ") && error.contains("has no column `bb`"), "{error}");
        let error = file.error(serde_json::json!({"vectors": {"x": {"columns": "b..a"}}}));
        assert!(error.contains("`b..a` ends before it begins"), "{error}");
        let error = file.error(serde_json::json!({"fields": {"labl": "int"}}));
        assert!(error.contains("did you mean `label`?"), "{error}");
        let error = file.error(serde_json::json!({"path": "rows.csv"}));
        assert!(error.contains("${TOPOLOGY_DIR}/rows.csv"), "{error}");
        let error = file.error(serde_json::json!({"path": "/no/such/rows.csv"}));
        assert!(error.starts_with("config.path: cannot open /no/such/rows.csv"), "{error}");
        let error = file.error(serde_json::json!({"row": "name"}));
        assert!(error.contains("two output fields are called `name`"), "{error}");
        let error = file.error(serde_json::json!({"vectors": {"x": {"columns": 3}}}));
        assert!(error.contains("\"p0..p63\""), "{error}");
    }
}
