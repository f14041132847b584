//! `squall run`, from start to end, on the topologies that ship.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;
use squall_tests::{DEADLINE, Ran, command, kill_9, repository, run, started_in, terminate, wait_for, wait_until};

fn topology(name: &str) -> PathBuf {
    repository().join("topologies").join(name)
}

fn squall_run(home: &Path, file: &Path, args: &[&str]) -> Ran {
    run(command(home).arg("run").arg(file).args(args))
}

/// The last column or the named one of a CSV file.
fn column(file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(topology(file)).unwrap();
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|c| c == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().to_owned()).collect()
}

/// Console lines `a=1 b=x` as maps, and the summary behind them.
fn lines_and_summary(ran: &Ran) -> (Vec<BTreeMap<&str, &str>>, Value) {
    let mut lines = ran.lines();
    let summary = serde_json::from_str(lines.pop().expect("a summary")).expect("the summary is JSON");
    let maps = lines.iter().map(|line| line.split(' ').filter_map(|part| part.split_once('=')).collect()).collect();
    (maps, summary)
}

/// Nothing is left of the runs with this home: no process, no folder, no socket file.
#[track_caller]
fn nothing_is_left(home: &Path) {
    wait_until("no process is left", || started_in(home).is_empty());
    let left: Vec<String> = std::fs::read_dir(home)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".cache" && !name.ends_with(".toml") && !name.ends_with(".txt"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "left in the temporary folder");
}

/// The digits are classified as scikit-learn does, every one of them, once.
fn digits(file: &str) {
    let home = tempfile::tempdir().unwrap();
    let ran = squall_run(home.path(), &topology(file), &["--json"]).ok();
    let (lines, summary) = lines_and_summary(&ran);
    let (labels, expected) = (column("data/digits.csv", "label"), column("models/expected/digits.csv", "label"));
    assert_eq!(lines.len(), 1797, "{}", ran.stderr);
    let mut rows = BTreeSet::new();
    for line in &lines {
        let row: usize = line["row"].parse().unwrap();
        assert!(rows.insert(row), "row {row} came twice");
        assert_eq!(line["prediction"], expected[row], "row {row}");
        assert_eq!(line["label"], labels[row], "row {row}");
    }
    let correct = labels.iter().zip(&expected).filter(|(label, prediction)| label == prediction).count();
    let accuracy = &summary["accuracy"][0];
    assert_eq!((accuracy["correct"].as_u64(), accuracy["total"].as_u64()), (Some(correct as u64), Some(1797)));
    assert_eq!(summary["finished"], true);
    let spout = &summary["components"][0];
    assert_eq!((&spout["emitted"], &spout["acked"], &spout["failed"]), (&1797.into(), &1797.into(), &0.into()));
    nothing_is_left(home.path());
}

#[test]
fn digits_in_two_bolts_agree_with_scikit_learn() {
    digits("digits.toml");
}

#[test]
fn digits_in_one_bolt_agree_with_scikit_learn() {
    digits("digits-pipeline.toml");
}

#[test]
fn the_summary_tells_all_that_matters() {
    let home = tempfile::tempdir().unwrap();
    let ran = squall_run(home.path(), &topology("digits.toml"), &[]).ok();
    for text in
        ["accuracy", "throughput", "complete latency", "first tuple", "model pca", "model logistic", "1,797", "page: http"]
    {
        assert!(ran.stderr.contains(text), "no `{text}` in\n{}", ran.stderr);
    }
    assert_eq!(ran.lines().len(), 1797);
    assert!(!ran.stderr.contains('\x1b'), "colours where nobody watches:\n{}", ran.stderr);
}

#[test]
fn words_are_counted_as_an_independent_count_does() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("counts.txt");
    let set = format!("OUT={}", out.display());
    squall_run(home.path(), &topology("wordcount.toml"), &["--set", &set, "--workers", "2"]).ok();

    let text = std::fs::read_to_string(topology("data/words.txt")).unwrap();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        if !word.is_empty() {
            *expected.entry(word).or_default() += 1;
        }
    }
    let written = std::fs::read_to_string(&out).unwrap();
    let counted: Vec<(String, u64)> =
        written.lines().map(|l| l.split_once('\t').unwrap()).map(|(word, n)| (word.to_owned(), n.parse().unwrap())).collect();
    assert!(counted.windows(2).all(|w| w[0].1 >= w[1].1), "not sorted by count");
    assert_eq!(counted.into_iter().collect::<BTreeMap<_, _>>(), expected);
    nothing_is_left(home.path());
}

/// A run whose stdout is read line by line while it goes on.
struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn start(home: &Path, file: &Path, args: &[&str]) -> Running {
        let mut child = command(home)
            .arg("run")
            .arg(file)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("squall starts");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Running { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("another line")
    }

    /// Waits for its end, and gives the exit code and how long it took.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let status = wait_for("the run's end", || self.child.try_wait().expect("it can be waited for"));
        (status.code(), begun.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn irises_go_past_the_end_of_the_data() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(home.path(), &topology("iris.toml"), &["--set", "PERIOD=2ms"]);
    let (data, expected) = (column("data/iris.csv", "species"), column("models/expected/iris.csv", "label"));
    let rows = std::fs::read_to_string(topology("data/iris.csv")).unwrap();
    let rows: Vec<&str> = rows.lines().skip(1).collect();
    assert_eq!((rows.len(), data.len()), (150, 150));
    let mut prediction_of: BTreeMap<&str, &str> = BTreeMap::new();
    for (row, prediction) in rows.iter().zip(&expected) {
        // The field `data` is the row without what is to be predicted, or with it.
        prediction_of.insert(row, prediction);
        prediction_of.insert(row.rsplit_once(',').unwrap().0, prediction);
    }
    for n in 0..400 {
        let line = running.line();
        let (data, prediction) = line.strip_prefix("data=").and_then(|l| l.rsplit_once(" prediction=")).expect("both fields");
        assert_eq!(prediction_of.get(data), Some(&prediction), "line {n}: {line}");
    }
    terminate(running.child.id());
    assert_eq!(running.end().0, Some(143));
    nothing_is_left(home.path());
}

#[test]
fn ctrl_c_stops_everything_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(home.path(), &topology("iris.toml"), &["--set", "PERIOD=5ms"]);
    running.line();
    assert_eq!(workers(home.path()).len(), 2, "two workers, each a process");
    interrupt(&running.child);
    let (code, took) = running.end();
    assert_eq!(code, Some(130));
    eprintln!("took {took:?}");
    // At once, without waiting.
    assert_eq!(started_in(home.path()), Vec::<u32>::new());
    nothing_is_left(home.path());
}

#[test]
fn ctrl_c_stops_workers_that_are_stuck() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("stuck.toml");
    let text = "name = \"stuck\"\n[spouts.n]\ntype = \"sequence\"\n[bolts.talk]\ntype = \"console\"\n\
                inputs = [{ from = \"n\", grouping = \"shuffle\" }]\n[bolts.wait]\ntype = \"sleep\"\nconfig = { millis = 3600000 }\n\
                inputs = [{ from = \"n\", grouping = \"shuffle\" }]\n";
    std::fs::write(&file, text).unwrap();
    let mut running = Running::start(home.path(), &file, &[]);
    running.line();
    interrupt(&running.child);
    let (code, took) = running.end();
    assert_eq!(code, Some(130));
    eprintln!("took {took:?}");
    nothing_is_left(home.path());
}

#[test]
fn workers_of_a_run_that_is_killed_end_with_it_and_the_next_run_cleans_up() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(home.path(), &topology("iris.toml"), &["--set", "PERIOD=5ms"]);
    running.line();
    let workers = workers(home.path());
    assert_eq!(workers.len(), 2);
    kill_9(running.child.id());
    running.end();
    wait_until("the workers have ended", || started_in(home.path()).is_empty());
    // Its folder is still there, until the next run.
    squall_run(home.path(), &topology("digits.toml"), &[]).ok();
    nothing_is_left(home.path());
}

#[test]
fn a_run_of_some_seconds_ends_in_good_order() {
    let home = tempfile::tempdir().unwrap();
    let ran = squall_run(home.path(), &topology("iris.toml"), &["--set", "PERIOD=10ms", "--duration", "2s", "--json"]).ok();
    let (lines, summary) = lines_and_summary(&ran);
    assert!(lines.len() > 20, "{} lines", lines.len());
    assert!(summary["seconds"].as_f64().unwrap() >= 2.0);
    nothing_is_left(home.path());
}

#[test]
fn a_bad_topology_shows_everything_and_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("bad.toml");
    let text = r#"name = "bad"
[config]
wokers = 2
[models.m]
path = "none.pkl"
[spouts.numbers]
type = "sequense"
[bolts.split]
type = "split"
parallelism = 0
inputs = [{ from = "numbrs", grouping = "fieldz" }]
[bolts.end]
type = "null"
inputs = [{ from = "split", grouping = "fields", fields = ["wrd"] }]
"#;
    std::fs::write(&file, text).unwrap();
    for verb in ["run", "validate", "submit"] {
        let ran = run(command(home.path()).arg(verb).arg(&file)).code(2);
        for (line, what) in [
            ("bad.toml:3:", "wokers"),
            ("bad.toml:5:", "none.pkl"),
            ("bad.toml:7:", "did you mean `sequence`?"),
            ("bad.toml:10:", "parallelism"),
            ("bad.toml:11:", "did you mean `numbers`?"),
            ("bad.toml:11:", "did you mean `fields`?"),
        ] {
            assert!(ran.stderr.contains(line) && ran.stderr.contains(what), "{verb}: no {line} {what} in\n{}", ran.stderr);
        }
        assert!(ran.stderr.contains('^'), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
        nothing_is_left(home.path());
    }
    let json: Value = run(command(home.path()).args(["validate", "--json"]).arg(&file)).code(2).json();
    assert!(json["diagnostics"].as_array().unwrap().len() >= 6, "{json}");
    run(command(home.path()).arg("run").arg(home.path().join("none.toml"))).code(4);
}

#[test]
fn a_topology_that_cannot_start_fails_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("broken.toml");
    let text = "name = \"broken\"\n[spouts.lines]\ntype = \"file\"\nconfig = { path = \"/nonexistent/words.txt\" }\n\
                [bolts.end]\ntype = \"null\"\ninputs = [{ from = \"lines\", grouping = \"shuffle\" }]\n";
    std::fs::write(&file, text).unwrap();
    let ran = squall_run(home.path(), &file, &[]);
    assert!(matches!(ran.code, Some(1 | 2)), "{ran:?}");
    assert!(ran.stderr.contains("/nonexistent/words.txt"), "{}", ran.stderr);
    nothing_is_left(home.path());
}

/// The worker processes of the run with this home: the run itself has no file of it among its arguments.
fn workers(home: &Path) -> Vec<u32> {
    started_in(home)
}

/// Ctrl-C, as a terminal sends it to that process.
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}
