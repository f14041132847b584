//! The crates depend on each other only as the arrows of the architecture say.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use squall_tests::{repository, run};

/// Each crate of the workspace and the crates of Squall it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("squall-core", &[]),
    ("squall-model", &[]),
    ("squall-components", &["squall-core", "squall-model"]),
    ("squall-logs", &["squall-core"]),
    ("squall-worker", &["squall-core", "squall-logs"]),
    ("squall-supervisor", &["squall-core", "squall-logs"]),
    ("squall-nimbus", &["squall-core", "squall-logs"]),
    ("squall-bench", &["squall-core", "squall-model"]),
    (
        "squall-cli",
        &[
            "squall-bench",
            "squall-components",
            "squall-core",
            "squall-logs",
            "squall-model",
            "squall-nimbus",
            "squall-supervisor",
            "squall-worker",
        ],
    ),
    // Its fuzz targets knock at every door, and its simulation puts all daemons together.
    (
        "squall-tests",
        &["squall-components", "squall-core", "squall-model", "squall-nimbus", "squall-supervisor", "squall-worker"],
    ),
];

#[test]
fn arrows_point_one_way() {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let ran = run(Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(repository())).ok();
    let metadata: Value = ran.json();
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut seen = 0;
    for package in metadata["packages"].as_array().expect("a list of packages") {
        let name = package["name"].as_str().expect("a package has a name");
        let Some(allowed) = may_use.get(name) else {
            panic!("`{name}` is not in the list above: say what it may use");
        };
        seen += 1;
        for dependency in package["dependencies"].as_array().expect("a list of dependencies") {
            let used = dependency["name"].as_str().expect("a dependency has a name");
            // Tests may use more than what ships.
            let ships = dependency["kind"] != "dev";
            assert!(!ships || !used.starts_with("squall-") || allowed.contains(&used), "`{name}` must not use `{used}`");
        }
    }
    assert_eq!(seen, may_use.len(), "a crate of the list is gone");
}

#[test]
fn core_does_no_input_or_output() {
    let manifest = std::fs::read_to_string(repository().join("core/Cargo.toml")).expect("core has a manifest");
    let manifest: toml::Table = manifest.parse().expect("the manifest is TOML");
    let used: Vec<&String> = manifest["dependencies"].as_table().expect("dependencies").keys().collect();
    for never in ["tokio", "axum", "ureq", "zmq", "redb", "log"] {
        assert!(!used.iter().any(|name| *name == never), "core must not use `{never}`");
    }
}
