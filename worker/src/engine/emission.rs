//! What a task emits: routed at once, collected per destination, sent at the end of its turn or when enough is together.

use std::sync::Arc;

use squall_core::wire::{Delta, MAX_FRAME, Verdict};
use squall_core::{Batch, Columns, Edge, Error, Lineage, Result, Schema, Slice, Source, StreamId, ValueRef};

use super::Shared;
use super::routes::Router;
use super::task::Mail;
use super::trees::{Marks, RowRun, Trees};

/// A batch leaves when it has this many rows or bytes; at the end of the turn with fewer.
const ROWS: usize = 256;
const BYTES: usize = 256 << 10;
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
    marks: Marks,
    /// Lineages of batches that are done as a whole; told after the deltas.
    done: Vec<Lineage>,
    /// Tasks for which enough waits.
    pub(crate) full: Vec<u32>,
    pub(crate) emitted: u64,
    pub(crate) transferred: u64,
    /// The time, where it need not be looked up.
    pub(crate) now_ns: Option<u64>,
    scratch: Vec<u8>,
}

impl Emission {
    pub(crate) fn new(shared: Arc<Shared>, task: u32, streams: Vec<OutStream>, bundles: Vec<Bundle>, seed: u64) -> Self {
        Emission {
            shared,
            task,
            streams,
            bundles,
            dirty: Vec::new(),
            marks: Marks::new(seed),
            done: Vec::new(),
            full: Vec::new(),
            emitted: 0,
            transferred: 0,
            now_ns: None,
            scratch: Vec::new(),
        }
    }

    pub(crate) fn stream(&self, name: &str) -> Option<StreamId> {
        self.streams.iter().position(|s| s.name == name).map(|i| StreamId(i as u32))
    }

    /// Routes a row, and gives back the trees with its edges. They come and go by value: whoever calls this has them in
    /// registers.
    #[inline(always)]
    pub(crate) fn emit<T: Trees>(
        &mut self,
        stream: StreamId,
        direct_to: Option<u32>,
        trees: T,
        row: &[ValueRef<'_>],
        reached: Option<&mut Vec<u32>>,
    ) -> Result<T> {
        let at = stream.0 as usize;
        // One subscriber, which routes the row to one task or to all: what nearly every emit is.
        let bundle = match self.streams.get_mut(at) {
            Some(OutStream { direct: false, routers, .. }) if direct_to.is_none() && reached.is_none() => {
                match &mut routers[..] {
                    [router] => router.route(row, &mut self.scratch),
                    _ => None,
                }
            }
            _ => None,
        };
        let Some(bundle) = bundle else { return self.emit_with_care(at, direct_to, trees, row, reached) };
        let trees = self.append(bundle, trees, row)?;
        self.streams[at].emitted += 1;
        self.emitted += 1;
        Ok(trees)
    }

    /// The same where several subscribe or nobody does, a task is named, the receivers are asked for, or something is wrong;
    /// apart, so that the usual emit stays short.
    #[inline(never)]
    fn emit_with_care<T: Trees>(
        &mut self,
        at: usize,
        direct_to: Option<u32>,
        mut trees: T,
        row: &[ValueRef<'_>],
        mut reached: Option<&mut Vec<u32>>,
    ) -> Result<T> {
        let Some(out) = self.streams.get(at) else {
            return Err(no_stream());
        };
        match (out.direct, direct_to) {
            (true, None) => return Err(Error::user(format!("stream `{}` is direct: name a task", out.name))),
            (false, Some(_)) => return Err(Error::user(format!("stream `{}` is not direct: no task may be named", out.name))),
            _ => {}
        }
        if out.routers.is_empty() {
            // Nothing else would find the mistake, or see the row.
            if row.len() != out.schema.len() {
                return Err(Error::user(format!("{} values for the fields ({})", row.len(), out.schema)));
            }
            if self.shared.taps.is_on() {
                self.shared.taps.see_row(&out.source, &out.schema, row);
            }
        }
        let mut delivered = direct_to.is_none();
        for r in 0..out.routers.len() {
            let router = &mut self.streams[at].routers[r];
            let bundle = match direct_to {
                None => router.route(row, &mut self.scratch),
                Some(task) => router.direct(task),
            };
            let Some(bundle) = bundle else { continue };
            delivered = true;
            trees = self.append(bundle, trees, row)?;
            if let Some(reached) = reached.as_deref_mut() {
                reached.extend_from_slice(&self.bundles[bundle].tasks);
            }
        }
        if let (false, Some(task)) = (delivered, direct_to) {
            return Err(Error::user(format!("task {task} does not subscribe to stream `{}`", self.streams[at].name)));
        }
        self.streams[at].emitted += 1;
        self.emitted += 1;
        Ok(trees)
    }

    /// Whether rows of a stream are routed in runs, each to one task, without a look at them; or to none.
    pub(crate) fn in_runs(&self, stream: StreamId, n: usize) -> bool {
        match self.streams.get(stream.0 as usize) {
            Some(OutStream { direct: false, routers, .. }) => match &routers[..] {
                [] => !self.shared.taps.is_on(),
                [router] => {
                    router.deals(n).is_some() && self.bundles.get(router.deal(n, 0).0).is_some_and(|b| b.tasks.len() == 1)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether rows fit a stream, each of them.
    pub(crate) fn check_rows(&self, stream: StreamId, rows: &Slice<'_>) -> Result<()> {
        let Some(out) = self.streams.get(stream.0 as usize) else {
            return Err(no_stream());
        };
        rows.fits(&out.schema).map_err(Error::user)?;
        if rows.bytes() > LARGEST_ROW && (0..rows.len()).any(|i| rows.split_at(i).1.split_at(1).0.bytes() > LARGEST_ROW) {
            return Err(Error::user(format!("a row of more than {LARGEST_ROW} bytes")));
        }
        Ok(())
    }

    /// Routes rows of a stream that routes in runs, after they were checked.
    pub(crate) fn emit_rows(&mut self, stream: StreamId, rows: &Slice<'_>, trees: &mut impl RowRun) -> Result<()> {
        let (at, n, mut rest) = (stream.0 as usize, rows.len(), *rows);
        // Of rows that differ much, the batch may hold more; never more than its limit and all of these rows.
        let each = (rows.bytes() / n.max(1)).max(1);
        for nth in 0.. {
            let Some((bundle, share)) = self.streams[at].routers.first().map(|r| r.deal(n, nth)) else { break };
            let (run, others) = rest.split_at(share);
            self.append_run(bundle, &run, each, trees)?;
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        let out = &mut self.streams[at];
        out.routers.iter_mut().for_each(|r| r.dealt(n));
        out.emitted += n as u64;
        self.emitted += n as u64;
        Ok(())
    }

    /// Appends rows of about so many bytes each to a bundle, which leaves as often as it is full.
    fn append_run(&mut self, at: usize, run: &Slice<'_>, each: usize, trees: &mut impl RowRun) -> Result<()> {
        let mut rest = *run;
        while !rest.is_empty() {
            let Emission { shared, streams, bundles, dirty, marks, transferred, .. } = self;
            let Some(bundle) = bundles.get_mut(at) else { return Err(no_bundle()) };
            let ([task], [lineage]) = (&bundle.tasks[..], &mut bundle.lineages[..]) else { return Err(no_bundle()) };
            let columns =
                opened(&mut bundle.columns, &mut bundle.dirty, (at, dirty), || begin(shared, &streams[bundle.stream]));
            let rows = columns.len();
            let room = BYTES.saturating_sub(columns.bytes()).div_ceil(each).min(ROWS.saturating_sub(rows)).max(1);
            let (now, later) = rest.split_at(room);
            columns.append(&now).map_err(Error::internal)?;
            trees.add_run(now.len(), rows, lineage, marks, shared.bit(*task));
            *transferred += now.len() as u64;
            rest = later;
            if columns.len() >= ROWS || columns.bytes() >= BYTES {
                self.flush_bundle(at);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn append<T: Trees>(&mut self, at: usize, mut trees: T, row: &[ValueRef<'_>]) -> Result<T> {
        let Emission { shared, streams, bundles, dirty, marks, transferred, .. } = self;
        let Some(bundle) = bundles.get_mut(at) else {
            return Err(no_bundle());
        };
        let columns = opened(&mut bundle.columns, &mut bundle.dirty, (at, dirty), || begin(shared, &streams[bundle.stream]));
        let (rows, bytes) = (columns.len(), columns.bytes());
        if let Err(misfit) = columns.push(row) {
            return Err(Error::user(misfit));
        }
        let now = columns.bytes();
        if now - bytes > LARGEST_ROW {
            // It cannot travel; keep it from taking its neighbours with it.
            columns.truncate(rows, bytes);
            return Err(Error::user(format!("a row of more than {LARGEST_ROW} bytes")));
        }
        match (&bundle.tasks[..], &mut bundle.lineages[..]) {
            ([task], [lineage]) => trees.add(rows, lineage, marks, || shared.bit(*task)),
            // By value: with its address given away it would be in memory in the other case too.
            (tasks, lineages) => trees = add_all(trees, rows, (tasks, lineages), marks, shared),
        }
        *transferred += bundle.tasks.len() as u64;
        if rows + 1 >= ROWS || now >= BYTES {
            self.flush_bundle(at);
        }
        Ok(trees)
    }

    /// An input is done, or failed.
    #[inline]
    pub(crate) fn settle(&mut self, edges: &[Edge], verdict: Verdict) {
        for edge in edges {
            match verdict {
                Verdict::Going => self.marks.note(edge.root, edge.id, 0),
                verdict => self.marks.deltas.push(Delta { root: edge.root, rows: 1, xor: 0, workers: 0, verdict }),
            }
        }
    }

    /// A whole input batch is done, and this was its lineage.
    pub(crate) fn settle_batch(&mut self, lineage: Lineage) {
        if !lineage.is_empty() {
            self.done.push(lineage);
        }
    }

    /// Sends everything collected: rows first, then what ledgers must know of them.
    pub(crate) fn flush(&mut self) {
        while let Some(at) = self.dirty.pop() {
            if self.bundles[at].dirty {
                self.flush_bundle(at);
            }
        }
        if !self.marks.deltas.is_empty() || !self.done.is_empty() {
            self.shared.tell_ledgers(&mut self.marks.deltas, &mut self.done);
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
        let since_ns = self.now_ns.unwrap_or_else(|| shared.now_ns());
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

/// An edge to each of several receivers.
#[inline(never)]
fn add_all<T: Trees>(
    mut trees: T,
    rows: usize,
    (tasks, lineages): (&[u32], &mut [Lineage]),
    marks: &mut Marks,
    shared: &Shared,
) -> T {
    for (task, lineage) in tasks.iter().zip(lineages) {
        trees.add(rows, lineage, marks, || shared.bit(*task));
    }
    trees
}

#[cold]
fn no_stream() -> Error {
    Error::user("the component declares no output stream to emit on")
}

#[cold]
fn no_bundle() -> Error {
    Error::internal("a row was routed to a bundle that is not there")
}

/// The rows collected in the bundle `at`, which from the first on is among those that are to be sent.
#[inline(always)]
fn opened<'b>(
    columns: &'b mut Option<Columns>,
    is_dirty: &mut bool,
    (at, dirty): (usize, &mut Vec<usize>),
    begin: impl FnOnce() -> Columns,
) -> &'b mut Columns {
    match columns {
        Some(columns) => columns,
        none => {
            if !std::mem::replace(is_dirty, true) {
                dirty.push(at);
            }
            none.insert(begin())
        }
    }
}

/// Memory for the first row of a bundle.
#[cold]
fn begin(shared: &Shared, stream: &OutStream) -> Columns {
    shared.pool.take(stream.number, &stream.schema)
}
