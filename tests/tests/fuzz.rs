//! Every fuzz target over its corpus and over mutations of it, the same ones every time. `fuzz/run` goes on where this ends, guided by
//! coverage; what it finds is kept in `tests/fuzz`, and tried here from then on.

use std::panic::catch_unwind;
use std::path::Path;

use squall_tests::Dice;
use squall_tests::fuzz::{TARGETS, Target, mutate};
use squall_tests::repository;

fn no_bytes_do_harm(target: &Target) {
    let Target { name, run, mutations, .. } = target;
    let corpus = target.corpus();
    assert!(!corpus.is_empty(), "{name} has nothing to begin with");
    corpus.iter().for_each(|bytes| run(bytes));
    for seed in 0..*mutations {
        let mut dice = Dice::new(seed);
        let (mut bytes, other) = (dice.pick(&corpus).clone(), dice.pick(&corpus).clone());
        mutate(&mut bytes, &other, &mut dice);
        if catch_unwind(|| run(&bytes)).is_err() {
            let path = std::env::temp_dir().join(format!("squall-fuzz-{name}-{seed}"));
            std::fs::write(&path, &bytes).expect("the folder can be written to");
            panic!("{name} breaks on mutation {seed}, kept in {}", path.display());
        }
    }
}

#[test]
fn no_bytes_between_processes_do_harm() {
    TARGETS[..5].iter().for_each(no_bytes_do_harm);
}

#[test]
fn no_model_file_does_harm() {
    TARGETS[5..].iter().for_each(no_bytes_do_harm);
}

/// `fuzz/fuzz_targets` has a file for each, and `tests/fuzz` has folders of no others.
#[test]
fn fuzzers_know_all_targets() {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(repository().join(folder)).into_iter().flatten().flatten();
        let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned());
        let mut names: Vec<String> = entries.filter_map(|e| stem(&e.path())).collect();
        names.sort();
        names
    };
    let mut all: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    all.sort_unstable();
    assert_eq!(names("fuzz/fuzz_targets"), all);
    assert!(names("tests/fuzz").iter().all(|name| all.contains(&name.as_str())));
}

/// For fuzzers: each target's corpus as files, in `SQUALL_FUZZ_CORPUS/TARGET`.
#[test]
#[ignore = "fuzz/run calls it"]
fn write_corpora() {
    let folder = std::env::var_os("SQUALL_FUZZ_CORPUS").expect("SQUALL_FUZZ_CORPUS names a folder");
    for target in &TARGETS {
        let folder = Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        for (n, bytes) in target.corpus().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n}")), bytes).expect("the folder can be written to");
        }
    }
}
