//! The `squall` command; all of it is in the library.

use std::process::ExitCode;

/// Tuples are made on one thread and dropped on another, which this allocator does several times faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    squall_cli::main(std::env::args_os().collect())
}
