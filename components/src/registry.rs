//! The one list of all component types.

use squall_core::Registry;

use crate::{bolts, spouts};

/// All spout and bolt types of this crate under the names that topologies use. A worker of one's own adds to it:
///
/// ```
/// let mut registry = squall_components::registry();
/// // registry.bolt::<MyBolt>("my-bolt");
/// assert!(registry.describe().iter().any(|t| t.name == "classifier"));
/// ```
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry
        .spout::<spouts::constant::Config>("const")
        .spout::<spouts::csv::Config>("csv")
        .spout::<spouts::digits::Config>("digits")
        .spout::<spouts::file::Config>("file")
        .spout::<spouts::iris::Config>("iris")
        .spout::<spouts::pace::Config>("pace")
        .spout::<spouts::sequence::Config>("sequence")
        .spout::<spouts::words::Config>("words");
    registry
        .bolt::<bolts::accuracy::Config>("accuracy")
        .bolt::<bolts::classifier::Config>("classifier")
        .bolt::<bolts::console::Config>("console")
        .bolt::<bolts::count::Config>("count")
        .bolt::<bolts::fail::Config>("fail")
        .bolt::<bolts::filter::Config>("filter")
        .bolt::<bolts::identity::Config>("identity")
        .bolt::<bolts::jsonl::Config>("jsonl")
        .bolt::<bolts::lag::Config>("lag")
        .bolt::<bolts::last::Config>("last")
        .bolt::<bolts::null::Config>("null")
        .bolt::<bolts::project::Config>("project")
        .bolt::<bolts::sleep::Config>("sleep")
        .bolt::<bolts::sorted::Config>("sorted")
        .bolt::<bolts::split::Config>("split")
        .bolt::<bolts::transform::Config>("transform");
    registry
}

#[cfg(test)]
mod tests {
    use squall_core::{BoltConfig, SpoutConfig};

    use super::*;

    fn spout<C: SpoutConfig>(name: &'static str) -> (&'static str, Vec<&'static str>) {
        (name, C::KEYS.iter().map(|(key, _)| *key).collect())
    }

    fn bolt<C: BoltConfig>(name: &'static str) -> (&'static str, Vec<&'static str>) {
        (name, C::KEYS.iter().map(|(key, _)| *key).collect())
    }

    /// What `squall components` explains is what serde reads: no key without a meaning, no meaning without a key.
    #[test]
    fn every_key_is_explained() {
        let explained = [
            spout::<spouts::constant::Config>("const"),
            spout::<spouts::csv::Config>("csv"),
            spout::<spouts::digits::Config>("digits"),
            spout::<spouts::file::Config>("file"),
            spout::<spouts::iris::Config>("iris"),
            spout::<spouts::pace::Config>("pace"),
            spout::<spouts::sequence::Config>("sequence"),
            spout::<spouts::words::Config>("words"),
            bolt::<bolts::accuracy::Config>("accuracy"),
            bolt::<bolts::classifier::Config>("classifier"),
            bolt::<bolts::console::Config>("console"),
            bolt::<bolts::count::Config>("count"),
            bolt::<bolts::fail::Config>("fail"),
            bolt::<bolts::filter::Config>("filter"),
            bolt::<bolts::identity::Config>("identity"),
            bolt::<bolts::jsonl::Config>("jsonl"),
            bolt::<bolts::lag::Config>("lag"),
            bolt::<bolts::last::Config>("last"),
            bolt::<bolts::null::Config>("null"),
            bolt::<bolts::project::Config>("project"),
            bolt::<bolts::sleep::Config>("sleep"),
            bolt::<bolts::sorted::Config>("sorted"),
            bolt::<bolts::split::Config>("split"),
            bolt::<bolts::transform::Config>("transform"),
        ];
        let types = registry().describe();
        assert_eq!(types.len(), explained.len());
        for info in types {
            let read: Vec<&str> = info.keys.iter().map(|(key, _)| key.as_str()).collect();
            let (_, keys) = explained.iter().find(|(name, _)| *name == info.name).unwrap();
            assert_eq!(&read, keys, "{}", info.name);
            assert!(!info.about.is_empty() && info.about.len() < 140, "{}: {}", info.name, info.about);
        }
    }

    #[test]
    fn no_type_takes_a_key_it_does_not_know() {
        let mut registry = registry();
        for info in registry.describe() {
            let request = squall_core::ResolveRequest {
                kind: info.kind,
                type_name: info.name.clone(),
                config: serde_json::json!({"no_such_key": 1}),
                ..Default::default()
            };
            let refused = squall_core::Catalog::resolve(&mut registry, &request).unwrap().unwrap_err();
            assert!(
                refused.faults.iter().any(|f| f.message.starts_with("unknown key `no_such_key`")),
                "{}: {refused:?}",
                info.name
            );
        }
    }
}
