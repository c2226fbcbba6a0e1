//! The durable queue at work: workers that lease jobs, hand them to operations, and try again what failed.
//!
//! The rows are those of [`store`](crate::store); what a job does is an operation, and its payload is an id. A job that
//! is run twice does nothing twice: each operation first asks what is true, and writes only under its fence. So a worker
//! that was stopped and resumed long after its lease ended finds that it may write nothing.

mod kind;
mod worker;

pub use worker::{Workers, WorkersOptions};
