//! Whether the models of all workers of this machine have room in its memory: each is there once, however many workers map it, and
//! a worker by itself sees only its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use squall_core::control::WantedWorker;
use squall_core::{Error, Result};

use crate::machine;
use crate::roster::{Roster, artefacts};

/// Bytes that models may take, in place of what the machine has; workers know it too.
const OVERRIDE: &str = "SQUALL_MODEL_MEMORY";

/// Refuses a worker whose models, together with those of the workers that run, are larger than the memory of the machine.
pub(crate) fn check(roster: &Roster, wanted: &WantedWorker, blobs: &Path) -> Result<()> {
    let memory = std::env::var(OVERRIDE).ok().and_then(|v| v.trim().parse().ok()).unwrap_or_else(machine::memory_bytes);
    let running = roster.entries.values().filter_map(|e| e.run.as_ref()).flat_map(|run| models(&run.kept.wanted));
    let sizes = |hashes: BTreeSet<&str>| -> BTreeMap<String, u64> {
        let size = |hash: &str| std::fs::metadata(blobs.join(hash)).map_or(0, |m| m.len());
        hashes.into_iter().map(|hash| (hash.to_owned(), size(hash))).collect()
    };
    fits(&sizes(running.collect()), &sizes(models(wanted).collect()), memory)
}

/// The models a worker starts with, and the versions it is to have.
fn models(wanted: &WantedWorker) -> impl Iterator<Item = &str> {
    wanted.models.values().map(String::as_str).chain(artefacts(wanted))
}

/// `memory` is 0 where it is not known. What runs is never asked to go, and what maps only the models that are there takes nothing more.
fn fits(running: &BTreeMap<String, u64>, own: &BTreeMap<String, u64>, memory: u64) -> Result<()> {
    let new: u64 = own.iter().filter(|(hash, _)| !running.contains_key(*hash)).map(|(_, size)| size).sum();
    let there: u64 = running.values().sum();
    if new == 0 || memory == 0 || new.saturating_add(there) <= memory {
        return Ok(());
    }
    Err(Error::external(format!(
        "its models need {new} bytes of memory, those of the workers that run here take {there}, and the machine has {memory}: take \
         a larger machine or smaller models ({OVERRIDE} overrides, in bytes, what the machine says)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_counts_once_and_only_what_comes_is_refused() {
        let of =
            |models: &[(&str, u64)]| models.iter().map(|(hash, size)| ((*hash).to_owned(), *size)).collect::<BTreeMap<_, _>>();
        let running = of(&[("a", 60), ("b", 30)]);
        assert!(fits(&running, &of(&[("a", 60), ("c", 10)]), 100).is_ok());
        let error = fits(&running, &of(&[("a", 60), ("c", 11)]), 100).unwrap_err().to_string();
        assert!(error.contains("need 11 bytes") && error.contains("take 90") && error.contains("has 100"), "{error}");
        // Nothing new; a machine that does not tell.
        assert!(fits(&running, &of(&[("a", 60)]), 50).is_ok());
        assert!(fits(&running, &of(&[("c", 1000)]), 0).is_ok());
        assert!(fits(&of(&[]), &of(&[("c", u64::MAX), ("d", 0)]), 7).is_err());
    }
}
