//! How much memory models take, as the kernel tells it of each process that has mapped them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use squall_core::control::ModelUse;

/// What each of these files (by hash) takes in these processes.
pub(crate) fn measure(pids: &[u32], files: &BTreeMap<String, PathBuf>) -> Vec<ModelUse> {
    let mut uses: BTreeMap<&str, ModelUse> = BTreeMap::new();
    for (hash, file) in files {
        let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
        let file = file.display().to_string();
        uses.insert(hash, ModelUse { artefact: hash.clone(), file, bytes, ..ModelUse::default() });
    }
    for pid in pids {
        // Walking all pages is not free: only where there is something to see.
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        if !files.values().any(|f| maps.contains(&*f.to_string_lossy())) {
            continue;
        }
        let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
        for (hash, file) in files {
            if let (Some(taken), Some(sum)) = (mapped(&smaps, file), uses.get_mut(hash.as_str())) {
                sum.mapped_by += 1;
                sum.rss_bytes += taken.rss_bytes;
                sum.pss_bytes += taken.pss_bytes;
                sum.private_bytes += taken.private_bytes;
            }
        }
    }
    uses.into_values().filter(|u| u.mapped_by > 0).collect()
}

/// What the mappings of a file take, in the text of `/proc/PID/smaps`; `None` if there is none.
fn mapped(smaps: &str, file: &Path) -> Option<ModelUse> {
    let file = file.to_string_lossy();
    let (mut found, mut inside): (Option<ModelUse>, bool) = (None, false);
    for line in smaps.lines() {
        // A mapping begins with its addresses in hex; what is said of it begins with a word and a colon.
        let first = line.split(' ').next().unwrap_or_default();
        if !first.ends_with(':') {
            inside = line.ends_with(&*file) && line[..line.len() - file.len()].ends_with(' ');
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some(sum)) = (inside, &mut found) {
            let number = line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024);
            match first {
                "Rss:" => sum.rss_bytes += number,
                "Pss:" => sum.pss_bytes += number,
                "Private_Clean:" | "Private_Dirty:" => sum.private_bytes += number,
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
7f00-7f10 r--s 00000000 fd:01 42                         /d/blobs/ab
Rss:                 400 kB
Pss:                 100 kB
Pss_Dirty:            50 kB
Private_Clean:         4 kB
Private_Dirty:         0 kB
VmFlags: rd mr mw
7f10-7f20 r--s 00000000 fd:01 43                         /d/blobs/abc
Rss:                1000 kB
7f20-7f30 r--s 00100000 fd:01 42                         /d/blobs/ab
Rss:                   8 kB
Pss:                   2 kB
";

    #[test]
    fn all_mappings_of_the_file_and_of_no_other_count() {
        let m = mapped(SMAPS, Path::new("/d/blobs/ab")).unwrap();
        assert_eq!((m.rss_bytes, m.pss_bytes, m.private_bytes), (408 * 1024, 102 * 1024, 4 * 1024));
        assert_eq!(mapped(SMAPS, Path::new("/d/blobs/a")), None);
    }

    #[test]
    fn this_process_has_mapped_its_own_program() {
        let files = BTreeMap::from([("x".to_owned(), std::env::current_exe().unwrap())]);
        let uses = measure(&[std::process::id()], &files);
        assert_eq!(uses[0].mapped_by, 1);
        assert!(uses[0].rss_bytes > 0 && uses[0].pss_bytes <= uses[0].rss_bytes);
    }
}
