//! `file`: the lines of a text file.

mod checkpoint;
mod lines;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use squall_core::{Check, Context, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl};

use crate::support::{files, pending::Pending, yes};
use checkpoint::Checkpoint;
use lines::{Lines, Place};

/// How often a file that is followed is looked at again.
const FOLLOW: Duration = Duration::from_millis(200);
/// How often the position is written at most.
const CHECKPOINT: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    path: PathBuf,
    #[serde(default)]
    cycle: bool,
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    checkpoint: bool,
    #[serde(default = "yes")]
    tracked: bool,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "the lines of a text file, shared among its tasks: line, number";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("path", "the file, absolute"),
        ("cycle", "begin again at the end, for ever; false unless given"),
        ("follow", "wait at the end for lines to be appended; false unless given"),
        ("checkpoint", "write down how far all is acked, and go on from there after a restart; false unless given"),
        ("tracked", "replay lines that fail; true unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let absolute = files::absolute(check, "path", &self.path);
        if self.cycle && self.follow {
            check.fault("follow", "a file that begins again at its end cannot be followed: set `cycle` or `follow`");
        }
        if self.checkpoint && (self.cycle || !self.tracked) {
            let why = if self.cycle { "a file that cycles" } else { "lines that are not tracked" };
            check.fault("checkpoint", format!("{why} cannot be checkpointed"));
        }
        // A file that is followed may come into being later.
        if absolute
            && !self.follow
            && let Err(e) = std::fs::File::open(&self.path)
        {
            check.fault("path", format!("cannot open {}: {e}", self.path.display()));
        }
        Ok(vec![StreamDecl::default_stream(Schema::new([("line", FieldType::Str), ("number", FieldType::Int)]))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>> {
        let checkpoint = self.checkpoint.then(|| Checkpoint::new(ctx, &self.path));
        let mut spout = FileSpout {
            lines: Lines::open(&self.path, self.follow)?,
            index: u64::from(ctx.index),
            tasks: u64::from(ctx.parallelism.max(1)),
            cycle: self.cycle,
            follow: self.follow,
            tracked: self.tracked,
            base: 0,
            pending: Pending::default(),
            checkpoint: None,
            written: Instant::now(),
            paused: false,
            ended: false,
        };
        if let Some(place) = checkpoint.as_ref().map(Checkpoint::read).transpose()?.flatten() {
            log::info!(target: "squall::file", "{}: going on at line {}", self.path.display(), place.line + 1);
            spout.lines.seek(place)?;
        }
        spout.checkpoint = checkpoint;
        Ok(Box::new(spout))
    }

    fn blocking(&self) -> bool {
        self.checkpoint
    }
}

/// Ids are line numbers, from 0; in later rounds of a cycle they go on from where the round before ended.
struct FileSpout {
    lines: Lines,
    index: u64,
    tasks: u64,
    cycle: bool,
    follow: bool,
    tracked: bool,
    /// The first id of this round.
    base: u64,
    pending: Pending<Place>,
    checkpoint: Option<Checkpoint>,
    /// When the position was last written.
    written: Instant,
    paused: bool,
    ended: bool,
}

impl FileSpout {
    /// All lines of this task before this place are acked.
    fn done(&self) -> Place {
        self.pending.lowest().map_or(self.lines.place(), |(_, place)| *place)
    }

    fn write_position(&mut self, now: Instant) -> Result<()> {
        let place = self.done();
        self.written = now;
        match &mut self.checkpoint {
            Some(checkpoint) => checkpoint.write(place),
            None => Ok(()),
        }
    }

    /// While it pauses nobody asks for more, and it may be moved as soon as nothing is under way: then it goes on from here.
    fn write_if_at_rest(&mut self) {
        if self.paused
            && self.pending.lowest().is_none()
            && let Err(error) = self.write_position(Instant::now())
        {
            log::warn!(target: "squall::file", "{error}");
        }
    }

    fn read(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        let Some((place, line)) = self.lines.next()? else {
            if self.follow {
                return Ok(Next::After(FOLLOW));
            }
            // A round without a line of ours would be followed by another one at once, for ever.
            if self.cycle && self.lines.place().line > self.index {
                self.base += self.lines.place().line;
                self.lines.rewind()?;
                return Ok(Next::More);
            }
            self.ended = true;
            return Ok(Next::End);
        };
        if place.line % self.tasks != self.index {
            return Ok(Next::More);
        }
        let line = String::from_utf8_lossy(line);
        let (id, number) = (self.base + place.line, place.line + 1);
        if self.tracked {
            out.emit_with_id((&*line, number), id)?;
            self.pending.sent(id, place);
        } else {
            out.emit((&*line, number))?;
        }
        Ok(Next::More)
    }
}

impl Spout for FileSpout {
    fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
        if self.checkpoint.is_some() {
            let now = Instant::now();
            if now - self.written >= CHECKPOINT {
                self.write_position(now)?;
            }
        }
        while out.room() > 0 {
            if let Some((id, place)) = self.pending.next_again() {
                let place = *place;
                let line = self.lines.read_again(place)?;
                out.emit_with_id((&*String::from_utf8_lossy(&line), place.line + 1), id)?;
                continue;
            }
            if self.ended {
                return Ok(Next::End);
            }
            match self.read(out)? {
                Next::More => {}
                next => return Ok(next),
            }
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: u64) {
        self.pending.ack(id);
        self.write_if_at_rest();
    }

    fn activate(&mut self) {
        self.paused = false;
    }

    fn deactivate(&mut self) {
        self.paused = true;
        self.write_if_at_rest();
    }

    fn fail(&mut self, id: u64) {
        self.pending.fail(id);
    }

    fn close(&mut self) -> Result<()> {
        self.write_position(Instant::now())
    }

    fn position(&mut self) -> Result<Option<Vec<u8>>> {
        Ok((self.tracked && !self.cycle).then(|| self.done().to_bytes()))
    }

    fn seek(&mut self, position: &[u8]) -> Result<()> {
        self.lines.seek(Place::from_bytes(position)?)?;
        self.pending.clear();
        (self.base, self.ended) = (0, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
