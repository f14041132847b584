//! What a task emits: routed at once, collected per destination, sent at the end of its turn or when enough is together.

use std::sync::Arc;

use squall_core::wire::{Delta, MAX_FRAME, Verdict};
use squall_core::{Batch, Columns, Edge, Error, Lineage, Result, Root, Schema, Source, StreamId, ValueRef};

use super::Shared;
use super::routes::{Router, Targets};
use super::task::Mail;

/// A batch leaves when it has this many rows or bytes; at the end of the turn with fewer.
const ROWS: usize = 256;
const BYTES: usize = 64 << 10;
/// No single row is larger: with its lineage it must fit a frame.
const LARGEST_ROW: usize = MAX_FRAME / 2;

/// An output stream of the task.
pub(crate) struct OutStream {
    pub(crate) name: String,
    /// Its number in the plan, as the wire has it.
    pub(crate) number: u32,
    pub(crate) direct: bool,
    pub(crate) schema: Arc<Schema>,
    pub(crate) source: Source,
    pub(crate) routers: Vec<Router>,
    pub(crate) emitted: u64,
}

/// Rows for the same destinations. All of them get the same rows, each under edges of its own.
pub(crate) struct Bundle {
    pub(crate) stream: usize,
    pub(crate) tasks: Vec<u32>,
    pub(crate) columns: Option<Columns>,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) dirty: bool,
}

pub(crate) struct Emission {
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: u32,
    pub(crate) streams: Vec<OutStream>,
    pub(crate) bundles: Vec<Bundle>,
    dirty: Vec<usize>,
    /// What this turn has to tell ledgers, in order.
    deltas: Vec<Delta>,
    /// Tasks for which enough waits.
    pub(crate) full: Vec<u32>,
    pub(crate) emitted: u64,
    pub(crate) transferred: u64,
    random: u64,
    scratch: Vec<u8>,
}

/// The first edges of a tree, or what anchors a row.
pub(crate) enum Roots<'a> {
    /// Edges of the tuples it descends from.
    Anchors(&'a [Edge]),
    /// A new tree; the XOR of its edges' ids and the bits of the workers they go to are added up here.
    New { root: Root, xor: &'a mut u64, workers: &'a mut u64 },
}

impl Emission {
    pub(crate) fn new(shared: Arc<Shared>, task: u32, streams: Vec<OutStream>, bundles: Vec<Bundle>, seed: u64) -> Self {
        Emission {
            shared,
            task,
            streams,
            bundles,
            dirty: Vec::new(),
            deltas: Vec::new(),
            full: Vec::new(),
            emitted: 0,
            transferred: 0,
            random: seed,
            scratch: Vec::new(),
        }
    }

    pub(crate) fn stream(&self, name: &str) -> Option<StreamId> {
        self.streams.iter().position(|s| s.name == name).map(|i| StreamId(i as u32))
    }

    /// Routes a row.
    pub(crate) fn emit(
        &mut self,
        stream: StreamId,
        direct_to: Option<u32>,
        mut roots: Roots<'_>,
        row: &[ValueRef<'_>],
        mut reached: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        let at = stream.0 as usize;
        let Some(out) = self.streams.get_mut(at) else {
            return Err(Error::user("the component declares no output stream to emit on"));
        };
        match (out.direct, direct_to) {
            (true, None) => return Err(Error::user(format!("stream `{}` is direct: name a task", out.name))),
            (false, Some(_)) => return Err(Error::user(format!("stream `{}` is not direct: no task may be named", out.name))),
            _ => {}
        }
        // With no subscriber nothing else would find the mistake.
        if out.routers.is_empty() && row.len() != out.schema.len() {
            return Err(Error::user(format!("{} values for the fields ({})", row.len(), out.schema)));
        }
        let routers = out.routers.len();
        let mut delivered = direct_to.is_none();
        for r in 0..routers {
            let router = &mut self.streams[at].routers[r];
            let Targets { first, count } = match direct_to {
                None => router.route(row, &mut self.scratch),
                Some(task) => match router.direct(task) {
                    Some(targets) => targets,
                    None => continue,
                },
            };
            delivered = true;
            for bundle in first..first + count {
                self.append(bundle, &mut roots, row)?;
                if let Some(reached) = reached.as_deref_mut() {
                    reached.extend_from_slice(&self.bundles[bundle].tasks);
                }
            }
        }
        if let (false, Some(task)) = (delivered, direct_to) {
            return Err(Error::user(format!("task {task} does not subscribe to stream `{}`", self.streams[at].name)));
        }
        self.streams[at].emitted += 1;
        self.emitted += 1;
        Ok(())
    }

    fn append(&mut self, at: usize, roots: &mut Roots<'_>, row: &[ValueRef<'_>]) -> Result<()> {
        let bundle = &mut self.bundles[at];
        let columns = match &mut bundle.columns {
            Some(columns) => columns,
            empty => {
                empty.insert(self.shared.pool.take(self.streams[bundle.stream].number, &self.streams[bundle.stream].schema))
            }
        };
        let (rows, bytes) = (columns.len(), columns.bytes());
        columns.push(row).map_err(Error::user)?;
        if columns.bytes() - bytes > LARGEST_ROW {
            // It cannot travel; keep it from taking its neighbours with it.
            columns.truncate(rows, bytes);
            return Err(Error::user(format!("a row of more than {LARGEST_ROW} bytes")));
        }
        if !bundle.dirty {
            bundle.dirty = true;
            self.dirty.push(at);
        }
        for (i, task) in bundle.tasks.iter().enumerate() {
            let lineage = &mut bundle.lineages[i];
            match roots {
                Roots::Anchors([]) => lineage.push(rows, &[]),
                Roots::Anchors([anchor]) => {
                    let id = next(&mut self.random);
                    lineage.push_one(rows, Edge { root: anchor.root, id });
                    note(&mut self.deltas, anchor.root, id, self.shared.bit(*task));
                }
                Roots::Anchors(anchors) => {
                    let mut edges: Vec<Edge> = Vec::with_capacity(anchors.len());
                    for anchor in *anchors {
                        if edges.iter().all(|e| e.root != anchor.root) {
                            let id = next(&mut self.random);
                            edges.push(Edge { root: anchor.root, id });
                            note(&mut self.deltas, anchor.root, id, self.shared.bit(*task));
                        }
                    }
                    lineage.push(rows, &edges);
                }
                Roots::New { root, xor, workers } => {
                    let id = next(&mut self.random);
                    lineage.push_one(rows, Edge { root: *root, id });
                    **xor ^= id;
                    **workers |= self.shared.bit(*task);
                }
            }
        }
        self.transferred += bundle.tasks.len() as u64;
        if rows + 1 >= ROWS || columns.bytes() >= BYTES {
            self.flush_bundle(at);
        }
        Ok(())
    }

    /// An input is done, or failed.
    #[inline]
    pub(crate) fn settle(&mut self, edges: &[Edge], verdict: Verdict) {
        for edge in edges {
            match verdict {
                Verdict::Going => note(&mut self.deltas, edge.root, edge.id, 0),
                verdict => self.deltas.push(Delta { root: edge.root, xor: 0, workers: 0, verdict }),
            }
        }
    }

    /// Sends everything collected: rows first, then what ledgers must know of them.
    pub(crate) fn flush(&mut self) {
        while let Some(at) = self.dirty.pop() {
            if self.bundles[at].dirty {
                self.flush_bundle(at);
            }
        }
        if !self.deltas.is_empty() {
            self.shared.tell_ledgers(&mut self.deltas);
        }
    }

    fn flush_bundle(&mut self, at: usize) {
        let bundle = &mut self.bundles[at];
        bundle.dirty = false;
        let Some(columns) = bundle.columns.take() else { return };
        let stream = &self.streams[bundle.stream];
        let shared = &self.shared;
        let full = &mut self.full;
        let mut note_full = |task: u32| {
            if !full.contains(&task) {
                full.push(task);
            }
        };
        let columns = Arc::new(columns);
        let since_ns = shared.now_ns();
        let mut remote: Vec<usize> = Vec::new();
        for (i, task) in bundle.tasks.iter().enumerate() {
            let Some(local) = shared.local(*task) else {
                remote.push(i);
                continue;
            };
            let next = if bundle.lineages[i].is_empty() { Lineage::default() } else { shared.pool.take_lineage() };
            let lineage = std::mem::replace(&mut bundle.lineages[i], next);
            let batch = Batch::new(stream.source.clone(), columns.clone(), lineage);
            if local.deliver(Mail { batch, from: None, since_ns }, &shared.scheduler) {
                note_full(*task);
            }
        }
        while let Some(first) = remote.first() {
            // One encoding for all receivers in one process.
            let worker = shared.worker_of(bundle.tasks[*first]);
            let (here, rest): (Vec<usize>, Vec<usize>) =
                remote.iter().partition(|i| shared.worker_of(bundle.tasks[**i]) == worker);
            remote = rest;
            // Counted before it is sent: the credit for it may be back at once.
            for i in &here {
                let gate = shared.gate(bundle.tasks[*i]);
                if gate.is_some_and(|g| g.enter(columns.len() as u64, columns.bytes() as u64)) {
                    note_full(bundle.tasks[*i]);
                }
            }
            let receivers: Vec<(u32, &Lineage)> = here.iter().map(|i| (bundle.tasks[*i], &bundle.lineages[*i])).collect();
            shared.send(worker, stream.number, self.task, &columns, &receivers);
            here.into_iter().for_each(|i| bundle.lineages[i].clear());
        }
        if let Some(columns) = Arc::into_inner(columns) {
            self.shared.pool.give(stream.number, columns);
        }
    }
}

/// Adds to the deltas of the turn; neighbours of one tree become one.
#[inline]
fn note(deltas: &mut Vec<Delta>, root: Root, id: u64, worker: u64) {
    if let Some(last) = deltas.last_mut()
        && last.root == root
        && last.verdict == Verdict::Going
    {
        last.xor ^= id;
        last.workers |= worker;
        return;
    }
    deltas.push(Delta { root, xor: id, workers: worker, verdict: Verdict::Going });
}

/// SplitMix64 (Steele, Lea, Flood 2014): edge ids need to be unlikely to cancel, not secret.
#[inline]
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
