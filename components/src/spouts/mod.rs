//! The spouts, one file each.

pub(crate) mod constant;
pub(crate) mod csv;
pub(crate) mod digits;
pub(crate) mod file;
pub(crate) mod iris;
pub(crate) mod pace;
pub(crate) mod sequence;
pub(crate) mod words;
