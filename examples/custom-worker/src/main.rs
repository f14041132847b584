//! A worker binary with component types of its own beside those that ship with Squall.

mod alarm;
mod stations;
mod tcp_lines;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut registry = squall_components::registry();
    registry.spout::<stations::Config>("stations").spout::<tcp_lines::Config>("tcp-lines").bolt::<alarm::Config>("alarm");
    squall_worker::main(registry)
}
