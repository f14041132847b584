//! The `squall` binary where it needs no cluster. (That these tests are here also makes `cargo test --workspace` build
//! the binary, which the end-to-end tests start.)

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn squall(home: &Path, args: &[&str]) -> Output {
    command(home, args).output().expect("squall starts")
}

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    for name in ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "SQUALL_NIMBUS", "SQUALL_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.args(args).env("HOME", home);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn topologies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies")
}

const VERBS: [&str; 27] = [
    "test",
    "top",
    "man",
    "errors",
    "metrics",
    "graph",
    "loglevel",
    "tap",
    "run",
    "submit",
    "list",
    "status",
    "cluster",
    "activate",
    "deactivate",
    "rebalance",
    "restart",
    "kill",
    "logs",
    "nimbus",
    "supervisor",
    "worker",
    "validate",
    "components",
    "model",
    "completion",
    "help",
];

#[test]
fn every_verb_has_help_with_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let help = squall(home.path(), &["--help"]);
    assert!(help.status.success());
    let listed = text(&help.stdout);
    for verb in VERBS {
        assert!(listed.lines().any(|l| l.trim_start().starts_with(verb)), "`{verb}` is not in\n{listed}");
        if verb != "help" {
            let own = squall(home.path(), &[verb, "--help"]);
            assert!(own.status.success());
            assert!(text(&own.stdout).contains("Exit codes:"), "{verb}");
        }
    }
}

#[test]
fn wrong_usage_ends_with_2_and_a_hint() {
    let home = tempfile::tempdir().unwrap();
    let wrong = squall(home.path(), &["sumbit", "x.toml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("submit"), "{}", text(&wrong.stderr));
}

#[test]
fn without_a_cluster_verbs_end_with_3_and_say_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    for verb in ["list", "cluster"] {
        let ran = squall(home.path(), &[verb]);
        assert_eq!(ran.status.code(), Some(3));
        assert!(text(&ran.stderr).contains("squall nimbus"), "{}", text(&ran.stderr));
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn completions_are_scripts() {
    let home = tempfile::tempdir().unwrap();
    for (shell, word) in [("bash", "complete"), ("zsh", "#compdef squall"), ("fish", "complete -c squall")] {
        let ran = squall(home.path(), &["completion", shell]);
        assert!(ran.status.success() && text(&ran.stdout).contains(word), "{shell}");
    }
}

#[test]
fn man_pages_are_written_for_every_verb() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("man1");
    assert!(squall(home.path(), &["man", dir.to_str().unwrap()]).status.success());
    let page = std::fs::read_to_string(dir.join("squall-tap.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("\\-\\-rate"), "{page}");
    for verb in VERBS.iter().filter(|v| **v != "help") {
        assert!(dir.join(format!("squall-{verb}.1")).exists(), "{verb}");
    }
}

#[test]
fn topologies_are_drawn() {
    let home = tempfile::tempdir().unwrap();
    let file = topologies().join("wordcount.toml");
    let draw = |format: &str| text(&squall(home.path(), &["graph", file.to_str().unwrap(), "--format", format]).stdout);
    assert!(draw("ascii").contains("split → count: fields (word)"), "{}", draw("ascii"));
    assert!(draw("dot").starts_with("digraph \"wordcount\" {"), "{}", draw("dot"));
    assert!(draw("svg").starts_with("<svg ") && draw("mermaid").starts_with("flowchart LR"));
    assert_eq!(squall(home.path(), &["graph", "/nowhere.toml"]).status.code(), Some(3));
}

#[test]
fn all_topologies_that_ship_pass_their_tests() {
    let home = tempfile::tempdir().unwrap();
    let files: Vec<String> = std::fs::read_dir(topologies())
        .unwrap()
        .flatten()
        .map(|e| e.path().to_string_lossy().into_owned())
        .filter(|p| p.ends_with(".toml"))
        .collect();
    let args: Vec<&str> = ["test", "--json"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let ran = squall(home.path(), &args);
    let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(ran.status.success(), "{told:#}\n{}", text(&ran.stderr));
    for file in &files {
        assert!(told.as_array().unwrap().iter().any(|t| t["file"] == file.as_str()), "{file} has no test");
    }
    // And one that must fail does, and says where.
    let wrong = home.path().join("wrong.toml");
    let topology = std::fs::read_to_string(topologies().join("wordcount.toml")).unwrap();
    // It lies elsewhere than its data.
    let topology = topology.replace("${TOPOLOGY_DIR}", &topologies().to_string_lossy());
    let case = "\n[tests.wrong]\nrows.lines = [{ line = \"a b a\", number = 1 }]\nexpect.split = { count = 2 }\n";
    std::fs::write(&wrong, format!("{topology}{case}")).unwrap();
    let ran = squall(home.path(), &["test", wrong.to_str().unwrap(), "--only", "wrong"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stdout).contains("`split`: emitted 3 rows, expected 2"), "{}", text(&ran.stdout));
    let none = squall(home.path(), &["test", wrong.to_str().unwrap(), "--only", "nothing like it"]);
    assert_eq!(none.status.code(), Some(4), "{}", text(&none.stderr));
}

#[test]
fn all_topologies_that_ship_are_valid() {
    let home = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(topologies()).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let ran = squall(home.path(), &["validate", path.to_str().unwrap()]);
            assert!(ran.status.success(), "{}\n{}", path.display(), text(&ran.stderr));
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} topologies");
    // Their models were imported once and are kept.
    assert!(home.path().join(".cache/squall/models").read_dir().unwrap().count() >= 3);
}

#[test]
fn an_import_takes_no_more_memory_than_it_is_given() {
    let home = tempfile::tempdir().unwrap();
    // A list of four million numbers, which are two bytes each here and many more once they are read.
    let bomb = home.path().join("bomb.pkl");
    std::fs::write(&bomb, [&b"\x80\x04]("[..], &b"K\x01".repeat(4_000_000), b"e."].concat()).unwrap();
    let out = home.path().join("out.safetensors");
    let import = |memory: &str, own: &[(&str, &str)]| {
        let args = ["model", "import", bomb.to_str().unwrap(), "-o", out.to_str().unwrap(), "--json", "--memory", memory];
        let ran = command(home.path(), &args).envs(own.iter().copied()).output().expect("squall starts");
        let told = text(&ran.stdout);
        let limit = told.split_once("\"memory\": ").and_then(|(_, rest)| rest.chars().next());
        assert!(limit.is_some_and(|first| first.is_ascii_digit()), "the limit is told first: {told}");
        (ran.status.code(), text(&ran.stderr))
    };
    // What users have set themselves does not stand for a limit.
    for own in [&[][..], &[("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")]] {
        let (code, said) = import("100MB", own);
        assert!(code.is_none() && said.contains("memory allocation of"), "{own:?}: {code:?} {said}");
    }
    let (code, said) = import("3GB", &[]);
    assert!(code == Some(2) && said.contains("the pickle holds a list"), "{code:?} {said}");
    assert!(!out.exists());
}

#[test]
fn models_are_imported_described_and_tried() {
    let home = tempfile::tempdir().unwrap();
    let model = topologies().join("models/iris.pkl");
    let (model, out) = (model.to_str().unwrap(), home.path().join("iris.safetensors"));
    let out = out.to_str().unwrap();
    assert!(squall(home.path(), &["model", "import", model, "-o", out]).status.success());
    let described = squall(home.path(), &["model", "inspect", out]);
    assert!(text(&described.stdout).contains("setosa, versicolor, virginica"), "{}", text(&described.stdout));

    // The rows from stdin, the artefact and the pickle alike.
    let data = std::fs::read_to_string(topologies().join("data/iris.csv")).unwrap();
    let rows: String = data.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    let predict = |model: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(["model", "predict", model, "-"])
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
        text(&child.wait_with_output().unwrap().stdout)
    };
    let predicted = predict(out);
    assert_eq!(predicted, predict(model));
    let expected = std::fs::read_to_string(topologies().join("models/expected/iris.csv")).unwrap();
    let labels = |csv: &str| csv.lines().skip(1).map(|l| l.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(labels(&predicted), labels(&expected));

    let damaged = home.path().join("notes.pkl");
    std::fs::write(&damaged, "no model").unwrap();
    assert_eq!(squall(home.path(), &["model", "inspect", damaged.to_str().unwrap()]).status.code(), Some(2));
    assert_eq!(squall(home.path(), &["model", "inspect", "/nonexistent.pkl"]).status.code(), Some(4));
}

#[test]
fn model_files_and_rows_that_do_not_fit_are_told_with_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (class, remedy) in [
        ("xgboost.sklearn\nXGBClassifier", "save_model(\"model.ubj\")"),
        ("lightgbm.sklearn\nLGBMRegressor", "booster_.save_model(\"model.txt\")"),
        ("mine\nModel", "leave it out of the pipeline"),
    ] {
        let ran = squall(home.path(), &["model", "import", &file("boosted.pkl", &format!("c{class}\n."))]);
        let said = text(&ran.stderr);
        assert!(ran.status.code() == Some(2) && said.contains("boosted.pkl: ") && said.contains(remedy), "{said}");
    }
    // Of several targets there are labels, and then the probabilities of the classes of each.
    let several = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures/cases/several-forest.pkl");
    let rows = file("rows.csv", "1.5,2\n");
    let ran = squall(home.path(), &["model", "predict", several.to_str().unwrap(), &rows]);
    let header = "label,label_1,proba_0_0,proba_0_1,proba_0_2,proba_0_3,proba_0_4,proba_0_5,proba_1_-5,proba_1_5\n";
    assert_eq!((ran.status.code(), &*text(&ran.stdout)), (Some(2), header));
    let said = text(&ran.stderr);
    assert!(said.contains("rows.csv:1: the model takes ") && said.contains(" values a row, and here are 2"), "{said}");
}

#[test]
fn components_are_listed_with_their_keys() {
    let home = tempfile::tempdir().unwrap();
    let all = squall(home.path(), &["components"]);
    assert!(text(&all.stdout).contains("classifier"));
    let one = squall(home.path(), &["components", "classifier"]);
    assert!(text(&one.stdout).contains("features"), "{}", text(&one.stdout));
    let none = squall(home.path(), &["components", "clasifier"]);
    assert_eq!(none.status.code(), Some(4));
    assert!(text(&none.stderr).contains("did you mean `classifier`?"), "{}", text(&none.stderr));
}
