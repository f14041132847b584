//! How far a file is done, written down so that a restarted task goes on from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use squall_core::control::position_file;
use squall_core::{Context, Error, Result};

use super::lines::Place;
use crate::support::files;

/// One small JSON file for each task, `COMPONENT.INDEX-of-TASKS.position` in the topology's state directory.
pub(super) struct Checkpoint {
    dir: PathBuf,
    component: String,
    index: u32,
    tasks: u32,
    source: PathBuf,
    last: Option<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    path: PathBuf,
    offset: u64,
    lines: u64,
}

impl Checkpoint {
    pub(super) fn new(ctx: &Context, source: &Path) -> Self {
        Checkpoint {
            dir: ctx.state_dir.clone(),
            component: ctx.component.clone(),
            index: ctx.index,
            tasks: ctx.parallelism,
            source: source.to_owned(),
            last: None,
        }
    }

    fn file(&self, index: u32, tasks: u32) -> PathBuf {
        self.dir.join(position_file(&self.component, index, tasks))
    }

    /// Where this task goes on. After a change of parallelism lines belong to other tasks: then all go on from the lowest
    /// place that a complete set of tasks left behind, and some lines come twice.
    pub(super) fn read(&self) -> Result<Option<Place>> {
        let own = self.file(self.index, self.tasks);
        if own.exists() {
            return self.place(&own);
        }
        // A set of this size that lacks our file: we had not yet got anywhere.
        if (0..self.tasks).any(|index| self.file(index, self.tasks).exists()) {
            return Ok(None);
        }
        let mut sets: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for tasks in self.other_sets()? {
            for index in 0..tasks {
                let file = self.file(index, tasks);
                match if file.exists() { self.place(&file)? } else { None } {
                    Some(place) => sets.entry(tasks).or_default().push(place),
                    None => break,
                }
            }
        }
        let complete = sets.iter().filter(|(tasks, places)| places.len() as u32 == **tasks);
        Ok(complete.filter_map(|(_, places)| places.iter().min_by_key(|p| p.offset)).min_by_key(|p| p.offset).copied())
    }

    /// The sizes of the sets of which there is a first file.
    fn other_sets(&self) -> Result<Vec<u32>> {
        let begin = format!("{}.0-of-", self.component);
        let mut sizes = Vec::new();
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(sizes),
            Err(e) => return Err(Error::external(format!("cannot read {}", self.dir.display())).because(e)),
        };
        for entry in entries {
            let name = entry?.file_name();
            let size = name.to_str().and_then(|n| n.strip_prefix(&begin)?.strip_suffix(".position")?.parse::<u32>().ok());
            sizes.extend(size.filter(|n| *n <= 4096));
        }
        Ok(sizes)
    }

    /// The place in a file, unless it is about another source.
    fn place(&self, file: &Path) -> Result<Option<Place>> {
        let text = std::fs::read(file).map_err(|e| Error::external(format!("cannot read {}", file.display())).because(e))?;
        let content: Content = serde_json::from_slice(&text).map_err(|e| {
            Error::user(format!("{} is damaged; remove it to begin with the first line", file.display())).because(e)
        })?;
        if content.path != self.source {
            return Ok(None);
        }
        let length = std::fs::metadata(&self.source).map_or(0, |m| m.len());
        if length < content.offset {
            log::warn!(target: "squall::file", "{} has become shorter: beginning again", self.source.display());
            return Ok(None);
        }
        Ok(Some(Place { offset: content.offset, line: content.lines }))
    }

    /// Writes the place down, if it is a new one.
    pub(super) fn write(&mut self, place: Place) -> Result<()> {
        if self.last == Some(place) {
            return Ok(());
        }
        let content = Content { path: self.source.clone(), offset: place.offset, lines: place.line };
        let text = serde_json::to_vec(&content)?;
        files::replace(&self.file(self.index, self.tasks), |w| w.write_all(&text))?;
        self.last = Some(place);
        Ok(())
    }
}
