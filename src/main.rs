//! The `restage` program; everything it does is in the library.

use std::process::ExitCode;

/// Batches are allocated and freed on many threads, which the allocator of libc is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages would double the memory of a run and take longer to clear than they save. Without them it only costs.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    restage::cli::run(std::env::args_os())
}
