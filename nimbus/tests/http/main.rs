//! A real nimbus over HTTP; its supervisors are pretended.

mod common;
mod door;
mod storm;
mod topologies;
