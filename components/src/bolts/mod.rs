//! The bolts, one file each.

pub(crate) mod accuracy;
pub(crate) mod classifier;
pub(crate) mod console;
pub(crate) mod count;
pub(crate) mod fail;
pub(crate) mod filter;
pub(crate) mod identity;
pub(crate) mod jsonl;
pub(crate) mod lag;
pub(crate) mod last;
pub(crate) mod null;
pub(crate) mod project;
pub(crate) mod sleep;
pub(crate) mod sorted;
pub(crate) mod split;
pub(crate) mod transform;
