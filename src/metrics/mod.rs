//! The Prometheus HTTP API, as a client.
//!
//! Owns the two kinds of query and the questions that wooo asks of an app. It stores nothing and knows no cluster.

mod answer;
mod client;
mod error;
mod summary;

pub use answer::{Answer, Sample, Series};
pub use client::Prometheus;
pub use error::Error;
pub use summary::{AppMetrics, AppQueries};
