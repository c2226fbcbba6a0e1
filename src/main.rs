//! The `wooo` program: everything is in the library.

fn main() -> std::process::ExitCode {
    wooo::cli::main()
}
