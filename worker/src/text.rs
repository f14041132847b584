//! Texts that others wrote, kept to a length.

pub(crate) use squall_core::control::cut;
