//! The spouts and bolts that ship with Squall: one file each, all listed in [`registry`].
#![warn(missing_docs)]

mod bolts;
mod registry;
mod spouts;
mod support;

pub use registry::registry;

/// The examples of the book are compiled as tests, so that they stay true.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../docs/custom-bolts.md")]
    mod custom_bolts {}
    #[doc = include_str!("../../docs/tutorial.md")]
    mod tutorial {}
}
