//! The `wooo` program: everything is in the library.

/// A build allocates and frees many small texts on all threads, for which this allocator is the faster one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wooo::cli::main()
}
