//! What reads bytes that somebody else wrote, as targets for fuzzers. None may panic, loop, or take memory that the bytes did not pay
//! for; that it says no is fine. `fuzz/run` has them guided by coverage, `tests/tests/fuzz.rs` runs them over mutations of what is known.

mod doors;
mod models;
mod topology;
mod wire;

use std::path::{Path, PathBuf};

use crate::Dice;
use crate::repository;

/// A target.
#[derive(Debug)]
pub struct Target {
    /// Its name: that of its folder in `tests/fuzz`, and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What is done with bytes.
    pub run: fn(&[u8]),
    /// Bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutations every test run tries; fewer where each is dear.
    pub mutations: u64,
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    target("wire", wire::frame, wire::frames, 20_000),
    target("link", wire::link, wire::conversations, 1000),
    target("topology", topology::file, topology::seeds, 20_000),
    target("nimbus", doors::nimbus, doors::asked_of_nimbus, 400),
    target("supervisor", doors::supervisor, doors::asked_of_supervisors, 400),
    target("pickle", models::import_and_score, models::pickles, 400),
    target("booster", models::import_and_score, models::boosters, 400),
    target("artefact", models::import_and_score, models::artefacts, 400),
];

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>, mutations: u64) -> Target {
    Target { name, run, seeds, mutations }
}

/// Runs the target of this name.
///
/// # Panics
/// There is none; or the bytes did harm.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("there is no target `{name}`"));
    (target.run)(bytes);
}

impl Target {
    /// What it begins with: its own seeds, and what is in `tests/fuzz/TARGET`: bytes that once did harm.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let mut all = (self.seeds)();
        all.extend(files(&repository().join("tests/fuzz").join(self.name), |_| true));
        all
    }
}

/// The files of a folder that are such, in order of their names; none if there is no folder.
fn files(folder: &Path, such: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| such(&p.to_string_lossy())).collect();
    found.sort();
    found.iter().map(|p| std::fs::read(p).expect("a file of the repository can be read")).collect()
}

/// Changes bytes as a careless network, disk or attacker would.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const TELLING: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', 0xc6, 0xcf, 0xdb, 0xdd];
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(7) {
            0 if !bytes.is_empty() => bytes[at.saturating_sub(1)] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at.saturating_sub(1)] = *dice.pick(&TELLING),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, *dice.pick(&TELLING)),
            4 => drop(bytes.drain(at..(at + dice.below(9)).min(bytes.len()))),
            5 if !other.is_empty() => {
                let from = dice.below(other.len());
                let piece = other[from..(from + 1 + dice.below(32)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let piece = bytes[at..(at + 1 + dice.below(64)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
    }
}
