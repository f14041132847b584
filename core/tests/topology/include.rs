//! Files that include others.

use crate::support::*;

const MAIN: &str = "name = \"t\"\ninclude = [\"parts/in.toml\"]\n[bolts.split]\ntype = \"split\"\ninputs = [{ from = \"in\", grouping = \"shuffle\" }]\n";
const IN: &str = "[spouts.in]\ntype = \"lines\"\nconfig = { path = \"${secret:P:-pw}\" }\n";

fn files(files: &[(&str, &str)]) -> Checked {
    run(files, &[], &Models::new())
}

fn placed(faults: &[squall_core::topology::Diagnostic]) -> Vec<String> {
    faults.iter().map(|d| format!("{}:{}", d.place.file, short(d))).collect()
}

#[test]
fn tables_are_laid_over_one_another() {
    let more = format!("include = [\"../parts/./deep.toml\"]\n[config]\nworkers = 2\n[models.m]\npath = \"m.pkl\"\n{IN}");
    let all = [("d/t.toml", MAIN), ("d/parts/in.toml", more.as_str()), ("d/parts/deep.toml", "[config]\nqueue_tuples = 7")];
    let (plan, _) = run(&all, &[], &model("m")).unwrap();
    assert_eq!((plan.settings.workers, plan.settings.queue_tuples), (2, 7));
    assert!(plan.source.starts_with(MAIN));
    assert!(plan.source.contains("\n\n# included: d/parts/in.toml\ninclude = "), "{}", plan.source);
    assert!(plan.source.contains("path = \"***\""));
    assert!(plan.source.ends_with("\n# included: d/parts/deep.toml\n[config]\nqueue_tuples = 7"));
}

#[test]
fn model_paths_are_relative_to_their_own_file() {
    let mut read = |p: &std::path::Path| {
        Ok(if p.ends_with("t.toml") {
            "include = [\"sub/m.toml\"]"
        } else {
            "[models.a]\npath = \"a.pkl\"\n[models.b]\npath = \"https://h/b.pkl\"\n[models.c]\npath = \"/abs.pkl\""
        }
        .to_owned())
    };
    let spec = squall_core::topology::parse(
        "d/t.toml".as_ref(),
        &mut squall_core::topology::Sources { read: &mut read, var: &|_| None },
    );
    let at: Vec<String> = spec.models().iter().map(|m| m.location.to_string()).collect();
    assert_eq!(at, ["d/sub/a.pkl", "https://h/b.pkl", "/abs.pkl"]);
    assert_eq!(spec.files().count(), 2);
}

#[test]
fn what_is_defined_twice_shows_both_places() {
    let second = format!("name = \"u\"\n[bolts.split]\ntype = \"split\"\n{IN}");
    let faults = files(&[("t.toml", MAIN), ("parts/in.toml", &second)]).unwrap_err();
    assert_eq!(
        placed(&faults),
        [
            "parts/in.toml:1:1+4 `name` is defined twice | included files add to a topology; they replace nothing",
            "parts/in.toml:2:8+5 [bolts] `split` is defined twice | included files add to a topology; they replace nothing",
        ]
    );
    assert_eq!(
        faults[1].render(false),
        "error: [bolts] `split` is defined twice\n --> parts/in.toml:2:8\n  |\n2 | [bolts.split]\n  |        ^^^^^ included files add to a topology; they replace nothing\n \
         ::: t.toml:3:8\n  |\n3 | [bolts.split]\n  |        ----- first defined here\n"
    );
}

#[test]
fn cycles_are_refused_but_twice_the_same_is_fine() {
    let around = format!("include = [\"more.toml\", \"../parts/more.toml\"]\n{IN}");
    let all = [("d/t.toml", MAIN), ("d/parts/in.toml", around.as_str()), ("d/parts/more.toml", "include = []\n")];
    assert!(files(&all).is_ok());
    let all = [("d/t.toml", MAIN), ("d/parts/in.toml", around.as_str()), ("d/parts/more.toml", "include = [\"./in.toml\"]\n")];
    assert_eq!(
        placed(&files(&all).unwrap_err()),
        [
            "d/parts/more.toml:1:12+11 files include each other: d/parts/in.toml → d/parts/more.toml → d/parts/in.toml | take one of the includes out"
        ]
    );
    let all = [("t.toml", "name = \"t\"\ninclude = [\"t.toml\"]\n[spouts.n]\ntype = \"numbers\"\n")];
    assert_eq!(
        placed(&files(&all).unwrap_err()),
        ["t.toml:2:12+8 files include each other: t.toml → t.toml | take one of the includes out"]
    );
}

#[test]
fn a_file_that_cannot_be_included_hides_no_other_fault_and_causes_none() {
    let all = [(
        "t.toml",
        "name = \"t\"\ninclude = [\"parts/in.toml\", 3, \"\"]\n[bolts.split]\ntype = \"splt\"\ninputs = [{ from = \"in\", grouping = \"shuffle\" }]\n",
    )];
    assert_eq!(
        placed(&files(&all).unwrap_err()),
        [
            "t.toml:2:12+15 cannot read parts/in.toml: no such file | the path is relative to the file that includes it",
            "t.toml:2:29+1 the file to include is 3, expected a path",
            "t.toml:2:32+2 the file to include is empty, expected a path",
            "t.toml:4:8+6 unknown bolt type `splt` | did you mean `split`?",
        ]
    );
    let all = [("t.toml", "name = \"t\"\ninclude = \"x\"\n")];
    assert_eq!(
        placed(&files(&all).unwrap_err()),
        ["t.toml:2:11+3 `include` is text, expected a list of files such as [\"models.toml\"]"]
    );
    let broken = [("t.toml", MAIN), ("parts/in.toml", "[spouts.in\n")];
    assert_eq!(placed(&files(&broken).unwrap_err()), ["parts/in.toml:1:11+1 not TOML: unclosed table | expected `]`"]);
}

#[test]
fn paths_that_go_in_circles_through_links_end() {
    let mut count = 0;
    let mut read = |_: &std::path::Path| {
        count += 1;
        Ok("include = [\"link/t.toml\"]".to_owned())
    };
    let spec = squall_core::topology::parse(
        "t.toml".as_ref(),
        &mut squall_core::topology::Sources { read: &mut read, var: &|_| None },
    );
    assert_eq!(spec.errors()[0].message, "more than 256 files in one topology");
    assert_eq!(count, 256);
}
