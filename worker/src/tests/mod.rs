//! Engines in this process, alone and joined by real links.

mod alone;
mod components;
mod joined;
mod simulation;
pub(crate) mod support;
