//! A real nimbus over HTTP; its supervisors are pretended.

mod common;
mod door;
mod openapi;
mod storm;
mod streams;
mod topologies;
