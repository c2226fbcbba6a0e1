//! Comments on merge requests as commands: read, understood, carried out, answered.
//!
//! A command goes down the same road as a request to the API: it becomes a [`Wish`](crate::operations::lifecycle::Wish),
//! or one of the few other operations of a change's life. What each command is called, wants and does is one entry of one
//! registry, from which `/wooo help` and `docs/comments.md` are printed. Nothing here merges, renders or writes a file.

mod command;
mod commands;
mod converse;
mod judge;
mod parse;
mod registry;
mod reply;
mod rights;
mod scene;

pub use command::{Arguments, Command, Key, Verb};
pub use converse::converse;
pub use judge::{Judgement, judge};
pub use parse::{Fault, Heard, MAX_COMMANDS, parse};
pub use registry::{page, usages};
