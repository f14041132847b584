//! Topology files.

use std::path::Path;

use squall_core::topology::{Sources, check, parse};

use super::files;
use crate::repository;

/// A topology file, with itself for everything it includes, and no models.
pub(super) fn file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut reads = 0;
    let read = &mut |_: &Path| {
        reads += 1;
        assert!(reads < 10_000, "includes are followed for ever");
        Ok(text.to_owned())
    };
    let spec = parse(Path::new("fuzz.toml"), &mut Sources { read, var: &|name| Some(name.to_owned()) });
    let length = text.lines().count().max(1);
    let checked = check(&spec, &mut squall_components::registry(), &Default::default());
    let found = match &checked {
        Ok((plan, warnings)) => {
            assert!(!spec.has_errors(), "a plan though there are faults");
            serde_json::to_string(plan).expect("a plan is JSON");
            warnings
        }
        Err(faults) => faults,
    };
    for fault in spec.errors().iter().chain(found) {
        assert!(fault.place.line >= 1 && fault.place.line <= length + 1, "{fault:?} is not in a file of {length} lines");
        assert!(!fault.render(true).is_empty());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    files(&repository().join("topologies"), |name| name.ends_with(".toml"))
}
