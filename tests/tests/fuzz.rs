//! Every fuzz target over its corpus and over mutations of it, the same ones every time.

use std::panic::catch_unwind;

use squall_tests::chaos::Dice;
use squall_tests::fuzz::{TARGETS, Target, corpus, mutate};

/// Mutations of the corpus; fewer where each is dear.
fn how_many(target: &Target) -> u64 {
    if target.0 == "pickle" { 400 } else { 20_000 }
}

#[test]
fn no_bytes_do_harm() {
    for target in &TARGETS {
        let (name, run, _) = target;
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{name} has nothing to begin with");
        corpus.iter().for_each(|bytes| run(bytes));
        for seed in 0..how_many(target) {
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
}
