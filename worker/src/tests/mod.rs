//! Engines in this process, alone and joined by real links.

mod alone;
mod components;
mod joined;
pub(crate) mod support;
