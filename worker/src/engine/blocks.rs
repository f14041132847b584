//! Trees that were begun together: one entry for a whole block of rows as long as the same is known of each, and one for each row
//! once one of them went its own way. Whoever takes a batch in as a whole so settles all its trees at once. All are of the spout's
//! first stream: no rows are emitted together on another.

use squall_core::{Root, Run, StreamId};

use super::outcomes::{Failed, Outcomes, Why};
use super::slot::Slot;

/// Slots from here on are of blocks: 256 for each, one for a row.
const FIRST: u32 = 1 << 31;
const BITS: u32 = Run::MOST.trailing_zeros();

#[derive(Default)]
struct Block {
    /// What is known of every tree; there is none under way in a block whose XOR is zero and that has none apart.
    all: Slot,
    /// The spout's ids.
    ids: Vec<u64>,
    /// What is known of each, once it is not the same.
    apart: Vec<Slot>,
    /// Of these, under way.
    live: usize,
}

#[derive(Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    free: Vec<u32>,
    live: usize,
}

/// Whether a root is of a block.
#[inline(always)]
pub(super) fn is_in_block(root: Root) -> bool {
    root.slot >= FIRST
}

fn place(root: Root) -> (usize, usize) {
    (((root.slot - FIRST) >> BITS) as usize, (root.slot % Run::MOST) as usize)
}

impl Blocks {
    /// How many trees are under way.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Begins trees, one edge each, for no more ids than a run may have.
    pub(super) fn begin(&mut self, ids: &[u64], task: u32, seed: u32, edge: (u64, u64), now_ns: u64) -> Run {
        let at = self.free.pop().unwrap_or_else(|| {
            self.blocks.push(Block { all: Slot { generation: seed, ..Slot::default() }, ..Block::default() });
            (self.blocks.len() - 1) as u32
        });
        let block = &mut self.blocks[at as usize];
        let generation = block.all.generation;
        block.all = Slot::new(generation, 0, edge, now_ns);
        block.ids.extend_from_slice(ids);
        self.live += ids.len();
        Run { root: Root { task, slot: FIRST + (at << BITS), generation }, rows: ids.len() as u32, id: edge.0 }
    }

    /// What is known of all trees from this one on, if they are those of a block, and it is known of all.
    pub(super) fn all(&mut self, root: Root, rows: u32) -> Option<&mut Slot> {
        let (at, first) = place(root);
        let block = self.blocks.get_mut(at)?;
        let whole = block.all.is_live() && first == 0 && rows as usize == block.ids.len();
        (whole && block.all.generation == root.generation).then_some(&mut block.all)
    }

    /// What is known of this tree alone, from now on apart from the others.
    pub(super) fn one(&mut self, root: Root) -> Option<&mut Slot> {
        let (at, row) = place(root);
        let block = self.blocks.get_mut(at)?;
        if block.all.generation != root.generation || row >= block.ids.len() {
            return None;
        }
        if block.all.is_live() {
            let all = block.all;
            block.apart.extend(block.ids.iter().map(|id| Slot { id: *id, ..all }));
            block.live = block.apart.len();
            block.all.xor = 0;
        }
        block.apart.get_mut(row)
    }

    /// All trees of a block have ended.
    pub(super) fn close_all(&mut self, root: Root, now_ns: u64, why: Option<Why>, outcomes: &mut Outcomes) {
        let (at, _) = place(root);
        let block = &mut self.blocks[at];
        match why {
            None => outcomes.done_all(&block.ids, now_ns.saturating_sub(block.all.emitted_ns)),
            Some(why) => {
                let stream = StreamId::DEFAULT;
                let failed = |(row, id): (usize, &u64)| Failed { id: *id, root: root.after(row as u32), stream, why };
                outcomes.failed.extend(block.ids.iter().enumerate().map(failed));
            }
        }
        self.live -= block.ids.len();
        self.free_up(at);
    }

    /// A tree that is apart has ended.
    pub(super) fn closed_one(&mut self, root: Root) {
        let (at, _) = place(root);
        self.live -= 1;
        let block = &mut self.blocks[at];
        block.live -= 1;
        if block.live == 0 {
            self.free_up(at);
        }
    }

    fn free_up(&mut self, at: usize) {
        let block = &mut self.blocks[at];
        block.all.close();
        block.ids.clear();
        block.apart.clear();
        self.free.push(at as u32);
    }

    /// Roots of the trees for which `which` holds: of whole blocks the first with the number of rows, of the others each.
    pub(super) fn find(&self, task: u32, which: impl Fn(&Slot) -> bool) -> Vec<(Root, u32)> {
        let mut found = Vec::new();
        for (at, block) in self.blocks.iter().enumerate() {
            let root = Root { task, slot: FIRST + ((at as u32) << BITS), generation: block.all.generation };
            if block.all.is_live() {
                if which(&block.all) {
                    found.push((root, block.ids.len() as u32));
                }
            } else {
                let apart = block.apart.iter().enumerate().filter(|(_, slot)| slot.is_live() && which(slot));
                found.extend(apart.map(|(row, _)| (root.after(row as u32), 1)));
            }
        }
        found
    }

    /// Trees under way as (the spout's id, XOR, workers).
    pub(super) fn trees(&self) -> Vec<(u64, u64, u64)> {
        let each = |block: &Block| -> Vec<(u64, u64, u64)> {
            let whole = block.ids.iter().filter(|_| block.all.is_live()).map(|id| (*id, block.all.xor, block.all.workers));
            let apart = block.apart.iter().filter(|s| s.is_live()).map(|s| (s.id, s.xor, s.workers));
            whole.chain(apart).collect()
        };
        self.blocks.iter().flat_map(each).collect()
    }
}
