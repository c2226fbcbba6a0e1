//! The service as a process: what it makes of a change, and what is left of one when it is killed anywhere.

mod crash;
mod process;
mod replicas;
