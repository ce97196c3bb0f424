//! The `restage` program; everything it does is in the library.

use std::process::ExitCode;

/// Batches are allocated and freed on many threads, which the allocator of libc is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    restage::cli::run(std::env::args_os())
}
