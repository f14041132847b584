//! From TOML to a plan: what is accepted, and what is said about the rest.
#![allow(missing_docs)]

mod config;
mod include;
mod properties;
mod references;
mod rendering;
mod structure;
mod support;
mod variables;
mod whole;
