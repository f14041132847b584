//! What is measured.

use crate::twin::{Row, Take, Twin};

/// One thing to measure: a topology, what of it is counted, and its bare twin.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// The topology; `${ACKING}` is true or false, `${RATE}` what `Load` says, `${DATA}` a folder with files.
    pub topology: &'static str,
    pub(crate) counted: Counted,
    pub(crate) load: Load,
    pub(crate) twin: Twin,
    pub(crate) row: Row,
    /// Numbers of workers and acking, unless the user says otherwise.
    pub(crate) usual: &'static [(u32, bool)],
    /// No more workers than this make sense.
    pub(crate) most_workers: u32,
}

/// Whose tuples make the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Those that this component emitted.
    Emitted(&'static str),
    /// Those that this component took in.
    Executed(&'static str),
}

impl Counted {
    pub(crate) fn component(self) -> &'static str {
        match self {
            Counted::Emitted(id) | Counted::Executed(id) => id,
        }
    }
}

/// How much the spout emits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// As much as is taken; the figure is tuples a second.
    Full,
    /// So many tuples a second; the figure is the latency.
    Rate(f64),
    /// First all that is taken, then these shares of it; the figure is the latency.
    Steps(&'static [f64]),
}

const ONE: &[(u32, bool)] = &[(1, false), (1, true)];
const BOTH: &[(u32, bool)] = &[(1, false), (1, true), (2, false), (2, true)];

/// More than any worker takes in: the rate at which saturation is measured.
pub(crate) const FLOOD: f64 = 1e9;

/// All scenarios, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "const-only",
        about: "one row again and again, to nobody",
        topology: include_str!("../topologies/const-only.toml"),
        counted: Counted::Emitted("const"),
        load: Load::Full,
        twin: Twin::Drop,
        row: Row::SomeData,
        usual: ONE,
        most_workers: 1,
    },
    Scenario {
        name: "const-null",
        about: "one row again and again, one hop",
        topology: include_str!("../topologies/const-null.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::SomeData,
        usual: BOTH,
        most_workers: 2,
    },
    Scenario {
        name: "const-id-null",
        about: "one row again and again, two hops",
        topology: include_str!("../topologies/const-id-null.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copy),
        row: Row::SomeData,
        usual: BOTH,
        most_workers: 2,
    },
    Scenario {
        name: "wordcount-file",
        about: "lines of a file, split and counted; figures are words",
        topology: include_str!("../topologies/wordcount-file.toml"),
        counted: Counted::Executed("count"),
        load: Load::Full,
        twin: Twin::Hand(Take::Count { split: true }),
        row: Row::Lines,
        usual: BOTH,
        most_workers: 2,
    },
    Scenario {
        name: "wordcount-simple",
        about: "words of a file, counted",
        topology: include_str!("../topologies/wordcount-simple.toml"),
        counted: Counted::Executed("count"),
        load: Load::Full,
        twin: Twin::Hand(Take::Count { split: false }),
        row: Row::Words,
        usual: ONE,
        most_workers: 2,
    },
    Scenario {
        name: "back-pressure",
        about: "a fast spout before a bolt that sleeps 1 ms over each tuple",
        topology: include_str!("../topologies/back-pressure.toml"),
        counted: Counted::Executed("sleep"),
        load: Load::Full,
        twin: Twin::Sleep(1),
        row: Row::SomeData,
        usual: &[(1, true), (2, true)],
        most_workers: 2,
    },
    Scenario {
        name: "low-throughput",
        about: "20 tuples a second: the latency of an idle topology",
        topology: include_str!("../topologies/pace-lag.toml"),
        counted: Counted::Executed("lag"),
        load: Load::Rate(20.0),
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::SomeData,
        usual: &[(1, false), (2, false)],
        most_workers: 2,
    },
    Scenario {
        name: "latency",
        about: "open loop: latency from the intended time of sending, at shares of what saturates it",
        topology: include_str!("../topologies/pace-lag.toml"),
        counted: Counted::Executed("lag"),
        load: Load::Steps(&[0.1, 0.25, 0.5, 0.75, 0.9]),
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::SomeData,
        usual: &[(1, false), (2, false)],
        most_workers: 2,
    },
    Scenario {
        name: "classify",
        about: "digits through a PCA and a logistic regression",
        topology: include_str!("../topologies/classify.toml"),
        counted: Counted::Executed("classify"),
        load: Load::Full,
        twin: Twin::Kernel,
        row: Row::SomeData,
        usual: ONE,
        most_workers: 2,
    },
    Scenario {
        name: "fan-out",
        about: "every row to eight tasks; figures are deliveries",
        topology: include_str!("../topologies/fan-out.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copies(8)),
        row: Row::SomeData,
        usual: ONE,
        most_workers: 2,
    },
    Scenario {
        name: "many-tasks",
        about: "one spout before 1,000 tasks",
        topology: include_str!("../topologies/many-tasks.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::SomeData,
        usual: ONE,
        most_workers: 2,
    },
    Scenario {
        name: "big-tuples",
        about: "100 KB in every tuple",
        topology: include_str!("../topologies/big-tuples.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::Bytes(102_400),
        usual: &[(1, false), (2, false)],
        most_workers: 2,
    },
    Scenario {
        name: "vectors",
        about: "784 32-bit floats in every tuple",
        topology: include_str!("../topologies/vectors.toml"),
        counted: Counted::Executed("null"),
        load: Load::Full,
        twin: Twin::Hand(Take::Copies(1)),
        row: Row::F32s(784),
        usual: &[(1, false), (2, false)],
        most_workers: 2,
    },
];

impl Scenario {
    /// The scenario of this name.
    pub fn find(name: &str) -> Option<&'static Scenario> {
        SCENARIOS.iter().find(|s| s.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use squall_core::topology::{ModelLocation, PreparedModel, Sources, check, parse};

    use super::*;
    use crate::data;

    /// As `squall bench` submits it.
    fn plan(scenario: &Scenario, dir: &Path, acking: bool) -> squall_core::Plan {
        let var = |name: &str| match name {
            "ACKING" => Some(acking.to_string()),
            "RATE" => Some("1000".to_owned()),
            "DATA" => Some(dir.display().to_string()),
            _ => None,
        };
        let mut read = |_: &Path| Ok(scenario.topology.to_owned());
        let spec = parse(&dir.join("t.toml"), &mut Sources { read: &mut read, var: &var });
        let mut models = BTreeMap::new();
        for model in spec.models() {
            let ModelLocation::File(path) = &model.location else { panic!("a model from afar") };
            let artefact = dir.join(format!("{}.safetensors", model.name));
            let imported = squall_model::import(path, &artefact, &mut |_, _| {}).unwrap();
            let prepared = PreparedModel {
                artefact,
                sha256: imported.artefact_sha256,
                source: imported.source_sha256,
                bytes: imported.bytes,
                file: model.name.clone(),
            };
            models.insert(model.name.clone(), Ok(prepared));
        }
        match check(&spec, &mut squall_components::registry(), &models) {
            Ok((plan, warnings)) => {
                assert!(warnings.is_empty(), "{}: {warnings:?}", scenario.name);
                plan
            }
            Err(faults) => panic!("{}", faults.iter().map(|f| f.render(false)).collect::<String>()),
        }
    }

    #[test]
    fn every_topology_passes_the_checks_of_a_submit_and_has_what_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        data::write(dir.path()).unwrap();
        for scenario in SCENARIOS {
            for acking in [false, true] {
                let plan = plan(scenario, dir.path(), acking);
                assert_eq!(plan.settings.acking, acking, "{}", scenario.name);
                let id = scenario.counted.component();
                assert!(plan.components.iter().any(|c| c.id == id), "{}: no `{id}`", scenario.name);
                assert!(plan.task_count() >= scenario.most_workers, "{}: a worker without tasks", scenario.name);
            }
        }
    }

    #[test]
    fn names_are_distinct_and_what_is_usual_is_possible() {
        for (i, scenario) in SCENARIOS.iter().enumerate() {
            assert!(SCENARIOS[..i].iter().all(|s| s.name != scenario.name), "{} is there twice", scenario.name);
            assert!(!scenario.usual.is_empty());
            assert!(scenario.usual.iter().all(|(workers, _)| *workers <= scenario.most_workers), "{}", scenario.name);
            assert_eq!(Scenario::find(scenario.name).unwrap().name, scenario.name);
        }
        assert!(Scenario::find("nonsense").is_none());
    }
}
