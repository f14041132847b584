//! Whatever the text: no panic, and every place is in its file.

use proptest::prelude::*;
use squall_core::topology::{Diagnostic, Place};

use crate::support::*;

fn in_file(place: &Place, text: &str) -> bool {
    let Some(line) = text.split('\n').nth(place.line.saturating_sub(1)) else { return false };
    let line = line.trim_end_matches('\r');
    place.line >= 1
        && (1..=line.chars().count() + 1).contains(&place.column)
        && place.length >= 1
        && place.column - 1 + place.length <= line.chars().count().max(place.column)
}

fn sound(faults: &[Diagnostic], text: &str) -> Result<(), TestCaseError> {
    for d in faults {
        prop_assert!(in_file(&d.place, text), "{d:?}");
        for also in &d.also {
            prop_assert!(in_file(&also.place, text), "{also:?}");
        }
        let rendered = d.render(false);
        prop_assert!(rendered.chars().all(|c| c == '\n' || !c.is_control()), "{rendered:?}");
    }
    let order: Vec<_> = faults.iter().map(|d| (d.place.line, d.place.column)).collect();
    prop_assert!(order.is_sorted(), "{order:?}");
    Ok(())
}

fn checked(text: &str) -> Result<(), TestCaseError> {
    let models = model("m");
    match run(&[("t.toml", text)], &[("P", "4"), ("S", "secret")], &models) {
        Ok((plan, warnings)) => {
            sound(&warnings, text)?;
            prop_assert!(plan.components.iter().all(|c| c.parallelism > 0));
            Ok(())
        }
        Err(faults) => {
            prop_assert!(!faults.is_empty());
            sound(&faults, text)
        }
    }
}

const SEED: &str = "name = \"t\"\r\n[config]\nworkers = \"${P}\"\nmessage_timeout = \"30s\"\nlog = \"info\"\n[models.m]\npath = \"m.pkl\"\nsha256 = \"\"\n\
[spouts.in]\ntype = \"lines\"\nconfig = { path = \"${secret:S:-日本}\", rows = \"${P:-1}\" }\n[spouts.n]\ntype = \"numbers\"\n\
[bolts.split]\n\ttype = \"split\"\n\tinputs = [{ from = \"in\", grouping = \"shuffle\" }]\n[bolts.count]\ntype = \"count\"\nparallelism = 3\ntick = 5\n\
inputs = [{ from = \"split\", stream = \"default\", grouping = \"fields\", fields = [\"word\"] }]\n\
[bolts.c]\ntype = \"classifier\"\ninputs = [{ from = \"n\", grouping = \"all\" }]\nconfig = { model = \"m\", features = \"v\", emit = [\"label\"] }\n\
[bolts.sh]\ntype = \"shell\"\ninputs = [{ from = \"c\", grouping = \"none\" }]\noutputs = [{ name = \"a\", direct = true, fields = { x = \"f32[3]\" } }]\n";

const PIECES: [&str; 40] = [
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\n",
    "\r",
    "\t",
    "#",
    "${",
    "}",
    "$$",
    "${X}",
    "${X:-",
    "secret:",
    "0",
    "-1",
    "1e400",
    "nan",
    "true",
    "1979-05-27",
    "in",
    "split",
    "count",
    "bolts",
    "inputs",
    "fields",
    "direct",
    "日",
    "\u{0}",
    "\u{feff}",
    "\\u0041",
    "__",
    "9999999999999999999999",
    " ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        checked(&text)?;
    }

    #[test]
    fn pieces_of_toml(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        checked(&pieces.concat())?;
    }

    #[test]
    fn mutated_topologies(edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(&PIECES[..])), 1..5)) {
        let mut chars: Vec<char> = SEED.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(chars.len() + 1).min(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        checked(&chars.into_iter().collect::<String>())?;
    }

    #[test]
    fn words_swapped(from in 0usize..80, to in 0usize..80) {
        let mut words: Vec<&str> = SEED.split_inclusive([' ', '\n']).collect();
        let (from, to) = (from % words.len(), to % words.len());
        words.swap(from, to);
        checked(&words.concat())?;
    }
}

#[test]
fn the_seed_has_only_its_one_fault() {
    let faults = run(&[("t.toml", SEED)], &[("P", "4")], &model("m")).unwrap_err();
    assert_eq!(
        shorts(&faults),
        ["8:10+2 `sha256` has 0 characters, expected 64 hexadecimal digits | sha256sum FILE prints it"]
    );
}
