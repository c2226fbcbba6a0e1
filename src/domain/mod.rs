//! The values that wooo speaks in. Values only: nothing here reads a file, a clock or a network.

mod framework;
mod image;
mod names;
pub mod problem;
mod quantity;

pub use framework::Framework;
pub use problem::{Location, Problem, Problems};
